"""How many samples of a conditional model are of the class they were asked for."""

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo import card_numbers, recognition, verification

SMALL = {"width": 8, "discriminator_width": 8, "latent_size": 6}


@pytest.fixture(scope="module")
def model():
    return zoo.GAN("cbn_resnet", SMALL)


@pytest.fixture(scope="module")
def facts(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("recognition") / "classes.png"
    return recognition.check(model, path) | {"path": path}


def test_the_share_is_that_of_the_classifiers_own_predictions(model, facts):
    predictions = zoo.load("classifier_fmnist").predict(
        model.sample(1000, seed=0, labels=[i % 10 for i in range(1000)])
    )
    of_class = [float(np.mean(predictions[i::10].argmax(axis=1) == i)) for i in range(10)]
    assert facts["of_class"] == pytest.approx(of_class)
    assert facts["accuracy"] == pytest.approx(np.mean(of_class))
    assert 0 < facts["accuracy"] < 0.5, "it has learnt nothing"
    assert (facts["classifier"], facts["count"], facts["seed"]) == ("classifier_fmnist", 1000, 0)


def test_rows_walk_from_class_to_class(model, facts):
    with Image.open(facts["path"]) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[:2] == (2 * (10 * 30 + 2), 2 * (9 * 30 + 2))
    walk = model.interpolate(9, seed=0, label=(3, 4))
    for column, image in enumerate(walk):
        top, left = 2 * (3 * 30 + 2), 2 * (column * 30 + 2)
        cell = pixels[top : top + 56 : 2, left : left + 56 : 2]
        np.testing.assert_array_equal(cell, image[:, :, 0])


def test_the_card_states_it_and_verification_counts_again(model, facts):
    text = card_numbers.classes({"dataset": "fashion_mnist", "classes": facts})
    assert "| 1 trouser |" in text
    assert "| 9 ankle boot |" in text
    assert f"recognises {facts['accuracy']:.1%} of 1,000 samples" in text
    assert verification._classes(model, {"classes": facts}).holds
    better = facts | {"accuracy": facts["accuracy"] + 0.02}
    assert not verification._classes(model, {"classes": better}).holds
    assert not verification._classes(model, {}).holds
    for other in ({"classifier": "another"}, {"digest": "0" * 64}):
        check = verification._classes(model, {"classes": facts | other})
        assert not check.holds
        assert f"stated with {[*other.values()][0]}" in check.found


def test_an_unconditional_model_has_no_classes(tmp_path):
    with pytest.raises(ValueError, match="'wgan_gp' is unconditional: it has no classes"):
        recognition.check(zoo.GAN("wgan_gp", {"width": 8}), tmp_path / "classes.png")
    assert not list(tmp_path.iterdir())
