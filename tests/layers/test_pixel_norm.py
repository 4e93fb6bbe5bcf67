import keras
import numpy as np
import pytest
from oracles import to_numpy

from zoo.layers import PixelNorm


@pytest.mark.parametrize("shape", [(5, 16), (3, 7, 16), (2, 4, 4, 16), (2, 3, 3, 3, 16)])
def test_root_mean_square_over_channels_is_one(shape):
    x = np.random.default_rng(0).normal(3.0, 10.0, shape).astype("float32")
    y = to_numpy(PixelNorm()(x))
    np.testing.assert_allclose(np.sqrt(np.mean(y**2, axis=-1)), 1.0, rtol=1e-6)
    # The length is sqrt(C) = 4, not 1.
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), 4.0, rtol=1e-6)


def test_closed_form():
    # mean(9, 16) = 12.5
    y = to_numpy(PixelNorm()(np.array([[3.0, -4.0]], "float32")))
    np.testing.assert_allclose(y, [[3 / 12.5**0.5, -4 / 12.5**0.5]], rtol=1e-6)


def test_epsilon_is_1e_8():
    # x = 1e-4: mean square 1e-8, plus epsilon 2e-8.
    y = to_numpy(PixelNorm()(np.full((1, 8), 1e-4, "float32")))
    np.testing.assert_allclose(y, 0.5**0.5, rtol=1e-5)
    assert not to_numpy(PixelNorm()(np.zeros((1, 8), "float32"))).any()


def test_no_weights():
    layer = PixelNorm()
    layer(np.ones((1, 4), "float32"))
    assert layer.weights == []


@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("value", [1000.0, 1e-3])
def test_half_precision_neither_overflows_nor_loses_epsilon(policy, value):
    # 1000^2 is infinite in float16; 1e-8 is zero in it, and 1e-3^2 hardly above.
    x = np.array([[value, -value, value, 0.0]], "float32")
    expected = x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-8)
    y = PixelNorm(dtype=policy)(x)
    assert keras.backend.standardize_dtype(y.dtype) == policy.removeprefix("mixed_")
    np.testing.assert_allclose(to_numpy(keras.ops.cast(y, "float32")), expected, rtol=8e-3)
