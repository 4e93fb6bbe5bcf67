"""Extractors by name, and what is said where there is none."""

import numpy as np
import pytest

from zoo import registry
from zoo.metrics import extractors


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
    with pytest.raises(ValueError, match="no published classifier of 'cifar10', only of no data"):
        extractors.get("classifier", "cifar10")
    no_classifiers["classifier_fmnist"] = {"recipe": "classifier", "dataset": "fashion_mnist"}
    with pytest.raises(ValueError, match="of 'cifar10', only of fashion_mnist: use --extractor"):
        extractors.get("classifier", "cifar10")
