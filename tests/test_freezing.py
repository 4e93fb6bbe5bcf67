"""Fine-tuning of a part: what was frozen as Keras does it, before training, stays as it is."""

import numpy as np
import pytest
from small import weights

import zoo
from zoo.layers.walk import every_layer

SMALL = {"width": 8, "discriminator_width": 8, "image_size": 16, "latent_size": 6, "batch_size": 4}


@pytest.mark.parametrize("index", [1, 3], ids=["layer", "residual_block"])
def test_what_was_frozen_stays_in_both_networks(pictures, index):
    # The hinge loss of an untrained discriminator may be 0, and so its gradient; this one's is not.
    gan = zoo.GAN("sngan", SMALL | {"n_critic": 1, "loss": "wasserstein"})
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


def train(gan, pictures, optimizer=None):
    """Compiles and takes a step; returns which layers of the training generator it moved."""
    gan.compile(optimizer, run_eagerly=True)
    before = [weights(layer) for layer in gan.generator.layers]
    gan.fit(pictures, steps_per_epoch=1, verbose=0)
    after = [weights(layer) for layer in gan.training_generator.layers]
    return [
        any(not np.array_equal(*pair) for pair in zip(old, new, strict=True))
        for old, new in zip(before, after, strict=True)
    ]


def test_each_compile_asks_again_what_is_frozen(tiny, pictures):
    gan = zoo.GAN("wgan_gp", tiny)
    kinds = [type(layer).__name__ for layer in gan.generator.layers]
    dense, convolution = kinds.index("Dense"), kinds.index("Conv2DTranspose")
    for frozen in (dense, convolution):
        gan.generator.layers[frozen].trainable = False
        moved = train(gan, pictures)
        assert [moved[dense], moved[convolution]] == [frozen != dense, frozen != convolution]
        gan.generator.layers[frozen].trainable = True
    assert all(train(gan, pictures)[k] for k in (dense, convolution))


def test_a_layer_frozen_within_a_block_stays_so_alone():
    gan = zoo.GAN("sngan", SMALL)
    block = gan.generator.layers[3]
    inner = next(layer for layer in every_layer(block) if layer is not block and layer.weights)
    inner.trainable = False
    gan.compile()
    flags = [
        [layer.trainable for layer in every_layer(network)]
        for network in (gan.generator, gan.training_generator)
    ]
    assert flags[0] == flags[1]
    assert 0 < flags[0].count(False) < 5


def test_each_compile_starts_from_the_weights_of_the_generator(tiny, pictures):
    gan = zoo.GAN("wgan_gp", tiny)
    train(gan, pictures)
    for network in (gan.generator, gan.discriminator):
        network.set_weights([np.ones_like(weight) for weight in weights(network)])
    gan.compile()
    assert_equal([weights(gan.generator)], [weights(gan.training_generator)])
    assert all((weight == 1).all() for weight in weights(gan.training_generator))


@pytest.mark.parametrize("frozen", ["generator", "discriminator"])
def test_a_network_frozen_as_a_whole_stays_and_the_other_one_trains(tiny, pictures, frozen):
    gan = zoo.GAN("wgan", tiny | {"n_critic": 2})
    getattr(gan, frozen).trainable = False
    before = {name: weights(getattr(gan, name)) for name in gan.networks}
    gan.fit(pictures, steps_per_epoch=3, verbose=0)
    assert gan.step == 3
    for name, old in before.items():
        same = [np.array_equal(*pair) for pair in zip(old, weights(getattr(gan, name)))]
        assert all(same) == (name == frozen), name
