import keras
import numpy as np
import pytest
from oracles import to_numpy

from zoo.layers import (
    BatchNormalization,
    ConditionalBatchNormalization,
    ConditionalResidualBlock,
    DiscriminatorBlock,
    FirstDiscriminatorBlock,
    GeneratorBlock,
    SpectralNorm,
    spectral_norm_layers,
)

LABELS = np.array([0, 2], "int32")
ops = keras.ops


def images(channels=3, size=4):
    shape = (2, size, size, channels)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def silence(layer):
    """Zeroes a layer's trainable weights."""
    for weight in layer.trainable_weights:
        weight.assign(np.zeros(weight.shape))


def repeated(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def averaged(x):
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))


def pointwise(x, convolution):
    """A 1 x 1 convolution by hand."""
    return x @ to_numpy(convolution.kernel)[0, 0] + to_numpy(convolution.bias)


def convolved(x, convolution):
    """A 3 x 3 convolution with a layer's weights, without the resampling the layer folds in."""
    return ops.conv(x, convolution.kernel, padding="same") + convolution.bias


# ConditionalResidualBlock


def test_post_activation_block_of_the_same_width_adds_its_input():
    block = ConditionalResidualBlock(3, num_classes=4)
    x = images()
    block(x, LABELS)
    assert block.skip_convolution is None
    silence(block)  # gamma = beta = 0
    np.testing.assert_array_equal(to_numpy(block(x, LABELS)), x)


def test_post_activation_block_activates_after_the_normalisation():
    block = ConditionalResidualBlock(5, num_classes=4)
    x = images()
    block(x, LABELS)
    silence(block)
    table = np.zeros((4, 5))
    table[0], table[2] = -1.0, 2.0
    block.normalization_2.beta.assign(table)
    block.skip_normalization.beta.assign(table)
    y = to_numpy(block(x, LABELS))
    # leaky_relu(-1) = -0.2 and leaky_relu(2) = 2, on the path and on the skip.
    np.testing.assert_allclose(y[0], -0.4, rtol=1e-6)
    np.testing.assert_allclose(y[1], 4.0, rtol=1e-6)


def test_post_activation_block_by_the_formula():
    block = ConditionalResidualBlock(5, num_classes=4, negative_slope=0.1)
    x = images()
    y = to_numpy(block(x, LABELS, training=True))

    def f(x, convolution):
        normalization = ConditionalBatchNormalization(4, epsilon=2e-5)
        return ops.leaky_relu(normalization(convolution(x), LABELS, training=True), 0.1)

    inner = f(f(x, block.convolution_1), block.convolution_2)
    np.testing.assert_allclose(
        y, to_numpy(inner + f(x, block.skip_convolution)), rtol=1e-5, atol=1e-5
    )


# GeneratorBlock


@pytest.mark.parametrize("arguments", [{}, {"num_classes": 4}, {"condition_size": 3}])
def test_generator_skip_is_a_convolution_of_the_repeated_input(arguments):
    block = GeneratorBlock(5, **arguments)
    x = images()
    condition = {
        "num_classes": (LABELS,),
        "condition_size": (np.ones((2, 3), "float32"),),
    }.get(next(iter(arguments), None), ())
    y = block(x, *condition)
    assert tuple(y.shape) == (2, 8, 8, 5)
    silence(block.convolution_2)
    expected = pointwise(repeated(x), block.skip_convolution)
    np.testing.assert_allclose(to_numpy(block(x, *condition)), expected, rtol=1e-5, atol=1e-5)


def test_generator_block_by_the_formula():
    block = GeneratorBlock(5)
    x = images()
    y = to_numpy(block(x, training=True))

    def activate(x):
        mean, variance = ops.moments(x, axes=(0, 1, 2), keepdims=True)
        return ops.relu((x - mean) / ops.sqrt(variance + 2e-5))

    h = repeated(to_numpy(activate(ops.convert_to_tensor(x))))
    h = convolved(h, block.convolution_1)
    h = block.convolution_2(activate(h))
    expected = to_numpy(h) + pointwise(repeated(x), block.skip_convolution)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_generator_block_without_upsampling_adds_its_input():
    block = GeneratorBlock(3, upsample=False)
    x = images()
    block(x)
    silence(block.convolution_2)
    np.testing.assert_array_equal(to_numpy(block(x)), x)


def test_generator_block_normalises_by_class_only_if_asked():
    plain, conditional = GeneratorBlock(5), GeneratorBlock(5, num_classes=4)
    plain(images())
    conditional(images(), LABELS)
    assert type(plain.normalization_1) is BatchNormalization
    assert tuple(conditional.normalization_2.gamma.shape) == (4, 5)
    with pytest.raises(ValueError, match="is unconditional and takes none"):
        GeneratorBlock(5)(images(), LABELS)
    with pytest.raises(ValueError, match="needs a condition"):
        GeneratorBlock(5, num_classes=4)(images())


def test_settings_reach_every_normalisation():
    settings = {"momentum": 0.7, "epsilon": 0.01, "synchronized": True}
    for block in (
        GeneratorBlock(5, **settings),
        GeneratorBlock(5, num_classes=4, **settings),
        ConditionalResidualBlock(5, num_classes=4, **settings),
    ):
        conditional = block.num_classes is not None
        block.build((None, 4, 4, 3), *[(None,)] * conditional)
        for layer in (block.normalization_1, block.normalization_2):
            layer = layer.normalization if conditional else layer
            assert (layer.momentum, layer.epsilon) == (0.7, 0.01)
            assert layer.synchronized == (keras.backend.backend() == "tensorflow")


def test_initial_weights_are_glorot_uniform_with_a_gain_on_the_path():
    block = GeneratorBlock(64)
    block.build((None, 4, 4, 64))
    limit = (6 / (9 * 64 + 9 * 64)) ** 0.5
    for convolution in (block.convolution_1, block.convolution_2):
        largest = np.abs(to_numpy(convolution.kernel)).max()
        assert largest == pytest.approx(2**0.5 * limit, rel=1e-3)
    largest = np.abs(to_numpy(block.skip_convolution.kernel)).max()
    assert largest == pytest.approx((6 / 128) ** 0.5, rel=1e-2)


# DiscriminatorBlock, FirstDiscriminatorBlock


def test_discriminator_skip_is_an_averaged_convolution():
    block = DiscriminatorBlock(5, spectral_norm=False)
    x = images()
    assert tuple(block(x).shape) == (2, 2, 2, 5)
    silence(block.convolution_2)
    expected = averaged(pointwise(x, block.skip_convolution))
    np.testing.assert_allclose(to_numpy(block(x)), expected, rtol=1e-5, atol=1e-6)


def test_discriminator_path_starts_with_a_rectifier():
    block = DiscriminatorBlock(3, downsample=False, spectral_norm=False)
    x = -np.abs(images())
    block(x)
    # A negative input never reaches the convolutions: without biases the block is the identity.
    np.testing.assert_array_equal(to_numpy(block(x)), x)
    assert np.abs(to_numpy(block(-x)) + x).max() > 0.1


def test_discriminator_block_by_the_formula():
    block = DiscriminatorBlock(5, hidden_filters=7, spectral_norm=False)
    x = images()
    y = to_numpy(block(x))
    assert block.convolution_1.filters == 7
    h = convolved(ops.relu(block.convolution_1(ops.relu(x))), block.convolution_2)
    expected = averaged(to_numpy(h)) + averaged(pointwise(x, block.skip_convolution))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_first_block_sees_the_dark_half_of_the_image():
    block = FirstDiscriminatorBlock(5, spectral_norm=False)
    x = -np.abs(images())
    y = to_numpy(block(x))
    h = to_numpy(convolved(ops.relu(block.convolution_1(x)), block.convolution_2))
    assert np.abs(h).max() > 0.1
    expected = averaged(h) + pointwise(averaged(x), block.skip_convolution)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_odd_sizes_drop_the_last_row_and_column():
    x = images(size=7)
    for block in (DiscriminatorBlock(5), FirstDiscriminatorBlock(5)):
        assert tuple(block(x).shape) == (2, 3, 3, 5)
        assert block.compute_output_shape((None, 7, 7, 3)) == (None, 3, 3, 5)


@pytest.mark.parametrize(
    ("block", "convolutions"),
    [
        (DiscriminatorBlock(5), 3),
        (DiscriminatorBlock(3, downsample=False), 2),
        (FirstDiscriminatorBlock(5), 3),
        (DiscriminatorBlock(5, spectral_norm=False), 0),
        (FirstDiscriminatorBlock(5, spectral_norm=False), 0),
    ],
)
def test_every_convolution_is_normalised_and_there_is_no_batch_norm(block, convolutions):
    block.build((None, 4, 4, 3))
    assert len(spectral_norm_layers(block)) == convolutions
    assert all(weight.name in ("kernel", "bias", "u") for weight in block.weights)


def test_power_iterations_reach_the_convolutions():
    block = DiscriminatorBlock(5, power_iterations=3)
    block.build((None, 4, 4, 3))
    assert isinstance(block.convolution_1, SpectralNorm)
    assert [layer.power_iterations for layer in spectral_norm_layers(block)] == [3, 3, 3]
