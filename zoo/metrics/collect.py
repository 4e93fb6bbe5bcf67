"""Statistics and features of a set of images, computed once and kept on disk."""

import contextlib
import pathlib
import typing
import warnings

import numpy as np

from zoo import files
from zoo.metrics import features, frechet, references

PART = 5000  # images between two saves of unfinished statistics


class Collected(typing.NamedTuple):
    """What metrics need of a set of images.

    Attributes:
        statistics: `zoo.metrics.frechet.Statistics`.
        features: float32 (N, d), perhaps a memory map; None where they were not asked for and are
            not on disk.
    """

    statistics: frechet.Statistics
    features: np.ndarray | None


def collect(extractor, images, keep=False, name=None, folder=None, **options):
    """Extracts what metrics need; with a `name`, once only.

    Args:
        extractor: an `Extractor`; its name and digest are part of the files' names.
        images: called without arguments where there is no file yet; returns what
            `zoo.metrics.features.extract` takes.
        keep: whether features are needed, N x d floats, or statistics are enough, in flat memory.
        name: names the images for good, such as "fashion_mnist-test", to keep the result on disk,
            or to find the statistics that come along (`zoo.metrics.references`). Statistics alone
            are also kept on the way: interrupted, they go on where they were.
        folder: where files are kept, in `statistics/` and `features/`; by default the cache.
        **options: of `zoo.metrics.features.extract`.

    Returns:
        `Collected`.
    """
    folder = pathlib.Path(folder or files.cache_folder())
    file = references.file_name(extractor, name)
    statistics = folder / "statistics" / f"{file}.npz" if name else None
    array = folder / "features" / f"{file}.npy" if name else None
    kept = None
    if name and array.is_file():
        kept = np.load(array, mmap_mode="r", allow_pickle=False)
    elif keep:
        kept = np.concatenate(list(features.extract(extractor, images(), **options)))
        if name:
            _save(array, kept)
    if name and statistics.is_file():
        return Collected(frechet.Statistics.load(statistics), kept)
    if name and kept is None and (shipped := references.find(file)):
        return Collected(shipped, None)
    if kept is None:
        result = _stream(extractor, images, statistics and statistics.with_suffix(".part"), options)
    else:
        result = frechet.statistics_of(kept)
    if name:
        with _if_possible(statistics):
            result.save(statistics)
            statistics.with_suffix(".part").unlink(missing_ok=True)
    return Collected(result, kept)


def _stream(extractor, images, part, options):
    """`Statistics` in flat memory, saved to `part` on the way."""
    result = frechet.Statistics(extractor.size)
    if part and part.is_file():
        result = frechet.Statistics.load(part)
        options = options | {"start": result.count}
    for batch in features.extract(extractor, images(), **options):
        before = result.count // PART
        result.update(batch)
        if part and result.count // PART > before:
            with _if_possible(part):
                result.save(part)
    return result


def _save(path, array):
    with _if_possible(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)


@contextlib.contextmanager
def _if_possible(path):
    """Warns where a file cannot be written: what it is to hold is there, perhaps of an hour."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        warnings.warn(f"{str(path)!r} cannot be kept: {reason}.", stacklevel=4)
