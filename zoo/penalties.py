"""Gradient penalties: pure functions of a score function and images."""

from keras import ops

from zoo import backend


def gradient_penalty(score_fn, real, fake, mix, target=1.0, epsilon=1e-12):
    """Two-sided gradient penalty, E[(||grad_x D(x)||_2 / target - 1)^2] at x between real and fake.

    The norm is one per sample, over all axes but the first (Gulrajani et al. 2017, Equation 3 and
    Algorithm 1, where the target is 1; Karras et al. 2018, Section 6.5, where it is not). Call the
    discriminator in inference mode: batch statistics and power iterations must not move in here.

    Args:
        score_fn: Maps images to scores of shape (N,) or (N, 1); a score depends on its image only.
        real: Images, (N, H, W, C).
        fake: Images, (N, H, W, C).
        mix: (N,), uniform in [0, 1]: where each sample's x lies between real (0) and fake (1).
        target: The norm that is not penalised, above 0.
        epsilon: Added under the square root, whose gradient is infinite at 0.

    Returns:
        A float32 scalar.
    """
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    mix = ops.reshape(ops.cast(mix, "float32"), (-1,) + (1,) * (len(real.shape) - 1))
    norm = ops.sqrt(_squared_norm(score_fn, real + mix * (fake - real)) + epsilon)
    return ops.mean(ops.square(norm / target - 1.0))


def r1(score_fn, images):
    """Zero-centred penalty, E[||grad_x D(x)||^2] / 2 at the images.

    Of real images it is R1, of fake ones R2 (Mescheder et al. 2018, Equations 9 and 10).

    Args:
        score_fn: Maps images to scores of shape (N,) or (N, 1).
        images: Images, (N, H, W, C).

    Returns:
        A float32 scalar.
    """
    return ops.mean(_squared_norm(score_fn, ops.cast(images, "float32"))) / 2.0


def drift(real_scores):
    """Mean square of the scores of real images, which keeps a critic's scores near 0.

    A Wasserstein loss is the same for all scores moved by one number (Karras et al. 2018,
    Appendix A.1).

    Args:
        real_scores: Discriminator outputs, shape (N,) or (N, 1).

    Returns:
        A float32 scalar.
    """
    return ops.mean(ops.square(ops.cast(real_scores, "float32")))


def _squared_norm(score_fn, x):
    """Returns the squared gradient norm of each sample's score, (N,), for float32 images."""
    gradient = backend.input_gradient(score_fn, x)
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(x.shape))))
