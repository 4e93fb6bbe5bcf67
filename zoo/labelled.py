"""Images with their labels: augmented batches to train a classifier on, plain ones to measure it.

Augmentation is NumPy's and depends on (seed, step) alone, as the order of the images does: the same
on every backend, and after a resume.
"""

import itertools

import keras
import numpy as np

from zoo import batching, data


def training_batches(images, config, first_step=0):
    """Yields the batch of every step from `first_step` on, endlessly.

    Args:
        images: A data source with the model's image shape and with labels.
        config: The model's `ClassifierConfig`.
        first_step: Number of the first step.

    Yields:
        (images, labels): uint8 (N, H, W, C), int32 (N,), N being the batch size.

    Raises:
        ValueError: If the images have no labels, or too many classes.
    """
    data.check_labelled(images, config.num_classes)
    size = config.batch_size
    for step in itertools.count(first_step):
        indices = batching.order(len(images), config.seed, step * size, size)
        rng = np.random.default_rng([config.seed, 3, step])
        yield augment(images[indices], rng, config.flip, config.shift), images.labels[indices]


def augment(images, rng, flip, shift):
    """Shifts each image by up to `shift` pixels, filling with black, and mirrors half of them.

    Args:
        images: Array of shape (N, H, W, C).
        rng: A `numpy.random.Generator`.
        flip: Whether to mirror left and right.
        shift: Largest shift in each of the four directions, in pixels.

    Returns:
        Array of the same shape and type.
    """
    n, height, width, _ = images.shape
    top, left = rng.integers(2 * shift + 1, size=(2, n, 1))
    mirrored = rng.random((n, 1)) < (0.5 if flip else 0.0)
    padded = np.pad(images, [(0, 0), (shift, shift), (shift, shift), (0, 0)])
    rows, columns = top + np.arange(height), left + np.arange(width)
    columns = np.where(mirrored, columns[:, ::-1], columns)
    return padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


class EvaluationBatches(keras.utils.PyDataset):
    """The images of a data source in order, with their labels, as Keras's `evaluate` takes them.

    Args:
        images: A data source with the model's image shape and with labels.
        config: The model's `ClassifierConfig`.
        batch_size: Images per batch.
    """

    def __init__(self, images, config, batch_size=256):
        super().__init__()
        data.check_labelled(images, config.num_classes)
        self.images, self.batch_size = images, batch_size

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        indices = np.arange(start, min(start + self.batch_size, len(self.images)))
        return self.images[indices], self.images.labels[indices]


def test_images(config, learnt):
    """Opens the images that measure a classifier of this config, none of which it was trained on.

    Args:
        config: The classifier's config.
        learnt: Names of its classes, where it was trained on a folder of them.

    Raises:
        ValueError: If the config names none and its data set has no test split, or names those that
            were learnt from, or if the images are in subfolders of other names: their labels would
            be other classes'.
    """
    if not config.test_dataset:
        if config.dataset in data.NAMED:
            return data.load(config.dataset, "test")
        raise ValueError(
            f"{config.dataset} has no test split: train with --test_dataset=folder:DIR or "
            "npz:FILE; a finished run takes it, too."
        )
    if config.test_dataset in data.NAMED:
        return data.load(config.test_dataset, "test")
    if config.test_dataset == config.dataset:
        raise ValueError(
            f"The classifier learnt from {config.dataset}, which can not test it: --test_dataset "
            "takes other pictures."
        )
    images = data.load(config.test_dataset)
    names = images.class_names
    if learnt and names and names != [*learnt]:
        raise ValueError(
            f"{config.test_dataset!r} has the classes {', '.join(names)}, but the classifier "
            f"learnt {', '.join(learnt)}: give each of these a subfolder with pictures, and no "
            "other."
        )
    return images
