"""The residual networks of SNGAN and its conditional successor: their channels."""

import keras
import pytest

import zoo
from zoo import resnet


@pytest.mark.parametrize(
    ("width", "bound", "expected"),
    [(256, 0, [256] * 4), (64, 512, [512, 256, 128, 64]), (64, 128, [128, 128, 128, 64])],
)
def test_channels_double_with_every_halving_up_to_a_bound(width, bound, expected):
    """The second is the paper's Table 4, for 48x48 pixels: 6x6 with 512 channels and so on."""
    config = {"image_size": 48, "width": width, "max_width": bound, "discriminator_width": 8}
    generator = zoo.GAN("sngan", config).generator
    found = [layer.output.shape[-1] for layer in generator.layers if len(layer.output.shape) == 4]
    found = found[:4]  # the reshaped latents, then three blocks
    assert found == expected
    first, *others = expected
    count = (128 + 1) * 36 * first
    for before, after in zip(expected, others):
        convolutions = 9 * before * after + 9 * after * after + before * after + 3 * after
        count += convolutions + 4 * before + 4 * after
    count += 4 * width + 9 * width * 1 + 1
    assert generator.count_params() == count


@pytest.mark.parametrize(("bound", "expected"), [(0, 16), (24, 24), (64, 32)])
def test_features_are_as_many_as_channels_at_a_quarter_of_the_size(bound, expected):
    config = {"width": 8, "discriminator_width": 16, "max_discriminator_width": bound}
    config = zoo.GAN("cbn_resnet", config).config
    images = keras.Input(config.image_shape)
    assert resnet.features(images, config).shape == (None, expected)


@pytest.mark.parametrize("bound", ["max_width", "max_discriminator_width"])
def test_a_bound_below_the_width_is_refused(bound):
    config = {"width": 16, "discriminator_width": 16, bound: 8}
    with pytest.raises(ValueError, match="A bound of 8 channels is below the width, 16"):
        zoo.GAN("sngan", config)


@pytest.mark.parametrize("size", [7, 31])
def test_a_size_that_cannot_be_halved_is_refused(size):
    with pytest.raises(ValueError, match=f"must be even and at least 8, but is {size}"):
        zoo.GAN("sngan", {"image_size": size})
