"""The memorisation check of a card: what training images lie nearest to generated ones."""

import numpy as np

from zoo import data, grids, sampling
from zoo.metrics import collect, extractors
from zoo.metrics.precision_recall import nearest

SHOWN = 8
MEASURED = 1000


def check(model, path, *, progress=True):
    """Draws eight samples above their nearest training images and measures a thousand.

    Distances are Euclidean, between features of the data set's classifier where one is published,
    else between pixels. The distances of as many test images to their nearest training images show
    what is usual for images the model cannot have copied.

    Args:
        model: a `zoo.GAN`, trained on a named set.
        path: the picture to write.
        progress: whether to report images and time left on stderr.

    Returns:
        A dict: `space`, "pixels" or the classifier's name, and `digest`, the sha256 of its weights
        or None; `seed`; `count`; `sample_distance` and
        `test_distance`, medians over `count` samples and test images.
    """
    config = model.config
    training, test = (
        data.load(config.dataset, split).resized(config.image_shape) for split in ("train", "test")
    )
    samples = model.sample(MEASURED, seed=0, labels=sampling.in_turn(config, MEASURED))
    (space, digest), embed = _space(config, progress)
    pool = embed(training.images, f"{config.dataset}-train")
    indices, distances = nearest(embed(samples), pool)
    _, usual = nearest(embed(test.images[:MEASURED]), pool)
    shown = [samples[:SHOWN], training[indices[:SHOWN]]]
    grids.save_grid(path, np.concatenate(shown), columns=SHOWN, scale=2)
    return {
        "space": space,
        "digest": digest,
        "seed": 0,
        "count": MEASURED,
        "sample_distance": float(np.median(distances)),
        "test_distance": float(np.median(usual)),
    }


def _space(config, progress):
    """Returns ((name, digest), function from uint8 images to vectors)."""
    if not extractors.has_classifier(config):
        return ("pixels", None), lambda x, _=None: x.reshape(len(x), -1).astype("float32") / 255
    extractor = extractors.get("classifier", config.dataset)

    def embed(x, name=None):
        options = {"total": len(x), "progress": "features of" if progress else None}
        return collect.collect(extractor, lambda: x, keep=True, name=name, **options).features

    return (extractor.name, extractor.digest), embed
