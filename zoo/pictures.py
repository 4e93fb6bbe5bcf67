"""A picture file as an array."""

import struct

import numpy as np
from PIL import ExifTags, Image, ImageOps

# What Pillow raises for a file that is damaged, of another kind or too large to be meant.
NO_PICTURE = (
    *(OSError, SyntaxError, ValueError, TypeError, struct.error),
    Image.DecompressionBombError,
)
# How to put a picture upright, by its EXIF orientation; Pillow's own fails where EXIF is odd.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_array(picture, shape):
    """Crops a Pillow image to the aspect ratio of `shape`, resizes and recolours it.

    What is transparent is seen on white.

    Args:
        picture: A `PIL.Image.Image`.
        shape: (height, width, channels), channels being 1 (grey) or 3 (RGB).

    Returns:
        uint8 array of that shape.

    Raises:
        ValueError: If its pixels are neither of 8 nor of 16 bits.
    """
    height, width, channels = shape
    turn = _TURNS.get(orientation(picture))
    if picture.mode.startswith("I;16"):  # Pillow would cut off what 8 bits do not hold
        picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    elif picture.mode in ("I", "F"):
        raise ValueError(f"its pixels are of {picture.mode}, 32 bits each, not 8 or 16.")
    if turn is not None:
        picture = picture.transpose(turn)
    if picture.has_transparency_data:  # what lies beneath is anything, and often black
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture, np.uint8).reshape(shape)


def is_grey(picture):
    """Whether a Pillow image has no colours, by its mode or its palette."""
    if picture.mode == "P":
        palette = np.reshape(picture.getpalette("RGB"), (-1, 3))
        return bool((palette == palette[:, :1]).all())
    return picture.mode.startswith(("1", "L", "I;16"))


def orientation(picture):
    """Returns how the camera was held, 1 to 8, as a Pillow image's EXIF has it; 1 is upright."""
    return picture.getexif().get(ExifTags.Base.Orientation, 1)
