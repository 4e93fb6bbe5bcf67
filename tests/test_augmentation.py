"""Differentiable augmentation against loops over pixels, and its place in a step."""

import keras
import numpy as np
import pytest
from keras import ops
from small import build, weights

from zoo import backend, penalties
from zoo.augmentation import AUGMENTATIONS, NUMBERS, augment, color, cutout, translation
from zoo.batching import batches
from zoo.config import GANConfig
from zoo.data import ArrayImages
from zoo.gan import GAN
from zoo.model import to_float
from zoo.optimizers import AdversarialOptimizer

RNG = np.random.default_rng(0)
LARGEST = np.nextafter(np.float32(1), np.float32(0))
FULL = "color,translation,cutout"


def images(count=6, height=8, width=12):
    return RNG.uniform(-1, 1, (count, height, width, 3)).astype(np.float32)


def numbers(count, size):
    """Uniform in [0, 1), with both ends among them."""
    drawn = RNG.random((count, size), np.float32)
    drawn[0], drawn[1] = 0.0, LARGEST
    return drawn


def test_color():
    x, drawn = images(), numbers(6, 3)
    expected = []
    for image, (brightness, saturation, contrast) in zip(x.astype(float), drawn):
        image = image + (brightness - 0.5)
        grey = image.mean(axis=2)[..., None]
        image = grey + (image - grey) * (saturation * 2)
        expected.append(image.mean() + (image - image.mean()) * (contrast + 0.5))
    np.testing.assert_allclose(ops.convert_to_numpy(color(x, drawn)), expected, atol=2e-6)


def test_color_leaves_an_image_as_it_is_in_the_middle():
    x = images()
    middle = np.full((6, 3), 0.5, np.float32)
    np.testing.assert_allclose(ops.convert_to_numpy(color(x, middle)), x, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(8, 12), (28, 28), (5, 32), (4, 4)])
def test_translation(height, width):
    x, drawn = images(20, height, width), numbers(20, 2)
    expected = np.zeros_like(x)
    for n in range(20):
        down, right = (
            int(u * (2 * most + 1)) - most
            for u, most in zip(drawn[n], (round(height / 8 + 1e-9), round(width / 8 + 1e-9)))
        )
        for i in range(max(down, 0), min(height + down, height)):
            for j in range(max(right, 0), min(width + right, width)):
                expected[n, i, j] = x[n, i - down, j - right]
    np.testing.assert_array_equal(ops.convert_to_numpy(translation(x, drawn)), expected)


def test_translation_reaches_an_eighth_each_way_and_all_between_alike():
    """Moves of a 32 pixels wide image: -4 to 4, each of a ninth of the numbers."""
    drawn = np.linspace(0, LARGEST, 9000, dtype=np.float32)
    x = np.zeros((9000, 32, 32, 1), np.float32)
    x[:, 16, 16] = 1
    moved = np.argwhere(ops.convert_to_numpy(translation(x, np.stack([drawn, drawn[::-1]], 1))))
    for axis in (1, 2):
        places, counts = np.unique(moved[:, axis], return_counts=True)
        np.testing.assert_array_equal(places, np.arange(12, 21))
        np.testing.assert_allclose(counts, 1000, atol=2)


@pytest.mark.parametrize("size", [4, 5, 7, 28, 32])
def test_cutout(size):
    x, drawn = images(20, size, size) + 2, numbers(20, 2)
    expected, length = x.copy(), (size + 1) // 2
    for n, position in enumerate(drawn):
        middles = [int(u * (size + 1 - length % 2)) for u in position]
        for i, j in np.ndindex(size, size):
            if all(
                middle - length // 2 <= p < middle - length // 2 + length
                for p, middle in zip((i, j), middles)
            ):
                expected[n, i, j] = 0
    np.testing.assert_array_equal(ops.convert_to_numpy(cutout(x, drawn)), expected)


def test_cutout_takes_a_quarter_at_most():
    """Of 32x32 pixels 16 x 16, where the whole square is inside; 8 x 8 in a corner."""
    x = np.ones((3, 32, 32, 1), np.float32)
    drawn = np.array([[0.5, 0.5], [0, 0], [LARGEST, LARGEST]], np.float32)
    gone = ops.convert_to_numpy(cutout(x, drawn)) == 0
    assert gone.sum(axis=(1, 2, 3)).tolist() == [256, 64, 64]
    assert gone[0, 8:24, 8:24].all()
    assert gone[1, :8, :8].all()
    assert gone[2, 24:, 24:].all()


def test_a_policy_applies_its_augmentations_in_its_order():
    x, drawn = images(), numbers(6, NUMBERS)
    expected = translation(color(cutout(x, drawn[:, 5:]), drawn[:, :3]), drawn[:, 3:5])
    result = augment(x, "cutout,color,translation", drawn)
    np.testing.assert_array_equal(ops.convert_to_numpy(result), ops.convert_to_numpy(expected))
    assert augment(x, "", None) is x


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_image_is_changed_by_its_own_numbers_only(name):
    x, drawn = images(), numbers(6, NUMBERS)
    both = ops.convert_to_numpy(augment(x, name, drawn))
    one = ops.convert_to_numpy(augment(x[2:3], name, drawn[2:3]))
    np.testing.assert_allclose(both[2:3], one, atol=1e-6)


def test_the_gradient_flows_back_to_the_pixels_that_are_seen():
    """Of the sum of a moved and cut image: 1 at pixels that are still there, else 0."""
    x = images(2, 8, 8)
    drawn = np.zeros((2, NUMBERS), np.float32)  # up and left by 1, and the corner of 2 x 2 gone
    gradient = backend.input_gradient(
        lambda x: ops.sum(augment(x, "translation,cutout", drawn), axis=(1, 2, 3)),
        ops.convert_to_tensor(x),
    )
    expected = np.ones_like(x)
    expected[:, 0], expected[:, :, 0], expected[:, :3, :3] = 0, 0, 0
    np.testing.assert_array_equal(ops.convert_to_numpy(gradient), expected)


def test_the_config_knows_the_augmentations():
    _, *policies = GANConfig.__dataclass_fields__["augment"].metadata["choices"]
    assert policies[-1] == ",".join(AUGMENTATIONS)
    assert {name for policy in policies for name in policy.split(",")} == AUGMENTATIONS.keys()


@pytest.mark.parametrize("policy", ["colour", "cutout,", "color translation cutout"])
def test_another_policy_is_refused(tiny, policy):
    with pytest.raises(ValueError, match="augment must be one of '', 'translation', 'tra"):
        GAN("wgan_gp", tiny | {"augment": policy})


def test_a_batch_brings_its_numbers_and_is_otherwise_the_same(tiny, pictures):
    from recipes.cbn_resnet import Config

    settings = tiny | {"n_critic": 2, "num_classes": 3}
    source = ArrayImages(pictures, np.arange(24) % 3)
    configs = (Config(**settings, augment=policy) for policy in ("", "translation"))
    plain, augmented = (next(batches(source, config, 5))[0] for config in configs)
    assert augmented.keys() - plain.keys() == {"augment_real", "augment_fake"}
    for name in plain:
        np.testing.assert_array_equal(plain[name], augmented[name])
    real, fake = augmented["augment_real"], augmented["augment_fake"]
    assert real.shape == (4, 2, NUMBERS)
    assert fake.shape == (4, 3, NUMBERS)
    assert len(np.unique(np.concatenate([real.ravel(), fake.ravel()]))) == real.size + fake.size


@pytest.mark.parametrize("penalty", ["gradient_penalty", "r1"])
def test_a_step_shows_the_discriminator_augmented_images_only(tiny, pictures, penalty):
    """Scores and penalty of a step that moves nothing, computed again from the batch."""
    rates = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
    settings = rates | {"penalty": penalty, "penalty_weight": 1.0}
    gan = build(tiny, augment=FULL, **settings)
    (batch,) = next(batches(ArrayImages(pictures), gan.config))
    logs = gan.fit(pictures, steps_per_epoch=1, verbose=0).history

    def fakes(k):
        made = gan.training_generator(batch["latents"][:, k], training=True)
        return augment(made, FULL, batch["augment_fake"][:, k])

    real = augment(to_float(batch["real"][:, 0]), FULL, batch["augment_real"][:, 0])
    if penalty == "r1":
        expected = penalties.r1(gan.discriminator, real)
    else:
        expected = penalties.gradient_penalty(gan.discriminator, real, fakes(0), batch["mix"][:, 0])
    for name, value in {
        "real_score": ops.mean(gan.discriminator(real)),
        "fake_score": ops.mean(gan.discriminator(fakes(0))),
        "g_loss": -ops.mean(gan.discriminator(fakes(1))),
        "penalty": expected,
    }.items():
        value = float(ops.convert_to_numpy(value))
        np.testing.assert_allclose(logs[name][0], value, rtol=1e-5, err_msg=name)


def test_the_generator_learns_through_the_augmentation(tiny, pictures):
    """By SGD, against the gradient of the augmented images' scores, taken by finite differences."""
    gan = build(tiny, augment=FULL)
    gan.compile(AdversarialOptimizer(*(keras.optimizers.SGD(rate) for rate in (1e-3, 0.0))))
    (batch,) = next(batches(ArrayImages(pictures), gan.config))
    bias = gan.training_generator.trainable_variables[-1]
    assert bias.shape == (1,), "of the images"
    start = weights(gan.training_generator)

    def loss(change):
        gan.training_generator.set_weights(start)
        bias.assign_add([change])
        made = gan.training_generator(batch["latents"][:, 1], training=True)
        seen = augment(made, FULL, batch["augment_fake"][:, 1])
        return -float(ops.convert_to_numpy(ops.mean(gan.discriminator(seen))))

    slope = (loss(2e-3) - loss(-2e-3)) / 4e-3
    gan.training_generator.set_weights(start)
    before = float(ops.convert_to_numpy(bias)[0])
    gan.fit(pictures, steps_per_epoch=1, verbose=0)
    moved = float(ops.convert_to_numpy(bias)[0]) - before
    np.testing.assert_allclose(moved, -1e-3 * slope, rtol=2e-2)
