"""The layers under `tf.distribute`, and second derivatives.

`tests/test_distribution.py` runs these in a process of its own, whose CPU is two devices.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracles import gaussian

from zoo.layers import (
    ConditionalBatchNormalization,
    SpectralNorm,
    spectral_norm_layers,
    update_spectral_norms,
)

# They have to be there before the first tensor.
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture
def strategy():
    # By copying: collective operations of two strategies in one process share their keys.
    reduction = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduction)


def critic(update_in_call=True):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            SpectralNorm(keras.layers.Conv2D(4, 3), update_in_call=update_in_call),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            SpectralNorm(keras.layers.Dense(1), update_in_call=update_in_call),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    return model


def test_fit_on_two_replicas_equals_fit_on_one(strategy):
    with strategy.scope():
        distributed = critic()
    single = critic()
    x, y = gaussian(32, 6, 6, 2), gaussian(32, 1)
    for model in (distributed, single):
        model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(distributed.weights, single.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)

    for layer in spectral_norm_layers(distributed):
        first, second = (u.numpy() for u in strategy.experimental_local_results(layer.u.value))
        np.testing.assert_array_equal(first, second)


def test_update_in_a_replica(strategy):
    with strategy.scope():
        model = critic(update_in_call=False)
    alone = critic(update_in_call=False)

    @tf.function
    def step():
        strategy.run(lambda: update_spectral_norms(model))

    step()
    update_spectral_norms(alone)
    for a, b in zip(spectral_norm_layers(model), spectral_norm_layers(alone), strict=True):
        for u in strategy.experimental_local_results(a.u.value):
            np.testing.assert_allclose(u.numpy(), b.u.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("synchronized", [True, False])
def test_synchronized_statistics_are_those_of_the_global_batch(strategy, synchronized):
    # The two replicas see samples of very different size.
    x = gaussian(8, 4, 4, 2) * np.array([1, 1, 1, 1, 9, 9, 9, 9], "float32").reshape(8, 1, 1, 1)
    labels = np.arange(8, dtype="int32") % 3
    with strategy.scope():
        layer = ConditionalBatchNormalization(3, momentum=0.0, synchronized=synchronized)
        layer.build(x.shape, labels.shape)

    @tf.function
    def step(batch):
        strategy.run(lambda x, labels: layer(x, labels, training=True), batch)

    batches = tf.data.Dataset.from_tensor_slices((x, labels)).batch(8)
    for batch in strategy.experimental_distribute_dataset(batches):
        step(batch)
    error = np.abs(layer.moving_variance.numpy() / x.var(axis=(0, 1, 2)) - 1).max()
    assert error < 1e-4 if synchronized else error > 0.5


def test_the_gradient_of_a_gradient_penalty():
    # d/dW of |d D(x) / d x|^2, as WGAN-GP takes it, against finite differences.
    model = critic(update_in_call=False)
    kernel = model.layers[0].layer.kernel
    x = tf.constant(gaussian(3, 6, 6, 2))

    def penalty():
        with tf.GradientTape() as tape:
            tape.watch(x)
            scores = tf.reduce_sum(model(x, training=False))
        return tf.reduce_sum(tape.gradient(scores, x) ** 2)

    with tf.GradientTape() as tape:
        value = penalty()
    gradient = tape.gradient(value, kernel.value).numpy()
    assert np.abs(gradient).max() > 0.01

    start, direction = kernel.numpy(), gradient / np.linalg.norm(gradient)
    step = 1e-3
    kernel.assign(start + step * direction)
    above = penalty().numpy()
    kernel.assign(start - step * direction)
    below = penalty().numpy()
    assert (above - below) / (2 * step) == pytest.approx(np.linalg.norm(gradient), rel=0.02)
