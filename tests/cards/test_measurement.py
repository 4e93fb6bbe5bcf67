"""Published models are measured by the protocols, each part once."""

import shutil

import numpy as np
import pytest
from PIL import Image
from published import EXTRACTOR, NAME, edit, row_of

import zoo
from zoo import cards, cli, data, files, hub, measurement, neighbours, registry
from zoo.metrics import frechet

PLANNED = dict(measurement.PROTOCOLS)


def fid_of(images, split):
    real = data.load("fashion_mnist", split)
    statistics = [frechet.statistics_of(EXTRACTOR(x)) for x in (images, real.images)]
    return pytest.approx(frechet.frechet_distance(*statistics), rel=1e-6)


def test_the_numbers_are_those_of_the_protocols(measured):
    metadata = files.read_json(measured / "metadata.json")
    model = zoo.load(NAME)
    samples = [model.sample(60, seed=seed) for seed in range(3)]
    row = row_of(metadata, "test", "fid")
    assert row["values"] == [fid_of(images, "test") for images in samples]
    assert row["value"] == pytest.approx(np.mean(row["values"]))
    assert row["standard_error"] == pytest.approx(np.std(row["values"], ddof=1) / np.sqrt(3))
    assert row["floor"] == fid_of(data.load("fashion_mnist", "train")[:60], "test")
    assert {key: row[key] for key in ("samples", "seeds", "split", "reference_samples")} == {
        "samples": 60,
        "seeds": [0, 1, 2],
        "split": "test",
        "reference_samples": 100,
    }
    record = measurement.read(measured)
    backwards = {"results": dict(reversed(record["results"].items()))}
    assert measurement.summary(backwards) == metadata["metrics"]
    pooled = row_of(metadata, "train", "fid")
    images = np.concatenate([model.sample(50, seed=seed) for seed in range(4)])
    assert pooled["value"] == fid_of(images, "train")
    assert (pooled["samples"], pooled["seeds"], pooled["floor"]) == (200, [0, 1, 2, 3], None)
    assert row_of(metadata, "quick", "is")["floor"] > 1


def test_a_finished_seed_is_not_measured_again(measured):
    EXTRACTOR.lengths.clear()
    before = (measured / "metadata.json").read_text()
    cards.measure(NAME, ["train"], progress=False)
    assert EXTRACTOR.lengths == []
    assert (measured / "metadata.json").read_text() == before


def test_what_needs_a_classifier_is_left_out_without_one(measured, monkeypatch):
    metadata = files.read_json(measured / "metadata.json")
    monkeypatch.setattr(measurement, "PROTOCOLS", PLANNED)
    conditional = metadata | {"recipe": "cbn_resnet", "config": {"num_classes": 10}}
    assert cards._measurable_parts(conditional) == ["neighbours", "test", "train"]
    # And not that a classifier has no bfloat16: all parts are measured with one dtype.
    with pytest.raises(ValueError, match="no published classifier of 'fashion_mnist'"):
        measurement.measure(measured, "quick", dtype="bfloat16")
    entry = {"recipe": "classifier", "dataset": "fashion_mnist"}
    monkeypatch.setattr(registry, "index", lambda: {"classifier_fmnist": entry})
    everything = ["neighbours", "classes", "test", "train", "quick"]
    assert cards._measurable_parts(conditional) == everything
    assert cards._measurable_parts(metadata) == ["neighbours", "test", "train", "quick"]
    resized = conditional | {"config": {"image_size": 16}}  # no images for that classifier
    assert cards._measurable_parts(resized) == ["neighbours", "test", "train"]


def test_planted_copies_are_found(home, tmp_path, monkeypatch):
    model = zoo.load(home / "checkpoints" / NAME)
    samples = model.sample(neighbours.MEASURED, seed=0)
    other = np.random.default_rng(0).integers(0, 256, (1000, 28, 28, 1), dtype=np.uint8)
    training = np.concatenate([other, samples[::-1]])
    sets = {"train": data.ArrayImages(training), "test": data.ArrayImages(other[::-1] // 2)}
    monkeypatch.setattr(data, "load", lambda _, split: sets[split])
    facts = neighbours.check(model, tmp_path / "n.png", progress=False)
    assert facts["sample_distance"] == 0.0
    assert facts["test_distance"] > 1
    picture = np.asarray(Image.open(tmp_path / "n.png"))
    height = 2 * 30  # a row of images and its gap, at twice the size
    np.testing.assert_array_equal(picture[4:60], picture[4 + height : 60 + height])


def test_measurements_of_weights_that_were_replaced_meanwhile_are_not_kept(copy, monkeypatch):
    """Nor is what another measurement wrote meanwhile."""

    def other_weights(*_, **__):
        with open(copy / hub.WEIGHTS, "ab") as file:
            file.write(b"0")

    def other_facts(*_, **__):
        edit(copy / "metadata.json", lambda m: m.update(classes="counted"))
        return {"space": "pixels"}

    monkeypatch.setattr(cards, "write_cards", lambda checkpoints: None)
    monkeypatch.setattr(neighbours, "check", other_facts)
    cards.measure(NAME, ["neighbours"], copy.parent)
    metadata = files.read_json(copy / "metadata.json")
    assert (metadata["classes"], metadata["neighbours"]) == ("counted", {"space": "pixels"})
    monkeypatch.setattr(neighbours, "check", other_weights)
    with pytest.raises(ValueError, match="published anew while it was measured"):
        cards.measure(NAME, ["neighbours"], copy.parent)
    assert files.read_json(copy / "metadata.json") == metadata


def test_a_model_of_own_pictures_has_no_protocol(measured, tmp_path):
    shutil.copytree(measured, tmp_path / "mine")
    edit(tmp_path / "mine" / "metadata.json", lambda m: m.update(dataset="folder:shoes"))
    for parts in (None, ["neighbours"], ["test"]):
        with pytest.raises(ValueError, match="'folder:shoes' has none: use `zoo evaluate`"):
            cards.measure("mine", parts, tmp_path)


def test_a_model_published_elsewhere_is_measured_there(measured, tmp_path, monkeypatch, capsys):
    shutil.copytree(measured, tmp_path / "mine" / NAME)
    monkeypatch.chdir(tmp_path)
    cli.main(["measure", NAME, "--checkpoints=./mine", "--parts=quick"])
    assert capsys.readouterr().out == f"{NAME}: quick measured\n"
    card = (tmp_path / "mine" / NAME / "README.md").read_text(encoding="utf-8")
    assert f"`zoo measure {NAME} --checkpoints=mine`" in card
    assert f"`zoo verify ./mine/{NAME} --quick`" in card


def test_a_model_that_keras_saved_beside_published_ones_has_no_card(measured, tmp_path):
    shutil.copytree(measured, tmp_path / NAME)
    zoo.GAN("wgan_gp", {"width": 8}).save(tmp_path / "mine", zipped=False)
    cards.write_cards(tmp_path)
    assert not (tmp_path / "mine" / "README.md").exists()
    assert f"./{tmp_path.name}/{NAME}" in (tmp_path / NAME / "README.md").read_text("utf-8")


def test_mistakes_are_said(home):
    with pytest.raises(ValueError, match="There is no model 'mine'; none is known here"):
        cards.measure("mine", ["test"], home / "elsewhere")
    with pytest.raises(ValueError, match="no model 'tiny_fmnits'; did you mean tiny_fmnist"):
        cards.measure("tiny_fmnits", ["test"])
    accepted = "no 'fast' to measure of tiny_fmnist; accepted are neighbours, test, train, quick"
    with pytest.raises(ValueError, match=accepted):
        cards.measure(NAME, ["test", "fast"])
    with pytest.raises(ValueError, match="no protocol 'fast'; accepted are test, train, quick"):
        measurement.measure(home / "checkpoints" / NAME, "fast")
