"""A residual GAN that knows the class of every image (Miyato & Koyama 2018)."""

import keras
from keras import layers

from zoo import resnet
from zoo.layers import SpectralNorm


def build_generator(config):
    """Maps latents (N, latent_size) and one-hot labels (N, num_classes) to float32 images.

    The images have shape (N, H, W, C) and lie in [-1, 1].
    """
    return resnet.generator(config)


def build_discriminator(config):
    """Maps images (N, H, W, C) in [-1, 1] and labels (N,) to float32 scores (N, 1).

    The score is `dense(h) + <embed(y), h>` with h the features of the image and y its label
    (Miyato & Koyama 2018, Equation 5).
    """
    images = keras.Input(config.image_shape, name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    features = resnet.features(images, config)
    scores = SpectralNorm(layers.Dense(1, dtype="float32"))(features)
    embedding = layers.Embedding(config.num_classes, features.shape[-1], dtype="float32")
    projection = layers.Dot(axes=1, dtype="float32")([SpectralNorm(embedding)(labels), features])
    scores = layers.Add(dtype="float32", name="scores")([scores, projection])
    return keras.Model([images, labels], scores, name="discriminator")
