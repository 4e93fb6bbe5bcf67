"""The run that recipes share: stopped within an epoch, finished, refused.

`tests/parity/test_stop.py` stops it on the other backends.
"""

import dataclasses
import shutil
import signal
import warnings

import h5py
import keras
import numpy as np
import pytest
import stopping
import tensorflow as tf
from PIL import Image

from recipes.wgan_gp import Config
from zoo import cards, files, provenance, registry, runs, train_state, training
from zoo.backend import tensorflow as tensorflow_backend
from zoo.interruption import StopOnSignal


@pytest.mark.parametrize("recipe", stopping.CONFIGS)
def test_a_run_stopped_within_an_epoch_ends_with_the_same_bits(recipe, tmp_path):
    stopping.check(recipe, tmp_path)


@pytest.fixture
def config(tiny, pictures, tmp_path):
    np.savez(tmp_path / "set.npz", images=pictures)
    source = {"dataset": f"npz:{tmp_path / 'set.npz'}", "save_every": 2}
    return Config.from_dict(tiny | source | {"steps": 3})


def _times(run):
    """Returns when each file was written; taking the lock touches it on some file systems."""
    files_of_run = (path for path in run.rglob("*") if path.name != runs.LOCK)
    return {path: path.stat().st_mtime_ns for path in files_of_run}


def test_a_finished_run_changes_nothing_and_goes_on_when_it_is_longer(config, tmp_path):
    training.train_gan("wgan_gp", config, tmp_path / "run")
    facts = files.read_json(tmp_path / "run" / "run.json") | {"hardware": "another machine"}
    files.write_json(tmp_path / "run" / "run.json", facts)
    times = _times(tmp_path / "run")
    again = training.train_gan("wgan_gp", config, tmp_path / "run")
    assert again.step == 3
    assert times == _times(tmp_path / "run")

    longer = dataclasses.replace(config, steps=8, steps_per_execution=2)
    with pytest.raises(ValueError, match=r"stopped at step 3: go on with --steps_per_execution=1"):
        training.train_gan("wgan_gp", longer, tmp_path / "run")
    training.train_gan("wgan_gp", dataclasses.replace(config, steps=5), tmp_path / "run")
    hardware = files.read_json(tmp_path / "run" / "run.json")["hardware"]
    assert hardware.startswith("another machine; ")


def test_a_run_leaves_the_precision_of_other_models_alone(config, tmp_path):
    run = dataclasses.replace(config, steps=1, precision="mixed_bfloat16")
    model = training.train_gan("wgan_gp", run, tmp_path / "run")
    assert model.generator.layers[1].dtype_policy.name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_a_run_of_another_recipe_is_refused(config, tmp_path):
    training.train_gan("wgan_gp", config, tmp_path / "run")
    with pytest.raises(ValueError, match="holds a run with another recipe;"):
        training.train_gan("wgan", Config(dataset=config.dataset), tmp_path / "run")


@pytest.mark.parametrize(
    "part", ["optimizer/generator/vars", "optimizer/vars/iterations", "generator/layers"]
)
def test_a_state_of_another_version_is_one_sentence(config, tmp_path, part):
    """A whole state that lacks what this version saves."""
    training.train_gan("wgan_gp", config, tmp_path / "run")
    state = runs.states(tmp_path / "run")[-1]
    with h5py.File(state / train_state.WEIGHTS, "r+") as file:
        del file[part]
    (state / train_state.DIGESTS).unlink()
    train_state.write_digests(state)
    with pytest.raises(ValueError, match="step_0000003' does not fit this version of the zoo"):
        training.train_gan("wgan_gp", dataclasses.replace(config, steps=5), tmp_path / "run")


def test_steps_in_one_execution_give_the_same_weights(config, tmp_path):
    config = dataclasses.replace(config, steps=4)
    one = training.train_gan("wgan_gp", config, tmp_path / "one")
    two = dataclasses.replace(config, steps_per_execution=2)
    two = training.train_gan("wgan_gp", two, tmp_path / "two")
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_as_many_states_are_kept_as_are_asked_for(config, tmp_path):
    """And batches made when they are needed are those made ahead."""
    one = training.train_gan("wgan_gp", config, tmp_path / "one")
    kept = dataclasses.replace(config, keep=3, save_every=1, prefetch=0)
    two = training.train_gan("wgan_gp", kept, tmp_path / "two")
    assert [*map(runs.step_of, runs.states(tmp_path / "one"))] == [2, 3]
    assert [*map(runs.step_of, runs.states(tmp_path / "two"))] == [1, 2, 3]
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_second_signal_ends_a_run_at_once(config):
    with StopOnSignal(None) as stop:
        before = signal.getsignal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.received == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL is not before


def test_one_replica_trains_as_no_strategy(config, tmp_path, monkeypatch):
    """Keras reads batches ahead in a strategy's scope, and would lose them."""
    one = tf.distribute.MirroredStrategy(["CPU:0"])
    monkeypatch.setattr(tensorflow_backend, "_mirrored", lambda: one)
    none = training.train_gan("wgan_gp", config, tmp_path / "none")
    mirrored = dataclasses.replace(config, strategy="mirrored")
    mirrored = training.train_gan("wgan_gp", mirrored, tmp_path / "mirrored")
    for a, b in zip(none.get_weights(), mirrored.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_picture_that_cannot_be_read_is_one_sentence(tiny, tmp_path):
    """Late in the order, where TensorFlow and not the zoo asks for its batch."""
    (tmp_path / "pictures").mkdir()
    for i in range(60):
        Image.new("L", (8, 8), 4 * i).save(tmp_path / "pictures" / f"{i}.png")
    config = Config.from_dict(
        tiny | {"dataset": f"folder:{tmp_path / 'pictures'}", "steps": 15, "save_every": 15}
    )
    (tmp_path / "pictures" / "42.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"42\.png' is not a readable picture"):
        training.train_gan("wgan_gp", config, tmp_path / "run")

    # What ended before it saved a step is no run to go on from, whatever its settings.
    (tmp_path / "run" / "best").mkdir()
    config = dataclasses.replace(config, width=4, steps=1, save_every=1)
    assert training.train_gan("wgan_gp", config, tmp_path / "run").step == 1
    assert not (tmp_path / "run" / "best").exists()
    with pytest.raises(ValueError, match="holds a run with another width"):
        training.train_gan("wgan_gp", dataclasses.replace(config, width=8), tmp_path / "run")


def test_a_run_that_never_saved_binds_nobody(pictures, tmp_path, capsys):
    """A setting that was wrong is corrected in the same folder."""
    np.savez(tmp_path / "flat.npz", images=pictures)
    names = [f"class_{i:02}" for i in range(12)]
    for i, picture in enumerate(pictures):
        (tmp_path / "pictures" / names[i % 12]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[..., 0]).save(tmp_path / "pictures" / names[i % 12] / f"{i}.png")
    config = registry.import_recipe("cbn_resnet").Config(
        dataset=f"npz:{tmp_path / 'flat.npz'}",
        image_size=8,
        width=4,
        discriminator_width=4,
        batch_size=4,
        n_critic=1,
        steps=1,
        save_every=1,
    )
    with pytest.raises(ValueError, match="it needs labels"):
        training.train_gan("cbn_resnet", config, tmp_path / "run")
    config = dataclasses.replace(config, dataset=f"folder:{tmp_path / 'pictures'}")
    with pytest.raises(ValueError, match="has 10 classes, but a label is 11"):
        training.train_gan("cbn_resnet", config, tmp_path / "run")
    (tmp_path / "run").mkdir(exist_ok=True)
    files.write_json(tmp_path / "run" / "run.json", provenance.run_facts("cbn_resnet", config))
    config = dataclasses.replace(config, num_classes=12)
    assert training.train_gan("cbn_resnet", config, tmp_path / "run").step == 1
    assert "classes: 0 class_00, 1 class_01, 2 class_02, " in capsys.readouterr().out
    assert runs.facts(tmp_path / "run")["class_names"] == names
    published = cards.publish("twelve", tmp_path / "run", tmp_path)
    assert files.read_json(published / "metadata.json")["class_names"] == names
    (tmp_path / "pictures" / "class_03").rename(tmp_path / "pictures" / "trousers")
    with pytest.raises(ValueError, match="the run in '.*run' learnt class_00, class_01, class_02"):
        training.train_gan("cbn_resnet", dataclasses.replace(config, steps=2), tmp_path / "run")
    assert runs.facts(tmp_path / "run")["config"]["steps"] == 1


def test_a_model_that_no_run_has_made_is_left_alone(config, tmp_path):
    """Whatever a person keeps under that name, and a finished run whose states are gone."""
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="model' exists, and no saved state of a run that made it"):
        training.train_gan("wgan_gp", config, tmp_path / "run")
    assert (tmp_path / "run" / "model" / "thesis.txt").read_text() == "mine"


def save_pictures(folder, count):
    for i in range(count):
        (folder / f"class_{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 4 * i).save(folder / f"class_{i % 2}" / f"{i}.png")


def test_pictures_may_move_and_are_told_when_they_are_others(tiny, tmp_path):
    save_pictures(tmp_path / "here", 12)
    values = tiny | {"dataset": f"folder:{tmp_path / 'here'}", "steps": 1, "save_every": 1}
    config = Config.from_dict(values)
    training.train_gan("wgan_gp", config, tmp_path / "run")
    shutil.move(tmp_path / "here", tmp_path / "there")
    config = dataclasses.replace(config, dataset=f"folder:{tmp_path / 'there'}", steps=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert training.train_gan("wgan_gp", config, tmp_path / "run").step == 2
    assert runs.facts(tmp_path / "run")["config"]["dataset"].endswith("there")
    save_pictures(tmp_path / "there", 13)
    with pytest.warns(UserWarning, match="12 pictures then, 13 now.: it goes on with what is"):
        training.train_gan("wgan_gp", dataclasses.replace(config, steps=3), tmp_path / "run")
    shutil.move(tmp_path / "there", tmp_path / "here")
    save_pictures(tmp_path / "here", 14)
    with pytest.raises(ValueError, match="holds a run with another dataset"):
        training.train_gan("wgan_gp", Config.from_dict(values | {"steps": 4}), tmp_path / "run")


def test_a_classifier_never_learns_from_what_it_held_out(tmp_path):
    save_pictures(tmp_path / "pictures", 12)
    config = registry.import_recipe("classifier").Config(
        dataset=f"folder:{tmp_path / 'pictures'}",
        num_classes=2,
        image_size=8,
        width=4,
        batch_size=4,
        holdout=0.25,
        steps=1,
        save_every=1,
    )
    training.train_classifier("classifier", config, tmp_path / "run")
    save_pictures(tmp_path / "pictures", 14)
    longer = dataclasses.replace(config, steps=2)
    with pytest.raises(ValueError, match="12 pictures then, 14 now., and what was held out would"):
        training.train_classifier("classifier", longer, tmp_path / "run")
    longer = dataclasses.replace(longer, holdout=0.0)
    with pytest.raises(ValueError, match="holds a run with another holdout"):
        training.train_classifier("classifier", longer, tmp_path / "run")


def test_too_little_memory_is_an_error_that_says_what_needs_less(config, tmp_path, monkeypatch):
    def build(recipe, config):
        return keras.ops.zeros((2**56,))  # 256 PiB: no address space has them

    monkeypatch.setattr(registry, "build", build)
    with pytest.raises(MemoryError, match="a smaller --batch_size or --width needs less"):
        training.train_gan("wgan_gp", config, tmp_path / "run")


def test_a_run_leaves_the_runs_below_its_folder_alone(config, tmp_path):
    """What looks half-written there is what another process is writing."""
    other = tmp_path / "run" / "other" / "state" / f"{files.SCRATCH}step"
    ours = tmp_path / "run" / "state" / f"{files.SCRATCH}step"
    other.mkdir(parents=True)
    ours.mkdir(parents=True)
    training.train_gan("wgan_gp", dataclasses.replace(config, steps=1), tmp_path / "run")
    assert other.is_dir()
    assert not ours.exists()


def test_a_named_set_in_another_shape_is_told(small_sets, tmp_path):
    config = registry.import_recipe("wgan_gp").Config(dataset="cifar10", width=4, steps=1)
    with pytest.warns(UserWarning, match="--image_size=32 --channels=3 leaves them as they are"):
        training.train_gan("wgan_gp", config, tmp_path)
