"""The Frechet distance between two Gaussians, and so the FID.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium" (arXiv:1706.08500), equation 6:

    d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))
"""

import numpy as np

from zoo.metrics import fetch


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
        added = Statistics(len(self.mean))
        added.count, added.mean = len(batch), batch.mean(0)
        centred = batch - added.mean
        added._scatter = centred.T @ centred
        self.merge(added)

    @property
    def covariance(self):
        """Unbiased covariance (divided by n - 1), float64 (d, d)."""
        if self.count < 2:
            raise ValueError(f"A covariance needs at least 2 samples; there are {self.count}.")
        return self._scatter / (self.count - 1)

    def merge(self, other) -> None:
        """Adds all samples of other `Statistics` of the same features."""
        if not other.count:
            return
        total = self.count + other.count
        shift = other.mean - self.mean
        self._scatter += other._scatter
        self._scatter += np.outer(shift, shift * (self.count * other.count / total))
        self.mean = self.mean + shift * (other.count / total)
        self.count = total

    def save(self, path) -> None:
        """Writes count, mean and covariance as `.npz`, atomically."""
        arrays = {"count": self.count, "mean": self.mean, "covariance": self.covariance}
        fetch.save_arrays(path, arrays)

    @classmethod
    def load(cls, path):
        """Reads a file of `save`."""
        with np.load(path, allow_pickle=False) as file:
            return cls.of_moments(file["count"], file["mean"], file["covariance"])

    @classmethod
    def of_moments(cls, count, mean, covariance):
        """`Statistics` of a mean (d,) and an unbiased covariance (d, d) of `count` samples."""
        result = cls(len(mean))
        result.count, result.mean = int(count), mean
        result._scatter = covariance * (result.count - 1)
        return result


def statistics_of(features, block=1000):
    """`Statistics` of an array of features (n, d), in blocks of bounded memory."""
    statistics = Statistics(features.shape[1])
    for start in range(0, len(features), block):
        statistics.update(features[start : start + block])
    return statistics


def covariance_root(statistics):
    """The symmetric square root of a covariance, float64 (d, d)."""
    values, vectors = np.linalg.eigh(statistics.covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def frechet_distance(first, second, root=None):
    """Squared Frechet distance between the Gaussians of two `Statistics`: the FID.

    The trace of (C1 C2)^(1/2) is the sum of the square roots of the eigenvalues of
    C2^(1/2) C1 C2^(1/2), a symmetric positive semi-definite matrix: this stays real and accurate
    where fewer samples than features make both covariances singular, unlike a general matrix
    square root of C1 C2.

    Args:
        first, second: objects with `mean` (d,) and `covariance` (d, d); d must agree.
        root: `covariance_root(second)`, where many are compared with one `second`.

    Returns:
        A float >= 0 up to rounding; 0 for equal Gaussians.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(
            f"The statistics have {len(first.mean)} and {len(second.mean)} features: "
            "both must come from the same extractor."
        )
    root = covariance_root(second) if root is None else root
    difference = first.mean - second.mean
    product = root @ first.covariance @ root
    eigenvalues = np.linalg.eigvalsh((product + product.T) / 2).clip(0)
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    return float(difference @ difference + traces - 2 * np.sqrt(eigenvalues).sum())
