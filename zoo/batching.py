"""The batches of a run, which depend on (seed, step) alone.

They are the same on every backend, and a resumed run goes on with the next unseen images.
"""

import collections
import concurrent.futures
import functools
import itertools

import numpy as np

from zoo import data


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
        yield (batch,)


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
