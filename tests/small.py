"""A model and sets of images small enough to train with in a second."""

import keras
import numpy as np

TINY = {"width": 8, "image_size": 8, "latent_size": 6, "batch_size": 4, "n_critic": 1}
COUNTS = {"train": 300, "test": 100}


def grey_levels():
    """Returns uint8 images (24, 8, 8, 1), each of one level of its own: i-th image, level 10 i."""
    levels = 10 * np.arange(24, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (24, 8, 8, 1)).copy()


def small_named(name, split):
    """Stands in for a named set of the same image shape: every split has images of its own."""
    from zoo import data

    count = COUNTS[split]
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, *data.NAMED[name]), np.uint8)
    return data.ArrayImages(images, np.arange(count) % 10)


def build(tiny, **values):
    """Returns a compiled model; the same weights whenever it is asked for."""
    import zoo

    keras.utils.set_random_seed(0)
    gan = zoo.GAN("wgan_gp", tiny | values)
    gan.compile()
    return gan


def weights(network):
    """Copies the weights of a network."""
    return [np.array(w) for w in network.get_weights()]
