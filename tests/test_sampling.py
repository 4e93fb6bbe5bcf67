"""Sampling: seeds, labels, truncation, walks, and what is refused."""

import numpy as np
import pytest
from small import build

import zoo
from zoo import registry, sampling


def test_sample_is_deterministic_and_independent_of_the_batch_size(tiny):
    gan = build(tiny)
    images = gan.sample(7, seed=3)
    assert images.dtype == np.uint8
    assert images.shape == (7, 8, 8, 1)
    np.testing.assert_array_equal(images, gan.sample(7, seed=3))
    difference = images.astype(int) - gan.sample(7, seed=3, batch_size=2)
    assert np.abs(difference).max() <= 1
    assert not np.array_equal(images, gan.sample(7, seed=4))
    assert not np.array_equal(gan.sample(7), gan.sample(7)), "without a seed, fresh images"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_diverged_is_told_apart_from_noise(tiny, value):
    """tanh makes 1 of infinity, but a NaN of what batch normalisation makes of it before."""
    gan = build(tiny)
    first = gan.generator.trainable_variables[0]
    first.assign(np.full(first.shape, value))
    with pytest.raises(ValueError, match="images are not finite numbers: its training diverged"):
        gan.sample(2, seed=0)


def test_truncation_scales_latents(tiny):
    config = build(tiny).config
    latents, labels = sampling.draw(config, 5, seed=1)
    shorter, _ = sampling.draw(config, 5, seed=1, truncation=0.5)
    np.testing.assert_allclose(shorter, 0.5 * latents)
    assert labels is None


def test_interpolation_is_on_the_great_circle():
    start, end = np.eye(2, 5, dtype=np.float32) * 3
    walk = sampling.slerp(start, end, np.linspace(0, 1, 7, dtype=np.float32))
    np.testing.assert_allclose(np.linalg.norm(walk, axis=1), 3, rtol=1e-6)
    angles = np.arctan2(walk[:, 1], walk[:, 0])
    np.testing.assert_allclose(angles, np.linspace(0, np.pi / 2, 7), atol=1e-6)
    np.testing.assert_allclose(sampling.slerp(start, 2 * start, np.array([0.5])), [1.5 * start])


def test_interpolate_begins_and_ends_at_samples(tiny):
    gan = build(tiny)
    walk, ends = gan.interpolate(5, seed=2), gan.sample(2, seed=2)
    assert walk.shape == (5, 8, 8, 1)
    assert np.abs(walk[[0, -1]].astype(int) - ends).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n, the number of images, must be a positive integer, but is 0"),
        ({"n": -1}, "must be a positive integer, but is -1"),
        ({"n": 2.5}, "must be a positive integer, but is 2.5"),
        ({"n": "many"}, "must be a positive integer, but is 'many'"),
        ({"n": 2, "truncation": 0.0}, "truncation must be greater than 0 and at most 1"),
        ({"n": 2, "truncation": "0.5"}, "truncation must be greater than 0 and at most 1"),
        ({"n": 2, "truncation": 1.1}, "truncation must be greater than 0 and at most 1"),
        ({"n": 2, "labels": 3}, "This model is unconditional"),
        ({"n": 2, "batch_size": 0}, "batch_size must be a positive integer"),
        ({"n": 2, "seed": -1}, "seed must be a non-negative integer"),
    ],
)
def test_bad_arguments_are_one_sentence(tiny, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(tiny).sample(**arguments)


@pytest.mark.parametrize(
    ("recipe", "images", "labels", "message"),
    [
        ("wgan_gp", np.zeros((2, 8, 8, 1), np.float32), None, "must be uint8 of shape"),
        ("wgan_gp", np.zeros((2, 9, 8, 1), np.uint8), None, r"\(N, 8, 8, 1\), but are uint8"),
        ("wgan_gp", np.zeros((2, 8, 8, 1), np.uint8), [0, 1], "This model is unconditional"),
        ("cbn_resnet", np.zeros((2, 8, 8, 1), np.uint8), None, "This model is conditional: give"),
        ("cbn_resnet", np.zeros((2, 8, 8, 1), np.uint8), [0, 10], "lie between 0 and 9"),
        ("cbn_resnet", np.zeros((2, 8, 8, 1), np.uint8), [0], "one label for all or 2 labels"),
    ],
)
def test_images_that_cannot_be_scored(recipe, images, labels, message):
    gan = zoo.GAN(recipe, {"width": 4, "image_size": 8})
    with pytest.raises(ValueError, match=message):
        gan.scores(images, labels)


def test_labels_of_a_conditional_model():
    config = registry.import_recipe("cbn_resnet").Config(num_classes=10)
    drawn = sampling.draw(config, 10_000, seed=0)[1]
    assert ((drawn == 0) | (drawn == 1)).all()
    assert (drawn.sum(1) == 1).all()
    np.testing.assert_allclose(drawn.mean(0), 0.1, atol=0.015)  # five standard deviations
    np.testing.assert_array_equal(sampling.draw(config, None, labels=range(10))[1], np.eye(10))
    np.testing.assert_array_equal(sampling.draw(config, 3, labels=4)[1], np.eye(10)[[4, 4, 4]])
    for labels, message in (
        ([1, 2], "3 images need one label for all or 3 labels, but got 2"),
        ([0, 1, 10], "labels must lie between 0 and 9"),
        (-1, "labels must lie between 0 and 9"),
        ([0.5, 1, 2], "labels must be one integer"),
    ):
        with pytest.raises(ValueError, match=message):
            sampling.draw(config, 3, labels=labels)
