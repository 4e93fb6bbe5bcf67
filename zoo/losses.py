"""Adversarial losses: pure functions of discriminator scores.

Scores are raw discriminator outputs (no sigmoid) of shape (N,) or (N, 1), larger for images the
discriminator takes for real. Every function returns a float32 scalar to be minimised, whatever the
dtype of the scores.

`get(name)` returns the pair (discriminator loss, generator loss) of one name. A generator's loss is
of the scores of its own images, of one in `RELATIVISTIC` of those of real images as well.
"""

from keras import ops


def _float32(scores):
    return ops.cast(scores, "float32")


def wasserstein(signs, scores):
    """Mean of `-signs * scores`, the Wasserstein loss with labels +1 and -1.

    The discriminator minimises it with +1 for real and -1 for fake images, the generator with +1
    for its own images (Arjovsky et al. 2017, Algorithm 1).

    Args:
        signs: +1 or -1, a scalar or one per score.
        scores: Discriminator outputs, shape (N,) or (N, 1).
    """
    scores, signs = _float32(scores), _float32(signs)
    if len(signs.shape):  # (N,) times (N, 1) would be (N, N)
        signs = ops.reshape(signs, ops.shape(scores))
    return -ops.mean(signs * scores)


def wasserstein_discriminator(real_scores, fake_scores):
    """E[D(fake)] - E[D(real)] (Arjovsky et al. 2017, Equation 2)."""
    return wasserstein(1.0, real_scores) + wasserstein(-1.0, fake_scores)


def wasserstein_generator(fake_scores):
    """-E[D(fake)] (Arjovsky et al. 2017, Equation 2)."""
    return wasserstein(1.0, fake_scores)


def hinge_discriminator(real_scores, fake_scores):
    """E[max(0, 1 - D(real))] + E[max(0, 1 + D(fake))] (Miyato et al. 2018, Equation 16)."""
    real_margin, fake_margin = 1.0 - _float32(real_scores), 1.0 + _float32(fake_scores)
    return ops.mean(ops.relu(real_margin)) + ops.mean(ops.relu(fake_margin))


def hinge_generator(fake_scores):
    """-E[D(fake)] (Miyato et al. 2018, Equation 17)."""
    return -ops.mean(_float32(fake_scores))


def minimax_discriminator(real_scores, fake_scores):
    """-E[log s(D(real))] - E[log(1 - s(D(fake)))], s the sigmoid (Goodfellow et al. 2014)."""
    real_scores, fake_scores = _float32(real_scores), _float32(fake_scores)
    return ops.mean(ops.softplus(-real_scores)) + ops.mean(ops.softplus(fake_scores))


def minimax_generator(fake_scores):
    """E[log(1 - s(D(fake)))], s the sigmoid (Goodfellow et al. 2014, Equation 1)."""
    return -ops.mean(ops.softplus(_float32(fake_scores)))


def non_saturating_generator(fake_scores):
    """-E[log s(D(fake))], s the sigmoid (Goodfellow et al. 2014, Section 3)."""
    return ops.mean(ops.softplus(-_float32(fake_scores)))


def relativistic_discriminator(real_scores, fake_scores):
    """-E[log s(D(real) - D(fake))], s the sigmoid, over pairs of a real and a fake image.

    An image is compared with another, not with one threshold for all (Jolicoeur-Martineau 2019,
    the relativistic standard GAN, arXiv:1807.00734). Huang et al. 2024, arXiv:2501.05441, use it
    with the penalties R1 and R2.

    Args:
        real_scores: Discriminator outputs, shape (N,) or (N, 1).
        fake_scores: As many of fake images, which are paired in this order.
    """
    real_scores, fake_scores = (
        ops.reshape(_float32(scores), (-1,)) for scores in (real_scores, fake_scores)
    )
    return ops.mean(ops.softplus(fake_scores - real_scores))


def relativistic_generator(fake_scores, real_scores):
    """-E[log s(D(fake) - D(real))], as `relativistic_discriminator` with the two exchanged."""
    return relativistic_discriminator(fake_scores, real_scores)


LOSSES = {
    "wasserstein": (wasserstein_discriminator, wasserstein_generator),
    "hinge": (hinge_discriminator, hinge_generator),
    "minimax": (minimax_discriminator, minimax_generator),
    "non_saturating": (minimax_discriminator, non_saturating_generator),
    "relativistic": (relativistic_discriminator, relativistic_generator),
}
RELATIVISTIC = frozenset({"relativistic"})


def get(name):
    """Returns (discriminator loss, generator loss); an unknown name is a `ValueError`."""
    if name not in LOSSES:
        raise ValueError(f"Unknown loss {name!r}; known are {', '.join(LOSSES)}.")
    return LOSSES[name]
