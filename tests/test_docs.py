"""The code of the documents runs as it stands there."""

import pathlib
import re

import numpy as np

import zoo

ROOT = pathlib.Path(__file__).parent.parent


def test_the_parts_are_used_as_their_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, "parts.md", "exec"), names)
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
