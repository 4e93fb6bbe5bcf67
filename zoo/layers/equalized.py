"""Equalised learning rate: weights of unit variance, scaled at run time."""

import math

import keras
from keras import ops

from zoo.layers.folded import DownsampleConv2D, UpsampleConv2D

RECTIFIER_GAIN = math.sqrt(2.0)


class _Equalized:
    """What these layers share. Scaling the inputs is scaling the kernel, but not the bias."""

    def __init__(self, *args, gain=RECTIFIER_GAIN, **kwargs):
        kwargs.setdefault("kernel_initializer", keras.initializers.RandomNormal(stddev=1.0))
        super().__init__(*args, **kwargs)
        self.gain = gain

    @property
    def scale(self):
        """The factor `gain / sqrt(fan_in)` between the stored and the effective kernel."""
        return self.gain / math.sqrt(math.prod(self.kernel.shape[:-1]))

    def call(self, inputs):
        return super().call(ops.multiply(inputs, self.scale))

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}


@keras.saving.register_keras_serializable("zoo")
class EqualizedDense(_Equalized, keras.layers.Dense):
    """Dense layer with equalised learning rate.

    ```
    y = activation(x @ (c W) + b),    c = gain / sqrt(fan_in),    W ~ N(0, 1),    b = 0
    ```

    He's factor `c` is applied in every call instead of once to the initial weights. All weights
    then have the same scale, and an optimizer that normalises its steps (Adam, RMSprop) moves
    them all at the same relative speed.

    Args:
        units: int, the number of outputs.
        gain: float. `sqrt(2)` before a rectifier, 1 for the last layer.
        **kwargs: the other keyword arguments of `keras.layers.Dense`.

    Input shape:
        `(N, ..., fan_in)`.

    Output shape:
        `(N, ..., units)`.

    Reference:
        - [Karras et al., 2018](https://arxiv.org/abs/1710.10196), section 4.1.
    """


@keras.saving.register_keras_serializable("zoo")
class EqualizedConv2D(_Equalized, keras.layers.Conv2D):
    """Two-dimensional convolution with equalised learning rate.

    ```
    y = activation(conv(x, c W) + b),    c = gain / sqrt(fan_in),    W ~ N(0, 1),    b = 0
    ```

    where `fan_in` is kernel height x kernel width x input channels (of one group). See
    `EqualizedDense` for the reason.

    Args:
        filters: int, the number of output channels.
        kernel_size: int or pair of ints.
        gain: float. `sqrt(2)` before a rectifier, 1 for the last layer.
        **kwargs: the other keyword arguments of `keras.layers.Conv2D`.

    Input shape:
        `(N, H, W, C)`.

    Output shape:
        `(N, H', W', filters)`, as for `keras.layers.Conv2D`.

    Reference:
        - [Karras et al., 2018](https://arxiv.org/abs/1710.10196), section 4.1.
    """


@keras.saving.register_keras_serializable("zoo")
class EqualizedUpsampleConv2D(_Equalized, UpsampleConv2D):
    """`UpSampling2D(2)`, then `EqualizedConv2D`, folded into one transposed convolution.

    Args: as for `EqualizedConv2D`, without strides, dilation and groups; the size is odd.

    Output shape:
        `(N, 2 H, 2 W, filters)`.
    """


@keras.saving.register_keras_serializable("zoo")
class EqualizedDownsampleConv2D(_Equalized, DownsampleConv2D):
    """`EqualizedConv2D`, then `AveragePooling2D(2)`, folded into one convolution with stride 2.

    Args: as for `EqualizedUpsampleConv2D`.

    Output shape:
        `(N, H // 2, W // 2, filters)`.
    """
