"""Saving and loading: folders, zips and training states."""

import copy
import gc
import pickle
import resource
import signal
import threading
import weakref

import h5py
import keras
import numpy as np
import pytest
from small import build, weights

import zoo
from zoo import files, policy


def test_folder_round_trip(tiny, pictures, tmp_path):
    gan = build(tiny)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    gan.save(tmp_path / "mine", zipped=False)
    images = gan.sample(6, seed=0)
    for load in (keras.saving.load_model, zoo.load):
        loaded = load(tmp_path / "mine")
        assert type(loaded) is zoo.GAN
        assert loaded.config == gan.config
        np.testing.assert_array_equal(loaded.sample(6, seed=0), images)
        for a, b in zip(weights(gan.discriminator), weights(loaded.discriminator)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("how", ["deepcopy", "pickle", "keras.saving"])
def test_a_copy_of_a_model_in_training_trains(tiny, pictures, tmp_path, how):
    gan = build(tiny)
    gan.fit(pictures, steps_per_epoch=1, verbose=0)
    if how == "keras.saving":
        keras.saving.save_model(gan, tmp_path / "gan.keras")
        again = keras.saving.load_model(tmp_path / "gan.keras")
    else:
        again = copy.deepcopy(gan) if how == "deepcopy" else pickle.loads(pickle.dumps(gan))
    np.testing.assert_array_equal(again.sample(2, seed=0), gan.sample(2, seed=0))
    assert again.step == 0
    again.fit(pictures, steps_per_epoch=1, verbose=0)
    assert again.step == 1


def test_the_state_of_training_is_no_part_of_a_model(tiny, pictures, tmp_path):
    gan = build(tiny)
    gan.fit(pictures, steps_per_epoch=1, verbose=0)
    keras.saving.save_model(gan, tmp_path / "all", zipped=False)
    with pytest.raises(ValueError, match="holds the state of training too: it was not saved by"):
        zoo.load(tmp_path / "all")
    keras.saving.load_model(tmp_path / "all").save(tmp_path / "model", zipped=False)
    images = zoo.load(tmp_path / "model").sample(2, seed=0)
    np.testing.assert_array_equal(images, gan.sample(2, seed=0))


def test_bfloat16_is_no_precision_of_weights(tiny):
    with (
        policy.dtype_policy("bfloat16"),
        pytest.raises(ValueError, match="^Weights are kept in float32: set mixed_bfloat16"),
    ):
        zoo.GAN("wgan_gp", tiny)


def test_networks_too_large_for_memory_are_one_sentence(tiny):
    with pytest.raises(MemoryError, match="networks of a smaller width need less"):
        zoo.GAN("wgan_gp", tiny | {"width": 2**50})


def test_double_precision_is_saved(tiny, tmp_path):
    with policy.dtype_policy("float64"):
        gan = build(tiny)
    assert gan.compiled
    gan.save(tmp_path / "mine", zipped=False)
    with h5py.File(tmp_path / "mine" / "model.weights.h5") as file:
        kinds = []
        file["generator"].visititems(lambda _, item: kinds.append(getattr(item, "dtype", None)))
    assert {str(kind) for kind in kinds if kind} == {"float64"}


def test_a_saved_model_holds_no_training_state(tiny, tmp_path):
    build(tiny).save(tmp_path / "mine", zipped=False)
    bare = zoo.GAN("wgan_gp", tiny)
    size = sum(w.size for w in bare.get_weights()) * 4
    assert (tmp_path / "mine" / "model.weights.h5").stat().st_size < 2 * size + 60_000
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == [
        "config.json",
        "metadata.json",
        "model.weights.h5",
    ]


def test_saving_over_a_folder_replaces_it(tiny, pictures, tmp_path):
    gan = build(tiny)
    gan.save(tmp_path / "mine", zipped=False)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    with pytest.raises(ValueError, match="exists already"):
        gan.save(tmp_path / "mine", zipped=False, overwrite=False)
    gan.save(tmp_path / "mine", zipped=False)
    loaded = zoo.load(tmp_path / "mine")
    np.testing.assert_array_equal(loaded.sample(3, seed=0), gan.sample(3, seed=0))


def test_a_relative_path_is_as_good_as_an_absolute_one(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gan = build(tiny)
    gan.save("mine", zipped=False)
    for loaded in (zoo.load("./mine"), keras.saving.load_model("mine")):
        np.testing.assert_array_equal(loaded.sample(2, seed=0), gan.sample(2, seed=0))


def test_keras_zip_round_trip(tiny, tmp_path):
    gan = build(tiny)
    gan.save(tmp_path / "mine.keras")
    loaded = keras.saving.load_model(tmp_path / "mine.keras")
    np.testing.assert_array_equal(loaded.sample(2, seed=0), gan.sample(2, seed=0))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mine.h5", {}, "mine.h5' must end in .keras, or be a folder: save with zipped=False"),
        ("mine", {}, "mine' must end in .keras"),
        ("file", {"zipped": False}, "file' exists already, as a file"),
        ("folder.keras", {}, "folder.keras' exists already, as a folder"),
        ("file.keras", {"overwrite": False}, "exists already, and overwrite is False"),
    ],
)
def test_where_a_model_cannot_be_saved(tiny, tmp_path, name, options, message):
    for file in ("file", "file.keras"):
        (tmp_path / file).write_text("mine")
    (tmp_path / "folder.keras").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message):
        build(tiny).save(tmp_path / name, **options)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file.keras").read_text() == "mine"


def test_a_zip_that_could_not_be_written_leaves_the_one_before(tiny, tmp_path, monkeypatch):
    """The disk is full in the middle: a process may write no file of 20 KB, and finds out late."""
    monkeypatch.setattr(files, "check_space", lambda folder, size: None)
    gan = build(tiny)
    gan.save(tmp_path / "mine.keras")
    before = (tmp_path / "mine.keras").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError):
            gan.save(tmp_path / "mine.keras")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "mine.keras").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine.keras"]


def test_fine_tuning_starts_from_the_loaded_weights(tiny, pictures, tmp_path):
    gan = build(tiny)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    gan.save(tmp_path / "mine", zipped=False)
    loaded = zoo.load(tmp_path / "mine")
    loaded.compile()
    for a, b in zip(weights(loaded.generator), weights(loaded.training_generator)):
        np.testing.assert_array_equal(a, b)
    loaded.fit(pictures, epochs=1, verbose=0)
    assert loaded.step == 6, "one pass: 24 images, 4 per step"


def test_training_state_round_trips_through_save_weights(tiny, pictures, tmp_path):
    gan, other = build(tiny), build(tiny)
    gan.fit(pictures, steps_per_epoch=3, verbose=0)
    gan.save_weights(tmp_path / "state.weights.h5")
    other.load_weights(tmp_path / "state.weights.h5")
    assert other.step == 3
    for a, b in zip(gan.optimizer.variables, other.optimizer.variables):
        np.testing.assert_array_equal(np.array(a), np.array(b))
    for network in ("generator", "training_generator", "discriminator"):
        for a, b in zip(weights(getattr(gan, network)), weights(getattr(other, network))):
            np.testing.assert_array_equal(a, b)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    other.fit(pictures, steps_per_epoch=2, verbose=0)
    np.testing.assert_array_equal(gan.sample(3, seed=0), other.sample(3, seed=0))


@pytest.mark.parametrize("kind", ["gan", "classifier"])
def test_nothing_keeps_images_or_threads_after_fit(tiny, pictures, kind):
    """TensorFlow keeps the generators that Keras gives it as long as the process lives."""
    labels = np.arange(24) % 4 if kind == "classifier" else None
    images = zoo.data.ArrayImages(pictures, labels)
    validation = zoo.data.ArrayImages(pictures, labels)
    if kind == "gan":
        model, options = build(tiny), {}
    else:
        config = {"image_size": 8, "width": 4, "batch_size": 4, "num_classes": 4}
        model, options = zoo.Classifier("classifier", config), {"validation_data": validation}
    threads = threading.active_count()
    for _ in range(2):
        model.fit(images, steps_per_epoch=2, verbose=0, **options)
    if kind == "classifier":
        model.evaluate(validation)
    assert threading.active_count() <= threads + 1, "TensorFlow's own may come"
    kept = [weakref.ref(x) for x in (images, validation)]
    del images, validation, options
    gc.collect()
    assert [ref() for ref in kept] == [None, None]


@pytest.mark.parametrize("recipe", ["wgan_gp", "classifier"])
def test_an_exported_model_does_what_the_model_does(tiny, pictures, tmp_path, recipe):
    import tensorflow as tf

    if recipe == "wgan_gp":
        model = build(tiny)
        given = np.random.default_rng(0).normal(size=(3, tiny["latent_size"])).astype(np.float32)
        expected = model(given)
    else:
        model = zoo.Classifier(recipe, {"image_size": 8, "width": 4, "num_classes": 4})
        given = pictures[::8]
        expected = model(given)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(given), np.array(expected), atol=1e-6)
