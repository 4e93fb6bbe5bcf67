"""The folded convolutions against the two layers they stand for: values and gradients to 1e-5."""

import keras
import numpy as np
import pytest
from oracles import gaussian, largest_singular_value, to_numpy

from zoo import backend
from zoo.layers import SpectralNorm
from zoo.layers.folded import DownsampleConv2D, UpsampleConv2D


def pair(kind, size=3):
    """The folded layer, and the two layers as a model with the same weights."""
    settings = {"padding": "same", "bias_initializer": "random_normal"}
    folded, convolution = kind(5, size, **settings), keras.layers.Conv2D(5, size, **settings)
    if kind is UpsampleConv2D:
        plain = keras.Sequential([keras.layers.UpSampling2D(2), convolution])
    else:
        plain = keras.Sequential([convolution, keras.layers.AveragePooling2D(2)])
    folded.build((None, 4, 4, 3))
    plain.build((None, None, None, 3))
    plain.set_weights(folded.get_weights())
    return folded, plain, convolution


def values_and_gradients(layer, x, cotangent):
    """layer(x), and the gradients of sum(cotangent * layer(x)): by x, the kernel and the bias."""
    x, cotangent = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(cotangent)

    def loss():
        return keras.ops.sum(layer(x) * cotangent), {}

    by_inputs = backend.input_gradient(lambda x: layer(x) * cotangent, x)
    _, by_weights = backend.value_and_grad(loss, layer.trainable_variables, [])
    return [to_numpy(keras.ops.stop_gradient(y)) for y in (layer(x), by_inputs, *by_weights)]


@pytest.mark.parametrize("kind", [UpsampleConv2D, DownsampleConv2D])
@pytest.mark.parametrize(("height", "width", "size"), [(4, 4, 3), (7, 7, 3), (6, 5, 3), (4, 5, 1)])
def test_values_and_gradients_are_those_of_the_two_layers(kind, height, width, size):
    folded, plain, _ = pair(kind, size)
    x = gaussian(2, height, width, 3)
    cotangent = gaussian(*folded.compute_output_shape(x.shape))
    found = values_and_gradients(folded, x, cotangent)
    expected = values_and_gradients(plain, x, cotangent)
    assert len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        assert np.abs(other).max() > 0.1
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [UpsampleConv2D, DownsampleConv2D])
def test_spectral_norm_is_that_of_the_stored_kernel(kind):
    folded, plain, convolution = pair(kind)
    wrapped, x = SpectralNorm(folded), gaussian(2, 6, 6, 3)
    wrapped.build(x.shape)
    wrapped.power_iterate(200)
    sigma = largest_singular_value(to_numpy(folded.kernel).reshape(-1, 5))
    convolution.kernel.assign(to_numpy(convolution.kernel) / sigma)
    np.testing.assert_allclose(to_numpy(wrapped(x)), to_numpy(plain(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [UpsampleConv2D, DownsampleConv2D])
@pytest.mark.parametrize(
    "options",
    [{"kernel_size": 4}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 2}],
)
def test_what_is_no_convolution_with_resampling_is_refused(layer, options):
    with pytest.raises(ValueError, match="takes a kernel of odd size, no strides, dilation or gro"):
        layer(4, **{"kernel_size": 3} | options)
