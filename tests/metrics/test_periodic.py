"""The FID during training: its numbers, the best model, resuming, and the files it ends up in."""

import csv
import dataclasses
import errno
import json

import keras
import numpy as np
import pytest
from extractors_for_tests import Quarters

import zoo
from recipes.wgan_gp import Config
from zoo import data, files, training
from zoo.metrics import extractors
from zoo.metrics.periodic import PeriodicFID
from zoo.train_state import TrainState

NAME = "fid_quarters"


@pytest.fixture
def real():
    return np.random.default_rng(0).integers(0, 200, (60, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def gan(tiny):
    gan = zoo.GAN("wgan_gp", tiny | {"generator_learning_rate": 0.01, "ema_decay": 0.5})
    gan.compile()
    return gan


def fid(model, real):
    options = {"samples": 40, "seed": 3, "extractor": Quarters(), "progress": False}
    return zoo.evaluate(model, ["fid"], reference=real, **options)["metrics"]["fid"]["value"]


def callback(real, folder=None, **options):
    return PeriodicFID(folder, samples=40, seed=3, reference=real, extractor=Quarters(), **options)


def test_every_second_epoch_joins_the_logs(gan, real, tmp_path):
    state = TrainState(tmp_path)
    found = []
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: found.append(fid(gan, real)))
    history = gan.fit(
        real,
        epochs=4,
        steps_per_epoch=2,
        verbose=0,
        callbacks=[callback(real, every=2), state, after],
    )
    assert history.history[NAME] == pytest.approx(found[1::2], rel=1e-5)
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [row[NAME] for row in rows] == ["", str(state.history[1][NAME]), *("", rows[3][NAME])]
    assert float(rows[3][NAME]) == pytest.approx(found[3], rel=1e-5)


def test_the_best_generator_is_kept_and_a_resumed_run_knows_it(gan, real, tmp_path):
    keeper = callback(real, tmp_path / "best")
    options = {"steps_per_epoch": 3, "verbose": 0}
    values = gan.fit(real, epochs=5, callbacks=[keeper], **options).history[NAME]
    record = json.loads((tmp_path / "best" / "fid.json").read_text())
    assert record["fid"] == min(values) == keeper.best
    assert record["step"] == 3 * (1 + int(np.argmin(values)))
    assert (record["extractor"], record["samples"], record["seed"]) == ("quarters", 40, 3)
    assert fid(zoo.load(tmp_path / "best"), real) == pytest.approx(min(values), rel=1e-4)

    again = callback(real, tmp_path / "best")
    gan.fit(real, epochs=1, callbacks=[again], **options)
    assert again.best <= min(values)
    other = callback(real[:50], tmp_path / "best")
    other.samples = 30
    gan.fit(real, epochs=1, callbacks=[other], **options)
    record = json.loads((tmp_path / "best" / "fid.json").read_text())
    assert (record["fid"], record["samples"]) == (other.best, 30), "another way of measuring"


def test_a_record_is_never_of_other_weights(gan, real, tmp_path, monkeypatch):
    """Whatever ends the process between the two, no record says more than the weights hold."""
    keeper = callback(real, tmp_path / "best")
    gan.fit(real, epochs=1, steps_per_epoch=1, verbose=0, callbacks=[keeper])
    keeper = callback(real, tmp_path / "best")
    monkeypatch.setattr(files, "write_json", full)
    keeper.set_model(gan)
    keeper.on_train_begin()
    keeper.best = np.inf
    with pytest.raises(OSError, match="No space left"):
        keeper.on_epoch_end(1, {})
    assert not (tmp_path / "best" / "fid.json").exists()
    assert zoo.load(tmp_path / "best").sample(1, seed=0).shape


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_weights_are_chosen_by_training_images(tiny, small_sets, tmp_path, monkeypatch):
    """The test images are for the number on the card."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    gan = zoo.GAN("wgan_gp", tiny | {"dataset": "fashion_mnist", "image_size": 28})
    gan.compile()
    keeper = PeriodicFID(tmp_path / "best", samples=40, extractor=Quarters())
    gan.fit(
        zoo.data.load("fashion_mnist"), epochs=1, steps_per_epoch=1, verbose=0, callbacks=[keeper]
    )
    assert set(small_sets) == {("fashion_mnist", "train")}
    assert json.loads((tmp_path / "best" / "fid.json").read_text())["split"] == "train"


def test_a_worse_model_replaces_nothing(gan, real, tmp_path):
    keeper = callback(real, tmp_path / "best")
    keeper.set_model(gan)
    keeper.on_train_begin()
    keeper.best = 0.0
    logs = {}
    keeper.on_epoch_end(0, logs)
    assert logs[NAME] > 0
    assert not (tmp_path / "best").exists()


def test_one_sample_has_no_fid():
    with pytest.raises(ValueError, match="samples must be at least 2, but is 1"):
        PeriodicFID(samples=1)


def test_a_missing_classifier_is_said_before_training(gan):
    with pytest.raises(ValueError, match="no published classifier of 'folder:nothing'"):
        gan.fit(
            np.zeros((8, 8, 8, 1), np.uint8),
            verbose=0,
            callbacks=[PeriodicFID(reference="folder:nothing")],
        )


def test_a_recipes_run_measures_keeps_and_resumes(tiny, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(extractors, "get", lambda *_: Quarters())
    np.savez(tmp_path / "pictures.npz", images=pictures)
    tiny |= {"dataset": f"npz:{tmp_path / 'pictures.npz'}", "save_every": 1, "fid_every": 2}
    training.train_gan("wgan_gp", Config(steps=2, **tiny), tmp_path / "run")
    training.train_gan("wgan_gp", Config(steps=3, **tiny | {"fid_every": 3}), tmp_path / "run")
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").open()))
    values = [row[NAME] for row in rows]
    assert values[0] == ""
    record = json.loads((tmp_path / "run" / "best" / "fid.json").read_text())
    assert record["fid"] == min(float(values[1]), float(values[2]))
    assert record["samples"] == 5000
    assert zoo.load(tmp_path / "run" / "best").sample(1, seed=0).shape == (1, 8, 8, 1)


def test_a_run_without_a_classifier_leaves_nothing(tiny, pictures, tmp_path, monkeypatch):
    np.savez(tmp_path / "mine.npz", images=pictures)
    config = Config(fid_every=1, **tiny | {"dataset": f"npz:{tmp_path / 'mine.npz'}"})
    with pytest.raises(ValueError, match="no published classifier of 'npz:.*mine.npz'"):
        training.train_gan("wgan_gp", config, tmp_path / "run")
    few = dataclasses.replace(config, steps=40, save_every=10, fid_every=20)  # steps were meant
    with pytest.raises(ValueError, match="counts saves, of which the run has 4: with 20 there"):
        training.train_gan("wgan_gp", few, tmp_path / "run")
    small = Config(dataset="fashion_mnist", fid_every=1, **tiny | {"save_every": 1})
    monkeypatch.setattr(data, "_load_named", lambda *_: data.ArrayImages(pictures))
    with (
        pytest.warns(UserWarning, match="--image_size=28 --channels=1 leaves them as they are"),
        pytest.raises(ValueError, match="another size: fid_every needs --image_size=28 --channel"),
    ):
        training.train_gan("wgan_gp", small, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_folder_and_those_above_it_are_made(gan, real, tmp_path):
    folder = tmp_path / "runs" / "mine" / "best"
    gan.fit(real, epochs=1, steps_per_epoch=1, verbose=0, callbacks=[callback(real, folder)])
    assert zoo.load(folder).recipe == "wgan_gp"
