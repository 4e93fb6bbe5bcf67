"""The kernel inception distance (KID): a maximum mean discrepancy between two sets of features.

Binkowski et al. 2018, "Demystifying MMD GANs" (arXiv:1801.01401), section 4: the unbiased estimate
of MMD^2 (equation 4) with the kernel k(x, y) = (x.y / d + 1)^3, d being the number of features.
Unlike the FID its expectation does not depend on the number of samples.
"""

import numpy as np

from zoo.metrics import features

SUBSET = 1000
SUBSETS = 10


def kernel_distance(first, second, subset_size=SUBSET, seed=0):
    """KID of two sets of features: the mean of MMD^2 over disjoint random subsets.

    Disjoint subsets are independent, so that the standard error is one: subsets that overlap, as in
    other implementations, estimate the same number but share images and understate its error.

    Args:
        first, second: features, (n, d) and (m, d).
        subset_size: vectors of each set per subset; 1000 as in the paper, fewer where a set has
            fewer than ten such subsets.
        seed: of the drawing of subsets.

    Returns:
        (KID, its standard error): floats; there are min(n, m) // subset_size subsets. KID is near 0
        for equal distributions, on either side of it.

    Raises:
        ValueError: fewer than 20 vectors in a set, features of different length, or subsets of
            fewer than 2 vectors.
    """
    first, second = features.check_pair(first, second, least=2 * SUBSETS)
    if subset_size < 2:
        raise ValueError(f"subset_size must be at least 2, but is {subset_size!r}.")
    length = min(len(first), len(second))
    subset_size = min(subset_size, length // SUBSETS)
    count = length // subset_size
    rng = np.random.default_rng(seed)
    subsets = [rng.permutation(len(x))[: count * subset_size] for x in (first, second)]
    values = [
        squared_mmd(first[np.sort(i)], second[np.sort(j)])
        for i, j in zip(*(np.split(subset, count) for subset in subsets))
    ]
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(count))


def squared_mmd(first, second):
    """Unbiased estimate of MMD^2 (equation 4) between features (n, d) and (m, d), as a float.

    Dot products are float32; kernel values, of which sums nearly cancel, are float64.
    """

    def mean_within(x):
        values = _kernel(x, x)
        return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))

    between = _kernel(first, second).mean()
    return float(mean_within(first) + mean_within(second) - 2 * between)


def _kernel(x, y):
    products = np.asarray(x, "float32") @ np.asarray(y, "float32").T
    values = products.astype("float64")
    values /= x.shape[1]
    values += 1
    return values * values * values
