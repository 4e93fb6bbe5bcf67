"""The power iteration, and what one SpectralNorm layer computes."""

import pathlib

import keras
import numpy as np
import pytest
from oracles import gaussian, largest_singular_value, to_numpy

from zoo.layers import SpectralNorm, spectral_norm, spectral_norm_value

GOLDENS = np.load(pathlib.Path(__file__).parents[1] / "goldens" / "spectral_norm_torch.npz")
ORACLE = {  # how the layers of the goldens were made
    "Dense": lambda: keras.layers.Dense(5, use_bias=False),
    "Embedding": lambda: keras.layers.Embedding(6, 4),
    "Conv1D": lambda: keras.layers.Conv1D(4, 3, use_bias=False),
    "Conv2D": lambda: keras.layers.Conv2D(4, 3, use_bias=False),
    "Conv3D": lambda: keras.layers.Conv3D(4, 3, use_bias=False),
    "Conv1DTranspose": lambda: keras.layers.Conv1DTranspose(4, 3, strides=2, use_bias=False),
    "Conv2DTranspose": lambda: keras.layers.Conv2DTranspose(4, 3, strides=2, use_bias=False),
    "Conv3DTranspose": lambda: keras.layers.Conv3DTranspose(4, 3, strides=2, use_bias=False),
    "DepthwiseConv1D": lambda: keras.layers.DepthwiseConv1D(3, depth_multiplier=2, use_bias=False),
    "DepthwiseConv2D": lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
}


def dense(matrix, **kwargs):
    """A SpectralNorm(Dense) without bias whose kernel is `matrix`."""
    layer = SpectralNorm(keras.layers.Dense(matrix.shape[1], use_bias=False, **kwargs))
    layer.build((None, matrix.shape[0]))
    layer.layer.kernel.assign(matrix)
    return layer


# The function


@pytest.mark.parametrize("shape", [(8, 8), (3, 50), (50, 3), (1, 7), (7, 1)])
def test_sigma_is_the_largest_singular_value(shape):
    w = gaussian(*shape)
    sigma, u = spectral_norm(w, gaussian(shape[0]), iterations=200)
    np.testing.assert_allclose(to_numpy(sigma), largest_singular_value(w), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(to_numpy(u)), 1.0, rtol=1e-6)


def test_one_iteration_by_hand():
    # w^T u = (3, 8), so v = (3, 8) / sqrt(73); w v is along (9, 32).
    w = np.diag([3.0, 4.0]).astype("float32")
    sigma, u = spectral_norm(w, np.array([1.0, 2.0], "float32"), iterations=1)
    expected = np.array([9.0, 32.0]) / np.hypot(9.0, 32.0)
    np.testing.assert_allclose(to_numpy(u), expected, rtol=1e-6)
    np.testing.assert_allclose(to_numpy(sigma), np.linalg.norm(expected * [3.0, 4.0]), rtol=1e-6)


def test_the_estimate_never_exceeds_the_value_and_grows():
    w, u = gaussian(20, 30), gaussian(20)
    estimates = [float(to_numpy(spectral_norm(w, u, n)[0])) for n in range(10)]
    assert estimates == sorted(estimates)
    assert estimates[0] < 0.9 * largest_singular_value(w)
    assert estimates[-1] <= largest_singular_value(w) * (1 + 1e-6)


def test_a_persistent_u_follows_a_moving_matrix_with_one_iteration():
    generator = np.random.default_rng(0)
    w = gaussian(32, 64)
    u = start = gaussian(32)
    errors, restarted = [], []
    for step in range(150):
        w = w + 0.02 * generator.normal(size=w.shape).astype("float32")
        sigma, u = spectral_norm(w, u, iterations=1)
        if step >= 50:
            true = largest_singular_value(w)
            errors.append(1 - to_numpy(sigma) / true)
            restarted.append(1 - to_numpy(spectral_norm(w, start, iterations=1)[0]) / true)
    assert np.mean(errors) < 0.005
    assert np.mean(restarted) > 0.05


def test_u_and_v_are_constants_for_the_gradient(weight_gradients):
    class Sigma(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(5, 7), initializer="random_normal")

        def call(self, u):
            return spectral_norm(self.w, u[0], iterations=2)[0] * keras.ops.ones((1, 1))

    layer = Sigma()
    model = keras.Sequential([keras.Input((5,)), layer])
    w, u = to_numpy(layer.w), gaussian(1, 5)
    (gradient,) = weight_gradients(model, u, np.ones((1, 1), "float32"))
    u = u[0]
    for _ in range(2):
        u = w @ (w.T @ u)
    u /= np.linalg.norm(u)
    v = w.T @ u / np.linalg.norm(w.T @ u)
    np.testing.assert_allclose(gradient, np.outer(u, v), atol=1e-6)


# The layer


@pytest.mark.parametrize("name", ORACLE)
def test_value_gradient_and_u_equal_pytorch(name, weight_gradients):
    golden = {key: GOLDENS[f"{name}/{key}"] for key in ("kernel", "u", "x", "y", "cotangent")}
    layer = SpectralNorm(ORACLE[name]())
    x = golden["x"]
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype), layer])
    kernel = model.trainable_weights[0]

    def start():
        kernel.assign(golden["kernel"])
        layer.u.assign(golden["u"])

    start()
    y = to_numpy(model(x, training=True))
    np.testing.assert_allclose(y, golden["y"], atol=1e-6)
    np.testing.assert_allclose(to_numpy(layer.u), GOLDENS[f"{name}/moved_u"], atol=1e-5)
    np.testing.assert_allclose(spectral_norm_value(layer), GOLDENS[f"{name}/sigma"], rtol=1e-5)

    start()
    (gradient,) = weight_gradients(model, x, golden["cotangent"])
    np.testing.assert_allclose(gradient, GOLDENS[f"{name}/gradient"], atol=1e-6)


def test_the_kernel_is_divided_by_sigma_alone():
    # Not by sqrt(sigma), nor is the spectrum flattened: every singular value shrinks alike.
    w = np.diag([4.0, 2.0, 1.0]).astype("float32")
    layer = dense(w)
    layer.power_iterate(100)
    np.testing.assert_allclose(to_numpy(layer(np.eye(3, dtype="float32"))), w / 4.0, atol=1e-6)
    assert spectral_norm_value(layer) == pytest.approx(4.0, rel=1e-6)


def test_the_gradient_flows_through_sigma(weight_gradients):
    # W / sigma does not change with the scale of W: its gradient is orthogonal to W.
    layer = dense(gaussian(6, 5))
    layer.power_iterate(200)
    model = keras.Sequential([keras.Input((6,)), layer])
    w = to_numpy(layer.layer.kernel)
    (gradient,) = weight_gradients(model, gaussian(4, 6), gaussian(4, 5))
    assert np.linalg.norm(gradient) > 0.1
    assert abs(np.sum(gradient * w)) < 1e-4 * np.linalg.norm(gradient) * np.linalg.norm(w)


def test_the_bias_is_not_divided():
    layer = SpectralNorm(keras.layers.Dense(2, bias_initializer="ones"))
    np.testing.assert_allclose(to_numpy(layer(np.zeros((1, 3), "float32"))), 1.0)


def test_a_kernel_of_zeros_gives_zeros():
    layer = dense(np.zeros((3, 2), "float32"))
    assert not to_numpy(layer(np.ones((1, 3), "float32"), training=True)).any()


def test_depthwise_norm_bounds_every_filter():
    layer = SpectralNorm(keras.layers.DepthwiseConv2D(3, depth_multiplier=2))
    layer.build((None, 8, 8, 5))
    layer.power_iterate(200)
    filters = to_numpy(layer.layer.kernel).reshape(9, 10)
    assert spectral_norm_value(layer) == pytest.approx(largest_singular_value(filters), rel=1e-5)
    assert spectral_norm_value(layer) >= np.linalg.norm(filters, axis=0).max()


def test_value_of_an_unwrapped_layer_is_exact():
    layer = keras.layers.Conv2DTranspose(4, 3)
    layer.build((None, 8, 8, 5))
    matrix = np.moveaxis(to_numpy(layer.kernel), 2, -1).reshape(-1, 4)
    assert spectral_norm_value(layer) == pytest.approx(largest_singular_value(matrix), rel=1e-6)


# Precision


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_sigma_is_computed_in_single_precision(policy):
    # The squares of these entries add up to 4e7, beyond float16.
    w = 100 * gaussian(64, 64)
    layer = dense(w, dtype=policy)
    stored = to_numpy(keras.ops.cast(layer.layer.kernel.value, "float32"))
    layer.power_iterate(200)
    sigma = largest_singular_value(stored)
    assert keras.backend.standardize_dtype(layer.u.dtype) == "float32"
    assert spectral_norm_value(layer) == pytest.approx(sigma, rel=1e-4)

    # Inside a model of that policy the kernel is rounded to half precision once, at the end.
    symbol = keras.Input((64,), dtype="float32")
    model = keras.Model(symbol, keras.layers.Activation("linear", dtype=policy)(layer(symbol)))
    y = to_numpy(keras.ops.cast(model(np.eye(64, dtype="float32"), training=False), "float32"))
    unit_roundoff = 2.0**-8 if policy == "mixed_bfloat16" else 2.0**-11
    np.testing.assert_allclose(y, stored / sigma, rtol=1.5 * unit_roundoff, atol=1e-7)


def test_the_wrapped_layer_keeps_its_dtype_policy():
    layer = SpectralNorm(keras.layers.Dense(2, dtype="mixed_float16"))
    assert keras.backend.standardize_dtype(layer(np.ones((1, 3), "float32")).dtype) == "float16"
    assert layer(keras.Input((3,))).dtype == "float16"
    assert layer.layer.kernel.dtype == "float32"


# What belongs to the wrapped layer


def test_activity_regularizer_counts_once():
    layer = SpectralNorm(keras.layers.Dense(2, activity_regularizer=keras.regularizers.L1(1.0)))
    y = to_numpy(layer(np.ones((1, 3), "float32")))
    assert [float(to_numpy(loss)) for loss in layer.losses] == [pytest.approx(np.abs(y).sum())]


def test_kernel_regularizer_sees_the_raw_kernel():
    layer = SpectralNorm(keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(1.0)))
    layer(np.ones((1, 3), "float32"))
    raw = np.sum(to_numpy(layer.layer.kernel) ** 2)
    assert [float(to_numpy(loss)) for loss in layer.losses] == [pytest.approx(raw)]


def test_mask_of_an_embedding_passes():
    layer = SpectralNorm(keras.layers.Embedding(5, 3, mask_zero=True))
    mask = layer.compute_mask(keras.ops.convert_to_tensor([[0, 2, 4]]))
    np.testing.assert_array_equal(to_numpy(mask), [[False, True, True]])


# Errors


def test_refuses_what_it_cannot_normalise():
    with pytest.raises(ValueError, match="Conv2D.*; received LSTM"):
        SpectralNorm(keras.layers.LSTM(3))
    with pytest.raises(ValueError, match="power_iterations must be at least 1; received 0"):
        SpectralNorm(keras.layers.Dense(3), power_iterations=0)
    with pytest.raises(ValueError, match="give it to the wrapped layer"):
        SpectralNorm(keras.layers.Dense(3), dtype="mixed_float16")
    with pytest.raises(ValueError, match="received Flatten"):
        spectral_norm_value(keras.layers.Flatten())
