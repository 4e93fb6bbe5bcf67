"""A run becomes a published model, and touches nothing else."""

import dataclasses
import shutil

import h5py
import keras
import numpy as np
import pytest
from published import NAME, edit

import zoo
from recipes.wgan_gp import Config
from zoo import card_text, cards, files, registry, runs, train_state, training, weights


def test_weights_beyond_half_precision_are_kept_in_single(tmp_path):
    arrays = {"large": [1e5, 1.0], "small": [0.1, 65504.0], "count": [70_000]}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = np.array(values, "int64" if name == "count" else "float32")
    weights.halve(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        types = {name: str(item.dtype) for name, item in file.items()}
        assert types == {"large": "float32", "small": "float16", "count": "int64"}
        np.testing.assert_array_equal(file["large"], np.float32([1e5, 1.0]))


def test_publishing_keeps_measurements_of_the_same_weights_only(home, measured, tmp_path):
    shutil.copytree(measured, tmp_path / "checkpoints" / NAME)
    keras.utils.clear_session()
    folder = cards.publish(NAME, home / "run", tmp_path / "checkpoints")
    metadata = files.read_json(folder / "metadata.json")
    assert metadata["metrics"] == files.read_json(measured / "metadata.json")["metrics"]
    assert card_text.missing(metadata) == []

    config = dataclasses.replace(Config(), width=8, batch_size=4, n_critic=1, steps=1, seed=7)
    training.train_gan("wgan_gp", dataclasses.replace(config, save_every=1), tmp_path / "other")
    folder = cards.publish(NAME, tmp_path / "other", tmp_path / "checkpoints")
    metadata = files.read_json(folder / "metadata.json")
    assert "metrics" not in metadata
    assert {path.name for path in folder.iterdir()} == {
        *metadata["files"],
        "metadata.json",
        "README.md",
    }
    assert not {"measurements.json", "neighbours.png"} & set(metadata["files"])


def test_pictures_measured_before_any_number_are_kept(home, measured, tmp_path):
    """And a picture whose facts were never written, the measurement being killed, is not."""
    folder = shutil.copytree(measured, tmp_path / NAME)
    facts = files.read_json(folder / "metadata.json")
    del facts["metrics"]
    files.write_json(folder / "metadata.json", facts)
    (folder / "measurements.json").unlink()
    shutil.copy(folder / "neighbours.png", folder / "classes.png")
    keras.utils.clear_session()
    metadata = files.read_json(cards.publish(NAME, home / "run", tmp_path) / "metadata.json")
    assert metadata["neighbours"] == facts["neighbours"]
    assert "neighbours.png" in metadata["files"]
    assert not {"metrics", "classes"} & set(metadata)
    assert "classes.png" not in metadata["files"]


def test_a_name_is_no_path_and_publishing_removes_no_file_of_others(home, measured, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for name in (str(tmp_path / "mine"), "../mine", "./mine", "", ".hidden", "a b"):
        with pytest.raises(ValueError, match=f"A model's name is made of .*unlike {name!r}"):
            cards.publish(name, home / "run", tmp_path / "mine")
    shutil.copytree(measured, tmp_path / NAME)
    (tmp_path / NAME / "thesis.txt").write_text("years of work")
    keras.utils.clear_session()
    cards.publish(NAME, home / "run", tmp_path)
    for folder in ("mine", NAME):
        assert (tmp_path / folder / "thesis.txt").read_text() == "years of work"
    assert list((tmp_path / "mine").iterdir()) == [tmp_path / "mine" / "thesis.txt"]


def test_the_best_weights_can_be_published(home, tmp_path):
    run = shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no best weights"):
        cards.publish("best", run, tmp_path / "checkpoints", best=True)
    keras.utils.set_random_seed(1)
    best = zoo.GAN("wgan_gp", Config(width=8))
    best.save(run / "best", zipped=False)
    record = {"fid": 1.5, "step": 1, "extractor": "quarters", "split": "train"}
    files.write_json(run / "best" / "fid.json", record)
    state = runs.states(run)[-1]
    trained = files.read_json(state / "record.json")
    for row, minutes in zip(trained["history"], (30.0, 50.0), strict=True):
        row["minutes"] = minutes
    files.write_json(state / "record.json", trained)
    (state / "SHA256SUMS").unlink()
    train_state.write_digests(state)
    folder = cards.publish("best", run, tmp_path / "checkpoints", best=True)
    metadata = files.read_json(folder / "metadata.json")
    assert (metadata["steps"], metadata["chosen"]) == (1, record)
    assert metadata["minutes"] == 30, "until the best, not until the end"
    images = zoo.load(folder).sample(4, seed=0).astype(int)
    assert np.abs(images - best.sample(4, seed=0)).max() <= 1, "but for float16"
    assert "of the lowest FID over quarters features of the run" in card_text.card(metadata)


def test_a_run_is_published_at_the_step_it_stopped_at(home, tmp_path):
    run = shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "checkpoints").mkdir()
    newest = max((run / "state").iterdir())
    record = files.read_json(newest / "record.json")
    shutil.move(newest, newest.with_name("step_0000003"))  # stopped after the last row
    gan = registry.build("wgan_gp", Config(width=8, batch_size=4, n_critic=1))
    gan.compile_for_run()
    gan.load_weights(newest.with_name("step_0000003") / train_state.WEIGHTS)
    gan.optimizer.iterations.assign(3)
    gan.save_weights(newest.with_name("step_0000003") / train_state.WEIGHTS)
    train_state.write_digests(newest.with_name("step_0000003"))
    folder = cards.publish("stopped", run, tmp_path / "checkpoints")
    assert files.read_json(folder / "metadata.json")["steps"] == 3
    assert [row["step"] for row in record["history"]] == [1, 2]

    for state in (run / "state").iterdir():
        files.write_json(state / "record.json", record | {"history": []})
        train_state.write_digests(state)
    with pytest.raises(FileNotFoundError, match="holds no run that came to its first save"):
        cards.publish("stopped", run, tmp_path / "checkpoints")


def test_publishing_replaces_models_of_its_kind_only(home, measured, tmp_path):
    folder = shutil.copytree(measured, tmp_path / NAME)
    edit(folder / "metadata.json", lambda metadata: metadata.update(dataset="cifar10"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="is the published wgan_gp of cifar10, and the run is one"):
        cards.publish(NAME, home / "run", tmp_path)
    with pytest.raises(ValueError, match="notes' is no published model's: choose another name"):
        cards.publish("notes", home / "run", tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="holds a published model, whose card says other things"):
        zoo.load(measured).save(folder, zipped=False)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_run_from_the_model_it_replaces_tells_the_whole_past(home, tmp_path, by_name):
    """No command can begin with a model that is no longer there."""
    folder = shutil.copytree(home / "checkpoints" / NAME, tmp_path / NAME)
    earlier = files.read_json(folder / "metadata.json")
    source = NAME if by_name else str(folder)
    config = Config(width=8, batch_size=4, n_critic=1, steps=1, save_every=1, start_from=source)
    training.train_gan("wgan_gp", config, tmp_path / "again")
    for _ in range(2):  # the second time over itself
        metadata = files.read_json(
            cards.publish(NAME, tmp_path / "again", tmp_path) / "metadata.json"
        )
        ((command, steps),) = ((run["command"], run["steps"]) for run in metadata["before"])
        assert (command, steps, metadata["steps"]) == (earlier["command"], 2, 1)
        assert sorted(metadata["command"].split()[3:]) == [
            "--start_from=./runs/wgan_gp_fashion_mnist/model",
            "--steps=1",
            "--workdir=runs/wgan_gp_fashion_mnist_2",
        ]


def test_cards_of_another_folder_leave_the_index_alone(home, measured, tmp_path):
    folder = shutil.copytree(measured, tmp_path / "checkpoints" / "another")
    (tmp_path / "MODEL_CARDS.md").write_text("mine")
    before = registry.INDEX.read_text()
    cards.write_cards(tmp_path / "checkpoints")
    assert 'zoo.load("./checkpoints/another")' in (folder / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MODEL_CARDS.md", "checkpoints"]
    assert (tmp_path / "MODEL_CARDS.md").read_text() == "mine"
    assert registry.INDEX.read_text() == before
    assert zoo.list_models() == [NAME]
