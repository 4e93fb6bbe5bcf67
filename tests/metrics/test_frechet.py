"""The Frechet distance, its statistics, and the streaming of features into them."""

import warnings

import numpy as np
import pytest
import scipy.linalg
from extractors_for_tests import MeanColour

from zoo.metrics import collect, features, frechet


def gaussian_samples(seed, count, size, offset=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) + offset


def statistics_of(samples, batch_size=37):
    statistics = frechet.Statistics(samples.shape[1])
    for start in range(0, len(samples), batch_size):
        statistics.update(samples[start : start + batch_size])
    return statistics


@pytest.fixture
def images():
    return np.random.default_rng(3).integers(0, 256, (23, 4, 5, 3), dtype="uint8")


def test_streaming_statistics_equal_those_of_the_whole_array():
    # The large offset would cost a sum of squares eight of its digits.
    samples = gaussian_samples(0, 500, 7, offset=1e4)
    statistics = statistics_of(samples)
    assert statistics.count == 500
    np.testing.assert_allclose(statistics.mean, samples.mean(0), rtol=1e-13)
    np.testing.assert_allclose(statistics.covariance, np.cov(samples.T), rtol=1e-9)


def test_statistics_do_not_depend_on_the_batches():
    samples = gaussian_samples(1, 200, 5)
    np.testing.assert_allclose(
        statistics_of(samples, 1).covariance,
        statistics_of(samples, 200).covariance,
        rtol=1e-10,
    )


@pytest.mark.parametrize("size", [1, 8, 64])
def test_distance_agrees_with_the_general_matrix_square_root(size):
    first = statistics_of(gaussian_samples(2, 1000, size))
    second = statistics_of(gaussian_samples(3, 900, size, offset=0.3))
    root = scipy.linalg.sqrtm(first.covariance @ second.covariance).real
    expected = np.sum((first.mean - second.mean) ** 2)
    expected += np.trace(first.covariance + second.covariance - 2 * root)
    assert frechet.frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)
    assert frechet.frechet_distance(second, first) == pytest.approx(expected, rel=1e-6)


def test_distance_of_singular_covariances():
    # With C1 = a a^T and C2 = b b^T the trace of the root is |a . b|.
    a, b = np.random.default_rng(4).normal(size=(2, 50))
    first, second = frechet.Statistics(50), frechet.Statistics(50)
    first.update(np.stack([a, -a]) / np.sqrt(2))
    second.update(np.stack([b, -b]) / np.sqrt(2))
    expected = a @ a + b @ b - 2 * abs(a @ b)
    assert frechet.frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_distance_of_a_distribution_to_itself_is_zero():
    statistics = statistics_of(gaussian_samples(5, 30, 60))  # fewer samples than features
    scale = np.trace(statistics.covariance)
    assert frechet.frechet_distance(statistics, statistics) == pytest.approx(0, abs=1e-6 * scale)


def test_distance_of_a_shift_is_its_squared_length():
    samples = gaussian_samples(6, 100, 4)
    shift = np.array([1.0, -2.0, 0.5, 3.0])
    distance = frechet.frechet_distance(statistics_of(samples), statistics_of(samples + shift))
    assert distance == pytest.approx(shift @ shift, rel=1e-9)


def test_bad_statistics_are_refused():
    statistics = frechet.Statistics(3)
    with pytest.raises(ValueError, match=r"shape \(5, 4\); \(n, 3\)"):
        statistics.update(np.zeros((5, 4)))
    with pytest.raises(ValueError, match="NaN"):
        statistics.update(np.full((5, 3), np.nan))
    statistics.update(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="at least 2"):
        _ = statistics.covariance
    with pytest.raises(ValueError, match="3 and 4 features"):
        frechet.frechet_distance(statistics, frechet.Statistics(4))


def test_saved_statistics_come_back_and_go_on(tmp_path):
    samples = gaussian_samples(7, 60, 6)
    statistics_of(samples[:40]).save(tmp_path / "deep" / "statistics.npz")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["statistics.npz"]
    loaded = frechet.Statistics.load(tmp_path / "deep" / "statistics.npz")
    loaded.update(samples[40:])
    np.testing.assert_allclose(loaded.covariance, np.cov(samples.T), rtol=1e-10)


def test_merged_statistics_are_those_of_both():
    samples = gaussian_samples(9, 300, 5, offset=1e4)
    merged = statistics_of(samples[:100])
    merged.merge(statistics_of(samples[100:]))
    merged.merge(frechet.Statistics(5))
    assert merged.count == 300
    np.testing.assert_allclose(merged.covariance, np.cov(samples.T), rtol=1e-9)
    np.testing.assert_allclose(merged.mean, samples.mean(0), rtol=1e-13)


def test_nothing_added_changes_nothing():
    statistics = frechet.Statistics(5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the mean of nothing would be NaN
        statistics.update(np.zeros((0, 5)))
        statistics.merge(frechet.Statistics(5))
    assert statistics.count == 0
    np.testing.assert_array_equal(statistics.mean, 0.0)


def test_what_has_a_name_is_computed_once(tmp_path, images):
    extractor = MeanColour()
    first = collect.collect(extractor, lambda: images, name="set-test", folder=tmp_path)
    calls = len(extractor.lengths)
    second = collect.collect(extractor, lambda: 1 / 0, name="set-test", folder=tmp_path)
    (file,) = tmp_path.rglob("*.np?")
    assert file.relative_to(tmp_path).as_posix() == "statistics/mean_colour-01234567-set-test.npz"
    assert len(extractor.lengths) == calls == 1
    assert first.features is second.features is None
    np.testing.assert_allclose(first.statistics.covariance, second.statistics.covariance)
    np.testing.assert_allclose(first.statistics.mean, images.mean((0, 1, 2)), rtol=1e-6)


def test_features_with_a_name_are_computed_once(tmp_path, images):
    def get(images, keep=True):
        return collect.collect(MeanColour(), images, keep, name="set-test", folder=tmp_path)

    first, second, third = get(lambda: images), get(lambda: 1 / 0), get(lambda: 1 / 0, keep=False)
    for collected in (first, second, third):
        np.testing.assert_allclose(collected.features, images.mean((1, 2)), rtol=1e-6)
        np.testing.assert_allclose(collected.statistics.mean, images.mean((0, 1, 2)), rtol=1e-6)
    other = MeanColour()
    other.digest = "f" * 64
    collect.collect(other, lambda: images[:5], name="set-test", folder=tmp_path)
    assert len(other.lengths) == 1, "another training is another extractor"


def test_interrupted_statistics_go_on(tmp_path, images, monkeypatch):
    monkeypatch.setattr(collect, "PART", 10)

    class Interrupted(MeanColour):
        def __call__(self, images):
            if len(self.lengths) == 4:
                raise KeyboardInterrupt
            return super().__call__(images)

    stream = [images[:7], images[7:]]
    arguments = {"name": "set-train", "folder": tmp_path, "batch_size": 5}
    with pytest.raises(KeyboardInterrupt):
        collect.collect(Interrupted(), lambda: stream, **arguments)
    extractor = MeanColour()
    result = collect.collect(extractor, lambda: stream, **arguments).statistics
    assert extractor.lengths == [3], "20 of 23 images were kept"
    np.testing.assert_allclose(result.mean, images.mean((0, 1, 2)), rtol=1e-6)
    assert [path.suffix for path in (tmp_path / "statistics").iterdir()] == [".npz"]


def test_nothing_is_kept_without_a_name(tmp_path, images, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    assert collect.collect(MeanColour(), lambda: images, keep=True).features.shape == (23, 3)
    assert not list(tmp_path.iterdir())


def test_features_keep_order_and_batches_keep_one_size(images):
    extractor = MeanColour()
    assert isinstance(extractor, features.Extractor)
    expected = images.mean((1, 2))
    whole = np.concatenate(list(features.extract(extractor, images, 5)))
    np.testing.assert_allclose(whole, expected, rtol=1e-6)
    assert extractor.lengths == [5] * 5
    stream = (images[start : start + 4] for start in range(0, 23, 4))
    np.testing.assert_allclose(
        np.concatenate(list(features.extract(extractor, stream, 10))),
        expected,
        rtol=1e-6,
    )
    assert extractor.lengths[5:] == [10, 10, 10]


def test_a_stream_is_read_only_as_needed(images):
    read = []

    def stream():
        for image in images:
            read.append(image)
            yield image[None]

    next(features.extract(MeanColour(), stream(), 4))
    assert len(read) == 4


def test_a_list_of_arrays_is_a_stream(images):
    parts = [images[:9], images[9:]]
    assert sum(len(batch) for batch in features.extract(MeanColour(), parts, 6)) == 23


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 4, 4, 3), "float32"), "float32; uint8"),
        (np.zeros((2, 4, 4), "uint8"), r"shape \(2, 4, 4\)"),
        (np.zeros((2, 4, 4, 2), "uint8"), r"\(N, H, W, 1 or 3\)"),
        (np.zeros((0, 4, 4, 3), "uint8"), "no images"),
        ([], "no images"),
        (
            [np.zeros((2, 4, 4, 3), "uint8"), np.zeros((2, 4, 5, 3), "uint8")],
            "are mixed",
        ),
    ],
)
def test_bad_images_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        list(features.extract(MeanColour(), bad, 4))


def test_progress_tells_the_time_left():
    progress = features.Progress(total=1000, clock=lambda: 0.0)
    progress.add(100)
    expected = "features of 100 of 1,000 images, 10.0 images/s, 1:30 left"
    assert progress.line(now=10.0) == expected
    progress.total = None
    assert progress.line(now=10.0) == "features of 100 images, 10.0 images/s"


def test_what_cannot_be_kept_is_returned_all_the_same(images, tmp_path):
    """It may have taken an hour."""
    (tmp_path / "file").write_text("no folder")
    arguments = {"name": "set-test", "folder": tmp_path / "file"}
    for keep in (True, False):
        with pytest.warns(UserWarning, match=r"set-test.*cannot be kept: Not a directory"):
            found = collect.collect(MeanColour(), lambda: images, keep, **arguments)
        np.testing.assert_allclose(found.statistics.mean, images.mean((0, 1, 2)), rtol=1e-6)
