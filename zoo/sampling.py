"""Latents and labels, drawn with NumPy so that a seed means the same pictures on every backend."""

import numpy as np
from keras import ops


def draw(config, n, seed=None, labels=None, truncation=1.0):
    """Draws what a generator needs for `n` images.

    Args:
        config: The model's `GANConfig`.
        n, seed, labels, truncation: As in `zoo.GAN.sample`.

    Returns:
        (latents, labels): float32 (n, latent_size); int32 (n,), or None for an unconditional model.

    Raises:
        ValueError: For an argument outside its range, or labels the model cannot take.
    """
    if n is None:
        n = 1 if labels is None or np.ndim(labels) == 0 else len(labels)
    if n != int(n) or n < 1:
        raise ValueError(f"n, the number of images, must be a positive integer, but is {n!r}.")
    if not 0 < truncation <= 1:
        raise ValueError(f"truncation must be greater than 0 and at most 1, but is {truncation!r}.")
    generator = np.random.default_rng(seed)
    latents = generator.standard_normal((int(n), config.latent_size), np.float32)
    if labels is None and config.num_classes:
        labels = generator.integers(config.num_classes, size=int(n))
    return latents * np.float32(truncation), check_labels(config, labels, int(n))


def check_labels(config, labels, n):
    """Returns `labels` as int32 of shape (n,), or None; a `ValueError` says what does not fit."""
    if labels is None:
        return None
    if not config.num_classes:
        raise ValueError(
            "This model is unconditional: it was trained without labels, so give none."
        )
    labels = np.asarray(labels)
    if labels.ndim > 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError("labels must be one integer for all images or one integer for each.")
    if labels.ndim == 1 and len(labels) != n:
        raise ValueError(f"{n} images need one label for all or {n} labels, but got {len(labels)}.")
    if labels.size and (labels.min() < 0 or labels.max() >= config.num_classes):
        raise ValueError(f"labels must lie between 0 and {config.num_classes - 1}.")
    return np.broadcast_to(labels, n).astype(np.int32)


def walk(config, steps, seed=None, label=None, truncation=1.0):
    """Draws two latents and the points between them; see `zoo.GAN.interpolate`.

    Returns:
        (latents, labels): as `draw`, for `steps` images.
    """
    if steps != int(steps) or steps < 2:
        raise ValueError(f"steps must be an integer of at least 2, but is {steps!r}.")
    ends, drawn = draw(config, 2, seed, label, truncation)
    labels = None if drawn is None else np.full(steps, drawn[0], np.int32)
    return slerp(ends[0], ends[1], np.linspace(0, 1, steps, dtype=np.float32)), labels


def slerp(start, end, t):
    """Spherical interpolation, sin((1-t)a)/sin(a) start + sin(ta)/sin(a) end, a the angle between.

    Args:
        start, end: Latents of shape (latent_size,).
        t: Where to stop, shape (steps,), from 0 (start) to 1 (end).

    Returns:
        Latents of shape (steps, latent_size). Latents in one line are interpolated linearly.
    """
    cosine = np.dot(start, end) / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    t = t[:, None]
    if np.sin(angle) < 1e-6:
        return (1 - t) * start + t * end
    return (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


def generate(generator, latents, labels=None, batch_size=64):
    """Runs a generator over latents in batches.

    Returns:
        uint8 images of shape (N, H, W, C).
    """
    images = []
    for start in range(0, len(latents), batch_size):
        part = slice(start, start + batch_size)
        x = latents[part] if labels is None else [latents[part], labels[part]]
        images.append(to_uint8(generator.predict_on_batch(x)))
    return np.concatenate(images)


def to_uint8(images):
    """Maps floats in [-1, 1] to uint8 in [0, 255]; values outside are clipped."""
    images = ops.convert_to_numpy(images).astype(np.float32)
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)
