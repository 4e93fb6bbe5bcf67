"""Residual blocks of GAN discriminators."""

import keras

from zoo.layers.folded import DownsampleConv2D
from zoo.layers.residual import residual_convolution
from zoo.layers.spectral_norm import SpectralNorm


@keras.saving.register_keras_serializable("zoo")
class DiscriminatorBlock(keras.layers.Layer):
    """Pre-activation residual block that halves the resolution: the discriminator block of SNGAN.

    ```
    f(x) = down(conv3x3(relu(conv3x3(relu(x)))))
    y = f(x) + down(conv1x1(x))
    ```

    `down` averages over 2 x 2 pixels; an odd last row or column is dropped. With
    `downsample=False` there is no `down`, and without a change of width the skip is `x` itself.
    Every convolution is wrapped in `SpectralNorm`. There is no batch normalisation.

    Args:
        filters: int, the number of output channels.
        hidden_filters: int, the number of channels between the two convolutions; by default that
            of the input.
        downsample: bool, whether to halve height and width.
        spectral_norm: bool, whether to normalise the convolutions.
        power_iterations: int, as for `SpectralNorm`.
        **kwargs: keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(N, H, W, C)`.

    Output shape:
        `(N, H // 2, W // 2, filters)`, or `(N, H, W, filters)` with `downsample=False`.

    Reference:
        - [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), figure 8.
        - [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028): the architecture
          before spectral normalisation.
    """

    def __init__(
        self,
        filters,
        hidden_filters=None,
        downsample=True,
        spectral_norm=True,
        power_iterations=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.hidden_filters = hidden_filters
        self.downsample = downsample
        self.spectral_norm = spectral_norm
        self.power_iterations = power_iterations

    def build(self, input_shape):
        hidden_shape = (*input_shape[:-1], self.hidden_filters or input_shape[-1])
        self.convolution_1 = _convolution(self, hidden_shape[-1], 3)
        self.convolution_1.build(input_shape)
        kind = DownsampleConv2D if self.downsample else keras.layers.Conv2D
        self.convolution_2 = _convolution(self, self.filters, 3, kind=kind)
        self.convolution_2.build(hidden_shape)
        self.skip_convolution = None
        if self.downsample or input_shape[-1] != self.filters:
            self.skip_convolution = _convolution(self, self.filters, 1, gain=1.0)
            self.skip_convolution.build(input_shape)
        self.resize = keras.layers.AveragePooling2D(
            2, data_format="channels_last", dtype=self.dtype_policy
        )
        self.resize.build(input_shape)

    def call(self, inputs, training=None):
        x = self.convolution_1(self.rectified(inputs), training=training)
        x = self.convolution_2(keras.ops.relu(x), training=training)
        # Averaging commutes with the 1 x 1 convolution, which then has a quarter of the pixels.
        skip = self.resize(inputs) if self.downsample else inputs
        if self.skip_convolution is not None:
            skip = self.skip_convolution(skip, training=training)
        return x + skip

    def rectified(self, inputs):
        """What the first convolution reads."""
        return keras.ops.relu(inputs)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        if self.downsample:
            height, width = (size and size // 2 for size in (height, width))
        return (batch, height, width, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "hidden_filters": self.hidden_filters,
            "downsample": self.downsample,
            "spectral_norm": self.spectral_norm,
            "power_iterations": self.power_iterations,
        }


@keras.saving.register_keras_serializable("zoo")
class FirstDiscriminatorBlock(DiscriminatorBlock):
    """The first block of an SNGAN discriminator, which reads the image.

    ```
    f(x) = down(conv3x3(relu(conv3x3(x))))
    y = f(x) + conv1x1(down(x))
    ```

    Against `DiscriminatorBlock` it has no rectifier before the first convolution, which would
    throw away the dark half of the image, and it pools before it widens the skip.

    Args:
        filters: int, the number of output channels.
        spectral_norm: bool, whether to wrap the convolutions in `SpectralNorm`.
        power_iterations: int, as for `SpectralNorm`.
        **kwargs: keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(N, H, W, C)`.

    Output shape:
        `(N, H // 2, W // 2, filters)`.

    Reference:
        - [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), figure 8 and table 4.
        - [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028): the architecture
          before spectral normalisation.
    """

    def __init__(self, filters, spectral_norm=True, power_iterations=1, **kwargs):
        super().__init__(
            filters,
            hidden_filters=filters,
            spectral_norm=spectral_norm,
            power_iterations=power_iterations,
            **kwargs,
        )

    def rectified(self, inputs):
        return inputs

    def get_config(self):
        config = super().get_config()
        return {key: config[key] for key in config if key not in ("hidden_filters", "downsample")}


def _convolution(block, filters, size, gain=2.0, kind=keras.layers.Conv2D):
    convolution = residual_convolution(block, size, filters, gain, kind=kind)
    if not block.spectral_norm:
        return convolution
    return SpectralNorm(
        convolution, power_iterations=block.power_iterations, trainable=block.trainable
    )
