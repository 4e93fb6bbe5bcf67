"""Cards are verified; and what a forger would change is found."""

import numpy as np
import pytest
from PIL import Image
from published import NAME, edit

import zoo
from zoo import card_text, cards, cli, files, hub, measurement, verification


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


def test_numbers_of_other_weights_are_found(copy):
    with open(copy / hub.WEIGHTS, "ab") as file:
        file.write(b"0")
    with pytest.raises(ValueError, match="was measured on other weights"):
        measurement.check(copy, files.read_json(copy / "metadata.json"))


def test_a_model_of_own_pictures_holds_without_numbers(copy):
    """There is no test split to measure it with."""
    edit(copy / "metadata.json", lambda metadata: metadata.update(dataset="folder:mine"))
    checks = {check.name for check in verification.verify(copy, progress=False)}
    assert "fid" in checks, "what is stated is measured, whatever the data set is called"
    edit(copy / "metadata.json", lambda metadata: metadata.pop("metrics"))
    (copy / measurement.RECORD).unlink()
    edit(copy / "metadata.json", lambda metadata: metadata["files"].pop(measurement.RECORD))
    write_card(copy)
    checks = list(verification.verify(copy, progress=False))
    assert [(check.name, check.holds) for check in checks] == [
        *(("files", True), ("card", True), ("samples", True), ("record", True))
    ]


def failures(folder, quick=False):
    checks = list(verification.verify(folder, quick, progress=False))
    return [check.name for check in checks if not check.holds], len(checks)


def test_a_true_card_holds(measured, capsys):
    assert failures(NAME) == ([], 6)
    cli.main(["verify", NAME, "--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["holds", name] for name in ("files", "card", "samples", "record", "fid", "is")
    ]


def test_numbers_that_are_not_stated_do_not_hold(copy):
    (copy / measurement.RECORD).unlink()
    edit(
        copy / "metadata.json", lambda m: (m["metrics"].clear(), m["files"].pop(measurement.RECORD))
    )
    write_card(copy)
    assert failures(copy) == (["test"], 5)
    assert failures(copy, quick=True) == (["quick"], 5)


def forge(folder, file):
    """States the digest of a changed file, as a careful forger would."""
    digest = files.sha256(folder / file)
    edit(folder / "metadata.json", lambda m: m["files"].update({file: digest}))
    write_card(folder)


def write_card(folder, **changes):
    """Writes the card of the facts as they are now; `zoo cards` does so for a whole folder."""
    text = card_text.card(files.read_json(folder / "metadata.json") | changes)
    files.write_text(folder / "README.md", text)


def test_a_card_edited_by_hand_does_not_hold(copy):
    path = copy / "README.md"
    text = path.read_text(encoding="utf-8")
    value = next(row for row in text.splitlines() if "FID" in row and "±" in row).split("±")[0][-6:]
    path.write_text(text.replace(value, " 1.23 "), encoding="utf-8")
    assert failures(copy, quick=True) == (["card"], 6)
    path.unlink()
    assert failures(copy, quick=True) == (["card"], 6)
    write_card(copy, address="./models/tiny_fmnist")
    assert failures(copy, quick=True) == ([], 6), "a folder of one's own says where it is"


def test_the_card_of_another_version_is_not_compared(copy):
    """Its words may be others; its numbers are those of `metadata.json`, which are measured."""
    edit(copy / "metadata.json", lambda metadata: metadata["versions"].update(zoo="0.0.9"))
    checks = {check.name: check for check in verification.verify(copy, True, progress=False)}
    assert checks["card"].found == "not compared: version 0.0.9 of the zoo wrote it"


def test_a_forged_number_does_not_hold(copy, capsys):
    def better(record):
        for result in record["results"]["test"]["samples"]:
            result["metrics"]["fid"]["value"] *= 0.5
        record["digest"] = measurement.digest(record)

    edit(copy / measurement.RECORD, better)
    summary = measurement.summary(files.read_json(copy / measurement.RECORD))
    edit(copy / "metadata.json", lambda m: m.update(metrics=summary))
    forge(copy, measurement.RECORD)
    assert failures(copy) == (["fid"], 6)
    with pytest.raises(SystemExit) as end:
        cli.main(["verify", str(copy)])
    assert end.value.code == 1
    assert "does not hold" in capsys.readouterr().err


def test_what_the_card_needs_and_lacks_does_not_hold(copy):
    (copy / "samples.png").unlink()
    edit(copy / "metadata.json", lambda metadata: metadata["files"].pop("samples.png"))
    assert "samples" in failures(copy, quick=True)[0]
    edit(copy / "metadata.json", lambda metadata: metadata.pop("dataset"))
    *_, last = verification.verify(copy, True, progress=False)
    assert last == verification.Check("card", False, "metadata.json lacks dataset")


def test_a_chosen_picture_does_not_hold(copy):
    published = np.array(Image.open(copy / "samples.png"))
    change = 1 if published[10, 10] < 128 else -1

    def change_pixel(levels):
        picture = published.copy()
        picture[10, 10] = int(picture[10, 10]) + levels * change
        Image.fromarray(picture).save(copy / "samples.png")

    change_pixel(2)
    forge(copy, "samples.png")
    assert failures(copy, quick=True) == ([], 6), "within two grey levels"
    change_pixel(3)
    assert failures(copy, quick=True) == (["files"], 1), "nothing more is read"
    forge(copy, "samples.png")
    assert failures(copy, quick=True) == (["samples"], 6)


def test_other_extractors_numbers_are_not_compared():
    row = {"name": "fid", "value": 1.0, "values": [1.0], "standard_error": 0.1}
    how = {"extractor": "a", "extractor_digest": "b", "samples": 1, "reference": "c", "split": "d"}
    result = how | {"seed": 0, "metrics": {"fid": {"value": 1.25}}}
    assert verification.compare(row | how, result).holds
    result["metrics"]["fid"]["value"] = 1.35
    assert not verification.compare(row | how, result).holds
    check = verification.compare(row | how, result | {"extractor": "z"})
    assert (check.holds, check.found) == (False, "measured with extractor z, stated with a")


def test_models_without_a_card(home, tmp_path):
    for name, model in (("gan", zoo.GAN("wgan_gp")), ("one", zoo.Classifier("classifier"))):
        model.save(tmp_path / name, zipped=False)
        with pytest.raises(FileNotFoundError, match=f"{name}' has no card: only published models"):
            list(verification.verify(tmp_path / name))
