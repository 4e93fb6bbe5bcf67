"""Published models: measured, summarised on a card, verified; and what a forger would change."""

import dataclasses
import functools
import itertools
import shutil

import h5py
import huggingface_hub
import keras
import numpy as np
import pytest
from extractors_for_tests import Quarters
from PIL import Image
from small import small_named

import zoo
from recipes.wgan_gp import Config
from zoo import (
    card_text,
    cards,
    cli,
    curves,
    data,
    files,
    hub,
    measurement,
    neighbours,
    overview,
    registry,
    train_state,
    training,
    verification,
)
from zoo.metrics import frechet

CHECKPOINTS = registry.bundled_checkpoints()
NAME = "tiny_fmnist"
EXTRACTOR = Quarters()
SMALL = {
    "test": measurement.Protocol(EXTRACTOR, "test", 60, (0, 1, 2), ("fid", "kid")),
    "train": measurement.Protocol(
        EXTRACTOR, "train", 50, (0, 1, 2, 3), ("fid",), pooled=True, floor=False
    ),
    "quick": measurement.Protocol(EXTRACTOR, "test", 40, (0, 1), ("fid", "is")),
}
PLANNED = dict(measurement.PROTOCOLS)
PROTOCOLS = [f"metrics: {name}" for name in ("quick", "test", "train")]
# What is still to be measured of models that are published already; to be emptied.
UNMEASURED = dict.fromkeys(
    ("cbn_resnet_fmnist", "sngan_fmnist", "wgan_fmnist", "wgan_gp_fmnist"), ["metrics: train"]
)
UNMEASURED["progan_fmnist"] = ["metrics: test", "metrics: train"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project of its own, with one published model, small protocols and an empty cache."""
    home = tmp_path_factory.mktemp("project")
    (home / "checkpoints").mkdir()
    index = home / "index.json"
    index.write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_HOME", str(home / "cache"))
        patch.setattr(registry, "INDEX", index)
        registry.index.cache_clear()
        patch.setattr(registry, "bundled_checkpoints", lambda: home / "checkpoints")
        patch.setattr(measurement, "PROTOCOLS", SMALL)
        patch.setattr(data, "_load_named", functools.cache(small_named))
        config = Config(width=8, batch_size=4, n_critic=1, steps=2, save_every=1)
        training.train_gan("wgan_gp", config, home / "run")
        keras.utils.clear_session()  # names of layers are stored, and count within a process
        cards.publish(NAME, home / "run")
        cards.write_cards()
        yield home
    registry.index.cache_clear()


@pytest.fixture(scope="module")
def measured(home):
    """The folder of the model after all its measurements."""
    assert cards.measure(NAME, progress=False) == ["neighbours", *SMALL]
    return home / "checkpoints" / NAME


@pytest.fixture
def copy(measured, tmp_path):
    """A copy of the folder to forge."""
    return shutil.copytree(measured, tmp_path / NAME)


def edit(path, change):
    value = files.read_json(path)
    change(value)
    files.write_json(path, value)


def row_of(metadata, protocol, name):
    (row,) = (r for r in metadata["metrics"] if (r["protocol"], r["name"]) == (protocol, name))
    return row


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


def test_the_card_is_complete_and_the_hub_reads_it(measured):
    metadata = files.read_json(measured / "metadata.json")
    assert card_text.missing(metadata) == []
    text = (measured / "README.md").read_text(encoding="utf-8")
    for heading in ("Intended use", "Limits", "Training data", "Training", "Metrics"):
        assert f"\n## {heading}\n" in text
    row = row_of(metadata, "test", "kid")
    line = f"| KID | {row['value']:.4g} ± {row['standard_error']:.2g} | {row['floor']:.4g} |"
    assert f"{line} quarters | 60 | fashion_mnist test, 100 | 0, 1, 2 |" in text

    card = huggingface_hub.ModelCard(text)
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "keras"
    assert card.data.datasets == ["zalando-datasets/fashion_mnist"]
    values = [(r.metric_type, r.dataset_split, r.metric_value) for r in card.data.eval_results]
    stated = [(r["name"], r["split"], round(r["value"], 4)) for r in metadata["metrics"]]
    assert sorted(values) == sorted(stated)

    overview = (measured.parent.parent / "MODEL_CARDS.md").read_text(encoding="utf-8")
    for picture in ("samples", "curves", "neighbours"):
        assert (measured / f"{picture}.png").is_file()
        assert f"](checkpoints/{NAME}/{picture}.png)" in overview
    assert "---\nlicense" not in overview


def test_a_card_says_what_verify_can_measure_again(measured):
    metadata = files.read_json(measured / "metadata.json")
    inception = f"`zoo verify {NAME}` measures those of 60 samples over Inception again"
    quick = f"`zoo verify {NAME} --quick` measures those of 40 samples over the classifier again"
    assert f"; {inception}, {quick}.\n" in card_text.body(metadata)
    rows = [row for row in metadata["metrics"] if row["protocol"] == "quick"]
    assert f"; {quick}.\n" in card_text.body(metadata | {"metrics": rows})


def test_a_divergence_is_on_the_card(measured):
    metadata = files.read_json(measured / "metadata.json")
    diverged = card_text.body(metadata | {"divergences": [{"step": 1234, "term": "penalty"}]})
    assert " minutes; diverged at step 1,234, learning rates halved |" in diverged
    assert "diverged" not in card_text.body(metadata)


def test_a_small_variant_says_so(measured):
    metadata = files.read_json(measured / "metadata.json")
    Config = registry.import_recipe("sngan").Config

    def variant(**widths):
        config = Config(**widths).to_dict()
        text = card_text.body(metadata | {"recipe": "sngan", "config": config})
        return [line for line in text.splitlines() if line.startswith("| Variant |")]

    assert variant() == []
    generator = "at most 128 channels in the generator (the paper's has 256)"
    assert variant(width=32, max_width=128) == [f"| Variant | small: {generator} |"]
    both = f"{generator}, at most 64 channels in the discriminator (the paper's has 128)"
    assert variant(width=128, discriminator_width=64) == [f"| Variant | small: {both} |"]


def test_every_missing_fact_is_named(measured):
    metadata = files.read_json(measured / "metadata.json")
    for key in ("hardware", "command", "metrics", "neighbours", "licence", "minutes"):
        lacking = {k: v for k, v in metadata.items() if k != key}
        assert key in card_text.missing(lacking)
    few = metadata | {"metrics": [r for r in metadata["metrics"] if r["protocol"] != "train"]}
    assert card_text.missing(few) == ["metrics: train"]
    pictures = {k: v for k, v in metadata["files"].items() if k != "curves.png"}
    assert card_text.missing(metadata | {"files": pictures}) == ["curves.png"]


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_published_card_is_complete_and_measured(name):
    folder = CHECKPOINTS / name
    metadata = files.read_json(folder / "metadata.json")
    assert card_text.missing(metadata) == UNMEASURED.get(name, [])
    if zoo.load(folder).kind == "GAN":
        measurement.check(folder, metadata)


@pytest.mark.parametrize(
    "path", CHECKPOINTS.glob("*/samples.png"), ids=lambda path: path.parent.name
)
def test_a_published_model_draws_the_picture_of_its_card(path):
    """The same seed gives the images that it gave when the model was published."""
    checks = itertools.islice(verification.verify(path.parent, quick=True, progress=False), 2)
    found = {check.name: check.holds for check in checks}
    assert found == {"files": True, "samples": True}


def test_the_cards_are_what_their_facts_generate():
    for path, text in cards.generated(CHECKPOINTS).items():
        assert path.read_text(encoding="utf-8") == text, path


def test_the_table_of_models_states_every_fid():
    row = {"name": "fid", "standard_error": 0.02, "samples": 10_000, "extractor": "a_classifier"}
    inception = {"split": "test", "extractor": "inception_v3_2015_12_05"}
    rough = "inception_v3_2015_12_05_bfloat16"
    metadata = {
        "name": "dresses",
        "recipe": "cbn_resnet",
        "dataset": "fashion_mnist",
        "parameters": {"generator": 1234, "discriminator": 5},
        "files": {"samples.png": ""},
        "metrics": [
            row | {"protocol": "quick", "split": "test", "value": 0.5},
            row | inception | {"protocol": "test", "value": 9.71},
            row | {"protocol": "test", "split": "test", "value": 9.7, "extractor": rough},
            row | inception | {"protocol": "test", "name": "kid", "value": 0.004},
        ],
        "classes": {"accuracy": 0.9512},
    }
    text = f"above\n{overview.BEGIN}\nold\n{overview.END}\nbelow\n"
    found = overview.with_models(text, [metadata])
    assert found.splitlines()[5].split(" | ")[2:5] == [
        "Fashion-MNIST",
        "generator 1,234",
        "FID over a_classifier 0.5 ± 0.02 (10,000 samples, test)<br>"
        f"FID 9.71 ± 0.02 (10,000 samples, test)<br>FID over {rough} 9.7 ± 0.02 (10,000 samples, "
        "test)<br>95.1% recognised as their class",
    ]
    assert "checkpoints/dresses/samples.png" in found
    assert "old" not in found
    assert overview.with_models(found, [metadata]) == found
    assert overview.with_models("no marks", [metadata]) == "no marks"


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("metadata.json", lambda m: m["metrics"][0].update(value=1.0), "states other numbers"),
        ("metadata.json", lambda m: m["metrics"].pop(), "states other numbers"),
        ("metadata.json", lambda m: m.pop("metrics"), "states other numbers"),
        (
            "measurements.json",
            lambda r: r["results"]["test"]["samples"][0]["metrics"]["fid"].update(value=1.0),
            "was edited after the measurement",
        ),
        ("measurements.json", lambda r: r.update(weights="0" * 64), "was edited after"),
    ],
)
def test_a_number_edited_by_hand_is_found(copy, file, change, message):
    measurement.check(copy, files.read_json(copy / "metadata.json"))
    edit(copy / file, change)
    with pytest.raises(ValueError, match=message):
        measurement.check(copy, files.read_json(copy / "metadata.json"))


def test_measuring_certifies_nothing_that_was_damaged(copy):
    """Neither the measurement nor the index states the sha256 of a file that is another now."""
    (copy / "curves.png").write_text("truncated")
    with pytest.raises(ValueError, match=r"curves\.png' is not the published file"):
        cards.measure(NAME, ["neighbours"], copy.parent)
    stated = files.read_json(copy / "metadata.json")["files"]["curves.png"]
    assert cards.index_entry(copy)["files"]["curves.png"] == stated


def test_an_edited_record_is_not_extended(copy):
    edit(copy / measurement.RECORD, lambda record: record["results"]["test"].update(floor=None))
    before = (copy / measurement.RECORD).read_text()
    with pytest.raises(ValueError, match=r"measurements\.json was edited after the measurement"):
        measurement.measure(copy, "quick", progress=False)
    assert (copy / measurement.RECORD).read_text() == before


def test_what_needs_a_classifier_is_left_out_without_one(measured, monkeypatch):
    metadata = files.read_json(measured / "metadata.json")
    monkeypatch.setattr(measurement, "PROTOCOLS", PLANNED)
    conditional = metadata | {"config": metadata["config"] | {"num_classes": 10}}
    assert cards._measurable_parts(conditional) == ["neighbours", "test", "train"]
    # And not that a classifier has no bfloat16: all parts are measured with one dtype.
    with pytest.raises(ValueError, match="no published classifier of 'fashion_mnist'"):
        measurement.measure(measured, "quick", dtype="bfloat16")
    entry = {"recipe": "classifier", "dataset": "fashion_mnist"}
    monkeypatch.setattr(registry, "index", lambda: {"classifier_fmnist": entry})
    everything = ["neighbours", "classes", "test", "train", "quick"]
    assert cards._measurable_parts(conditional) == everything
    assert cards._measurable_parts(metadata) == ["neighbours", "test", "train", "quick"]


def test_weights_beyond_half_precision_are_kept_in_single(tmp_path):
    arrays = {"large": [1e5, 1.0], "small": [0.1, 65504.0], "count": [70_000]}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = np.array(values, "int64" if name == "count" else "float32")
    cards.halve(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        types = {name: str(item.dtype) for name, item in file.items()}
        assert types == {"large": "float32", "small": "float16", "count": "int64"}
        np.testing.assert_array_equal(file["large"], np.float32([1e5, 1.0]))


def test_numbers_of_other_weights_are_found(copy):
    with open(copy / hub.WEIGHTS, "ab") as file:
        file.write(b"0")
    with pytest.raises(ValueError, match="was measured on other weights"):
        measurement.check(copy, files.read_json(copy / "metadata.json"))


def failures(folder, quick=False):
    checks = list(verification.verify(folder, quick, progress=False))
    return [check.name for check in checks if not check.holds], len(checks)


def test_a_true_card_holds(measured, capsys):
    assert failures(NAME) == ([], 5)
    cli.main(["verify", NAME, "--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["holds", name] for name in ("files", "samples", "record", "fid", "is")
    ]


def test_numbers_that_are_not_stated_do_not_hold(copy):
    (copy / measurement.RECORD).unlink()
    edit(
        copy / "metadata.json", lambda m: (m["metrics"].clear(), m["files"].pop(measurement.RECORD))
    )
    assert failures(copy) == (["test"], 4)
    assert failures(copy, quick=True) == (["quick"], 4)


def forge(folder, file):
    """States the digest of a changed file, as a careful forger would."""
    digest = files.sha256(folder / file)
    edit(folder / "metadata.json", lambda m: m["files"].update({file: digest}))


def test_a_forged_number_does_not_hold(copy, capsys):
    def better(record):
        for result in record["results"]["test"]["samples"]:
            result["metrics"]["fid"]["value"] *= 0.5
        record["digest"] = measurement.digest(record)

    edit(copy / measurement.RECORD, better)
    summary = measurement.summary(files.read_json(copy / measurement.RECORD))
    edit(copy / "metadata.json", lambda m: m.update(metrics=summary))
    forge(copy, measurement.RECORD)
    assert failures(copy) == (["fid"], 5)
    with pytest.raises(SystemExit) as end:
        cli.main(["verify", str(copy)])
    assert end.value.code == 1
    assert "does not hold" in capsys.readouterr().err


def test_a_chosen_picture_does_not_hold(copy):
    published = np.array(Image.open(copy / "samples.png"))
    change = 1 if published[10, 10] < 128 else -1

    def change_pixel(levels):
        picture = published.copy()
        picture[10, 10] = int(picture[10, 10]) + levels * change
        Image.fromarray(picture).save(copy / "samples.png")

    change_pixel(2)
    forge(copy, "samples.png")
    assert failures(copy, quick=True) == ([], 5), "within two grey levels"
    change_pixel(3)
    assert failures(copy, quick=True) == (["files"], 1), "nothing more is read"
    forge(copy, "samples.png")
    assert failures(copy, quick=True) == (["samples"], 5)


def test_other_extractors_numbers_are_not_compared():
    row = {"name": "fid", "value": 1.0, "values": [1.0], "standard_error": 0.1}
    how = {"extractor": "a", "extractor_digest": "b", "samples": 1, "reference": "c", "split": "d"}
    result = how | {"seed": 0, "metrics": {"fid": {"value": 1.25}}}
    assert verification.compare(row | how, result).holds
    result["metrics"]["fid"]["value"] = 1.35
    assert not verification.compare(row | how, result).holds
    check = verification.compare(row | how, result | {"extractor": "z"})
    assert (check.holds, check.found) == (False, "measured with extractor z, stated with a")


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
    folder = cards.publish("best", run, tmp_path / "checkpoints", best=True)
    metadata = files.read_json(folder / "metadata.json")
    assert (metadata["steps"], metadata["chosen"]) == (1, record)
    images = zoo.load(folder).sample(4, seed=0).astype(int)
    assert np.abs(images - best.sample(4, seed=0)).max() <= 1, "but for float16"
    assert "of the lowest FID over quarters features of the run" in card_text.card(metadata)


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


def test_curves_have_a_panel_for_each_kind_of_number(tmp_path):
    rows = [
        {"step": i, "minutes": i, "d_loss": 1.0, "g_loss": 2.0, "real_score": 0.0, "fid_x": value}
        for i, value in enumerate(["", 3.0, "", 2.0])
    ]
    curves.save_curves(tmp_path / "curves.png", rows)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1200, 260)
    assert [curves.panel(name) for name in ("loss", "val_loss", "val_accuracy", "accuracy")] == [
        *("losses", "losses", "accuracy", "accuracy")
    ]


def test_a_run_is_published_at_the_step_it_stopped_at(home, tmp_path):
    run = shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "checkpoints").mkdir()
    newest = max((run / "state").iterdir())
    record = files.read_json(newest / "record.json")
    shutil.move(newest, newest.with_name("step_0000003"))  # stopped after the last row
    gan = registry.build("wgan_gp", Config(width=8, batch_size=4, n_critic=1))
    gan.compile()
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


def test_cards_of_another_folder_leave_the_index_alone(home, measured, tmp_path):
    shutil.copytree(measured, tmp_path / "checkpoints" / "another")
    before = registry.INDEX.read_text()
    cards.write_cards(tmp_path / "checkpoints")
    assert (tmp_path / "MODEL_CARDS.md").is_file()
    assert registry.INDEX.read_text() == before
    assert zoo.list_models() == [NAME]


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


def test_models_without_a_card(home, tmp_path):
    for name, model in (("gan", zoo.GAN("wgan_gp")), ("one", zoo.Classifier("classifier"))):
        model.save(tmp_path / name, zipped=False)
        with pytest.raises(FileNotFoundError, match=f"{name}' has no card: only published models"):
            list(verification.verify(tmp_path / name))


def test_a_model_of_own_pictures_has_no_protocol(measured, tmp_path):
    shutil.copytree(measured, tmp_path / "mine")
    edit(tmp_path / "mine" / "metadata.json", lambda m: m.update(dataset="folder:shoes"))
    for parts in (None, ["neighbours"], ["test"]):
        with pytest.raises(ValueError, match="'folder:shoes' has none: use `zoo evaluate`"):
            cards.measure("mine", parts, tmp_path)


def test_mistakes_are_said(home):
    with pytest.raises(ValueError, match="no model 'tiny_fmnits'; did you mean tiny_fmnist"):
        cards.measure("tiny_fmnits", ["test"])
    accepted = "no 'fast' to measure of tiny_fmnist; accepted are neighbours, test, train, quick"
    with pytest.raises(ValueError, match=accepted):
        cards.measure(NAME, ["test", "fast"])
    with pytest.raises(ValueError, match="no protocol 'fast'; accepted are test, train, quick"):
        measurement.measure(home / "checkpoints" / NAME, "fast")
