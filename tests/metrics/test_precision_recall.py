"""Precision, recall, density and coverage against scikit-learn's neighbours and closed forms."""

import math

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from zoo.metrics import precision_recall as pr


def expected(real, fake, k):
    """The definitions, word for word, in float64."""

    def radii(x):
        distances, _ = NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x)
        return distances[:, -1]  # the first is the vector itself

    distances = pairwise_distances(real, fake)
    inside = distances <= radii(real)[:, None]
    return {
        "precision": inside.any(0).mean(),
        "recall": (distances <= radii(fake)).any(1).mean(),
        "density": inside.sum() / (k * len(fake)),
        "coverage": inside.any(1).mean(),
    }


@pytest.mark.parametrize(("k", "size", "offset"), [(5, 64, 0.0), (3, 2, 0.0), (1, 16, 1e3)])
def test_against_scikit_learn(k, size, offset, monkeypatch):
    """An offset far from 0 must not cost the distances their digits; blocks must not matter."""
    rng = np.random.default_rng(0)
    real = (rng.normal(size=(300, size)) + offset).astype("float32")
    fake = (0.8 * rng.normal(size=(211, size)) + offset + 0.2).astype("float32")
    monkeypatch.setattr(pr, "BLOCK", 300 * 7)
    result = pr.precision_recall(real, fake, k)
    assert result == pytest.approx(expected(real, fake, k), abs=1e-9)
    assert 0.05 < result["precision"] < 1 or size == 64
    assert 0.05 < result["recall"] < 1


def test_the_rim_belongs_to_the_ball():
    """On a line all of these distances are whole numbers, and exact."""
    inner, outer = np.array([[-1.0], [1.0]]), np.array([[-3.0], [3.0]])
    assert pr.precision_recall(inner, outer, 1) == {
        "precision": 1.0,  # 3 is 2 from 1, as far as -1 is
        "recall": 1.0,
        "density": 1.0,
        "coverage": 1.0,
    }
    assert pr.precision_recall(outer, inner, 1)["recall"] == 1.0


def test_five_neighbours_are_the_default():
    real, fake = np.random.default_rng(5).normal(size=(2, 60, 4))
    assert pr.precision_recall(real, fake) == pr.precision_recall(real, fake, 5)
    assert pr.precision_recall(real, fake) != pr.precision_recall(real, fake, 6)


def test_sets_far_apart_share_nothing():
    x = np.random.default_rng(1).normal(size=(20, 4))
    assert set(pr.precision_recall(x, x + 1000).values()) == {0.0}


def test_a_set_against_itself():
    x = np.random.default_rng(2).normal(size=(50, 4))
    result = pr.precision_recall(x, x, 5)
    assert (result["precision"], result["recall"], result["coverage"]) == (1, 1, 1)
    # Every ball holds its centre and its neighbours; the fifth, on the rim, up to rounding.
    assert 1 <= result["density"] <= 6 / 5


def test_one_distribution_has_the_expected_density_and_coverage():
    """Naeem et al. 2020, section 3: density 1, coverage 1 - prod_i (N - i) / (N + M - i)."""
    rng = np.random.default_rng(3)
    n, m, k = 60, 40, 5
    draws = [
        pr.precision_recall(rng.normal(size=(n, 3)), rng.normal(size=(m, 3)), k) for _ in range(200)
    ]
    misses = math.prod((n - i) / (n + m - i) for i in range(1, k + 1))
    coverages = [draw["coverage"] for draw in draws]
    assert np.mean(coverages) == pytest.approx(1 - misses, abs=4 * np.std(coverages) / 14)
    densities = [draw["density"] for draw in draws]
    assert np.mean(densities) == pytest.approx(n / (n - 1), abs=4 * np.std(densities) / 14)


def test_nearest_against_scikit_learn():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(30, 8)), rng.normal(size=(100, 8))
    distances, indices = NearestNeighbors(n_neighbors=1).fit(y).kneighbors(x)
    found, lengths = pr.nearest(x, y)
    np.testing.assert_array_equal(found, indices[:, 0])
    np.testing.assert_allclose(lengths, distances[:, 0], rtol=1e-5)


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="9 and 5 images; at least 6"):
        pr.precision_recall(np.zeros((9, 2)), np.zeros((5, 2)), k=5)
    with pytest.raises(ValueError, match="at least 1, but is 0"):
        pr.precision_recall(np.zeros((9, 2)), np.zeros((9, 2)), k=0)
