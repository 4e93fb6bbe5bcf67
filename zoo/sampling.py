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
    check_positive(n, "n, the number of images,")
    if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
        raise ValueError(f"seed must be a non-negative integer or None, but is {seed!r}.")
    if not 0 < truncation <= 1:
        raise ValueError(f"truncation must be greater than 0 and at most 1, but is {truncation!r}.")
    generator = np.random.default_rng(seed)
    latents = generator.standard_normal((n, config.latent_size), np.float32)
    if labels is None and config.num_classes:
        labels = generator.integers(config.num_classes, size=n)
    return latents * np.float32(truncation), check_labels(config, labels, n)


def check_positive(n, name, least=1):
    """Raises a `ValueError` unless `n` is an integer of at least `least`."""
    if not isinstance(n, (int, np.integer)) or n < least:
        kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"{name} must be {kind}, but is {n!r}.")


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
    check_positive(steps, "steps", least=2)
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
    return np.concatenate(list(stream(generator, latents, labels, batch_size)))


def stream(generator, latents, labels=None, batch_size=64):
    """Yields what `generate` returns batch by batch, for sets larger than memory."""
    check_positive(batch_size, "batch_size")
    for start in range(0, len(latents), batch_size):
        part = slice(start, start + batch_size)
        x = latents[part] if labels is None else [latents[part], labels[part]]
        # Under tf.distribute every replica generates the batch, one after another: take the first.
        yield to_uint8(generator.predict_on_batch(x))[: len(latents[part])]


def to_uint8(images):
    """Maps floats in [-1, 1] to uint8 in [0, 255]; values outside are clipped."""
    images = ops.convert_to_numpy(images).astype(np.float32)
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)
