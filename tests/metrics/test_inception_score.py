"""The Inception Score against closed forms and scipy."""

import warnings

import numpy as np
import pytest
import scipy.stats

from zoo.metrics.inception_score import inception_score


def test_closed_forms():
    certain = np.eye(10)[np.arange(200) % 10]
    assert inception_score(certain) == pytest.approx((10.0, 0.0))
    assert inception_score(np.full((100, 10), 0.1)) == pytest.approx((1.0, 0.0))
    one_class = np.eye(10)[np.zeros(100, int)]
    assert inception_score(one_class) == pytest.approx((1.0, 0.0))


def test_against_scipy():
    p = np.random.default_rng(0).dirichlet(np.full(10, 0.3), 103).astype("float32")
    p[0] = np.eye(10)[3]
    parts = np.array_split(p.astype("float64"), 4)
    scores = [np.exp(scipy.stats.entropy(x, x.mean(0), axis=1).mean()) for x in parts]
    value, error = inception_score(p, splits=4)
    assert value == pytest.approx(np.mean(scores), rel=1e-6)
    assert error == pytest.approx(np.std(scores, ddof=1) / 2, rel=1e-6)


def test_a_spread_needs_two_parts():
    p = np.random.default_rng(1).dirichlet(np.ones(3), 20)
    halves = [inception_score(part, splits=1)[0] for part in (p[:10], p[10:])]
    value, error = inception_score(p, splits=2)
    assert value == pytest.approx(np.mean(halves))
    assert error == pytest.approx(abs(halves[0] - halves[1]) / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(inception_score(p, splits=1)[1])


BAD = [np.full((40, 3), 0.335), np.full((20, 2), [2.0, -1.0]), np.eye(10)[np.arange(99) % 10]]


@pytest.mark.parametrize("bad", BAD, ids=["no sum", "negative", "too few"])
def test_bad_probabilities_are_refused(bad):
    with pytest.raises(ValueError, match="Probabilities"):
        inception_score(bad)
