"""`Classifier`: a network from images to classes as a `keras.Model`, trained by plain `fit`."""

import contextlib

import keras
import numpy as np
from keras import ops

from zoo import backend, data, labelled, sampling
from zoo.metrics import features
from zoo.model import RecipeModel, check_absent, check_images, to_float
from zoo.optimizers import make_classifier_optimizer


@keras.saving.register_keras_serializable("zoo")
class Classifier(RecipeModel):
    """An image classifier, built by a recipe from its config.

    Images are uint8 of the config's size and channels. Called like a layer, or through
    `predict_on_batch`, it gives logits, which the loss is made of; `predict` gives probabilities.

    One `fit` step is one update on one batch, shuffled and augmented by NumPy: a step is a pure
    function of weights and batch on every backend.

    Args and errors: those of `zoo.model.RecipeModel`.
    """

    kind = "Classifier"
    networks = ("classifier",)
    _validation = None  # what `fit` measures with

    def call(self, images, training=False):
        """Maps uint8 images (N, H, W, C) to float32 logits (N, classes)."""
        return self.classifier(to_float(images), training=training)["logits"]

    def predict(self, images, batch_size=256, verbose=0):
        """Returns class probabilities.

        Args:
            images: uint8 array of shape (N, H, W, C), with the model's height, width and channels;
                or `zoo.data.load(...)`, images of any size.
            batch_size: Images per forward pass; no effect on the result.
            verbose: Whether to report images and time left on stderr; "auto" does not.

        Returns:
            float32 array of shape (N, classes) whose rows sum to 1.

        Raises:
            ValueError: For images of another type or shape.
        """
        logits = self._outputs("logits", images, batch_size, verbose)
        return ops.convert_to_numpy(ops.softmax(logits))

    def features(self, images, batch_size=256, verbose=0):
        """Returns the activations that the logits are a linear function of.

        Args and errors: as `predict`.

        Returns:
            float32 array of shape (N, d), d being `feature_size`.
        """
        return self._outputs("features", images, batch_size, verbose)

    @property
    def feature_size(self):
        """Number of features, d."""
        return self.classifier.output["features"].shape[-1]

    def _outputs(self, name, images, batch_size, verbose):
        def run(batch):
            return self.classifier.predict_on_batch(to_float(batch))[name]

        sampling.check_positive(batch_size, "batch_size")
        label = f"{name}:" if verbose not in (0, False, "auto") else None
        images = check_images(images, self.config.image_shape)
        return np.concatenate([*features.extract(run, images, batch_size, progress=label)])

    # Training

    def compile(self, optimizer=None, **kwargs):
        """Prepares training; called by `fit` with the recipe's own settings when it has not been.

        Args:
            optimizer: A Keras optimizer or its name; by default the config's, whose learning
                rate falls in a recipe's run only: `fit` knows no end of the run.
            **kwargs: As for `keras.Model.compile`; by default cross-entropy and accuracy.
        """
        optimizer = optimizer or make_classifier_optimizer(self.config)
        optimizer = keras.optimizers.get(optimizer)
        optimizer.build(self.trainable_variables)
        defaults = {
            "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }
        super().compile(optimizer=optimizer, **self.compile_defaults | defaults | kwargs)

    def make_optimizer(self, scale=1.0):
        """Returns the optimizer of the config's run, its learning rate times `scale`."""
        return make_classifier_optimizer(self.config, scale)

    def build_metrics(self):
        images = np.zeros((1, *self.config.image_shape), np.uint8)
        self.test_on_batch(images, np.zeros(1, np.int32))

    def where_diverged(self, wrong):
        return f"the {wrong[0]}"

    def fit(self, x, y=None, *, validation_data=None, **kwargs):
        """Trains on images and labels; see `zoo.model.RecipeModel.fit`.

        Args:
            x: `zoo.data.load(...)`, or a uint8 array of shape (N, H, W, C).
            y: Labels of an array, integers of shape (N,).
            validation_data: Images to measure after every epoch: a data source, or (array, labels).
            **kwargs: `epochs`, `steps_per_epoch`, `initial_epoch`, `callbacks`, `verbose`.

        Returns:
            The `keras.callbacks.History`.
        """
        for name in ("validation_steps", "validation_batch_size"):
            check_absent(kwargs, name, "fit", "every image of validation_data is measured")
        if validation_data is None:
            return super().fit(x, y, **kwargs)
        several = isinstance(validation_data, (tuple, list))
        arrays = validation_data if several else (validation_data,)
        if several and len(arrays) != 2:
            raise ValueError(
                "validation_data must be a data source or (images, labels), but has "
                f"{len(arrays)} parts."
            )
        with self._evaluation_batches(*arrays) as (self._validation, steps):
            kwargs |= {"validation_data": self._validation, "validation_steps": steps}
            return super().fit(x, y, **kwargs)

    def evaluate(self, x, y=None, **kwargs):
        """Measures loss and accuracy.

        Args:
            x: `zoo.data.load(...)`, or a uint8 array of shape (N, H, W, C).
            y: Labels of an array, integers of shape (N,).
            **kwargs: As for `keras.Model.evaluate`.

        Returns:
            A dict: "loss", the mean cross-entropy, and "accuracy", a fraction.
        """
        if not self.compiled:
            self.compile()
        with contextlib.ExitStack() as contexts:
            if self._validation is None or x is not self._validation:  # else fit's own call
                for name in ("steps", "batch_size", "sample_weight"):
                    check_absent(kwargs, name, "evaluate", "it measures every image once")
                opened = contexts.enter_context(self._evaluation_batches(x, y))
                x, kwargs["steps"] = opened
            contexts.enter_context(backend.undistributed())  # the last batch is a shorter one
            contexts.enter_context(backend.full_precision())
            return super().evaluate(x, **{"verbose": 0, "return_dict": True} | kwargs)

    @contextlib.contextmanager
    def _evaluation_batches(self, x, y=None):
        images = data.as_images(x, y).resized(self.config.image_shape)
        batches = labelled.EvaluationBatches(images, self.config)
        try:
            yield backend.distribute_evaluation(self, batches), len(batches)
        finally:
            batches.images = None  # TensorFlow keeps what reads them until the process ends

    def exported(self):
        images = keras.Input(self.config.image_shape, dtype="uint8", name="images")
        return keras.Model(images, self(images))

    def batches(self, images, first_step):
        return labelled.training_batches(images, self.config, first_step)
