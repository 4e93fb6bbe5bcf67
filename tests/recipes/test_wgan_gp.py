"""WGAN-GP: what sets its critic apart."""

import keras
import numpy as np
import pytest

import zoo
from zoo.penalties import gradient_penalty

NORMS = {
    "none": None,
    "layer": keras.layers.GroupNormalization,
    "instance": keras.layers.GroupNormalization,
    "group": keras.layers.GroupNormalization,
}


@pytest.mark.parametrize("norm", NORMS)
def test_a_score_depends_on_its_own_image_only(tiny, norm):
    """Batch norm would tie the samples of the penalty together; the other norms do not."""
    critic = zoo.GAN("wgan_gp", tiny | {"critic_norm": norm}).discriminator
    kinds = {type(layer) for layer in critic.layers}
    assert not any(issubclass(kind, keras.layers.BatchNormalization) for kind in kinds)
    assert NORMS[norm] is None or NORMS[norm] in kinds
    images = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype(np.float32)
    together = keras.ops.convert_to_numpy(critic(images, training=True))
    for i in range(6):
        alone = keras.ops.convert_to_numpy(critic(images[i : i + 1], training=True))
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_every_critic_norm_trains(tiny, pictures, norm):
    gan = zoo.GAN("wgan_gp", tiny | {"critic_norm": norm})
    history = gan.fit(pictures, steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["penalty"]).all()


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
