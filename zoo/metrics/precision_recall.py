"""Precision, recall, density and coverage of generated images, from nearest neighbours.

Around every feature vector lies a ball that reaches to the k-th nearest neighbour in its own set.
Precision and recall: Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric for Assessing
Generative Models" (arXiv:1904.06991), equations 1 and 2. Density and coverage: Naeem et al. 2020,
"Reliable Fidelity and Diversity Metrics for Generative Models" (arXiv:2002.09797), equations 3
and 4, whose k = 5 is the default here; the earlier paper took 3.
"""

import numpy as np

from zoo.metrics import features

NEIGHBOURS = 5
BLOCK = 2**24  # distances held at a time: 64 MiB of float32


def precision_recall(real, fake, k=NEIGHBOURS):
    """Precision, recall, density and coverage of `fake` with respect to `real`.

    Args:
        real, fake: features, (n, d) and (m, d).
        k: the neighbour that a ball reaches to.

    Returns:
        A dict of floats: `precision`, the share of fakes inside a ball of the real ones; `recall`,
        the share of real ones inside a ball of the fakes; `density`, the number of real balls a
        fake lies in, over k, not bounded by 1; `coverage`, the share of real balls with a fake.

    Raises:
        ValueError: a set has no more than k vectors, features of different length, or k below 1.
    """
    if k < 1:
        raise ValueError(f"k must be the rank of a neighbour, at least 1, but is {k!r}.")
    real, fake = features.check_pair(real, fake, least=k + 1)
    # Distances are differences of dot products: centred, these are small and lose few digits.
    centre = real.mean(0, dtype="float64").astype("float32")
    real, fake = real - centre, fake - centre
    real_radii, fake_radii = squared_radii(real, k), squared_radii(fake, k)
    covered, recalled = np.zeros(len(real), bool), np.zeros(len(real), bool)
    balls = np.empty(len(fake), "int64")
    for rows, distances in _squared_distances(fake, real):
        inside = distances <= real_radii
        balls[rows] = inside.sum(1)
        covered |= inside.any(0)
        recalled |= (distances <= fake_radii[rows, None]).any(0)
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / k),
        "coverage": float(covered.mean()),
    }


def squared_radii(x, k):
    """Squared distance from each of `x` (n, d) to its k-th nearest neighbour among the others."""
    radii = np.empty(len(x), "float32")
    for rows, distances in _squared_distances(x, x):
        own = np.arange(rows.start, rows.stop)
        distances[own - rows.start, own] = np.inf
        radii[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return radii


def nearest(x, y):
    """Nearest neighbours of `x` (n, d) among `y` (m, d).

    Returns:
        (indices, distances): (n,) each, the distances Euclidean.
    """
    x, y = features.check_pair(x, y, least=1)
    indices = np.empty(len(x), "int64")
    for rows, distances in _squared_distances(x, y):
        indices[rows] = distances.argmin(1)
    return indices, np.linalg.norm(x - y[indices], axis=1)


def _squared_distances(x, y):
    """Yields (rows of `x`, their squared distances to all of `y`) in blocks of bounded memory."""
    x_squares, y_squares = (np.einsum("ij,ij->i", v, v) for v in (x, y))
    step = max(1, BLOCK // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        distances = x[rows] @ y.T
        distances *= -2
        distances += x_squares[rows, None]
        distances += y_squares
        yield rows, np.maximum(distances, 0, out=distances)
