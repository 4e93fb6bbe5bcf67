import keras
import numpy as np
import pytest
from oracles import to_numpy

from zoo.layers import (
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownsampleConv2D,
    EqualizedUpsampleConv2D,
)


def test_dense_closed_form():
    layer = EqualizedDense(3, gain=2.0)
    x = np.random.default_rng(0).normal(size=(4, 16)).astype("float32")
    layer.build(x.shape)
    layer.bias.assign([1.0, 2.0, 3.0])
    # gain / sqrt(fan_in) = 2 / 4; the bias is not scaled.
    expected = x @ (to_numpy(layer.kernel) * 0.5) + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-5, atol=1e-6)


def test_convolution_equals_the_scaled_kernel():
    layer = EqualizedConv2D(5, 3, gain=1.0, padding="same", strides=2)
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype("float32")
    layer.build(x.shape)
    layer.bias.assign(np.arange(5.0))
    plain = keras.layers.Conv2D(5, 3, padding="same", strides=2)
    plain.build(x.shape)
    plain.set_weights([to_numpy(layer.kernel) / 6.0, np.arange(5.0)])  # fan_in 3 * 3 * 4
    np.testing.assert_allclose(to_numpy(layer(x)), to_numpy(plain(x)), rtol=1e-5, atol=1e-5)


def test_fan_in_of_a_grouped_convolution_is_that_of_one_group():
    layer = EqualizedConv2D(8, 2, gain=1.0, groups=4)
    layer.build((None, 4, 4, 16))
    assert layer.scale == pytest.approx(1 / 4)  # 2 * 2 * 4


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(EqualizedDense(256), (512,)), (EqualizedConv2D(64, 3), (8, 8, 64))],
)
def test_weights_of_unit_variance_keep_the_variance_of_a_rectified_signal(layer, shape):
    rng = np.random.default_rng(0)
    # Rectified, then of random sign: a mean that is not 0 would make outputs vary together.
    x = np.maximum(rng.normal(size=(64, *shape)), 0) * rng.choice([-1, 1], (64, *shape))
    y = to_numpy(layer(x.astype("float32")))
    assert np.std(to_numpy(layer.kernel)) == pytest.approx(1.0, abs=0.02)
    assert not to_numpy(layer.bias).any()
    # The mean square of rectified N(0, 1) is 1/2, and gain^2 = 2.
    assert np.mean(y**2) == pytest.approx(1.0, abs=0.05)


def test_adam_moves_wide_and_narrow_layers_at_the_same_relative_speed():
    changes = []
    for width in (4, 1024):
        model = keras.Sequential([keras.Input((width,)), EqualizedDense(1, gain=1.0)])
        model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
        before = to_numpy(model.layers[0].kernel)
        model.train_on_batch(np.ones((8, width), "float32"), np.ones((8, 1), "float32"))
        after = to_numpy(model.layers[0].kernel)
        changes.append(np.sqrt(np.mean((after - before) ** 2)))
    np.testing.assert_allclose(changes, 0.01, rtol=0.01)


@pytest.mark.parametrize("kind", [EqualizedUpsampleConv2D, EqualizedDownsampleConv2D])
def test_folded_convolutions_equal_the_two_layers(kind):
    folded, plain = kind(5, 3, padding="same"), EqualizedConv2D(5, 3, padding="same")
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype("float32")
    folded.build(x.shape)
    plain.build(x.shape)
    plain.set_weights([to_numpy(folded.kernel), np.arange(5.0)])
    folded.set_weights(plain.get_weights())
    if kind is EqualizedUpsampleConv2D:
        expected = plain(keras.layers.UpSampling2D(2)(x))
    else:
        expected = keras.layers.AveragePooling2D(2)(plain(x))
    np.testing.assert_allclose(to_numpy(folded(x)), to_numpy(expected), rtol=1e-5, atol=1e-5)
