"""Latents and labels, drawn with NumPy so that a seed means the same pictures on every backend."""

import numbers

import numpy as np
from keras import ops

from zoo import backend


def draw(config, n, seed=None, labels=None, truncation=1.0):
    """Draws what a generator needs for `n` images.

    Args:
        config: The model's `GANConfig`.
        n, seed, labels, truncation: As in `zoo.GAN.sample`.

    Returns:
        (latents, labels): float32 (n, latent_size), and one-hot (n, num_classes) or None for an
        unconditional model.

    Raises:
        ValueError: For an argument outside its range, or labels the model cannot take.
    """
    if n is None:
        n = 1 if labels is None or np.ndim(labels) == 0 else len(labels)
    check_positive(n, "n, the number of images,")
    check_seed(seed)
    if not isinstance(truncation, numbers.Real) or not 0 < truncation <= 1:
        raise ValueError(f"truncation must be greater than 0 and at most 1, but is {truncation!r}.")
    if truncation < 1 and config.latents_on_sphere:
        raise ValueError(
            "This model's latents are directions, on a sphere: truncation, which makes them "
            "shorter, would change nothing, so give none."
        )
    generator = np.random.default_rng(seed)
    latents = generator.standard_normal((n, config.latent_size), np.float32)
    if labels is None and config.num_classes:
        labels = generator.integers(config.num_classes, size=n)
    return latents * np.float32(truncation), one_hot(config, labels, n)


def in_turn(config, n):
    """Returns integer labels (n,), the classes in turn; None of an unconditional model."""
    return np.arange(n) % config.num_classes if config.num_classes else None


def check_seed(seed):
    """Raises a `ValueError` unless `seed` is a non-negative integer or None."""
    if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
        raise ValueError(f"seed must be a non-negative integer or None, but is {seed!r}.")


def check_positive(n, name, least=1):
    """Raises a `ValueError` unless `n` is an integer of at least `least`."""
    if not isinstance(n, (int, np.integer)) or n < least:
        kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"{name} must be {kind}, but is {n!r}.")


def class_of_each(config, labels, n):
    """Returns integer labels as int32 (n,), None of an unconditional model; else a `ValueError`.

    Args: as for `one_hot`, but that a conditional model needs labels.
    """
    if labels is None and config.num_classes:
        raise ValueError("This model is conditional: give the label of each image.")
    if labels is None:
        return None
    one_hot(config, labels, n)  # refuses what does not fit
    return np.broadcast_to(labels, n).astype(np.int32)


def one_hot(config, labels, n):
    """Returns labels as float32 of shape (n, num_classes); a `ValueError` says what does not fit.

    Args:
        config: The model's `GANConfig`.
        labels: One integer for all or one for each; None stays None.
        n: How many.
    """
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
    return np.eye(config.num_classes, dtype=np.float32)[np.broadcast_to(labels, n)]


def walk(config, steps, seed=None, label=None, truncation=1.0):
    """Draws what a walk between two latents, or between two classes, needs.

    Args: As for `zoo.GAN.interpolate`.

    Returns:
        (latents, labels): as `draw`, for `steps` images; between two classes labels are weighted.
    """
    check_positive(steps, "steps", least=2)
    if np.ndim(label) > 1 or np.ndim(label) == 1 and len(label) != 2:
        raise ValueError(f"label must be one class, or two to walk between, but is {label!r}.")
    t = np.linspace(0, 1, steps, dtype=np.float32)
    ends, classes = draw(config, 2, seed, label, truncation)
    if np.ndim(label) == 1:
        return np.repeat(ends[:1], steps, axis=0), lerp(*classes, t)
    labels = None if classes is None else np.repeat(classes[:1], steps, axis=0)
    return slerp(*ends, t), labels


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
        return lerp(start, end, t[:, 0])
    return (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


def lerp(start, end, t):
    """Linear interpolation, (1-t) start + t end; arguments and result as for `slerp`."""
    return start + t[:, None] * (end - start)


def generate(generator, latents, labels=None, batch_size=64):
    """Runs a generator over latents, and one-hot labels if it takes any, in batches.

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
        with backend.undistributed(), backend.full_precision():
            images = generator.predict_on_batch(x)
        yield to_uint8(images)[: len(latents[part])]


def to_uint8(images):
    """Maps floats in [-1, 1] to uint8 in [0, 255]; values outside are clipped.

    Raises:
        ValueError: For images that are not finite, as of a model whose training has diverged.
    """
    images = ops.convert_to_numpy(images).astype(np.float32)
    if not np.isfinite(images).all():
        raise ValueError("The generator's images are not finite numbers: its training diverged.")
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)
