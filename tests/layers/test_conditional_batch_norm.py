import keras
import numpy as np
import pytest
from oracles import to_numpy

from zoo.layers import ConditionalBatchNormalization

LABELS = np.array([2, 0, 1, 2, 2, 0], "int32")


def images(*shape, mean=2.0, deviation=3.0):
    return np.random.default_rng(0).normal(mean, deviation, shape).astype("float32")


def filled(layer, **weights):
    for name, value in weights.items():
        getattr(layer, name).assign(np.asarray(value, "float32"))
    return layer


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(6, 4, 4, 3), (6, 5, 3), (6, 3)])
def test_one_class_is_batch_normalization(shape, training):
    plain = keras.layers.BatchNormalization()
    conditional = ConditionalBatchNormalization(num_classes=1)
    plain.build(shape)
    conditional.build(shape, (6,))
    gamma, beta, mean, variance = np.random.default_rng(1).uniform(0.5, 2.0, (4, 3))
    plain.set_weights([gamma, beta, mean, variance])
    filled(conditional, gamma=[gamma], beta=[beta], moving_mean=mean, moving_variance=variance)
    x, labels = images(*shape), np.zeros(6, "int32")
    for _ in range(3):  # the moving statistics move alike
        np.testing.assert_allclose(
            to_numpy(conditional(x, labels, training=training)),
            to_numpy(plain(x, training=training)),
            rtol=1e-6,
            atol=1e-6,
        )
    np.testing.assert_allclose(
        to_numpy(conditional.moving_mean), to_numpy(plain.moving_mean), rtol=1e-6
    )
    np.testing.assert_allclose(
        to_numpy(conditional.moving_variance), to_numpy(plain.moving_variance), rtol=1e-6
    )
    moved = np.abs(to_numpy(conditional.moving_mean) - mean).max() > 1e-3
    assert moved == training


def test_starts_as_the_identity_of_a_normalisation():
    layer = ConditionalBatchNormalization(num_classes=4)
    layer.build((None, 4, 4, 3), (None,))
    for weight, value in [
        (layer.gamma, np.ones((4, 3))),
        (layer.beta, np.zeros((4, 3))),
        (layer.moving_mean, np.zeros(3)),
        (layer.moving_variance, np.ones(3)),
    ]:
        np.testing.assert_array_equal(to_numpy(weight), value)
    assert len(layer.trainable_weights) == 2
    assert len(layer.non_trainable_weights) == 2


def test_every_sample_gets_the_gamma_and_beta_of_its_class():
    layer = ConditionalBatchNormalization(num_classes=3, epsilon=0.0)
    layer.build((None, 2, 2, 2), (None,))
    filled(layer, gamma=[[1, 2], [3, 4], [5, 6]], beta=[[10, 20], [30, 40], [50, 60]])
    x = images(6, 2, 2, 2)
    y = to_numpy(layer(x, LABELS, training=False))  # mean 0, variance 1
    for sample, label in enumerate(LABELS):
        gamma = np.array([2 * label + 1, 2 * label + 2])
        np.testing.assert_allclose(y[sample], gamma * x[sample] + 10 * gamma, rtol=1e-5)


def test_epsilon_is_used():
    layer = ConditionalBatchNormalization(num_classes=1, epsilon=3.0)
    labels = np.zeros(6, "int32")
    # In training a constant batch has no variance; in inference the variance is 1: sqrt(1 + 3).
    constant = to_numpy(layer(np.full((6, 4, 4, 3), 7.0, "float32"), labels, training=True))
    np.testing.assert_allclose(constant, 0.0, atol=1e-6)
    layer = ConditionalBatchNormalization(num_classes=1, epsilon=3.0)
    x = images(6, 4, 4, 3)
    np.testing.assert_allclose(to_numpy(layer(x, labels)), x / 2.0, rtol=1e-6)


def test_training_uses_and_records_batch_statistics_over_all_classes():
    layer = ConditionalBatchNormalization(num_classes=3, momentum=0.9)
    x = images(6, 8, 8, 2)
    y = to_numpy(layer(x, LABELS, training=True))
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.var(axis=(0, 1, 2)), 1.0, rtol=1e-3)
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    np.testing.assert_allclose(to_numpy(layer.moving_mean), 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(to_numpy(layer.moving_variance), 0.9 + 0.1 * variance, rtol=1e-5)


def test_a_frozen_layer_uses_and_keeps_its_statistics():
    layer = ConditionalBatchNormalization(num_classes=3)
    layer.trainable = False
    x = images(6, 4, 4, 2)
    y = to_numpy(layer(x, LABELS, training=True))
    np.testing.assert_allclose(y, x / np.sqrt(1.001), rtol=1e-5)
    np.testing.assert_array_equal(to_numpy(layer.moving_mean), np.zeros(2))


def test_one_hot_labels_and_mixtures_of_classes():
    layer = ConditionalBatchNormalization(num_classes=3)
    layer.build((None, 4, 4, 2), (None,))
    filled(layer, gamma=[[1, 2], [3, 4], [5, 6]], beta=[[1, -1], [2, -2], [3, -3]])
    x = images(6, 4, 4, 2)
    from_integers = to_numpy(layer(x, LABELS))
    one_hot = np.eye(3, dtype="float32")[LABELS]
    np.testing.assert_allclose(to_numpy(layer(x, one_hot)), from_integers, rtol=1e-6)
    half = 0.5 * one_hot + 0.5 * np.eye(3, dtype="float32")[[0] * 6]
    of_class_0 = to_numpy(layer(x, np.zeros(6, "int32")))
    np.testing.assert_allclose(
        to_numpy(layer(x, half)), 0.5 * (from_integers + of_class_0), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int64"])
def test_labels_are_integers_of_any_size(dtype):
    layer, x = ConditionalBatchNormalization(num_classes=3), images(6, 4, 4, 2)
    layer.build(x.shape, LABELS.shape)
    filled(layer, gamma=[[1, 2], [3, 4], [5, 6]], beta=[[6, 5], [4, 3], [2, 1]])
    expected = to_numpy(layer(x, LABELS))
    np.testing.assert_array_equal(to_numpy(layer(x, LABELS.astype(dtype))), expected)


def test_only_classes_in_the_batch_are_trained(weight_gradients):
    x, labels = images(4, 3, 3, 2), np.array([1, 3, 1, 3], "int32")
    symbols = keras.Input((3, 3, 2)), keras.Input((), dtype="int32")
    layer = ConditionalBatchNormalization(num_classes=5)
    model = keras.Model(symbols, layer(*symbols))
    gradients = weight_gradients(model, [x, labels], images(4, 3, 3, 2))
    for gradient in gradients:
        used = np.abs(gradient).max(axis=1) > 1e-3
        np.testing.assert_array_equal(used, [False, True, False, True, False])


def test_a_vector_condition_shifts_gamma_and_beta():
    layer = ConditionalBatchNormalization(condition_size=2, epsilon=0.0)
    x = images(3, 4, 4, 2)
    condition = np.array([[1, 0], [0, 1], [2, -1]], "float32")
    # The kernels start at zero: whatever the condition, plain normalisation.
    np.testing.assert_allclose(to_numpy(layer(x, condition)), x, rtol=1e-6)
    filled(layer, gamma_kernel=[[1, 2], [3, 4]], beta_kernel=[[5, 6], [7, 8]], beta=[0.5, 0.5])
    gamma = 1.0 + np.array([[1, 2], [3, 4], [-1, 0]])
    beta = 0.5 + np.array([[5, 6], [7, 8], [3, 4]])
    expected = gamma[:, None, None] * x + beta[:, None, None]
    np.testing.assert_allclose(to_numpy(layer(x, condition)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_half_precision_does_not_overflow(policy):
    # The variance of values around +-1000 is 1e6, beyond float16.
    layer = ConditionalBatchNormalization(num_classes=3, dtype=policy)
    x = images(6, 4, 4, 2, mean=0.0, deviation=1000.0)
    y = to_numpy(keras.ops.cast(layer(x, LABELS, training=True), "float32"))
    reference = ConditionalBatchNormalization(num_classes=3)
    np.testing.assert_allclose(
        y, to_numpy(reference(x, LABELS, training=True)), rtol=2e-3, atol=2e-3
    )
    assert layer.moving_variance.dtype == "float32"


def test_gamma_keeps_its_precision_in_a_half_precision_policy():
    # gamma * 1 - 1 = 0.0004; rounded to float16, this gamma would be 1.
    layer = ConditionalBatchNormalization(num_classes=1, epsilon=0.0, dtype="mixed_float16")
    layer.build((None, 2), (None,))
    filled(layer, gamma=[[1.0004, 1.0004]], beta=[[-1, -1]])
    y = layer(np.ones((1, 2), "float32"), np.zeros(1, "int32"))
    np.testing.assert_allclose(to_numpy(keras.ops.cast(y, "float32")), 4e-4, rtol=2e-3)


@pytest.mark.parametrize("bad", [3, -1, 2**31 - 1])
def test_labels_out_of_range(bad):
    layer = ConditionalBatchNormalization(num_classes=3)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\]; received labels from"):
        layer(images(2, 4, 4, 2), np.array([0, bad], "int32"))


@pytest.mark.parametrize(
    ("arguments", "condition", "message"),
    [
        ({"num_classes": 3}, np.zeros(2, "float32"), "must be integers; received float32"),
        ({"num_classes": 3}, np.zeros((2, 4), "float32"), r"\(N,\) or \(N, 3\); received shape"),
        ({"condition_size": 3}, np.zeros((2, 4), "float32"), r"shape \(N, 3\); received shape"),
        ({"condition_size": 3}, np.zeros(2, "int32"), r"shape \(N, 3\); received shape"),
    ],
)
def test_conditions_of_another_kind(arguments, condition, message):
    layer = ConditionalBatchNormalization(**arguments)
    with pytest.raises(ValueError, match=message):
        layer(images(2, 4, 4, 2), condition)


def test_exactly_one_kind_of_condition():
    for arguments in ({}, {"num_classes": 3, "condition_size": 4}):
        with pytest.raises(ValueError, match="num_classes or condition_size, one of them"):
            ConditionalBatchNormalization(**arguments)
    with pytest.raises(ValueError, match="must be at least 1; received num_classes=0"):
        ConditionalBatchNormalization(num_classes=0)
