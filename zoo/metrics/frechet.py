"""The Frechet distance between two Gaussians, and so the FID.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium" (arXiv:1706.08500), equation 6:

    d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))
"""

import pathlib

import numpy as np

from zoo.metrics import features, fetch


class Statistics:
    """Mean and covariance of a stream of feature vectors, in float64.

    Batches are merged by the pairwise update of Chan, Golub & LeVeque 1983 ("Algorithms for
    Computing the Sample Variance"), so memory does not grow with the sample count and no digits
    are lost to a subtraction of large sums.

    Args:
        size: number of features, d.
    """

    def __init__(self, size):
        self.count = 0
        self.mean = np.zeros(size)
        self._scatter = np.zeros((size, size))

    def update(self, batch) -> None:
        """Adds a batch of features, (n, d)."""
        batch = np.asarray(batch, "float64")
        if batch.ndim != 2 or batch.shape[1] != len(self.mean):
            raise ValueError(
                f"Features have shape {batch.shape}; (n, {len(self.mean)}) is expected."
            )
        if not np.isfinite(batch).all():
            raise ValueError("Features hold NaN or infinity.")
        if not len(batch):
            return
        added, total = len(batch), self.count + len(batch)
        mean = batch.mean(0)
        centred = batch - mean
        shift = mean - self.mean
        self._scatter += centred.T @ centred
        self._scatter += np.outer(shift, shift * (self.count * added / total))
        self.mean = self.mean + shift * (added / total)
        self.count = total

    @property
    def covariance(self):
        """Unbiased covariance (divided by n - 1), float64 (d, d)."""
        if self.count < 2:
            raise ValueError(f"A covariance needs at least 2 samples; there are {self.count}.")
        return self._scatter / (self.count - 1)

    def save(self, path) -> None:
        """Writes count, mean and covariance as `.npz`, atomically."""
        arrays = {"count": self.count, "mean": self.mean, "covariance": self.covariance}
        fetch.save_arrays(path, arrays)

    @classmethod
    def load(cls, path):
        """Reads a file of `save`."""
        with np.load(path, allow_pickle=False) as file:
            result = cls(len(file["mean"]))
            result.count = int(file["count"])
            result.mean = file["mean"]
            result._scatter = file["covariance"] * (result.count - 1)
        return result


def feature_statistics(extractor, images, **options):
    """`Statistics` of the features of `images`; arguments as `zoo.metrics.features.extract`."""
    statistics = Statistics(extractor.size)
    for batch in features.extract(extractor, images, **options):
        statistics.update(batch)
    return statistics


def reference_statistics(extractor, name, images, folder=None):
    """Statistics of a reference set, computed once and kept on disk.

    Args:
        extractor: an `Extractor`; its name and digest are part of the file's name.
        name: names the images, for example "fashion_mnist-test".
        images: called without arguments where there is no file yet; returns the images.
        folder: where files are kept; by default `statistics` in the cache.
    """
    folder = pathlib.Path(folder or fetch.cache_folder() / "statistics")
    path = folder / f"{extractor.name}-{extractor.digest[:8]}-{name}.npz"
    if not path.is_file():
        feature_statistics(extractor, images()).save(path)
    return Statistics.load(path)


def frechet_distance(first, second):
    """Squared Frechet distance between the Gaussians of two `Statistics`: the FID.

    The trace of (C1 C2)^(1/2) is the sum of the square roots of the eigenvalues of
    C1^(1/2) C2 C1^(1/2), a symmetric positive semi-definite matrix: this stays real and accurate
    where fewer samples than features make both covariances singular, unlike a general matrix
    square root of C1 C2.

    Args:
        first, second: objects with `mean` (d,) and `covariance` (d, d); d must agree.

    Returns:
        A float >= 0 up to rounding; 0 for equal Gaussians.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(
            f"The statistics have {len(first.mean)} and {len(second.mean)} features: "
            "both must come from the same extractor."
        )
    difference = first.mean - second.mean
    first, second = first.covariance, second.covariance
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = root @ second @ root
    eigenvalues = np.linalg.eigvalsh((product + product.T) / 2).clip(0)
    traces = np.trace(first) + np.trace(second) - 2 * np.sqrt(eigenvalues).sum()
    return float(difference @ difference + traces)
