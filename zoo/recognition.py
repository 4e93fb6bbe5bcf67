"""Are a conditional model's samples of the classes they were asked for? For its card."""

import numpy as np

from zoo import grids, sampling
from zoo.metrics import extractors

COUNT = 1000
STEPS = 9  # of a walk between two classes


def check(model, path, *, progress=True):
    """Counts samples that the data set's classifier recognises, and draws walks between classes.

    Row i of the picture goes from class i to the next, all rows at one latent.

    Args:
        model: a conditional `zoo.GAN`, trained on a set with a published classifier.
        path: the picture to write.
        progress: taken for the sake of `zoo.cards.measure`; it lasts seconds.

    Returns:
        A dict: `classifier`, its name, and `digest`, the sha256 of its weights; `seed`; `count`;
        `accuracy`, the fraction of `count` samples recognised as their class; `of_class`, the same
        of each class.

    Raises:
        ValueError: the model is unconditional, or there is no such classifier.
    """
    facts = accuracy(model)
    classes = model.config.num_classes
    pairs = [(i, (i + 1) % classes) for i in range(classes)]
    walks = [model.interpolate(STEPS, seed=facts["seed"], label=pair) for pair in pairs]
    grids.save_grid(path, np.concatenate(walks), columns=STEPS, scale=2)
    return facts


def accuracy(model, seed=0):
    """Returns the facts of `check` without the picture."""
    labels = sampling.in_turn(model.config, COUNT)
    if labels is None:
        raise ValueError(f"The model {model.name!r} is unconditional: it has no classes.")
    classifier = extractors.get("classifier", model.config.dataset)
    samples = model.sample(COUNT, seed=seed, labels=labels)
    recognised = classifier.predict(samples).argmax(axis=1) == labels
    return {
        "classifier": classifier.name,
        "digest": classifier.digest,
        "seed": seed,
        "count": COUNT,
        "accuracy": float(recognised.mean()),
        "of_class": [
            float(recognised[labels == i].mean()) for i in range(model.config.num_classes)
        ],
    }
