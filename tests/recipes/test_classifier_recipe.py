"""The classifier recipe: its normalisations and their comparison."""

import csv
import dataclasses
import re
import statistics

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from recipes.classifier import NORMS, Config, compare, load
from recipes.classifier.train import train
from zoo import card_text, cards, files, hub, layers, starting, verification

SMALL = {"width": 8, "image_size": 8, "batch_size": 8, "num_classes": 3}


def norms(model):
    return [layer for layer in model.classifier.layers if "normalization" in layer.name]


@pytest.mark.parametrize(
    ("norm", "kind", "groups"),
    [
        ("batch", layers.BatchNormalization, lambda channels: None),
        ("group", keras.layers.GroupNormalization, lambda channels: 4),
        ("instance", layers.InstanceNormalization, lambda channels: channels),
        ("layer", keras.layers.GroupNormalization, lambda channels: 1),
    ],
    ids=["batch", "group", "instance", "layer"],
)
def test_every_convolution_is_normalised(norm, kind, groups):
    model = zoo.Classifier("classifier", SMALL | {"image_size": 16, "norm": norm, "groups": 4})
    convolutions = [x for x in model.classifier.layers if isinstance(x, keras.layers.Conv2D)]
    assert len(norms(model)) == len(convolutions) == 9
    for layer in norms(model):
        assert type(layer) is kind
        assert getattr(layer, "groups", None) == groups(layer.output.shape[-1])
        assert layer.gamma.shape == layer.output.shape[-1:], "one gamma per channel"
    assert not any(convolution.use_bias for convolution in convolutions)


def test_none_has_no_normalisation():
    model = zoo.Classifier("classifier", SMALL | {"norm": "none"})
    assert norms(model) == []
    assert all(x.use_bias for x in model.classifier.layers if isinstance(x, keras.layers.Conv2D))


def test_a_stage_of_ten_channels_in_five_groups():
    model = zoo.Classifier("classifier", {"width": 10, "norm": "group", "groups": 5})
    assert {layer.groups for layer in norms(model)} == {5}
    assert {layer.gamma.shape for layer in norms(model)} == {(10,), (20,), (40,)}
    assert model.feature_size == 40
    with pytest.raises(ValueError, match=r"^groups must divide width, but 8 does not divide 10\.$"):
        zoo.Classifier("classifier", {"width": 10, "norm": "group"})


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_initial_gamma_and_beta(norm):
    config = SMALL | {"image_size": 16, "norm": norm}
    for layer in norms(zoo.Classifier("classifier", config)):
        assert (keras.ops.convert_to_numpy(layer.gamma) == 1).all()
        assert (keras.ops.convert_to_numpy(layer.beta) == 0).all()
    model = zoo.Classifier("classifier", config | {"norm_init": "random_uniform"})
    values = np.concatenate([[layer.gamma, layer.beta] for layer in norms(model)], axis=1)
    assert np.abs(values).max() <= 0.05
    # Uniform in [-a, a] has the standard deviation a / sqrt(3).
    np.testing.assert_allclose(values.std(), 0.05 / np.sqrt(3), rtol=0.15)


def test_blocks_deepen_and_the_stem_halves():
    one, three = (zoo.Classifier("classifier", SMALL | {"blocks": n}) for n in (1, 3))
    # A block more per stage of c channels: two 3x3 kernels, gamma, beta and moving statistics.
    more = sum(2 * (2 * 9 * c * c + 2 * 4 * c) for c in (8, 16, 32))
    assert three.count_params() - one.count_params() == more
    for strides, last in ((1, 2), (2, 1)):
        model = zoo.Classifier("classifier", SMALL | {"stem_strides": strides})
        shape = model.classifier.get_layer("features").input.shape
        assert shape == (None, last, last, 32)


@pytest.fixture
def sources(tmp_path):
    """Images whose class is their grey level, to train on and to test on."""
    named = {}
    for name, count in (("dataset", 30), ("test_dataset", 12)):
        labels = np.arange(count) % 3
        images = np.zeros((count, 8, 8, 1), np.uint8) + (100 * labels)[:, None, None, None]
        np.savez(tmp_path / f"{name}.npz", images=images.astype(np.uint8), labels=labels)
        named[name] = f"npz:{tmp_path / name}.npz"
    return named


def test_comparison_is_of_all_norms_and_seeds():
    runs = compare.configs(compare.Comparison(steps=7, seed=2, seeds=2))
    assert [(run.norm, run.seed) for run in runs] == [(norm, s) for norm in NORMS for s in (2, 3)]
    assert runs[3] == Config(norm="group", seed=3, steps=7)
    one = compare.configs(compare.Comparison(norm="none", seeds=3))
    assert [(run.norm, run.seed) for run in one] == [("none", 0), ("none", 1), ("none", 2)]


def test_comparison_measures_on_the_test_images_and_goes_on(sources, tmp_path, capsys):
    values = SMALL | sources | {"steps": 1, "save_every": 1, "holdout": 0, "norm": "layer"}
    rows = compare.compare(compare.Comparison(seeds=1, **values), tmp_path / "runs")
    model = zoo.load(tmp_path / "runs" / "layer_0" / "model")
    with np.load(tmp_path / "test_dataset.npz") as test:
        accuracy = np.mean(model.predict(test["images"]).argmax(1) == test["labels"])
    assert rows == [{"norm": "layer", "seed": 0, "test_accuracy": round(accuracy, 5)}]

    capsys.readouterr()
    more = compare.compare(compare.Comparison(seeds=2, **values), tmp_path / "runs")
    assert more[:1] == rows
    assert capsys.readouterr().out.count("step 1 of 1") == 1, "seed 0 is not trained again"
    with open(tmp_path / "runs" / "comparison.csv", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [row["seed"] for row in written] == ["0", "1"]
    assert [row["test_accuracy"] for row in written] == [str(row["test_accuracy"]) for row in more]
    mean, deviation, _ = compare.summarise(more)["layer"]
    table = (tmp_path / "runs" / "comparison.md").read_text(encoding="utf-8").splitlines()
    assert table[2:] == [f"| layer | {100 * mean:.2f} ± {100 * deviation:.2f} | 2 |"]
    with Image.open(tmp_path / "runs" / "comparison.png") as picture:
        assert min(picture.size) > 400


def test_a_norm_that_does_not_fit_is_told_before_the_first_run(sources, tmp_path):
    """`group` is not the first that it trains."""
    values = SMALL | sources | {"width": 4}
    with pytest.raises(ValueError, match="groups must divide width"):
        compare.compare(compare.Comparison(seeds=1, **values), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_summary_is_mean_and_standard_deviation():
    accuracies = {"batch": [0.9, 0.92, 0.93], "none": [0.8]}
    rows = [
        {"norm": norm, "seed": seed, "test_accuracy": value}
        for norm, values in accuracies.items()
        for seed, value in enumerate(values)
    ]
    summary = compare.summarise(rows)
    assert summary["batch"] == (
        pytest.approx(np.mean(accuracies["batch"])),
        pytest.approx(np.std(accuracies["batch"], ddof=1)),
        3,
    )
    assert summary["none"] == (0.8, 0.0, 1)
    assert statistics.stdev([0.9, 0.92, 0.93]) == summary["batch"][1]


def test_publishing_measures_the_published_files(sources, tmp_path):
    config = Config.from_dict(SMALL | sources | {"steps": 2, "save_every": 1})
    train(config, tmp_path / "run")
    (tmp_path / "checkpoints").mkdir()
    folder = cards.publish("mine", tmp_path / "run", tmp_path / "checkpoints")
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "metadata.json", hub.WEIGHTS, "history.csv", "curves.png")
    }
    metadata = files.read_json(folder / "metadata.json")
    model = zoo.load(folder)
    with np.load(tmp_path / "test_dataset.npz") as test:
        accuracy = np.mean(model.predict(test["images"]).argmax(1) == test["labels"])
    assert metadata["metrics"] == {"test_accuracy": round(accuracy, 4)}
    assert metadata["parameters"] == {"classifier": model.count_params()}
    assert set(metadata["files"]) == {"config.json", hub.WEIGHTS, "history.csv", "curves.png"}

    text = card_text.card(metadata | {"dataset": "fashion_mnist"})
    assert f"| Test accuracy | {accuracy:.2%} of 12 test images, which chose nothing |" in text
    assert "| Training | 2 steps, 0 minutes |" in text
    assert "takes uint8 images, (N, 8, 8, 1)" in text
    assert "samples.png" not in text

    cards.write_cards(tmp_path / "checkpoints")
    assert [(c.name, c.holds) for c in verification.verify(folder)] == [
        *(("files", True), ("card", True), ("accuracy", True))
    ]
    metadata["metrics"]["test_accuracy"] = 1 - accuracy
    files.write_json(folder / "metadata.json", metadata)
    assert [c.holds for c in verification.verify(folder)] == [True, False, False]


def test_what_a_first_run_learnt_is_not_held_out_in_silence(sources, tmp_path, recwarn):
    values = SMALL | {"dataset": sources["dataset"], "holdout": 0.2, "steps": 1, "save_every": 1}
    config = Config.from_dict(values)
    train(config, tmp_path / "first")
    config = dataclasses.replace(config, start_from=str(tmp_path / "first" / "model"))
    train(config, tmp_path / "second")
    assert not [warning for warning in recwarn if "held out" in str(warning.message)]

    message = (
        "has learnt images that are held out now.*: --seed=0 --holdout=0.2 and the same images"
    )
    for number, other in enumerate(({"seed": 1}, {"holdout": 0.1})):
        with pytest.warns(UserWarning, match=message):
            train(dataclasses.replace(config, **other), tmp_path / f"leaking_{number}")
    with np.load(tmp_path / "dataset.npz") as arrays:
        fewer = {name: array[1:] for name, array in arrays.items()}
    np.savez(tmp_path / "dataset.npz", **fewer)
    with pytest.warns(UserWarning, match=message):
        train(config, tmp_path / "fewer")


def test_pictures_of_classes_are_tested_on_the_classes_learnt(tmp_path, capsys):
    """The labels are the order of the subfolders: a folder without one would test other classes."""

    def save(folder, *names):
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True)
            picture = Image.new("L", (8, 8), {"boots": 0, "sandals": 100, "shoes": 200}[name])
            picture.save(tmp_path / folder / name / "0.png")
        return f"folder:{tmp_path / folder}"

    values = {"dataset": save("pictures", "boots", "sandals", "shoes"), "holdout": 0}
    config = Config.from_dict(SMALL | values | {"steps": 1, "save_every": 1})
    train(config, tmp_path / "run")
    with pytest.raises(ValueError, match="has no test split: train with --test_dataset="):
        cards.publish("mine", tmp_path / "run", tmp_path)

    # The finished run takes test images, and the run that starts from it does not take them over.
    config = dataclasses.replace(config, test_dataset=save("test", "sandals", "shoes"))
    for workdir in ("run", "new"):
        with pytest.raises(ValueError, match="has the classes sandals, shoes, but the cl"):
            train(config, tmp_path / workdir)
    with pytest.raises(ValueError, match="has the classes sandals, shoes, but the cl"):
        compare.compare(compare.Comparison.from_dict(config.to_dict()), tmp_path / "runs")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "runs").exists()
    save("test", "boots")
    train(config, tmp_path / "run")
    train(dataclasses.replace(config, test_dataset=""), tmp_path / "run")  # which takes none away
    facts = files.read_json(tmp_path / "run" / "run.json")
    assert facts["config"]["test_dataset"] == config.test_dataset
    metadata = files.read_json(cards.publish("mine", tmp_path / "run", tmp_path) / "metadata.json")
    assert metadata["test_images"] == 3
    assert metadata["config"]["test_dataset"] == config.test_dataset
    source = str(tmp_path / "run" / "model")
    load.main(source)
    assert re.search(r"run/model: accuracy \d+\.\d\d% on 3 test images", capsys.readouterr().out)
    inherited = starting.hyperparameters(source, Config)
    assert inherited["width"] == 8
    assert "test_dataset" not in inherited

    values = {"dataset": save("pair", "sandals", "shoes"), "test_dataset": ""}
    pair = dataclasses.replace(config, start_from=source, **values)
    with pytest.warns(UserWarning, match="learnt the classes boots, sandals, shoes, in this order"):
        train(pair, tmp_path / "second")
