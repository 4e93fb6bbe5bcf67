"""The FID at an infinite number of samples, and how the FID moves with their number.

Chong & Forsyth 2020, "Effectively Unbiased FID and Inception Score and where to find them"
(arXiv:1911.07023), section 3: the bias of the FID is linear in 1 / N to first order, so that a line
fitted over 1 / N ends, at 0, in the FID of infinitely many samples.
"""

import typing

import numpy as np

from zoo.metrics import frechet

POINTS = 8


class Extrapolation(typing.NamedTuple):
    """FIDs over sample counts and the line FID = `value` + `slope` / N through them."""

    value: float
    slope: float
    counts: list[int]
    fids: list[float]


def fid_infinity(features, reference, counts=None, seed=0):
    """Extrapolates the FID of generated images to infinitely many of them.

    The reference's own finite number keeps its bias: only numbers of one reference compare.

    Args:
        features: of generated images, (N, d).
        reference: `Statistics` of the reference.
        counts: sample counts to fit through; by default 8 from N / 4 to N in even steps. The line
            holds where counts are well above d.
        seed: of the random subsets, drawn without replacement.

    Returns:
        An `Extrapolation`.

    Raises:
        ValueError: fewer than two different counts, or one outside 2 to N.
    """
    length = len(features)
    if counts is None:
        counts = np.linspace(length // 4, length, POINTS).astype(int)
    counts = sorted({int(count) for count in counts})
    if len(counts) < 2 or counts[0] < 2 or counts[-1] > length:
        raise ValueError(
            f"FID-infinity needs two or more sample counts between 2 and the {length} images, but "
            f"they are {counts}."
        )
    rng = np.random.default_rng(seed)
    root = frechet.covariance_root(reference)
    fids = []
    for count in counts:
        subset = features[np.sort(rng.permutation(length)[:count])]
        statistics = frechet.statistics_of(subset)
        fids.append(frechet.frechet_distance(statistics, reference, root))
    slope, value = np.polyfit(1 / np.array(counts), fids, 1)
    return Extrapolation(float(value), float(slope), counts, fids)
