"""The code of the documents runs as it stands there, but for what needs a network."""

import re

import numpy as np
from extractors_for_tests import Quarters
from PIL import Image
from processes import ROOT

import zoo


def blocks(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def run(code, names):
    exec(compile(code, "a document", "exec"), names)
    return names


def test_what_the_readme_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use, tune, classify = blocks("README.md")
    names = run(use, {})
    assert names["images"].shape == (64, 28, 28, 1)
    assert names["horses"].shape == (64, 32, 32, 3)
    assert len(names["walk"]) == len(names["birds_to_horses"]) == 16
    (tmp_path / "my_shoes").mkdir()
    for i, picture in enumerate(names["images"]):
        Image.fromarray(picture[..., 0]).save(tmp_path / "my_shoes" / f"{i}.png")
    tuned = run(tune.partition('gan.save("hf://')[0], {"zoo": zoo})["gan"]
    assert tuned.config.batch_size == 32
    seen = run(classify, {"zoo": zoo, "images": names["images"]})
    assert seen["probabilities"].shape == (64, 10)
    assert seen["features"].shape == (64, 128)


def test_the_metrics_of_any_features():
    (code,) = [block for block in blocks("docs/metrics.md") if "collect.collect" in block]
    real, fake = np.random.default_rng(0).integers(0, 256, (2, 50, 8, 8, 1)).astype(np.uint8)
    run(code, {"extractor": Quarters(), "real_images": real, "fake_images": fake})


def test_the_parts_are_used_as_their_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("docs/parts.md"):
        run(block, names)
    assert len(names["norms"]) == 2
    assert names["loss"].shape == names["penalty"].shape == ()
    kernel = np.array(names["critic"].layers[-1].kernel)
    np.testing.assert_allclose(names["norms"][1], np.linalg.norm(kernel), rtol=1e-5)
    assert names["scores"].shape == (4,)
    assert (tmp_path / "generator" / "saved_model.pb").is_file()


def test_all_layers_are_named():
    text = (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")
    for name in zoo.layers.__all__:
        assert re.search(rf"`{name}[`(]", text), name
