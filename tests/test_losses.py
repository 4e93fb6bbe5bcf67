"""Losses against their formulas in NumPy."""

import dataclasses

import numpy as np
import pytest

from zoo import losses
from zoo.config import GANConfig

REAL = np.array([[2.0], [-0.5], [0.25]], np.float32)
FAKE = np.array([[-3.0], [0.5], [1.5]], np.float32)


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("wasserstein", FAKE.mean() - REAL.mean(), -FAKE.mean()),
        (
            "hinge",
            np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + FAKE).mean(),
            -FAKE.mean(),
        ),
        (
            "minimax",
            -log_sigmoid(REAL).mean() - log_sigmoid(-FAKE).mean(),
            log_sigmoid(-FAKE).mean(),
        ),
        (
            "non_saturating",
            -log_sigmoid(REAL).mean() - log_sigmoid(-FAKE).mean(),
            -log_sigmoid(FAKE).mean(),
        ),
        (
            "relativistic",
            -log_sigmoid(REAL - FAKE).mean(),
            -log_sigmoid(FAKE - REAL).mean(),
        ),
    ],
)
def test_formula(name, discriminator, generator):
    d_loss, g_loss = losses.get(name)
    np.testing.assert_allclose(d_loss(REAL, FAKE), discriminator, rtol=1e-6)
    np.testing.assert_allclose(g_loss(*generators(name, REAL, FAKE)), generator, rtol=1e-6)


def generators(name, real, fake):
    """Returns the arguments of the generator's loss."""
    return (fake, real) if name in losses.RELATIVISTIC else (fake,)


def test_pairs_are_no_table():
    """(N, 1) and (N,) broadcast to (N, N), which would compare every fake image with every real."""
    d_loss, g_loss = losses.get("relativistic")
    np.testing.assert_allclose(d_loss(REAL, FAKE[:, 0]), d_loss(REAL, FAKE), rtol=1e-6)
    np.testing.assert_allclose(g_loss(FAKE[:, 0], REAL), g_loss(FAKE, REAL), rtol=1e-6)


def test_wasserstein_with_labels_is_the_same_loss():
    scores, signs = np.concatenate([REAL, FAKE]), np.array([[1.0]] * 3 + [[-1.0]] * 3)
    halves = 2 * losses.wasserstein(signs, scores)  # one mean over both halves, not one each
    flat = losses.wasserstein(signs[:, 0], scores)  # which is no table of (N, 1) times (N,)
    np.testing.assert_allclose(2 * flat, halves, rtol=1e-6)
    np.testing.assert_allclose(halves, losses.wasserstein_discriminator(REAL, FAKE), rtol=1e-6)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_half_precision_scores_give_the_float32_scalar_of_their_values(name):
    """Nothing is rounded on the way: in float16 the margin 1 - 0.003 is 0.9971."""
    d_loss, g_loss = losses.get(name)
    real, fake = (np.float16([[0.003], [a], [b]]) for a, b in ((2.1, -0.47), (-3.3, 1.3)))
    exact = [scores.astype("float32") for scores in (real, fake)]
    pairs = [
        (d_loss(real, fake), d_loss(*exact)),
        (g_loss(*generators(name, real, fake)), g_loss(*generators(name, *exact))),
    ]
    for half, single in pairs:
        assert "float32" in str(half.dtype)
        assert tuple(half.shape) == ()
        np.testing.assert_allclose(half, single, rtol=1e-6)


def test_the_flag_offers_all_of_them():
    """A config, which imports no framework, names them once more."""
    (loss,) = (field for field in dataclasses.fields(GANConfig) if field.name == "loss")
    assert set(loss.metadata["choices"]) == set(losses.LOSSES)
    assert set(losses.LOSSES) >= losses.RELATIVISTIC


def test_unknown_name():
    with pytest.raises(ValueError, match="Unknown loss 'hingue'; known are wasserstein, hinge"):
        losses.get("hingue")
