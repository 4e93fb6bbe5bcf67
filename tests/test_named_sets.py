"""The named sets through TensorFlow Datasets, where they are prepared: facts known of both."""

import os
import pathlib

import numpy as np
import pytest
import scipy.special
import tensorflow_datasets as tfds

import zoo
from zoo import data
from zoo.metrics import extractors, frechet, references

FACTS = {
    # name: (training images, shape, mean of the training pixels / 255 per channel)
    "fashion_mnist": (60_000, (28, 28, 1), [0.28604]),
    "cifar10": (50_000, (32, 32, 3), [0.49140, 0.48216, 0.44653]),
}
FOLDER = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
PREPARED = [name for name in FACTS if any((FOLDER / name).glob("**/dataset_info.json"))]


def where_prepared(names, dataset_of=lambda name: name):
    """Parametrizes over names, of which those of sets that are not prepared are skipped."""
    return [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                dataset_of(name) not in PREPARED, reason=f"{dataset_of(name)} is not prepared"
            ),
        )
        for name in names
    ]


def test_a_set_can_be_prepared_where_none_is_yet(tmp_path):
    """TensorFlow Datasets needs more for that than it says it does."""
    builder = tfds.testing.DummyDataset(data_dir=tmp_path)
    builder.download_and_prepare()
    assert [example["id"] for example in tfds.as_numpy(builder.as_dataset("train"))] == [0, 1, 2]


@pytest.mark.parametrize("name", where_prepared(FACTS))
def test_train_and_test_splits(name):
    count, shape, means = FACTS[name]
    train, test = data.load(name), data.load(name, split="test")
    assert (len(train), len(test)) == (count, 10_000)
    assert train.images.shape[1:] == test.images.shape[1:] == shape
    np.testing.assert_allclose(train.images.mean((0, 1, 2)) / 255, means, atol=1e-4)
    np.testing.assert_array_equal(np.bincount(train.labels), [count // 10] * 10)
    np.testing.assert_array_equal(np.bincount(test.labels), [1_000] * 10)


CARDS = {name: zoo.info(name) for name in zoo.list_models()}
MEASURED = [name for name, facts in CARDS.items() if "test_accuracy" in facts.get("metrics", {})]
FIRST = 500
LEAST = {"fashion_mnist": 0.93, "cifar10": 0.92}


@pytest.mark.parametrize(
    "name", where_prepared(MEASURED, dataset_of=lambda name: CARDS[name]["dataset"])
)
def test_a_classifier_is_what_its_card_and_its_statistics_say(name):
    """One pass over the test images; the logits are a linear function of the features.

    That `predict` and `evaluate` agree with them is seen on the first images.
    """
    card = CARDS[name]
    classifier, test = zoo.load(name), data.load(card["dataset"], split="test")
    features = classifier.features(test.images)
    kernel, bias = classifier.classifier.get_layer("logits").get_weights()
    logits = features @ kernel + bias
    recognised = logits.argmax(1) == test.labels
    accuracy = recognised.mean()
    # One image of 10,000 may fall on the other side on another machine, or two.
    assert abs(accuracy - card["metrics"]["test_accuracy"]) <= 2.5e-4
    assert accuracy >= LEAST[card["dataset"]]
    first, labels = test.images[:FIRST], test.labels[:FIRST]
    np.testing.assert_allclose(
        classifier.predict(first), scipy.special.softmax(logits[:FIRST], axis=1), atol=1e-4
    )
    found = classifier.evaluate(first, labels)["accuracy"]
    assert found == pytest.approx(recognised[:FIRST].mean(), abs=1 / FIRST)
    extractor = extractors.get(name)
    np.testing.assert_allclose(extractor(first), features[:FIRST], atol=1e-4)
    shipped = references.file_name(extractor, f"{card['dataset']}-test")
    distance = frechet.frechet_distance(frechet.statistics_of(features), references.find(shipped))
    assert distance == pytest.approx(0, abs=1e-4)


def test_an_unknown_split_is_one_sentence():
    with pytest.raises(ValueError, match="split must be 'train' or 'test', but is 'valid'"):
        data.load("fashion_mnist", split="valid")
