"""The DCGAN of WGAN-GP: transposed convolutions up, strided convolutions down."""

import keras
from keras import layers

from zoo.layers import BatchNormalization


def build_generator(config):
    """Maps latents (N, latent_size) to float32 images (N, H, W, C) in [-1, 1]."""
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


def build_discriminator(config):
    """Maps images (N, H, W, C) in [-1, 1] to float32 scores (N, 1)."""
    width = config.width
    images = keras.Input(config.image_shape, name="images")
    x = layers.LeakyReLU(0.2)(layers.Conv2D(width, 5, strides=2, padding="same")(images))
    for channels in (2 * width, 4 * width):
        x = layers.Conv2D(channels, 5, strides=2, padding="same")(x)
        x = layers.LeakyReLU(0.2)(normalize(x, config.critic_norm))
    scores = layers.Dense(1, dtype="float32", name="scores")(layers.Flatten()(x))
    return keras.Model(images, scores, name="discriminator")


def normalize(x, norm):
    """Normalises features (N, H, W, C) within each sample: layer, instance, group or none."""
    if norm == "none":
        return x
    if norm == "layer":
        return layers.LayerNormalization(axis=(1, 2, 3))(x)
    return layers.GroupNormalization(groups={"instance": -1, "group": 8}[norm])(x)
