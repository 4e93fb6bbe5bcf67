"""WGAN: its clipped critic, through the step that users run."""

import keras
import numpy as np
import pytest
from small import TINY

import zoo

CLIP = 0.01


def train(method):
    """Returns the critic after four updates, each long enough to reach the bound."""
    keras.utils.set_random_seed(0)
    values = {"clip": CLIP, "clip_method": method, "discriminator_learning_rate": 5e-3}
    gan = zoo.GAN("wgan", TINY | {"n_critic": 2, "critic_norm": "batch"} | values)
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8)
    gan.fit(images, steps_per_epoch=2, verbose=0)
    return gan.discriminator


def arrays(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.fixture(scope="module")
def critics():
    return {method: train(method) for method in ("constraint", "loop", "none")}


@pytest.mark.parametrize("method", ["constraint", "loop"])
def test_weights_are_clipped_and_moving_statistics_are_not(critics, method):
    critic = critics[method]
    largest = max(np.abs(values).max() for values in arrays(critic.trainable_variables))
    assert largest == pytest.approx(CLIP, abs=1e-9)
    variances = [v for v in critic.non_trainable_variables if "moving_variance" in v.path]
    assert len(variances) > 0
    assert all(values.min() > 10 * CLIP for values in arrays(variances))


def test_both_methods_leave_the_same_weights(critics):
    pairs = zip(arrays(critics["constraint"].weights), arrays(critics["loop"].weights))
    for constraint, loop in pairs:
        np.testing.assert_allclose(constraint, loop, atol=1e-7)


def test_a_dcgan_is_not_clipped(critics):
    kernels = [weight for weight in critics["none"].trainable_variables if "kernel" in weight.path]
    assert len(kernels) == 4
    assert all(np.abs(values).max() > 5 * CLIP for values in arrays(kernels))


def test_a_penalty_of_a_critic_with_batch_norm_is_refused():
    """It would be that of another function than the one that is trained."""
    with pytest.raises(ValueError, match="penalty_weight needs --critic_norm=none or layer"):
        zoo.GAN("wgan", TINY | {"penalty_weight": 10.0})
    for norm in ("none", "layer"):
        zoo.GAN("wgan", TINY | {"penalty_weight": 10.0, "critic_norm": norm})


def test_defaults_are_the_papers():
    """Algorithm 1 of arXiv:1701.07875."""
    config = zoo.GAN("wgan").config
    assert (config.clip, config.n_critic, config.batch_size) == (0.01, 5, 64)
    assert (config.generator_learning_rate, config.discriminator_learning_rate) == (5e-5, 5e-5)
    assert config.optimizer == "rmsprop"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"beta_1": 0.5}, "beta_1 is Adam's, and the optimizer is rmsprop"),
        ({"clip": 1.0, "clip_method": "none"}, "clip is a bound on weights that clip_method none"),
    ],
)
def test_what_would_be_ignored_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        zoo.GAN("wgan", config)
