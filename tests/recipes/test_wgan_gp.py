"""WGAN-GP: what sets its critic apart."""

import keras
import numpy as np
import pytest

import zoo
from zoo.layers import InstanceNormalization
from zoo.penalties import gradient_penalty

SIZE = 16  # halved three times it is more than the one pixel that instance norm makes 0
NORMS = {
    "none": None,
    "layer": keras.layers.GroupNormalization,
    "instance": InstanceNormalization,
    "group": keras.layers.GroupNormalization,
}


@pytest.mark.parametrize("norm", NORMS)
def test_a_score_depends_on_its_own_image_only(tiny, norm):
    """Batch norm would tie the samples of the penalty together; the other norms do not."""
    critic = zoo.GAN("wgan_gp", tiny | {"critic_norm": norm, "image_size": SIZE}).discriminator
    kinds = {type(layer) for layer in critic.layers}
    assert not any(issubclass(kind, keras.layers.BatchNormalization) for kind in kinds)
    assert NORMS[norm] is None or NORMS[norm] in kinds
    images = np.random.default_rng(0).normal(size=(6, SIZE, SIZE, 1)).astype(np.float32)
    together = keras.ops.convert_to_numpy(critic(images, training=True))
    assert np.unique(together).size == 6
    for i in range(6):
        alone = keras.ops.convert_to_numpy(critic(images[i : i + 1], training=True))
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)


@pytest.mark.parametrize("norm", sorted(set(NORMS) - {"none"}))
def test_every_critic_norm_trains(tiny, pictures, norm):
    gan = zoo.GAN("wgan_gp", tiny | {"critic_norm": norm, "image_size": SIZE})
    gan.compile()
    weights = gan.training_generator.trainable_weights + gan.discriminator.trainable_weights
    kernels = [weight for weight in weights if weight.name == "kernel"]
    before = [np.array(keras.ops.convert_to_numpy(kernel)) for kernel in kernels]
    history = gan.fit(pictures, steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["penalty"]).all()
    for old, kernel in zip(before, kernels):
        assert np.abs(keras.ops.convert_to_numpy(kernel) - old).max() > 0, kernel.path


def test_instance_norm_of_one_pixel_is_refused(tiny):
    """It would make every score the same, and nothing would learn."""
    with pytest.raises(ValueError, match="^Instance normalisation of features of one pixel"):
        zoo.GAN("wgan_gp", tiny | {"critic_norm": "instance"})


def test_a_width_that_groups_do_not_divide_is_refused(tiny):
    with pytest.raises(ValueError, match="^Group normalisation needs a width that 4 divides"):
        zoo.GAN("wgan_gp", tiny | {"critic_norm": "group", "width": 6})


def test_defaults_are_the_papers():
    config = zoo.GAN("wgan_gp").config
    assert (config.penalty_weight, config.n_critic) == (10.0, 5)
    assert (config.beta_1, config.beta_2) == (0.0, 0.9)


def test_training_the_critic_brings_its_gradient_norm_to_one(tiny, pictures):
    gan = zoo.GAN("wgan_gp", tiny | {"discriminator_learning_rate": 2e-3, "n_critic": 2})
    rng = np.random.default_rng(0)
    real = pictures.astype(np.float32) / 127.5 - 1
    fake = rng.uniform(-1, 1, real.shape).astype(np.float32)
    mix = rng.random(len(real)).astype(np.float32)

    def penalty():
        return float(gradient_penalty(gan.discriminator, real, fake, mix))

    before = penalty()
    gan.fit(pictures, epochs=1, steps_per_epoch=60, verbose=0)
    assert penalty() < before / 4
