"""What holds for every layer: configuration, saving, dtype policies, compiled training."""

from inspect import signature

import keras
import numpy as np
import pytest
from oracles import to_numpy

from zoo import layers

LABELS = np.array([0, 1, 2, 1], "int32")
CASES = {
    "PixelNorm": lambda **k: layers.PixelNorm(epsilon=1e-6, **k),
    "InstanceNormalization": lambda **k: layers.InstanceNormalization(epsilon=1e-5, **k),
    "MinibatchStddev": lambda **k: layers.MinibatchStddev(2, epsilon=1e-6, **k),
    "EqualizedDense": lambda **k: layers.EqualizedDense(5, gain=1.5, **k),
    "EqualizedConv2D": lambda **k: layers.EqualizedConv2D(5, 3, gain=1.5, padding="same", **k),
    "EqualizedUpsampleConv2D": lambda **k: layers.EqualizedUpsampleConv2D(
        5, 3, gain=1.5, padding="same", **k
    ),
    "EqualizedDownsampleConv2D": lambda **k: layers.EqualizedDownsampleConv2D(
        5, 3, gain=1.5, padding="same", **k
    ),
    "SpectralNorm": lambda **k: layers.SpectralNorm(
        keras.layers.Conv2D(5, 3, **k), power_iterations=2, update_in_call=False
    ),
    "DiscriminatorBlock": lambda **k: layers.DiscriminatorBlock(5, hidden_filters=4, **k),
    "FirstDiscriminatorBlock": lambda **k: layers.FirstDiscriminatorBlock(5, **k),
    "GeneratorBlock": lambda **k: layers.GeneratorBlock(5, momentum=0.8, **k),
    "BatchNormalization": lambda **k: layers.BatchNormalization(momentum=0.8, **k),
    "ConditionalGeneratorBlock": lambda **k: layers.GeneratorBlock(5, num_classes=3, **k),
    "ConditionalBatchNormalization": lambda **k: layers.ConditionalBatchNormalization(
        num_classes=3, momentum=0.8, epsilon=1e-4, **k
    ),
    "ConditionalResidualBlock": lambda **k: layers.ConditionalResidualBlock(
        5, num_classes=3, negative_slope=0.1, **k
    ),
}


def images(shape=(4, 8, 8, 3)):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def inputs_of(name):
    return (images(), LABELS) if name.startswith("Conditional") else (images(),)


def test_every_public_layer_is_here():
    classes = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert classes <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_configuration_and_saving(name, round_trip):
    loaded = round_trip(CASES[name](), *inputs_of(name))
    assert keras.saving.get_registered_name(type(loaded)) == f"zoo>{type(loaded).__name__}"


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("name", CASES)
def test_dtype_policies(name, policy):
    inputs = inputs_of(name)
    half, single = CASES[name](dtype=policy), CASES[name]()
    symbol = half(*(keras.Input(x.shape[1:], dtype=x.dtype) for x in inputs))
    single(*inputs)
    single_weights = [to_numpy(weight) for weight in single.weights]
    half.set_weights(single_weights)
    y = half(*inputs)
    expected = policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(y.dtype) == symbol.dtype == expected
    np.testing.assert_allclose(
        to_numpy(keras.ops.cast(y, "float32")),
        to_numpy(single(*inputs)),
        atol=0.1 if policy == "mixed_bfloat16" else 0.015,
    )


@pytest.mark.parametrize("remade", ["made", "configured", "frozen later"])
@pytest.mark.parametrize("name", CASES)
def test_a_frozen_layer_moves_nothing(name, remade):
    """Not its parts' weights either, however the layer was made: saving keeps `trainable`."""
    frozen = remade == "made" and name != "SpectralNorm"  # whose arguments are its layer's
    layer = CASES[name](**{"trainable": False} if frozen else {})
    if not frozen:
        layer.trainable = False
    if remade == "configured":
        layer = type(layer).from_config(layer.get_config())
    inputs = inputs_of(name)
    layer(*inputs)
    before = [to_numpy(weight) for weight in layer.weights]
    training = {"training": True} if "training" in signature(layer.call).parameters else {}
    layer(*inputs, **training)
    assert layer.trainable_weights == []
    for weight, value in zip(layer.weights, before):
        np.testing.assert_array_equal(to_numpy(weight), value, err_msg=weight.path)


def everything():
    """One small model that goes through all layers."""
    image, label = keras.Input((4, 4, 3)), keras.Input((), dtype="int32")
    x = layers.EqualizedConv2D(4, 1)(image)
    x = layers.EqualizedUpsampleConv2D(4, 3)(x)
    x = layers.EqualizedDownsampleConv2D(4, 3)(x)
    x = layers.GeneratorBlock(4)(layers.PixelNorm()(x))
    x = layers.ConditionalResidualBlock(4, num_classes=3)(x, label)
    x = layers.InstanceNormalization()(x)
    x = layers.FirstDiscriminatorBlock(4)(x)
    x = layers.DiscriminatorBlock(4)(x)
    x = layers.ConditionalBatchNormalization(3)(x, label)
    x = keras.layers.Flatten()(layers.MinibatchStddev(2)(x))
    x = layers.EqualizedDense(4)(x)
    x = layers.SpectralNorm(keras.layers.Dense(1))(x)
    return keras.Model([image, label], x)


def test_compiled_training_equals_eager_training():
    x, target = [images((4, 4, 4, 3)), LABELS], np.ones((4, 1), "float32")
    # PyTorch's compiler needs a C++ toolchain; there this compares two eager runs.
    compiles = keras.backend.backend() != "torch"
    results = []
    for settings in ({"run_eagerly": True}, {"jit_compile": compiles}):
        keras.utils.set_random_seed(1)
        model = everything()
        before = [to_numpy(weight) for weight in model.weights]
        model.compile(keras.optimizers.SGD(0.01), "mse", **settings)
        assert np.isfinite(model.train_on_batch(x, target))
        results.append([to_numpy(weight) for weight in model.weights])
        moved = [np.abs(a - b).max() > 0 for a, b in zip(before, results[-1])]
        # A bias that a normalisation takes out again has no gradient.
        unmoved = {weight.name for weight, moves in zip(model.weights, moved) if not moves}
        assert unmoved <= {"bias"}
    for eager, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(eager, compiled, rtol=1e-3, atol=1e-5)
