"""Pictures for people: grids and animations, written by Pillow, whole or not at all."""

import math
import pathlib

import numpy as np
from PIL import Image

from zoo import files


def grid(images, columns=None, gap=2):
    """Lays images out in rows.

    Args:
        images: uint8, (N, H, W, C), C being 1 or 3.
        columns: Images per row; a square by default.
        gap: White pixels between images.

    Returns:
        uint8 array of shape (height, width, C).
    """
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    canvas = np.full(shape, 255, np.uint8)
    for i, image in enumerate(images):
        top = gap + i // columns * (height + gap)
        left = gap + i % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def to_picture(image, scale=1):
    """Turns a uint8 array (H, W, C) into a Pillow image, each pixel `scale` pixels wide."""
    picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def save_grid(path, images, columns=None, scale=1):
    """Writes a grid of images in the format of the path's suffix, such as .png.

    Raises:
        ValueError: If Pillow writes no such format.
    """
    with files.atomic_path(path) as temporary:
        _save(to_picture(grid(images, columns), scale), temporary, "a picture, such as .png")


def check_writable(path, animated=False):
    """Raises the error that writing a picture to `path` would end with, before it is drawn.

    Raises:
        ValueError: If Pillow writes no such format.
        FileNotFoundError: If there is no folder to write in.
    """
    files.check_place(path)
    format = Image.registered_extensions().get(pathlib.Path(path).suffix.lower())
    if format not in (Image.SAVE_ALL if animated else Image.SAVE):
        kind = "an animation, such as .gif" if animated else "a picture, such as .png"
        raise ValueError(f"{str(path)!r} does not end like {kind}.")


def _save(picture, path, kind, **options):
    try:
        picture.save(path, **options)
    except (ValueError, KeyError) as error:  # a suffix that Pillow does not know, or not for this
        raise ValueError(f"{path.name!r} does not end like {kind}.") from error


def save_npz(path, **arrays):
    """Writes arrays as a compressed `.npz` file."""
    with files.atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def save_animation(path, images, scale=4, milliseconds=80, back=True):
    """Writes images (N, H, W, C) as an endless GIF (or WebP) that runs forth, and `back`."""
    images = (*images, *images[-2:0:-1]) if back else images
    frames = [to_picture(image, scale) for image in images]
    with files.atomic_path(path) as temporary:
        frame, *rest = frames
        options = {"append_images": rest, "duration": milliseconds, "loop": 0}
        _save(frame, temporary, "an animation, such as .gif", save_all=True, **options)


def read_picture(path):
    """Reads a picture file as a uint8 array (H, W, C)."""
    with Image.open(path) as picture:
        return np.atleast_3d(np.asarray(picture))
