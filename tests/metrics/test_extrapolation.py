"""FID-infinity on Gaussians, whose true distance is known."""

import numpy as np
import pytest

from zoo.metrics import extrapolation, frechet


def exact(size):
    """The statistics of N(0, 1) in `size` dimensions themselves."""
    statistics = frechet.Statistics(size)
    statistics.update(np.concatenate([np.eye(size), -np.eye(size)]) * np.sqrt(size - 0.5))
    np.testing.assert_allclose(statistics.covariance, np.eye(size), atol=1e-12)
    return statistics


def test_the_line_ends_at_the_true_distance():
    """N(0.1, 1.2^2) against N(0, 1): d (0.1^2 + 0.2^2)."""
    size, true = 32, 32 * (0.01 + 0.04)
    samples = np.random.default_rng(0).normal(0.1, 1.2, (4000, size))
    result = extrapolation.fid_infinity(samples, exact(size))
    assert result.counts[0] == 1000
    assert result.counts[-1] == 4000
    assert len(result.fids) == extrapolation.POINTS
    bias = result.fids[-1] - true
    assert bias > 0.1, "the sample is too small to be right by itself"
    assert abs(result.value - true) < bias / 4
    # The bias is c / N to first order, and the line's slope is c.
    assert result.slope == pytest.approx(4000 * bias, rel=0.35)


def test_all_samples_give_the_plain_fid():
    samples = np.random.default_rng(1).normal(size=(100, 4))
    result = extrapolation.fid_infinity(samples, exact(4), counts=[50, 100])
    plain = frechet.frechet_distance(frechet.statistics_of(samples), exact(4))
    assert result.fids[-1] == pytest.approx(plain, rel=1e-9)
    assert result.value == pytest.approx(2 * result.fids[1] - result.fids[0])


@pytest.mark.parametrize("counts", [[50], [1, 50], [50, 101]])
def test_bad_counts_are_refused(counts):
    with pytest.raises(ValueError, match="between 2 and the 100 images"):
        extrapolation.fid_infinity(np.zeros((100, 4)), exact(4), counts=counts)
