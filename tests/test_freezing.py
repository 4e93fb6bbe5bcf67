"""Fine-tuning of a part: what was frozen as Keras does it, before training, stays as it is."""

import numpy as np
import pytest
from small import weights

import zoo

SMALL = {"width": 8, "discriminator_width": 8, "image_size": 16, "latent_size": 6, "batch_size": 4}


@pytest.mark.parametrize("index", [1, 3], ids=["layer", "residual_block"])
def test_what_was_frozen_stays_in_both_networks(pictures, index):
    gan = zoo.GAN("sngan", SMALL | {"n_critic": 1})
    images = np.pad(pictures, ((0, 0), (4, 4), (4, 4), (0, 0)))
    frozen, first = gan.generator.layers[index], gan.discriminator.layers[1]
    frozen.trainable = first.trainable = False
    before = weights(frozen), weights(first)
    others = weights(gan.generator.layers[4 - index]), weights(gan.discriminator.layers[2])
    gan.fit(images, steps_per_epoch=2, verbose=0)
    trained = gan.training_generator.layers
    assert_equal(before, (weights(trained[index]), weights(first)))
    assert_equal(before[:1], (weights(frozen),))  # of the average
    for old, layer in zip(others, (trained[4 - index], gan.discriminator.layers[2])):
        assert not any(np.array_equal(*pair) for pair in zip(old, weights(layer)) if pair[0].any())


def assert_equal(expected, actual):
    for ours, theirs in zip(expected, actual, strict=True):
        assert len(ours) > 0
        for pair in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(*pair)
