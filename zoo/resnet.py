"""The residual networks for small images of SNGAN and its conditional successor.

Miyato et al. 2018 (Tables 3 and 4) and Miyato & Koyama 2018.
"""

import keras
from keras import layers, ops

from zoo.layers import (
    BatchNormalization,
    DiscriminatorBlock,
    FirstDiscriminatorBlock,
    GeneratorBlock,
)


def generator(config):
    """Builds the network from latents (N, latent_size) to float32 images (N, H, W, C) in [-1, 1].

    With `config.num_classes` it takes [latents, weights of the classes], the latter of shape
    (N, num_classes): one-hot labels, or what lies between two. Its blocks normalise conditionally.

    Args:
        config: A `zoo.config.ResNetConfig`.

    Raises:
        ValueError: For an image size that cannot be halved, or a bound below the width.
    """
    size, blocks = config.image_size, 0
    while size > 7 and size % 2 == 0:  # 32 starts from 4, 28 from 7
        size, blocks = size // 2, blocks + 1
    if not blocks:
        raise ValueError(f"image_size must be even and at least 8, but is {size}.")
    first, *widths = [
        channels(config.width, halvings, config.max_width) for halvings in range(blocks, -1, -1)
    ]
    latents = keras.Input((config.latent_size,), name="latents")
    labels = [keras.Input((config.num_classes,), name="labels")] if config.num_classes else []
    x = layers.Dense(size * size * first)(latents)
    x = layers.Reshape((size, size, first))(x)
    for width in widths:
        x = GeneratorBlock(width, config.num_classes or None, synchronized=True)(x, *labels)
    x = layers.ReLU()(BatchNormalization(momentum=0.9, epsilon=2e-5)(x))
    x = layers.Conv2D(config.channels, 3, padding="same")(x)
    images = layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model([latents, *labels] if labels else latents, images, name="generator")


def features(images, config):
    """Applies the discriminator's spectrally normalised blocks to images.

    Args:
        images: Symbolic images, (N, H, W, C) in [-1, 1].
        config: A `zoo.config.ResNetConfig`.

    Returns:
        float32 features (N, d), summed over pixels in single precision, which half precision would
        round; d is the number of channels at a quarter of the size.

    Raises:
        ValueError: For a bound below the width.
    """
    width = config.discriminator_width
    x = FirstDiscriminatorBlock(width)(images)
    width = channels(width, 1, config.max_discriminator_width)
    for downsample in (True, False, False):
        x = DiscriminatorBlock(width, downsample=downsample)(x)
    return ops.sum(ops.cast(layers.ReLU()(x), "float32"), axis=(1, 2))


def channels(width, halvings, bound):
    """Returns `width` doubled for each halving of the size, to `bound` at most; 0 never doubles.

    Raises:
        ValueError: If the bound is below the width.
    """
    if not bound:
        return width
    if bound < width:
        raise ValueError(f"A bound of {bound} channels is below the width, {width}.")
    return min(width * 2**halvings, bound)
