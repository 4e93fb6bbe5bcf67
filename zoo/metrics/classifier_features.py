"""The zoo's own classifiers as feature extractors: small, bundled and fast, for their images only.

Numbers over these features compare with each other, not with those over Inception's.
"""

import hashlib

from zoo import hub
from zoo.classifier import Classifier


class ClassifierExtractor:
    """A classifier behind the protocol `zoo.metrics.features.Extractor`.

    Args:
        model: A `zoo.Classifier`.
        name: Its name on cards and in cached files.

    Attributes:
        name, digest, size: As the protocol says.
        classes: Number of classes that it tells apart.
        shape: (H, W, C) of the images that it looks at.
    """

    def __init__(self, model, name):
        self.model, self.name, self.size = model, name, model.feature_size
        self.classes, self.shape = model.config.num_classes, model.config.image_shape
        digest = hashlib.sha256()
        for weight in model.get_weights():
            digest.update(weight.tobytes())
        self.digest = digest.hexdigest()

    def __call__(self, images):
        """Returns float32 features (N, d) of uint8 images (N, H, W, C).

        Raises:
            ValueError: For images of another type, size or number of channels than the
                classifier's.
        """
        return self.model.features(images, batch_size=len(images))

    def predict(self, images):
        """Returns float32 class probabilities (N, classes), for the Inception Score."""
        return self.model.predict(images)


def classifier_extractor(name_or_model):
    """Returns the feature extractor of a classifier.

    Args:
        name_or_model: What `zoo.load` takes, or a `zoo.Classifier`.

    Raises:
        ValueError: If it names no model, or one that is no classifier.
        FileNotFoundError: As `zoo.load`.
    """
    if isinstance(name_or_model, Classifier):
        return ClassifierExtractor(name_or_model, name_or_model.name)
    model = hub.load(name_or_model)
    if not isinstance(model, Classifier):
        raise ValueError(f"{str(name_or_model)!r} is a {type(model).kind}, not a classifier.")
    return ClassifierExtractor(model, str(name_or_model))
