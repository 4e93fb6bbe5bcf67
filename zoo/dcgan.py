"""The DCGAN (Radford et al. 2016): transposed convolutions up, strided convolutions down."""

import keras
from keras import layers

from zoo.layers import BatchNormalization, normalization


def generator(config):
    """Builds the network from latents (N, latent_size) to float32 images (N, H, W, C) in [-1, 1].

    Args:
        config: A `GANConfig`; `image_size` is a multiple of 4, and `width` is the number of
            channels at full resolution.

    Raises:
        ValueError: For an image size that is no multiple of 4.
    """
    if config.image_size % 4:
        raise ValueError(f"image_size must be a multiple of 4, but is {config.image_size}.")
    size, width = config.image_size // 4, config.width
    latents = keras.Input((config.latent_size,), name="latents")
    x = layers.Dense(size * size * 4 * width, use_bias=False)(latents)
    x = layers.Reshape((size, size, 4 * width))(x)
    x = layers.ReLU()(BatchNormalization()(x))
    for channels in (2 * width, width):
        x = layers.Conv2DTranspose(channels, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(BatchNormalization()(x))
    x = layers.Conv2D(config.channels, 5, padding="same")(x)
    images = layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def discriminator(config, norm="none", constraint=None):
    """Builds the network from images (N, H, W, C) in [-1, 1] to float32 scores (N, 1).

    Args:
        config: A `GANConfig`; `width` is the number of channels at half resolution.
        norm: Normalisation of all convolutions but the first, as in
            `zoo.layers.normalization`.
        constraint: A `keras.constraints.Constraint` of every trainable weight, or None.

    Raises:
        ValueError: For group normalisation of a width that 4 does not divide: its 8 groups are of
            twice as many channels and more.
    """
    width = config.width
    if norm == "group" and width % 4:
        raise ValueError(f"Group normalisation needs a width that 4 divides, unlike {width}.")
    limits = {"kernel_constraint": constraint, "bias_constraint": constraint}
    norm_limits = {"gamma_constraint": constraint, "beta_constraint": constraint}
    images = keras.Input(config.image_shape, name="images")
    x = layers.Conv2D(width, 5, strides=2, padding="same", **limits)(images)
    x = layers.LeakyReLU(0.2)(x)
    for channels in (2 * width, 4 * width):
        x = layers.Conv2D(channels, 5, strides=2, padding="same", **limits)(x)
        x = layers.LeakyReLU(0.2)(normalization(norm, **norm_limits)(x))
    scores = layers.Dense(1, dtype="float32", name="scores", **limits)(layers.Flatten()(x))
    return keras.Model(images, scores, name="discriminator")
