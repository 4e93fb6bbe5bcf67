"""The gradient penalty against closed forms and finite differences."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from zoo import backend, penalties

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(5, 4, 4, 2)).astype(np.float32)
FAKE = RNG.normal(size=(5, 4, 4, 2)).astype(np.float32)
MIX = RNG.random(5).astype(np.float32)


def linear_critic(weights):
    return lambda x: ops.sum(ops.multiply(x, weights), axis=(1, 2, 3))


@pytest.mark.parametrize("scale", [0.01, 1.0, 7.0])
def test_linear_critic(scale):
    """The gradient of <w, x> is w everywhere, so the penalty is (||w|| - 1)^2 per sample."""
    weights = scale * RNG.normal(size=(4, 4, 2)).astype(np.float32)
    penalty = penalties.gradient_penalty(linear_critic(weights), REAL, FAKE, MIX)
    expected = (np.linalg.norm(weights) - 1) ** 2
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), expected, rtol=1e-5)


def test_the_target_is_the_unit_of_the_norm():
    """(||w|| - gamma)^2 / gamma^2, as Karras et al. 2018 write it."""
    weights = RNG.normal(size=(4, 4, 2)).astype(np.float32)
    penalty = penalties.gradient_penalty(linear_critic(weights), REAL, FAKE, MIX, target=750.0)
    expected = (np.linalg.norm(weights) - 750) ** 2 / 750**2
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), expected, rtol=1e-5)


def test_norm_is_per_sample():
    """With D(x) = ||x||^2 / 2 the gradient is x: each sample has a norm of its own."""
    penalty = penalties.gradient_penalty(
        lambda x: ops.sum(ops.square(x), axis=(1, 2, 3)) / 2, REAL, FAKE, MIX
    )
    x = REAL + MIX[:, None, None, None] * (FAKE - REAL)
    norms = np.linalg.norm(x.reshape(5, -1), axis=1)
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), np.mean((norms - 1) ** 2), rtol=1e-5)
    whole_batch = (np.linalg.norm(x) - 1) ** 2
    assert abs(whole_batch - np.mean((norms - 1) ** 2)) > 1


def test_flat_critic_has_a_finite_gradient():
    """At gradient 0 the penalty is 1 and its own gradient 0, not infinite."""
    weights = keras.Variable(np.zeros((4, 4, 2), np.float32))

    def loss():
        return penalties.gradient_penalty(linear_critic(weights), REAL, FAKE, MIX), {}

    (penalty, _), (gradient,) = backend.value_and_grad(loss, [weights], [])
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), 1.0, atol=1e-5)
    np.testing.assert_array_equal(ops.convert_to_numpy(gradient), 0.0)


def test_gradient_with_respect_to_weights_matches_finite_differences():
    keras.utils.set_random_seed(1)
    critic = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            keras.layers.Conv2D(3, 3, activation="tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )

    def loss():
        return penalties.gradient_penalty(partial(critic, training=False), REAL, FAKE, MIX), {}

    kernel = critic.layers[0].kernel
    (_, _), (gradient,) = backend.value_and_grad(loss, [kernel], [])
    # The error of a central difference falls with the square of the step: 5e-5 here at most.
    start, step, rng = ops.convert_to_numpy(kernel), 1e-3, np.random.default_rng(5)
    for _ in range(5):
        direction = rng.normal(size=start.shape).astype(np.float32)
        values = []
        for sign in (1, -1):
            kernel.assign(start + sign * step * direction)
            values.append(float(ops.convert_to_numpy(loss()[0])))
        slope = (values[0] - values[1]) / (2 * step)
        expected = np.sum(ops.convert_to_numpy(gradient) * direction)
        np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-4)


def test_r1_of_a_linear_critic():
    weights = RNG.normal(size=(4, 4, 2)).astype(np.float32)
    penalty = penalties.r1(linear_critic(weights), REAL)
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), np.sum(weights**2) / 2, rtol=1e-5)


def test_r1_is_the_mean_over_the_samples():
    """With D(x) = ||x||^2 / 2 the gradient is x."""
    penalty = penalties.r1(lambda x: ops.sum(ops.square(x), axis=(1, 2, 3)) / 2, REAL)
    assert tuple(penalty.shape) == ()
    expected = np.mean(np.sum(REAL**2, axis=(1, 2, 3))) / 2
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), expected, rtol=1e-5)


def test_drift_is_the_mean_square():
    assert float(penalties.drift(np.array([[1.0], [-3.0]], np.float32))) == 5.0


def test_half_precision_gives_the_float32_scalar_of_its_values():
    """300 squared is no float16, and between two images there are more than float16 has."""
    assert float(penalties.drift(np.float16([[300.0]]))) == 300.0**2
    weights = RNG.normal(size=(4, 4, 2)).astype(np.float32)

    def critic(x):
        return ops.sum(ops.multiply(ops.square(x), weights), axis=(1, 2, 3))

    half = [array.astype(np.float16) for array in (REAL, FAKE, MIX)]
    single = [array.astype(np.float32) for array in half]
    for penalty, count in ((penalties.gradient_penalty, 3), (penalties.r1, 1)):
        values = [penalty(critic, *arrays[:count]) for arrays in (half, single)]
        assert "float32" in str(values[0].dtype)
        np.testing.assert_allclose(*map(ops.convert_to_numpy, values), rtol=1e-6)
