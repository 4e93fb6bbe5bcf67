"""The residual networks of SNGAN for small images (Miyato et al. 2018, Table 3)."""

import keras
from keras import layers

from zoo import resnet
from zoo.layers import SpectralNorm


def build_generator(config):
    """Maps latents (N, latent_size) to float32 images (N, H, W, C) in [-1, 1]."""
    return resnet.generator(config)


def build_discriminator(config):
    """Maps images (N, H, W, C) in [-1, 1] to float32 scores (N, 1)."""
    images = keras.Input(config.image_shape, name="images")
    features = resnet.features(images, config)
    scores = SpectralNorm(layers.Dense(1, dtype="float32"), name="scores")(features)
    return keras.Model(images, scores, name="discriminator")
