"""Convolutions folded with the resampling next to them: the same numbers, less than half the work.

Repeating or averaging 2 x 2 pixels is linear, as a convolution is, and two linear maps in a row are
one: a convolution with stride 2 whose kernel is one larger (`fused_scale` in the code of
[Karras et al., 2018](https://arxiv.org/abs/1710.10196)). The stored kernel is the small one.
"""

import keras
from keras import ops

from zoo.layers.precision import at_least_float32


def folded_kernel(kernel):
    """Sums the four copies of a kernel shifted by (0 or 1, 0 or 1) pixels.

    Args:
        kernel: tensor of shape `(h, w, inputs, outputs)`.

    Returns:
        Tensor of shape `(h + 1, w + 1, inputs, outputs)`, in float32 or more.
    """
    kernel = at_least_float32(ops.convert_to_tensor(kernel))
    rest = [(0, 0)] * 2
    kernel = ops.pad(kernel, [(0, 1), (0, 0), *rest]) + ops.pad(kernel, [(1, 0), (0, 0), *rest])
    return ops.pad(kernel, [(0, 0), (0, 1), *rest]) + ops.pad(kernel, [(0, 0), (1, 0), *rest])


def _check(layer):
    """Raises a `ValueError` for a convolution that would not be the one with resampling."""
    if layer.data_format != "channels_last":
        raise ValueError(f"{type(layer).__name__} takes data_format='channels_last' only.")
    plain = layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1
    if not plain or any(size % 2 == 0 for size in layer.kernel_size):
        raise ValueError(
            f"{type(layer).__name__} takes a kernel of odd size, no strides, dilation or groups; "
            f"received size {layer.kernel_size}, strides {layer.strides}, dilation "
            f"{layer.dilation_rate} and {layer.groups} groups."
        )


class UpsampleConv2D(keras.layers.Conv2D):
    """`UpSampling2D(2)`, then `Conv2D(filters, size, padding="same")`, as one transposed one.

    Args:
        filters, kernel_size, ...: as for `keras.layers.Conv2D`; the size is odd, and neither
            strides, dilation nor groups are taken.

    Input shape:
        `(N, H, W, C)`.

    Output shape:
        `(N, 2 H, 2 W, filters)`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        _check(self)

    def convolution_op(self, inputs, kernel):
        folded = ops.flip(ops.swapaxes(folded_kernel(kernel), 2, 3), axis=(0, 1))
        return ops.conv_transpose(
            inputs, ops.cast(folded, inputs.dtype), 2, "same", data_format="channels_last"
        )

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, *(size and 2 * size for size in (height, width)), self.filters)


class DownsampleConv2D(keras.layers.Conv2D):
    """`Conv2D(filters, size, padding="same")`, then `AveragePooling2D(2)`, as one with stride 2.

    Args:
        filters, kernel_size, ...: as for `UpsampleConv2D`.

    Input shape:
        `(N, H, W, C)`.

    Output shape:
        `(N, H // 2, W // 2, filters)`: an odd last row or column of averages is dropped.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        _check(self)

    def convolution_op(self, inputs, kernel):
        folded = ops.cast(folded_kernel(kernel) / 4, inputs.dtype)
        height, width = (size // 2 for size in self.kernel_size)
        padded = ops.pad(inputs, [(0, 0), (height, height), (width, width), (0, 0)])
        return ops.conv(padded, folded, 2, "valid", data_format="channels_last")

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, *(size and size // 2 for size in (height, width)), self.filters)
