"""Layers of the zoo that Keras has not. Each works in any Keras model, without the rest."""

from zoo.layers.batch_norm import BatchNormalization
from zoo.layers.conditional_batch_norm import ConditionalBatchNormalization
from zoo.layers.equalized import (
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownsampleConv2D,
    EqualizedUpsampleConv2D,
)
from zoo.layers.instance_norm import InstanceNormalization
from zoo.layers.minibatch_stddev import MinibatchStddev
from zoo.layers.normalization import normalization
from zoo.layers.pixel_norm import PixelNorm
from zoo.layers.residual import ConditionalResidualBlock, GeneratorBlock
from zoo.layers.residual_discriminator import DiscriminatorBlock, FirstDiscriminatorBlock
from zoo.layers.spectral_norm import SpectralNorm, spectral_norm
from zoo.layers.spectral_norm_model import (
    apply_spectral_norm,
    spectral_norm_layers,
    spectral_norm_value,
    update_spectral_norms,
)

__all__ = [
    "BatchNormalization",
    "ConditionalBatchNormalization",
    "ConditionalResidualBlock",
    "DiscriminatorBlock",
    "EqualizedConv2D",
    "EqualizedDense",
    "EqualizedDownsampleConv2D",
    "EqualizedUpsampleConv2D",
    "FirstDiscriminatorBlock",
    "GeneratorBlock",
    "InstanceNormalization",
    "MinibatchStddev",
    "PixelNorm",
    "SpectralNorm",
    "apply_spectral_norm",
    "normalization",
    "spectral_norm",
    "spectral_norm_layers",
    "spectral_norm_value",
    "update_spectral_norms",
]
