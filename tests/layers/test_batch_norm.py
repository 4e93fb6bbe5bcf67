import keras
import numpy as np
import pytest
from oracles import to_numpy

from zoo import backend
from zoo.layers import BatchNormalization

SHAPES = [(6, 4, 5, 3), (6, 5, 3), (6, 3)]


def images(shape, mean=2.0):
    return np.random.default_rng(0).normal(mean, 3.0, shape).astype("float32")


def filled(layer, shape):
    layer.build(shape)
    layer.set_weights(list(np.random.default_rng(1).uniform(0.5, 2.0, (4, shape[-1]))))
    return layer


@pytest.mark.parametrize("shape", SHAPES)
def test_formula_and_moving_statistics(shape):
    layer = filled(BatchNormalization(momentum=0.9, epsilon=0.1), shape)
    gamma, beta, moving_mean, moving_variance = map(to_numpy, layer.weights)
    x, axes = images(shape), tuple(range(len(shape) - 1))
    mean, variance = x.mean(axes), x.var(axes)  # that of the batch divides by its size
    np.testing.assert_allclose(
        to_numpy(layer(x, training=True)),
        gamma * (x - mean) / np.sqrt(variance + 0.1) + beta,
        rtol=1e-5,
        atol=1e-5,
    )
    recorded = 0.9 * moving_mean + 0.1 * mean, 0.9 * moving_variance + 0.1 * variance
    np.testing.assert_allclose(to_numpy(layer.moving_mean), recorded[0], rtol=1e-5)
    np.testing.assert_allclose(to_numpy(layer.moving_variance), recorded[1], rtol=1e-5)
    np.testing.assert_allclose(
        to_numpy(layer(x)),
        gamma * (x - recorded[0]) / np.sqrt(recorded[1] + 0.1) + beta,
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_gradients_are_those_of_the_layer_of_keras(shape, scaled, weight_gradients):
    x, cotangent = images(shape), images(shape, mean=0.5)
    results = []
    for kind in (keras.layers.BatchNormalization, BatchNormalization):
        keras.utils.set_random_seed(0)
        inputs = keras.Input(shape[1:])
        # The dense layer's gradient is the one that reaches the features.
        outputs = kind(center=scaled, scale=scaled)(keras.layers.Dense(4)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(shape[-1])(outputs))
        results.append(weight_gradients(model, x, cotangent))
    for expected, gradient in zip(*results, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=2e-4)


def kernels(layer, x):
    """How many kernels of batch normalisation the layer's training takes."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        traced = tf.function(lambda x: layer(x, training=True)).get_concrete_function(x)
        names = [operation.type for operation in traced.graph.get_operations()]
        return names.count("FusedBatchNormV3")
    if keras.backend.backend() == "torch":
        nodes, names = [layer(x, training=True).grad_fn], []
        while nodes:
            names.append(nodes[-1].name())
            nodes.extend(node for node, _ in nodes.pop().next_functions if node)
        return sum("BatchNorm" in name for name in names)
    return 0


def test_one_kernel_where_the_backend_has_one():
    x = keras.ops.convert_to_tensor(images((2, 3, 3, 4)))
    ones, zeros = keras.ops.ones(4), keras.ops.zeros(4)
    fused = backend.fused_batch_norm(x, ones, zeros, 1e-3)
    has_one = keras.backend.backend() != "jax"
    assert (fused is not None) == has_one
    assert kernels(BatchNormalization(), x) == has_one
    assert kernels(keras.layers.BatchNormalization(), x) == 0
    assert backend.fused_batch_norm(x[0], ones, zeros, 1e-3) is None


def test_one_value_has_no_variance():
    layer = BatchNormalization(momentum=0.0)
    np.testing.assert_allclose(to_numpy(layer(images((1, 1, 1, 3)), training=True)), 0, atol=1e-6)
    np.testing.assert_array_equal(to_numpy(layer.moving_variance), np.zeros(3))


def test_a_frozen_layer_uses_and_keeps_its_statistics():
    layer = BatchNormalization()
    layer.trainable = False
    x = images((6, 4, 4, 2))
    np.testing.assert_allclose(to_numpy(layer(x, training=True)), x / np.sqrt(1.001), rtol=1e-5)
    np.testing.assert_array_equal(to_numpy(layer.moving_mean), np.zeros(2))


def test_statistics_of_half_precision_are_single():
    """The mean of 64,000 bfloat16 numbers, which would stop growing when summed as such."""
    x = images((10, 80, 80, 1), mean=30.0)
    layer = BatchNormalization(momentum=0.0, dtype="mixed_bfloat16")
    y = layer(keras.ops.cast(x, "bfloat16"), training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    rounded = to_numpy(keras.ops.cast(x, "bfloat16")).astype("float32")
    np.testing.assert_allclose(to_numpy(layer.moving_mean), rounded.mean(), rtol=1e-4)
    np.testing.assert_allclose(to_numpy(layer.moving_variance), rounded.var(), rtol=1e-3)


@pytest.mark.parametrize("synchronized", [None, True, False])
def test_what_one_framework_saved_another_makes_again(synchronized):
    """Keras refuses to synchronise but with TensorFlow, where it is the default here."""
    layer = BatchNormalization(synchronized=synchronized)
    tensorflow = keras.backend.backend() == "tensorflow"
    assert layer.get_config()["synchronized"] is synchronized
    again = BatchNormalization.from_config(layer.get_config())
    assert again.synchronized == (synchronized is not False and tensorflow)


def test_a_pure_half_policy_keeps_a_variance_beyond_its_range():
    x = 1000 * images((6, 4, 4, 2), mean=0.0).astype("float16")
    layer = BatchNormalization(momentum=0.0, epsilon=0.0, dtype="float16")
    y = layer(x, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    variance = x.astype("float64").var((0, 1, 2))
    assert (variance > 65504).all()
    np.testing.assert_allclose(to_numpy(layer.moving_variance), variance, rtol=1e-4)
    np.testing.assert_allclose(to_numpy(y).var((0, 1, 2)), 1.0, rtol=2e-3)


def test_another_axis_and_a_mask_are_left_to_keras():
    x = images((6, 3, 4, 4))
    y = to_numpy(BatchNormalization(axis=1)(x, training=True))
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-5)
    mask = np.zeros((6, 3, 4), bool)
    mask[:, :2] = True
    layer = BatchNormalization(momentum=0.0)
    layer(x, training=True, mask=mask)
    np.testing.assert_allclose(to_numpy(layer.moving_mean), x[:, :2].mean((0, 1, 2)), rtol=1e-4)
