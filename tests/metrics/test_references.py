"""The statistics of real images that come along are those of the images."""

import numpy as np
import pytest

from zoo import data
from zoo.metrics import collect, extractors, frechet, inception, references

INCEPTION = "inception_v3_2015_12_05-4a11ce9c-{}"
SIZE = 8 * 2**20  # bytes of all files of a set


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))


def test_a_file_holds_statistics_to_fifteen_bits(tmp_path):
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(24, 24))
    ours, others = (frechet.statistics_of(rng.normal(size=(90, 24)) @ mixing) for _ in range(2))
    references.save(ours, tmp_path / "ours.h5")
    found = references.load(tmp_path / "ours.h5")
    assert found.count == 90
    np.testing.assert_array_equal(found.mean, ours.mean)
    np.testing.assert_array_equal(found.covariance, found.covariance.T)
    deviations = np.sqrt(np.diag(ours.covariance))
    np.testing.assert_allclose(np.diag(found.covariance), deviations**2, rtol=1e-14)
    errors = (found.covariance - ours.covariance) / np.outer(deviations, deviations)
    assert 1e-6 < np.abs(errors).max() <= 0.5 / 32767 + 1e-12
    distance = frechet.frechet_distance(others, ours)
    assert distance > 1
    assert frechet.frechet_distance(others, found) == pytest.approx(distance, rel=1e-5)


def test_a_feature_that_never_varies_is_kept(tmp_path):
    values = np.random.default_rng(0).normal(size=(50, 3)) * [1, 0, 2] + [0, 5, 0]
    ours = frechet.statistics_of(values)
    references.save(ours, tmp_path / "ours.h5")
    found = references.load(tmp_path / "ours.h5")
    assert found.mean[1] == 5
    assert not found.covariance[1].any()
    assert frechet.frechet_distance(ours, found) == pytest.approx(0, abs=1e-6)


def test_those_of_inception():
    """The distances between the sets were measured in float64, before any was rounded.

    `python -m zoo.metrics.references` prints those between splits, as they are after it.
    """
    names = ("fashion_mnist-test", "fashion_mnist-train", "cifar10-test", "cifar10-train")
    found = [references.find(INCEPTION.format(name)) for name in names]
    test, train, others, training = found
    assert [of.count for of in found] == [10_000, 60_000, 10_000, 50_000]
    assert frechet.frechet_distance(test, others) == pytest.approx(190.791833, abs=3e-4)
    assert frechet.frechet_distance(test, train) == pytest.approx(1.490611, abs=1e-4)
    assert frechet.frechet_distance(others, training) == pytest.approx(3.151, abs=1e-3)
    assert INCEPTION.split("-")[1] == inception.DIGEST[:8]


@pytest.mark.parametrize(("name", "distance"), [("fashion_mnist", 0.039728), ("cifar10", 0.226913)])
def test_those_of_the_classifiers(name, distance):
    """Between the splits; to be measured again when a classifier is published anew."""
    extractor = extractors.get("classifier", name)
    files = [references.file_name(extractor, f"{name}-{split}") for split in ("test", "train")]
    test, train = map(references.find, files)
    assert (test.count, train.count) == (10_000, {"fashion_mnist": 60_000, "cifar10": 50_000}[name])
    assert frechet.frechet_distance(test, train) == pytest.approx(distance, abs=1e-4)


@pytest.mark.parametrize("name", data.NAMED)
def test_they_are_small(name):
    sizes = [path.stat().st_size for path in references.FOLDER.glob(f"*-{name}-*.h5")]
    assert sizes
    assert sum(sizes) < SIZE


@pytest.mark.parametrize("split", ["test", "train"])
def test_no_image_is_read_where_statistics_come_along(split):
    extractor = extractors.get("classifier", "fashion_mnist")

    def images():
        raise AssertionError("The images were asked for.")

    found = collect.collect(extractor, images, name=f"fashion_mnist-{split}")
    assert found.statistics.count == {"test": 10_000, "train": 60_000}[split]
    assert found.features is None
