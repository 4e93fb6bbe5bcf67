"""A residual network for small images (He et al. 2016), with the normalisation of the config."""

import keras
from keras import layers

from zoo.layers import normalization

STAGES = 3


def build_classifier(config):
    """Maps images (N, H, W, C) in [-1, 1] to float32 logits (N, classes) and the features of these.

    Returns:
        A model of outputs "logits" and "features", float32 (N, 4 * width).

    Raises:
        ValueError: If groups of channels are asked for that do not divide the width.
    """
    if config.norm == "group" and config.width % config.groups:
        raise ValueError(
            f"groups must divide width, but {config.groups} does not divide {config.width}."
        )
    images = keras.Input(config.image_shape, name="images")
    x = _conv(images, config, config.width, config.stem_strides, size=5)
    for stage in range(STAGES):
        for block in range(config.blocks):
            x = _block(x, config, config.width * 2**stage, 2 if stage and not block else 1)
    features = layers.GlobalAveragePooling2D(dtype="float32", name="features")(x)
    logits = layers.Dense(config.num_classes, dtype="float32", name="logits")(features)
    return keras.Model(images, {"features": features, "logits": logits}, name="classifier")


def _block(x, config, channels, strides):
    """Two convolutions and the way around them."""
    shortcut = x
    if x.shape[-1] != channels or strides > 1:
        shortcut = _conv(x, config, channels, strides, size=1, activate=False)
    x = _conv(x, config, channels, strides)
    x = _conv(x, config, channels, activate=False)
    return layers.ReLU()(layers.Add()([x, shortcut]))


def _conv(x, config, channels, strides=1, size=3, activate=True):
    x = layers.Conv2D(
        channels,
        size,
        strides=strides,
        padding="same",
        use_bias=config.norm == "none",
        kernel_initializer="he_normal",
    )(x)
    initial = {}
    if config.norm_init == "random_uniform":
        initial = {"gamma_initializer": "random_uniform", "beta_initializer": "random_uniform"}
    x = normalization(config.norm, config.groups, **initial)(x)
    return layers.ReLU()(x) if activate else x
