"""When the state of SpectralNorm moves, and what a forward pass leaves alone."""

import keras
import numpy as np
import pytest
from oracles import gaussian, to_numpy

from zoo.layers import (
    DiscriminatorBlock,
    SpectralNorm,
    spectral_norm_layers,
    spectral_norm_value,
    update_spectral_norms,
)


def weights_of(model):
    return [to_numpy(weight) for weight in model.weights]


def discriminator(**kwargs):
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            SpectralNorm(keras.layers.Conv2D(4, 3, strides=2), **kwargs),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Flatten(),
            SpectralNorm(keras.layers.Dense(1), **kwargs),
        ]
    )


def test_inference_changes_no_weight_at_all():
    model = discriminator()
    before = weights_of(model)
    model(gaussian(2, 8, 8, 3), training=False)
    model.predict(gaussian(2, 8, 8, 3), verbose=0)
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_training_call_moves_u_and_never_the_kernel():
    model = discriminator()
    before = weights_of(model)
    model(gaussian(2, 8, 8, 3), training=True)
    for weight, old in zip(model.weights, before, strict=True):
        if weight.name == "u":
            assert np.abs(to_numpy(weight) - old).max() > 0.01
        else:
            np.testing.assert_array_equal(to_numpy(weight), old)


def test_u_is_saved_and_not_trained():
    layer = discriminator().layers[0]
    assert [weight.name for weight in layer.non_trainable_weights] == ["u"]
    assert [weight.name for weight in layer.trainable_weights] == ["kernel", "bias"]
    # The kernel is the wrapped layer's own variable, stored once.
    assert len(layer.weights) == 3


def test_without_updates_in_calls_real_and_fake_see_the_same_weights():
    model = discriminator(update_in_call=False)
    x = gaussian(2, 8, 8, 3)
    update_spectral_norms(model)
    before = weights_of(model)
    first = to_numpy(model(x, training=True))
    second = to_numpy(model(x, training=True))
    np.testing.assert_array_equal(first, second)
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_one_update_is_one_power_iteration():
    model = discriminator(update_in_call=False)
    layer = model.layers[0]
    matrix = to_numpy(layer.layer.kernel).reshape(-1, 4).T
    u = to_numpy(layer.u)
    update_spectral_norms(model)
    expected = matrix @ (matrix.T @ u)
    np.testing.assert_allclose(
        to_numpy(layer.u), expected / np.linalg.norm(expected), rtol=1e-5, atol=1e-6
    )


def test_update_in_call_is_an_attribute_a_trainer_can_set():
    model = keras.Sequential([keras.Input((8, 8, 3)), DiscriminatorBlock(4)])
    layers = spectral_norm_layers(model)
    assert len(layers) == 3
    for layer in layers:
        layer.update_in_call = False
    before = weights_of(model)
    model(gaussian(2, 8, 8, 3), training=True)
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_frozen_layer_keeps_its_u():
    model = discriminator()
    model.trainable = False
    before = weights_of(model)
    model(gaussian(2, 8, 8, 3), training=True)
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_plain_fit_keeps_the_norm_at_one():
    # The target is far out of reach: the raw kernel grows, what the calls use stays at norm 1.
    model = keras.Sequential(
        [keras.Input((6,)), SpectralNorm(keras.layers.Dense(5, use_bias=False))]
    )
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=False)
    x = gaussian(32, 6)
    target = 10 * x @ np.outer(gaussian(6), np.ones(5)).astype("float32")
    repeats = (30, 1)
    model.fit(np.tile(x, repeats), np.tile(target, repeats), batch_size=8, verbose=0)
    layer = model.layers[0]
    raw = np.linalg.svd(to_numpy(layer.layer.kernel), compute_uv=False)[0]
    effective = np.linalg.svd(to_numpy(layer.normalized_kernel()), compute_uv=False)[0]
    assert raw > 2.0
    assert spectral_norm_value(layer) == pytest.approx(raw, rel=1e-3)
    assert effective == pytest.approx(1.0, rel=1e-3)


def test_two_training_passes_in_one_gradient():
    # loss = D(real) - D(fake) with one shared layer: u is read, moved, read again, then
    # differentiated through. An update in place of what the gradient needs would break it.
    layer = SpectralNorm(keras.layers.Dense(3, use_bias=False))
    real, fake = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([real, fake], layer(real) - layer(fake))
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    kernel, u = to_numpy(layer.layer.kernel), to_numpy(layer.u)
    model.train_on_batch([gaussian(2, 4), 2 + gaussian(2, 4)], np.ones((2, 3), "float32"))
    assert np.abs(to_numpy(layer.layer.kernel) - kernel).max() > 1e-3
    matrix = kernel.T @ kernel
    twice = matrix @ (matrix @ u)
    np.testing.assert_allclose(to_numpy(layer.u), twice / np.linalg.norm(twice), atol=1e-5)


def test_a_pure_update_in_a_stateless_scope():
    # What a JAX training step does: nothing outside the scope changes.
    model = discriminator(update_in_call=False)
    layer = model.layers[0]
    before = to_numpy(layer.u)
    with keras.StatelessScope([(w, w.value) for w in model.weights]) as scope:
        update_spectral_norms(model)
        inside = to_numpy(scope.get_current_value(layer.u))
    np.testing.assert_array_equal(to_numpy(layer.u), before)
    update_spectral_norms(model)
    np.testing.assert_allclose(to_numpy(layer.u), inside, rtol=1e-6)
