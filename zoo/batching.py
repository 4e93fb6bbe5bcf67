"""The batches of a run, which depend on (seed, step) alone.

They are the same on every backend, and a resumed run goes on with the next unseen images.
"""

import collections
import concurrent.futures
import functools
import itertools
import threading

import numpy as np

from zoo import data
from zoo.augmentation import NUMBERS


def order(length, seed, start, count):
    """Returns the `count` image indices from position `start` of an endless shuffled order.

    Every pass over the images is a permutation of its own, drawn from (seed, pass).
    """
    passes = range(start // length, (start + count - 1) // length + 1)
    indices = np.concatenate([_permutation(length, seed, number) for number in passes])
    offset = start - passes[0] * length
    return indices[offset : offset + count]


@functools.lru_cache(maxsize=4)
def _permutation(length, seed, number):
    return np.random.default_rng([seed, 0, number]).permutation(length)


def batches(images, config, first_step=0):
    """Yields the batch of every GAN step from `first_step` on, endlessly.

    Args:
        images: A data source with the model's image shape.
        config: The model's `GANConfig`.
        first_step: Number of the first step.

    Yields:
        1-tuples of a dict; N is the batch size, n the discriminator updates per step:
        real: uint8 (N, n, H, W, C).
        latents: float32 (N, n + 1, latent_size); the last is the generator update's.
        mix: float32 (N, n), uniform in [0, 1]: where the gradient penalty is taken.
        augment_real, augment_fake: float32 (N, n, 7) and (N, n + 1, 7), uniform in [0, 1): how
            images are augmented. Only where they are.
        real_labels, fake_labels: int32 (N, n) and (N, n + 1), the latter as frequent as among all
            images: else the discriminator would tell them apart by class. Conditional models only.

    Raises:
        ValueError: If a conditional model is given images without labels, or too many classes.
    """
    size, updates, classes = config.batch_size, config.n_critic, config.num_classes
    if classes:
        data.check_labelled(images, classes)
        counts = np.bincount(images.labels, minlength=classes)
        pool = images.labels if np.ptp(counts) else np.arange(classes, dtype=np.int32)
    for step in itertools.count(first_step):
        indices = order(len(images), config.seed, step * size * updates, size * updates)
        rng = np.random.default_rng([config.seed, 1, step])
        latents = rng.standard_normal((size, updates + 1, config.latent_size), np.float32)
        batch = {
            "real": images[indices].reshape(size, updates, *config.image_shape),
            "latents": latents,
            "mix": rng.random((size, updates), np.float32),
        }
        if classes:
            batch["real_labels"] = images.labels[indices].reshape(size, updates)
            drawn = rng.integers(len(pool), size=(size, updates + 1), dtype=np.int32)
            batch["fake_labels"] = pool[drawn]
        if config.augment:
            batch["augment_real"] = rng.random((size, updates, NUMBERS), np.float32)
            batch["augment_fake"] = rng.random((size, updates + 1, NUMBERS), np.float32)
        yield (batch,)


class Feed:
    """Starts generators of batches, and takes from them all they hold when the context ends.

    TensorFlow keeps every generator that `fit` is given until the process ends, and with it, but
    for this, the images, the model and a thread.

    Args:
        make: Called without arguments; yields batches, endlessly.
        size: How many are made ahead of their use by a thread; 0 starts none.
    """

    def __init__(self, make, size):
        self._make, self._size = make, size
        self._sources = []
        self.failure = None  # what making a batch raised

    def __call__(self):
        """Yields the batches from the first one on, until the context ends."""
        source = _Source(prefetch(self._make(), self._size))
        self._sources.append(source)
        try:
            yield from source
        except Exception as error:
            self.failure = error
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._make = None
        for source in self._sources:
            source.close()


class _Source:
    """An iterator that another thread than the one that takes from it may end."""

    def __init__(self, iterator):
        self._iterator, self._lock = iterator, threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self._lock:
            if self._iterator is None:
                raise StopIteration
            return next(self._iterator)

    def close(self):
        with self._lock:
            if self._iterator is not None:
                self._iterator.close()
            self._iterator = None


def prefetch(batches, size):
    """Yields the same batches, made in a thread up to `size` ahead of their use; 0 makes none."""
    if not size:
        yield from batches
        return
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        ahead = collections.deque(thread.submit(next, batches) for _ in range(size))
        while True:
            ahead.append(thread.submit(next, batches))
            yield ahead.popleft().result()
