"""Streams images through a feature extractor, in batches of one size and flat memory."""

import sys
import time
import typing

import numpy as np

from zoo import backend


@typing.runtime_checkable
class Extractor(typing.Protocol):
    """What every metric needs of a network.

    Attributes:
        name: names the extractor on cards and in cached files; another precision or another
            training is another name.
        digest: sha256 of its weights.
        size: number of features, d.
    """

    name: str
    digest: str
    size: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features, float32 (N, d), of uint8 images (N, H, W, 1 or 3)."""


def extract(extractor, images, batch_size=50, total=None, progress="features of", start=0):
    """Yields features of `images` batch by batch.

    Args:
        extractor: an `Extractor`.
        images: uint8 array (N, H, W, 1 or 3) in [0, 255], or an iterable of such arrays of any
            lengths, which is read as it is needed.
        batch_size: images per call of the extractor.
        total: number of images of an iterable where it is known, for the time left; by default
            its attribute `total`.
        progress: the words before count and time left on stderr; None for no report.
        start: number of images that are passed over.

    Yields:
        float32 arrays (n, d), n <= `batch_size`, in the order of the images.

    Raises:
        ValueError: an array is not uint8 or not of that shape, or there are no images.
    """
    if hasattr(images, "shape"):
        images, total = [images], len(images)
    total = total or getattr(images, "total", None)
    report = Progress(total and total - start, progress)
    for batch in _batches(_from(images, start), batch_size):
        count = len(batch)
        if report.count and count < batch_size:
            # The last batch is filled up: another shape would compile the network again.
            batch = np.resize(batch, (batch_size, *batch.shape[1:]))
        with backend.undistributed(), backend.full_precision():
            vectors = np.asarray(extractor(batch), "float32")[:count]
        yield vectors
        report.add(count)
    report.close()
    if not report.count and not start:
        raise ValueError("There are no images to extract features from.")


def _from(arrays, start):
    """A stream of arrays without its first `start` images."""
    for array in arrays:
        array = check_images(array)
        skipped = min(start, len(array))
        start -= skipped
        yield array[skipped:]


def _batches(arrays, batch_size):
    """Cuts a stream of arrays into batches of `batch_size`; the last may be shorter."""
    kept = None
    for array in arrays:
        if kept is None:
            kept = array[:0]
        if array.shape[1:] != kept.shape[1:]:
            raise ValueError(f"Images of {kept.shape[1:]} and {array.shape[1:]} are mixed.")
        kept = np.concatenate([kept, array]) if len(kept) else array
        whole = len(kept) - len(kept) % batch_size
        for start in range(0, whole, batch_size):
            yield kept[start : start + batch_size]
        kept = kept[whole:]
    if kept is not None and len(kept):
        yield kept


def check_images(images):
    """Returns `images` as an array, or says what is wrong with it in a ValueError."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"Images are {images.dtype}; uint8 pixels in [0, 255] are expected.")
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"Images have shape {images.shape}; (N, H, W, 1 or 3) is expected.")
    return images


def check_pair(first, second, least):
    """Returns two sets of features as float32, or says what is wrong in a ValueError.

    Args:
        first, second: (n, d) and (m, d).
        least: vectors that each set must have.
    """
    first, second = (np.asarray(x, "float32") for x in (first, second))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"Features have shapes {first.shape} and {second.shape}; (n, d) and (m, d) of one "
            "extractor are expected."
        )
    if min(len(first), len(second)) < least:
        raise ValueError(
            f"There are {len(first)} and {len(second)} images; at least {least} of each are needed."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("Features hold NaN or infinity.")
    return first, second


class Progress:
    """One line on stderr: images done and, where the total is known, time left.

    Args:
        total: number of images, if known.
        label: the words before the numbers; None writes nothing.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(self, total=None, label="features of", clock=time.monotonic):
        self.total = total
        self.count = 0
        self._label = label
        self._clock = clock
        self._start = clock()
        # A terminal's line is rewritten; a log file gets a new line twice a minute.
        self._terminal = sys.stderr.isatty()
        self._interval = 0.5 if self._terminal else 30.0
        self._next = self._start + self._interval

    def add(self, count) -> None:
        """Counts `count` more images."""
        self.count += count
        now = self._clock()
        if self._label and now >= self._next:
            self._next = now + self._interval
            self._write(self.line(now))

    def line(self, now):
        """The text at time `now` (seconds of the clock)."""
        seconds = max(now - self._start, 1e-9)
        rate = self.count / seconds
        if self.total is None:
            return f"{self._label} {self.count:,} images, {rate:.1f} images/s"
        left = round((self.total - self.count) / max(rate, 1e-9))
        done = f"{self._label} {self.count:,} of {self.total:,} images, {rate:.1f} images/s"
        return f"{done}, {left // 60}:{left % 60:02d} left"

    def close(self) -> None:
        """Ends a terminal's line."""
        if self._label and self._terminal:
            self._write(self.line(self._clock()))
            sys.stderr.write("\n")

    def _write(self, text):
        sys.stderr.write(f"\r{text}\033[K" if self._terminal else f"{text}\n")
        sys.stderr.flush()
