"""Recipes train from images to a published form on JAX and PyTorch, without TensorFlow."""

import csv

import numpy as np
import pytest
from processes import python

import zoo

pytestmark = pytest.mark.parity
SCRIPT = """
import sys

sys.modules["tensorflow"] = None  # importing it fails, as where it is missing
import numpy as np
import zoo
from zoo import registry, training

rng = np.random.default_rng(0)
np.savez("set.npz", images=rng.integers(0, 256, (24, 8, 8, 1), np.uint8), labels=np.arange(24) % 3)
small = {"dataset": "npz:set.npz", "image_size": 8, "width": 4, "batch_size": 4}
small |= {"num_classes": 3, "steps": 2, "save_every": 1}
for recipe, run, more in (
    ("cbn_resnet", training.train_gan, {"discriminator_width": 4, "n_critic": 1}),
    ("classifier", training.train_classifier, {"holdout": 0.25}),
):
    Config = registry.import_recipe(recipe).Config
    run(recipe, Config.from_dict(small | more), recipe)
images = zoo.load("./cbn_resnet/model").sample(6, labels=np.arange(6) % 3, seed=0)
np.savez("out.npz", images=images, probabilities=zoo.load("./classifier/model").predict(images))
"""


@pytest.fixture(scope="module", params=["jax", "torch"])
def folder(request, tmp_path_factory):
    """Where the runs of one backend were done."""
    folder = tmp_path_factory.mktemp(request.param)
    python("-c", SCRIPT, cwd=folder, KERAS_BACKEND=request.param)
    return folder


@pytest.mark.parametrize("recipe", ["cbn_resnet", "classifier"])
def test_a_run_leaves_all_that_one_of_tensorflow_does(folder, recipe):
    rows = list(csv.DictReader((folder / recipe / "history.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert list((folder / recipe / "tensorboard").glob("events*"))
    assert (folder / recipe / "state" / "step_0000002").is_dir()
    if recipe == "cbn_resnet":
        assert len(list((folder / recipe / "samples").glob("*.png"))) == 2
        assert (folder / recipe / "training.gif").stat().st_size > 100


def test_tensorflow_loads_what_it_trained(folder):
    with np.load(folder / "out.npz") as out:
        expected = dict(out)
    gan, classifier = (zoo.load(folder / name / "model") for name in ("cbn_resnet", "classifier"))
    found = gan.sample(6, labels=np.arange(6) % 3, seed=0)
    assert np.abs(found.astype(int) - expected["images"]).max() <= 2
    found = classifier.predict(expected["images"])
    np.testing.assert_allclose(found, expected["probabilities"], atol=1e-4)
