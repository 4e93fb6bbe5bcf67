"""The conditional model: what labels do."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo


@pytest.fixture
def gan(tiny):
    """An untrained model whose classes are told apart: gamma and beta of each are random."""
    gan = zoo.GAN("cbn_resnet", tiny | {"discriminator_width": 8})
    rng = np.random.default_rng(0)
    for variable in gan.generator.weights:
        if variable.name in ("gamma", "beta"):
            variable.assign(rng.normal(size=variable.shape))
    return gan


def test_a_label_is_its_one_hot_vector(gan):
    latents = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    labels = np.array([1, 4, 9])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(gan(latents, labels)),
        ops.convert_to_numpy(gan(latents, np.eye(10, dtype=np.float32)[labels])),
    )


def test_a_walk_between_two_classes_begins_and_ends_at_them(gan):
    walk = gan.interpolate(5, seed=2, label=(3, 8))
    ends = [gan.sample(2, seed=2, labels=label)[:1] for label in (3, 8)]
    assert walk.shape == (5, 8, 8, 1)
    assert np.abs(walk[[0, -1]].astype(int) - np.concatenate(ends)).max() <= 1
    assert len(np.unique(walk, axis=0)) == 5


def test_a_walk_within_a_class_begins_and_ends_at_its_samples(gan):
    walk, ends = gan.interpolate(4, seed=2, label=3), gan.sample(2, seed=2, labels=3)
    assert np.abs(walk[[0, -1]].astype(int) - ends).max() <= 1


@pytest.mark.parametrize("label", [(1,), (1, 2, 3), [[1, 2]]])
def test_a_walk_has_two_ends(gan, label):
    with pytest.raises(ValueError, match="label must be one class, or two to walk between"):
        gan.interpolate(4, label=label)


def test_the_score_of_an_image_is_higher_or_lower_by_its_projection(gan):
    """Equation 5 of Miyato & Koyama: scores of two classes differ by <v_a - v_b, features>."""
    images = np.random.default_rng(0).uniform(-1, 1, (20, 8, 8, 1)).astype(np.float32)
    discriminator = gan.discriminator
    scores = [
        ops.convert_to_numpy(discriminator([images, np.full(20, label, np.int32)]))
        for label in range(10)
    ]
    differences = np.concatenate(scores, axis=1) - scores[0]
    (dot,) = [layer for layer in discriminator.layers if isinstance(layer, keras.layers.Dot)]
    parts = keras.Model(discriminator.inputs, dot.input)
    vectors, _ = parts([images[:10], np.arange(10, dtype=np.int32)])
    _, features = parts([images, np.zeros(20, np.int32)])
    vectors, features = map(ops.convert_to_numpy, (vectors, features))
    np.testing.assert_allclose(differences, features @ (vectors - vectors[0]).T, atol=1e-5)
    assert np.abs(differences[:, 1:]).min() > 1e-6
