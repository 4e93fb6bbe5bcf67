"""The KID against scikit-learn's kernel, closed forms and its own spread."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from zoo.metrics import kernel


def expected_mmd(x, y):
    """The unbiased estimate, summed over all pairs i != j of scikit-learn's float64 kernel."""
    total = -2 * polynomial_kernel(x, y, degree=3, gamma=1 / x.shape[1], coef0=1).mean()
    for z in (x, y):
        values = polynomial_kernel(z, z, degree=3, gamma=1 / z.shape[1], coef0=1)
        total += values[~np.eye(len(z), dtype=bool)].mean()
    return total


def test_squared_mmd_against_scikit_learn():
    rng = np.random.default_rng(0)
    # Magnitudes of Inception features: positive, of mean 0.4, a thousand kernel values' worth.
    x, y = rng.gamma(1.0, 0.4, (200, 2048)), rng.gamma(1.1, 0.4, (150, 2048))
    assert kernel.squared_mmd(x, y) == pytest.approx(expected_mmd(x, y), rel=1e-4)


def test_every_vector_is_in_one_subset():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(43, 3)), rng.normal(0.5, size=(60, 3))
    value, error = kernel.kernel_distance(x, y, subset_size=1000, seed=7)
    draw = np.random.default_rng(7)
    rows = [draw.permutation(n)[:40].reshape(10, 4) for n in (43, 60)]
    values = [expected_mmd(x[i], y[j]) for i, j in zip(*rows)]
    assert value == pytest.approx(np.mean(values), rel=1e-4)
    assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(10), rel=1e-4)


def test_subsets_have_a_thousand_vectors_where_there_are_enough():
    x, y = np.random.default_rng(3).normal(size=(2, 11_500, 1))
    value, error = kernel.kernel_distance(x, y)
    draw = np.random.default_rng(0)
    rows = [draw.permutation(11_500)[:11_000].reshape(11, 1000) for _ in range(2)]
    values = [kernel.squared_mmd(x[np.sort(i)], y[np.sort(j)]) for i, j in zip(*rows)]
    assert value == pytest.approx(np.mean(values), rel=1e-9)
    assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(11), rel=1e-9)


def test_unbiased_with_an_honest_standard_error():
    """In one dimension MMD^2 = sum_j C(3, j) (E x^j - E y^j)^2 for the kernel (xy + 1)^3."""
    shift = 0.3
    expected = 3 * shift**2 + 3 * shift**4 + (shift**3 + 3 * shift) ** 2
    rng = np.random.default_rng(2)
    results = [
        kernel.kernel_distance(
            rng.normal(size=(400, 1)), rng.normal(shift, size=(400, 1)), subset_size=20
        )
        for _ in range(400)
    ]
    values, errors = np.transpose(results)
    spread = values.std(ddof=1)
    assert values.mean() == pytest.approx(expected, abs=4 * spread / 20)
    assert np.sqrt((errors**2).mean()) == pytest.approx(spread, rel=0.15)


def test_bad_features_are_refused():
    x = np.zeros((30, 3))
    with pytest.raises(ValueError, match=r"\(30, 3\) and \(5, 4\)"):
        kernel.kernel_distance(x, np.zeros((5, 4)))
    with pytest.raises(ValueError, match="30 and 19 images; at least 20"):
        kernel.kernel_distance(x, x[:19])
    with pytest.raises(ValueError, match="subset_size must be at least 2, but is 1"):
        kernel.kernel_distance(x, x, subset_size=1)
    pairs, _ = kernel.kernel_distance(np.eye(40), np.eye(40), subset_size=2)  # the fewest
    assert np.isfinite(pairs)
    with pytest.raises(ValueError, match="NaN"):
        kernel.kernel_distance(x, x + np.nan)
