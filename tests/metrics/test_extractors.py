"""Extractors by name, and what is said where there is none."""

import keras
import numpy as np
import pytest

import zoo
from zoo import data, policy, registry
from zoo.metrics import classifier_features, extractors, features


class Tiny:
    name, digest, size = "tiny", "0" * 64, 1

    def __call__(self, images):
        return np.zeros((len(images), 1), "float32")


@pytest.fixture
def no_classifiers(monkeypatch):
    index = {"wgan_fmnist": {"recipe": "wgan", "dataset": "fashion_mnist"}}
    monkeypatch.setattr(registry, "index", lambda: index)
    return index


def test_an_extractor_is_itself():
    tiny = Tiny()
    assert extractors.get(tiny) is tiny


def test_inception_without_weights_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="run `zoo fetch-inception` once"):
        extractors.get("inception")
    with pytest.raises(FileNotFoundError, match="are not at nowhere.npz"):
        extractors.get("inception", weights="nowhere.npz")


def test_what_does_not_exist_is_said(no_classifiers):
    with pytest.raises(ValueError, match="no extractor 'vgg'; accepted are inception, classifier"):
        extractors.get("vgg")
    with pytest.raises(ValueError, match="'float16'"):
        extractors.get("inception", dtype="float16")
    with pytest.raises(ValueError, match="Only the inception extractor"):
        extractors.get("classifier", "fashion_mnist", dtype="bfloat16")
    with pytest.raises(ValueError, match="no published classifier of 'cifar10': use --extr"):
        extractors.get("classifier", "cifar10")
    no_classifiers["classifier_fmnist"] = {"recipe": "classifier", "dataset": "fashion_mnist"}
    with pytest.raises(ValueError, match="of 'cifar10', only of fashion_mnist: use --extractor"):
        extractors.get("classifier", "cifar10")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A published classifier of Fashion-MNIST."""
    small = {"width": 8, "image_size": 8}
    zoo.Classifier("classifier", small).save(tmp_path / "classifier_tiny", zipped=False)
    entry = {"recipe": "classifier", "dataset": "fashion_mnist", "files": {}}
    monkeypatch.setattr(registry, "index", lambda: {"classifier_tiny": entry})
    monkeypatch.setattr(registry, "bundled_checkpoints", lambda: tmp_path)
    return zoo.load("classifier_tiny")


def test_the_classifier_of_a_data_set(published):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    for extractor in (
        extractors.get("classifier", "fashion_mnist"),
        extractors.get("classifier_tiny", "cifar10"),
    ):
        assert isinstance(extractor, features.Extractor)
        assert extractor.name == "classifier_tiny"
        np.testing.assert_allclose(extractor(images), published.features(images), rtol=1e-5)
        assert extractor(images).shape == (5, extractor.size)
        np.testing.assert_allclose(extractor.predict(images), published.predict(images), rtol=1e-5)


def test_two_classifiers_of_a_data_set_are_not_chosen_from(published, monkeypatch):
    entry = registry.index()["classifier_tiny"]
    index = {"a_study": entry, "classifier_tiny": entry}
    monkeypatch.setattr(registry, "index", lambda: index)
    with pytest.raises(ValueError, match="a_study and classifier_tiny are published classifiers"):
        extractors.get("classifier", "fashion_mnist")
    assert extractors.get("classifier_tiny").name == "classifier_tiny"


def test_a_named_set_has_a_classifier_of_its_own(published, monkeypatch):
    """Whoever publishes another one can still measure, and with what others measured."""
    entry = registry.index()["classifier_tiny"]
    index = {"classifier_fmnist": entry, "mine": entry}
    monkeypatch.setattr(registry, "index", lambda: index)
    monkeypatch.setattr(classifier_features, "classifier_extractor", lambda name: name)
    assert extractors.get("classifier", "fashion_mnist") == "classifier_fmnist"


@pytest.mark.parametrize("dataset", data.NAMED)
def test_the_own_classifiers_are_published(dataset):
    assert extractors.classifiers()[extractors.OWN[dataset]] == dataset


def test_a_run_in_half_precision_measures_in_full(published):
    """The cache knows extractors by their weights: the numbers must not depend on the policy."""
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    expected = published.features(images)
    with policy.dtype_policy("mixed_bfloat16"):
        found = extractors.get("classifier_tiny")(images)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        rough = zoo.load("classifier_tiny").features(images)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.abs(rough - expected).max() > 1e-3 * np.abs(expected).max(), "the policy matters"
