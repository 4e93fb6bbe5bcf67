"""`zoo.evaluate` and `zoo.compare`: what is measured, with what, and what is said of it."""

import json

import numpy as np
import pytest
from extractors_for_tests import Quarters
from PIL import Image

import zoo
from zoo import cli, evaluation, subjects
from zoo.metrics import (
    extractors,
    extrapolation,
    frechet,
    inception_score,
    kernel,
    precision_recall,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def gan(tiny):
    return zoo.GAN("wgan_gp", tiny)


@pytest.fixture
def real():
    return np.random.default_rng(0).integers(0, 256, (90, 8, 8, 1), dtype=np.uint8)


def test_every_metric_of_a_model(gan, real):
    """The numbers are those of the metrics on the model's own samples, generated in batches."""
    extractor = Quarters()
    result = zoo.evaluate(
        gan, evaluation.METRICS, 150, real, extractor=extractor, seed=3, progress=False
    )
    images = gan.sample(150, seed=3)
    x, y = extractor(real), extractor(images)
    assert {key: result[key] for key in result if key != "metrics"} == {
        "subject": "wgan_gp",
        "samples": 150,
        "seed": 3,
        "extractor": "quarters",
        "extractor_digest": extractor.digest,
        "dtype": "float32",
        "reference": "images",
        "split": None,
        "reference_samples": 90,
    }
    values = {name: tuple(entry.values()) for name, entry in result["metrics"].items()}
    fid = frechet.frechet_distance(frechet.statistics_of(y), frechet.statistics_of(x))
    assert values["fid"] == (pytest.approx(fid, rel=1e-6), None)
    expected = kernel.kernel_distance(y, x, seed=3)
    assert values["kid"] == pytest.approx(expected, rel=1e-4)
    for name, value in precision_recall.precision_recall(x, y).items():
        assert values[name] == (pytest.approx(value), None)
    expected = inception_score.inception_score(extractor.predict(images))
    assert values["is"] == pytest.approx(expected, rel=1e-5)
    line = extrapolation.fid_infinity(y, frechet.statistics_of(x), seed=3)
    assert values["fid_infinity"] == (pytest.approx(line.value, rel=1e-4), None)


def test_same_seed_same_numbers(gan, real):
    def fid(seed):
        result = zoo.evaluate(
            gan, ["fid"], 40, real, extractor=Quarters(), seed=seed, progress=False
        )
        return result["metrics"]["fid"]["value"]

    assert fid(0) == fid(0) != fid(1)


def test_one_name_and_any_iterable_do(real, tmp_path):
    np.savez(tmp_path / "real.npz", images=real)
    options = {"reference": real // 2, "extractor": Quarters(), "progress": False}
    (one,) = zoo.compare(str(tmp_path / "real.npz"), iter(["fid"]), **options)
    assert one["metrics"].keys() == {"fid"}


def test_images_of_every_kind_give_the_same_number(real, tmp_path):
    (tmp_path / "pictures").mkdir()
    for i, image in enumerate(real):
        Image.fromarray(image[..., 0]).save(tmp_path / "pictures" / f"{i:02d}.png")
    np.savez(tmp_path / "real.npz", images=real)
    kinds = [
        real,
        real[..., 0],
        zoo.data.load(f"npz:{tmp_path / 'real.npz'}"),
        str(tmp_path / "real.npz"),
        f"npz:{tmp_path / 'real.npz'}",
        f"folder:{tmp_path / 'pictures'}",
        tmp_path / "pictures",
    ]
    other = np.flip(real, 1) // 2
    results = zoo.compare(kinds, ["fid"], None, other, extractor=Quarters(), progress=False)
    assert [result["samples"] for result in results] == [90] * 7
    assert {result["seed"] for result in results} == {None}
    values = [result["metrics"]["fid"]["value"] for result in results]
    assert values == pytest.approx([values[0]] * 7)
    assert values[0] > 0.1


def test_compared_sets_are_of_the_smallest_number(gan, real):
    results = zoo.compare(
        [gan, real, real[:50]], ["fid"], None, real, extractor=Quarters(), progress=False
    )
    assert [result["samples"] for result in results] == [50, 50, 50]
    assert [result["seed"] for result in results] == [0, 0, None]
    # Fewer than all are a random choice: a folder may be sorted by class.
    one = zoo.evaluate(real, ["fid"], 50, real, extractor=Quarters(), seed=1, progress=False)
    assert one["metrics"]["fid"]["value"] != results[1]["metrics"]["fid"]["value"]


def test_a_named_reference_is_extracted_once(gan, small_sets, cache):
    extractor = Quarters()
    arguments = {"samples": 30, "extractor": extractor, "progress": False}
    first = zoo.evaluate(gan, ["fid", "kid"], reference="cifar10:test", **arguments)
    assert (first["reference"], first["split"]) == ("cifar10", "test")
    assert first["reference_samples"] == 100
    names = sorted(path.name for path in cache.rglob("*.np?"))
    assert names == [f"quarters-89abcdef-cifar10-test-8x8x1.{kind}" for kind in ("npy", "npz")]
    extractor.lengths.clear()
    again = zoo.evaluate(gan, ["fid", "kid"], reference=("cifar10", "test"), **arguments)
    assert extractor.lengths == [30], "samples only"
    assert again == first


@pytest.mark.parametrize(
    ("subject", "options", "message"),
    [
        ("model", {"metrics": ["fidd"]}, "no metric 'fidd'; accepted are fid, kid, prdc, is"),
        ("model", {"metrics": "fid, kidd"}, "no metric 'kidd'; accepted are fid, kid, prdc, is"),
        ("model", {"metrics": []}, "No metric is named"),
        ("model", {"samples": 19}, "kid needs at least 20 images of each; there are 19"),
        ("model", {"samples": 0}, "must be a positive integer, but is 0"),
        ("model", {"seed": -1}, "seed must be a non-negative integer or None, but is -1"),
        ("images", {"reference": np.zeros((19, 8, 8, 1), np.uint8)}, "of the reference there are"),
        (
            "images",
            {"extractor": "classifier_fmnist"},
            r"looks at images of \(28, 28, 1\), and thos",
        ),
        ("model", {"reference": "tset"}, "no reference 'tset'; accepted are test, train"),
        ("model", {"reference": "cifar10:all"}, "split must be 'train' or 'test'"),
        ("own", {"reference": "test"}, "'npz:own.npz' has no test split: name the images"),
        ("both", {"cache": "a"}, "cache is that of one subject: measure them one by one"),
        ("nothing", {}, "There is nothing to measure: name a model or images"),
        ("images", {"samples": "3"}, "samples must be a positive integer, but is '3'"),
        ("images", {"samples": 91}, "images holds 90 images; 91 cannot be taken"),
        ("images", {"reference": "test"}, "Name the reference, such as .*: no model is among"),
        ("both", {}, r"Images of images are \(8, 9, 1\) and of wgan_gp \(8, 8, 1\)"),
        ("floats", {}, "cannot be measured: Images must be uint8"),
        ("nobody", {}, "There is no model 'nobody'"),
    ],
)
def test_mistakes_are_said_before_anything_is_measured(subject, options, message, gan, real):
    kinds = {
        "model": [gan],
        "images": [real],
        "nothing": [],
        "both": [np.zeros((30, 8, 9, 1), np.uint8), gan],
        "floats": [real / 255],
        "own": [zoo.GAN("wgan_gp", gan.config.to_dict() | {"dataset": "npz:own.npz"})],
    }
    extractor = Quarters()
    arguments = {"reference": real, "extractor": extractor, "progress": False} | options
    with pytest.raises(ValueError, match=message):
        zoo.compare(kinds.get(subject, [subject]), **arguments)
    assert not extractor.lengths


def test_a_name_in_the_cache_is_of_as_many_images(gan, real, cache):
    arguments = {"reference": real, "extractor": Quarters(), "progress": False, "cache": "mine"}
    zoo.evaluate(gan, ["fid"], 30, **arguments)
    with pytest.raises(ValueError, match="The cache holds 'mine' of 30 images, not of 40"):
        zoo.evaluate(gan, ["fid"], 40, **arguments)


def test_the_time_left_is_known_of_everything(gan, real, tmp_path):
    """A subject and a reference say how many images they have before one is read."""
    np.savez(tmp_path / "real.npz", images=real)
    subject = subjects.open_subject(real[:50])
    for reference in (real, f"npz:{tmp_path / 'real.npz'}"):
        blocks = subjects.open_reference(reference, [subject]).images()
        assert blocks.total == len(real)
        np.testing.assert_array_equal(np.concatenate(list(blocks)), real)
    assert subject.stream().total == subject.count == 50


def test_pictures_of_different_sizes_are_refused(tmp_path):
    for size in (8, 9):
        Image.new("L", (size, size)).save(tmp_path / f"{size}.png")
    with pytest.raises(ValueError, match=r"must have one size, but 8.png is 8x8 and 9.png is 9x9"):
        subjects.open_subject(tmp_path)


def test_colour_is_seen(tmp_path):
    Image.new("L", (6, 4)).save(tmp_path / "a.png")
    assert subjects.open_subject(tmp_path).shape == (4, 6, 1)
    Image.new("L", (6, 4)).convert("P").save(tmp_path / "grey.gif")
    assert subjects.open_subject(tmp_path).shape == (4, 6, 1)
    Image.new("RGB", (6, 4), "red").convert("P").save(tmp_path / "red.png")
    assert subjects.open_subject(tmp_path).shape == (4, 6, 3)
    (tmp_path / "red.png").unlink()
    Image.new("RGB", (6, 4)).save(tmp_path / "b.png")
    assert subjects.open_subject(tmp_path).shape == (4, 6, 3)


def test_the_command_prints_a_table_and_writes_json(real, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(extractors, "get", lambda *_: Quarters())
    monkeypatch.chdir(tmp_path)
    np.savez("real.npz", images=real)
    np.savez("other.npz", images=real // 2)
    cli.main(
        ["compare", "real.npz", "other.npz", "--metrics", "fid,kid", "--json", "out.json"]
        + ["--reference", "npz:real.npz", "--samples", "60", "--seed", "5"]
    )
    lines = capsys.readouterr().out.splitlines()
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    assert [line.split()[0] for line in lines] == [
        *("real.npz", "samples", "seed", "fid", "kid", "extractor")
    ]
    assert lines[1].split() == ["samples", "60", "60"]
    assert lines[2].split() == ["seed", "5", "5"]
    assert lines[3].split()[2] == f"{results[1]['metrics']['fid']['value']:.4g}"
    assert lines[-1] == (
        "extractor quarters (89abcdef, float32); reference npz:real.npz, 90 images"
    )
    kid = results[1]["metrics"]["kid"]
    assert lines[4].endswith(f"{kid['value']:.4g} ± {kid['standard_error']:.2g}")

    with pytest.raises(SystemExit) as end:
        cli.main(["evaluate", "real.npz", "--reference", "npz:real.npz", "--json", "no/out.json"])
    assert end.value.code == 1
    assert "There is no folder 'no' to write 'out.json' in." in capsys.readouterr().err


def test_the_inception_score_does_not_know_the_order_of_given_images(monkeypatch):
    """Sorted by class, as a folder of classes is, every split would hold one class."""
    images = np.repeat(np.arange(10, dtype=np.uint8), 20)[:, None, None, None]
    images = np.broadcast_to(images, (200, 8, 8, 1))

    class Sure(Quarters):
        """A classifier that knows the class by the grey level."""

        def predict(self, x):
            return np.eye(10, dtype=np.float32)[x[:, 0, 0, 0]]

    found = zoo.evaluate(images, ["is"], extractor=Sure(), progress=False)  # needs no reference
    assert found["reference"] is found["reference_samples"] is None
    assert 6 < found["metrics"]["is"]["value"] <= 10
    sure = Sure()
    sure.classes = 30
    with pytest.raises(ValueError, match="is needs at least 300 images of each; there are 200"):
        zoo.evaluate(images, ["is"], extractor=sure, progress=False)
    with pytest.raises(ValueError, match="no reference 'tset'"):
        zoo.evaluate(images, ["is"], reference="tset", extractor=Sure(), progress=False)
    with pytest.raises(ValueError, match="they do not compare"):
        zoo.compare([images, images[:, :4]], ["is"], extractor=Sure(), progress=False)
