"""`zoo.Classifier`: what it learns, what it returns, what it keeps and what it refuses."""

import dataclasses

import keras
import numpy as np
import pytest
from oracles import to_numpy
from PIL import Image

import zoo
from zoo import cli, data, labelled, registry, train_state, training
from zoo.metrics.classifier_features import classifier_extractor
from zoo.metrics.features import Extractor

RECIPES = [
    name for name in registry.list_recipes() if registry.import_recipe(name).Config.kind != "GAN"
]
SMALL = {"width": 8, "image_size": 8, "batch_size": 16, "num_classes": 4, "flip": False, "shift": 0}


@pytest.fixture(params=RECIPES)
def recipe(request):
    return request.param


@pytest.fixture
def model(recipe):
    return zoo.Classifier(recipe, SMALL)


def quadrants(n, seed=0):
    """Noisy images whose class is the quadrant that is bright: learnable, and not symmetric."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    images = rng.integers(0, 128, (n, 8, 8, 1))
    for image, label in zip(images, labels):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[top : top + 4, left : left + 4] += 64
    return images.astype(np.uint8), labels


def test_learns_quadrants_and_says_how_well(model):
    images, labels = quadrants(128)
    model.compile(keras.optimizers.Adam(2e-3))
    untrained = model.evaluate(images, labels)["accuracy"]
    history = model.fit(images, labels, epochs=20, validation_data=quadrants(64, seed=1), verbose=0)
    assert untrained < 0.6
    assert history.history["val_accuracy"][-1] > 0.9
    assert history.history["loss"][-1] < history.history["loss"][0] / 2

    fresh, truth = quadrants(64, seed=2)
    measured = model.evaluate(data.ArrayImages(fresh, truth))
    predicted = model.predict(fresh)
    assert measured["accuracy"] == np.mean(predicted.argmax(1) == truth)
    entropy = -np.log(predicted[np.arange(64), truth]).mean()
    np.testing.assert_allclose(measured["loss"], entropy, rtol=1e-4)


def test_predictions_features_and_logits_are_one_forward_pass(model):
    images = quadrants(11)[0]
    probabilities, features = model.predict(images), model.features(images, batch_size=4)
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (11, 4))
    assert (features.dtype, features.shape) == (np.float32, (11, model.feature_size))
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(model.predict(images, batch_size=3), probabilities, atol=1e-6)

    kernel, bias = (to_numpy(w) for w in model.classifier.get_layer("logits").weights)
    logits = features @ kernel + bias
    np.testing.assert_allclose(to_numpy(model(images)), logits, atol=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(images), logits, atol=1e-5)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    expected = exponentials / exponentials.sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_nothing_is_no_images(model):
    for method in (model.evaluate, model.fit):
        with pytest.raises(ValueError, match="Images are an array or a data source"):
            method(None)


@pytest.mark.parametrize(("method", "name"), [("fit", "validation_steps"), ("evaluate", "steps")])
def test_what_would_be_ignored_is_refused(model, method, name):
    with pytest.raises(ValueError, match=f"{method} takes no {name}: "):
        getattr(model, method)(*quadrants(8), **{name: 1})


def test_accumulated_gradients_are_steps_too(model):
    model.compile(keras.optimizers.AdamW(1e-3, gradient_accumulation_steps=2))
    model.fit(*quadrants(64), verbose=0)
    assert model.step == 4, "64 images, 16 per step"


def test_predictions_of_a_data_source(model, tmp_path):
    images = quadrants(5)[0]
    for i, image in enumerate(images):
        Image.fromarray(np.repeat(image, 2, axis=1)[..., 0]).save(tmp_path / f"{i}.png")
    source = zoo.data.load(f"folder:{tmp_path}")  # pictures of 8x16 pixels
    expected = model.predict(source.resized((8, 8, 1))[np.arange(5)], verbose=0)
    np.testing.assert_array_equal(model.predict(source, verbose="auto"), expected)
    assert model.features(source).shape == (5, model.feature_size)


@pytest.mark.parametrize("parts", [1, 3])
def test_validation_data_has_two_parts(model, parts):
    images, labels = quadrants(8)
    model.fit(images, labels, validation_data=[images, labels], verbose=0)
    with pytest.raises(ValueError, match=f"or .images, labels., but has {parts} parts"):
        model.fit(images, labels, validation_data=(images, labels, labels)[:parts], verbose=0)


@pytest.mark.parametrize("method", ["predict", "features"])
@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.zeros((2, 8, 8, 1), np.float32), "float32 of shape (2, 8, 8, 1)"),
        (np.zeros((2, 9, 8, 1), np.uint8), "uint8 of shape (2, 9, 8, 1)"),
        (np.zeros((2, 8, 8, 3), np.uint8), "uint8 of shape (2, 8, 8, 3)"),
        (np.zeros((8, 8, 1), np.uint8), "uint8 of shape (8, 8, 1)"),
    ],
)
def test_wrong_images_are_one_sentence(model, method, images, found):
    with pytest.raises(ValueError) as error:
        getattr(model, method)(images)
    assert str(error.value) == f"Images must be uint8 of shape (N, 8, 8, 1), but are {found}."


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "it needs labels"),
        ([0, 1, 4], "has 4 classes, but a label is 4"),
        ([0, -1, 2], "has 4 classes, but a label is -1"),
        ([0, 1], "must be 3 integers, one per image"),
    ],
)
def test_wrong_labels_are_one_sentence(model, labels, message):
    for method in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=message):
            method(np.zeros((3, 8, 8, 1), np.uint8), labels)


def test_saving_keeps_the_model_and_leaves_training_behind(model, tmp_path):
    images, labels = quadrants(32)
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "mine", zipped=False)
    expected = model.predict(images)
    for loaded in (zoo.load(tmp_path / "mine"), keras.saving.load_model(tmp_path / "mine")):
        assert type(loaded) is zoo.Classifier
        assert (loaded.config, loaded.step) == (model.config, 0)
        np.testing.assert_array_equal(loaded.predict(images), expected)
        assert loaded.evaluate(images, labels) == model.evaluate(images, labels)


def test_weights_that_do_not_fit_are_refused(model, tmp_path):
    model.save(tmp_path / "mine", zipped=False)
    path = tmp_path / "mine" / "config.json"
    path.write_text(path.read_text().replace('"width": 8', '"width": 4'))
    with pytest.raises(ValueError, match=r"does not fit its config\.json"):
        zoo.load(tmp_path / "mine")
    (tmp_path / "mine" / "metadata.json").write_text('{"files": {"config.json": "0"}}')
    with pytest.raises(ValueError, match=r"config\.json' is not the published file"):
        zoo.load(tmp_path / "mine")


@pytest.mark.parametrize("command", ["sample", "interpolate"])
def test_a_classifier_generates_no_images(model, command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model.save("mine", zipped=False)
    with pytest.raises(SystemExit) as end:
        cli.main([command, "./mine"])
    assert end.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("'./mine' is a Classifier: it generates no images.")


def test_a_model_is_of_its_recipes_class(recipe):
    with pytest.raises(ValueError, match=f"^The recipe '{recipe}' makes a Classifier, not a GAN"):
        zoo.GAN(recipe)
    with pytest.raises(ValueError, match=r"^The recipe 'wgan_gp' makes a GAN, not a Classifier\.$"):
        zoo.Classifier("wgan_gp")


def test_a_run_with_decay_stopped_halfway_equals_one_that_never_stopped(recipe, tmp_path):
    np.savez(tmp_path / "set.npz", **dict(zip(("images", "labels"), quadrants(40))))
    Config = registry.import_recipe(recipe).Config
    source = {"dataset": f"npz:{tmp_path / 'set.npz'}", "steps": 4, "save_every": 1}
    config = Config.from_dict(SMALL | source | {"flip": True, "shift": 1, "holdout": 0.2})
    whole = training.train_classifier(recipe, config, tmp_path / "whole")

    keras.utils.set_random_seed(config.seed)
    part = zoo.Classifier(recipe, config)
    part.compile_for_run()
    images, held_out = data.split(data.load(config.dataset), config.holdout, config.seed)
    assert (len(images), len(held_out)) == (32, 8)
    state = train_state.TrainState(tmp_path / "part")
    part.fit(
        images,
        validation_data=held_out,
        epochs=2,
        steps_per_epoch=1,
        callbacks=[state],
        verbose=0,
    )
    resumed = training.train_classifier(recipe, config, tmp_path / "part")
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    columns = ["step", "minutes", "accuracy", "loss", "val_accuracy", "val_loss"]
    tables = [
        np.genfromtxt(tmp_path / run / "history.csv", delimiter=",", names=True)
        for run in ("whole", "part")
    ]
    for column in columns:
        if column != "minutes":
            np.testing.assert_array_equal(tables[0][column], tables[1][column])
    assert list(tables[0].dtype.names) == columns


def test_extractor(model):
    extractor = classifier_extractor(model)
    assert isinstance(extractor, Extractor)
    images = quadrants(5)[0]
    np.testing.assert_allclose(extractor(images), model.features(images), atol=1e-6)
    assert (extractor.name, extractor.size) == (model.name, model.feature_size)
    digest = extractor.digest
    assert len(digest) == 64
    assert classifier_extractor(model).digest == digest
    weight = model.classifier.weights[0]
    weight.assign(weight + 1e-3)
    assert classifier_extractor(model).digest != digest
    with pytest.raises(ValueError, match="must be uint8 of shape"):
        extractor(np.zeros((2, 32, 32, 3), np.uint8))


def test_a_gan_is_no_extractor():
    with pytest.raises(ValueError, match=r"^'wgan_gp_fmnist' is a GAN, not a classifier\.$"):
        classifier_extractor("wgan_gp_fmnist")


def test_augmentation_shifts_and_mirrors(pictures):
    """Of an image with one bright pixel, the pixel is where a shift or a mirror can bring it."""
    images = np.zeros((400, 7, 7, 1), np.uint8)
    images[:, 3, 1] = 255
    rng = np.random.default_rng(0)
    shifted = labelled.augment(images, rng, flip=False, shift=2)
    assert shifted.shape == images.shape
    sample, rows, columns, _ = np.nonzero(shifted)
    assert {*rows} == {1, 2, 3, 4, 5}
    assert {*columns} == {0, 1, 2, 3}, "a shift by 2 to the left loses the pixel"
    lost = 400 - len({*sample})
    assert abs(lost - 400 / 5) < 4 * np.sqrt(400 * 0.2 * 0.8)

    mirrored = labelled.augment(images, rng, flip=True, shift=0)
    same = (mirrored == images).all((1, 2, 3))
    np.testing.assert_array_equal(mirrored[~same], images[~same][:, :, ::-1])
    assert abs(same.sum() - 200) < 4 * np.sqrt(400 / 4)
    np.testing.assert_array_equal(labelled.augment(pictures, rng, False, 0), pictures)


def test_batches_depend_on_seed_and_step_alone(recipe):
    images = data.ArrayImages(*quadrants(40))
    config = registry.import_recipe(recipe).Config.from_dict(SMALL | {"flip": True, "shift": 1})
    batches = labelled.training_batches(images, config)
    later = [next(batches) for _ in range(4)][3]
    for a, b in zip(later, next(labelled.training_batches(images, config, first_step=3))):
        np.testing.assert_array_equal(a, b)
    other = dataclasses.replace(config, seed=config.seed + 1)
    assert np.any(later[0] != next(labelled.training_batches(images, other, first_step=3))[0])


def test_split_keeps_every_image_once(pictures):
    source = data.ArrayImages(pictures, np.arange(24))
    first, second = data.split(source, 0.25, seed=3)
    assert (len(first), len(second)) == (18, 6)
    assert sorted([*first.labels, *second.labels]) == list(range(24))
    np.testing.assert_array_equal(second[np.arange(6)], pictures[second.labels])
    np.testing.assert_array_equal(data.split(source, 0.25, seed=3)[1].labels, second.labels)
    assert second.resized((4, 4, 3))[np.array([0])].shape == (1, 4, 4, 3)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\), but is 1\.0"):
        data.split(source, 1.0, seed=0)


def test_it_learns_from_the_training_split_and_is_measured_on_the_test_split(
    recipe, small_sets, tmp_path
):
    Config = registry.import_recipe(recipe).Config
    config = Config(width=8, batch_size=4, steps=2, save_every=2, holdout=0.1)
    training.train_classifier(recipe, config, tmp_path)
    assert small_sets == [("fashion_mnist", "train")]
    assert len(labelled.test_images(config, ())) == 100
    assert small_sets[1:] == [("fashion_mnist", "test")]
    named = dataclasses.replace(config, dataset="folder:mine", test_dataset="fashion_mnist")
    assert len(labelled.test_images(named, ())) == 100
    assert small_sets[2:] == [("fashion_mnist", "test")]


def test_test_images_are_named_or_a_test_split(recipe, tmp_path):
    np.savez(tmp_path / "test.npz", images=quadrants(4)[0])
    config = registry.import_recipe(recipe).Config(test_dataset=f"npz:{tmp_path / 'test.npz'}")
    assert len(labelled.test_images(config, ())) == 4
    config = dataclasses.replace(config, dataset=config.test_dataset)
    with pytest.raises(ValueError, match="learnt from npz:.*test.npz, which can not test it"):
        labelled.test_images(config, ())
    config = dataclasses.replace(config, test_dataset="", dataset="folder:mine")
    with pytest.raises(ValueError, match=r"^folder:mine has no test split: train with --test_d"):
        labelled.test_images(config, ())
