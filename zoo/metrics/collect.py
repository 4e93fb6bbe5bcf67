"""Statistics and features of a set of images, computed once and kept on disk."""

import pathlib
import typing

import numpy as np

from zoo import files
from zoo.metrics import features, fetch, frechet


class Collected(typing.NamedTuple):
    """What metrics need of a set of images.

    Attributes:
        statistics: `zoo.metrics.frechet.Statistics`.
        features: float32 (N, d), perhaps a memory map; None where they were not asked for.
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
        name: names the images for good, such as "fashion_mnist-test", to keep the result on disk.
        folder: where files are kept, in `statistics/` and `features/`; by default the cache.
        **options: of `zoo.metrics.features.extract`.

    Returns:
        `Collected`.
    """
    file = name and f"{extractor.name}-{extractor.digest[:8]}-{name}"
    folder = pathlib.Path(folder or fetch.cache_folder())
    statistics = file and folder / "statistics" / f"{file}.npz"
    array = file and folder / "features" / f"{file}.npy"
    collected = None
    if array and array.is_file():
        collected = np.load(array, mmap_mode="r", allow_pickle=False)
    elif keep:
        collected = np.concatenate(list(features.extract(extractor, images(), **options)))
        if array:
            _save(array, collected)
    if statistics and statistics.is_file():
        return Collected(frechet.Statistics.load(statistics), collected)
    if collected is not None:
        result = frechet.statistics_of(collected)
    else:
        result = frechet.Statistics(extractor.size)
        for batch in features.extract(extractor, images(), **options):
            result.update(batch)
    if statistics:
        result.save(statistics)
    return Collected(result, collected)


def _save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)
