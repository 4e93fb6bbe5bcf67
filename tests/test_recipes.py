"""What every recipe must do; a new folder in recipes/ is picked up without a line here."""

import dataclasses
import re

import keras
import numpy as np
import pytest
from absl import flags
from processes import ROOT

import zoo
from zoo import cli, files, policy, registry


@pytest.fixture(params=registry.list_recipes())
def recipe(request):
    return request.param


GANS = [
    name for name in registry.list_recipes() if registry.import_recipe(name).Config.kind == "GAN"
]


@pytest.fixture
def config(recipe, tiny):
    """The recipe's config at the size of a test."""
    Config = registry.import_recipe(recipe).Config
    names = {field.name for field in dataclasses.fields(Config)}
    small = tiny | {"discriminator_width": 8}
    return Config.from_dict({name: value for name, value in small.items() if name in names})


@pytest.fixture
def train(recipe):
    """What the recipe's command runs."""
    return registry.import_recipe(recipe, "train").train


def outputs(model):
    """What a model is for, on inputs that are the same every time."""
    if isinstance(model, zoo.GAN):
        return model.sample(3, seed=0)
    images = np.random.default_rng(0).integers(0, 256, (3, *model.config.image_shape), np.uint8)
    return model.predict(images)


@pytest.fixture
def dataset(tmp_path, pictures):
    """The fixture's pictures as a data source with labels."""
    np.savez(tmp_path / "pictures.npz", images=pictures, labels=np.arange(24) % 10)
    return f"npz:{tmp_path / 'pictures.npz'}"


def test_folder_is_complete(recipe):
    present = {path.name for path in (ROOT / "recipes" / recipe).iterdir()}
    assert {"__init__.py", "model.py", "train.py", "load.py", "README.md"} <= present


def test_parameter_count_is_the_readmes(recipe):
    model = registry.build(recipe)
    readme = (ROOT / "recipes" / recipe / "README.md").read_text(encoding="utf-8")
    stated = re.findall(rf"({'|'.join(model.networks)}) ([\d,]+) parameters", readme)
    counts = {name: int(number.replace(",", "")) for name, number in stated}
    assert counts == {name: getattr(model, name).count_params() for name in model.networks}


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3)])
def test_image_shapes(recipe, config, size, channels):
    config = dataclasses.replace(config, image_size=size, channels=channels)
    model = registry.build(recipe, config)
    assert model.kind == config.kind
    if not isinstance(model, zoo.GAN):
        assert outputs(model).shape == (3, config.num_classes)
        assert outputs(model).dtype == np.float32
        return
    assert model.generator.output.shape == (None, size, size, channels)
    assert model.generator.output.dtype == "float32"
    assert model.discriminator.output.shape == (None, 1)
    assert model.discriminator.output.dtype == "float32"
    assert outputs(model).shape == (3, size, size, channels)


def test_mixed_precision_ends_in_float32(recipe, config):
    with policy.dtype_policy("mixed_bfloat16"):
        model = registry.build(recipe, config)
    for network in (getattr(model, name) for name in model.networks):
        assert {output.dtype for output in keras.tree.flatten(network.output)} == {"float32"}
        assert "bfloat16" in {layer.compute_dtype for layer in network.layers}
        assert {variable.dtype for variable in network.weights} == {"float32"}


def test_flags_are_the_config(recipe):
    Config = registry.import_recipe(recipe).Config
    values = flags.FlagValues()
    cli.define_flags(Config, values)
    values(["train"])
    assert cli.config_from_flags(Config, values) == Config()
    for field in dataclasses.fields(Config):
        assert len(values[field.name].help) > 10
    changed = flags.FlagValues()
    cli.define_flags(Config, changed)
    changed(["train", "--width=12", "--decay_from=0.25", "--precision=mixed_bfloat16"])
    expected = Config(width=12, decay_from=0.25, precision="mixed_bfloat16")
    assert cli.config_from_flags(Config, changed) == expected


@pytest.mark.parametrize("recipe", GANS, indirect=True)
def test_scores_are_the_discriminators(config, recipe):
    model = registry.build(recipe, config)
    images = model.sample(4, seed=0)
    labels = np.arange(4) if config.num_classes else None
    inputs = [keras.ops.convert_to_tensor(images / np.float32(127.5) - 1)]
    inputs += [keras.ops.convert_to_tensor(labels, "int32")] if config.num_classes else []
    expected = model.discriminator(inputs if config.num_classes else inputs[0], training=False)
    scores = model.scores(images, labels)
    np.testing.assert_allclose(scores, keras.ops.convert_to_numpy(expected)[:, 0], rtol=1e-5)
    assert len(set(scores.tolist())) == 4
    if recipe != "progan":  # its discriminator compares the images of a batch
        in_batches = model.scores(images, labels, batch_size=3)
        np.testing.assert_allclose(in_batches, scores, rtol=1e-5)


def test_save_and_load(config, recipe, tmp_path):
    model = registry.build(recipe, config)
    model.save(tmp_path / "model", zipped=False)
    loaded = zoo.load(tmp_path / "model")
    assert loaded.config == config
    np.testing.assert_array_equal(outputs(loaded), outputs(model))


def test_a_run_that_stops_goes_on_where_it_stopped(config, train, dataset, tmp_path):
    """Two runs of 2 steps equal one of 4 and leave the same files; another config is refused."""
    config = dataclasses.replace(config, dataset=dataset, save_every=1, steps=4, decay_from=1.0)
    whole = train(config, tmp_path / "whole")
    train(dataclasses.replace(config, steps=2), tmp_path / "parts")
    resumed = train(config, tmp_path / "parts")
    assert resumed.step == whole.step == 4
    newest = tmp_path / "parts" / "state" / "step_0000004"
    assert files.read_json(newest / "record.json")["planned"] == [2]
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)

    for run in ("whole", "parts"):
        folder = tmp_path / run
        if isinstance(whole, zoo.GAN):
            grids = sorted(path.name for path in (folder / "samples").iterdir())
            assert grids == [f"step_{step:07d}.png" for step in (1, 2, 3, 4)]
        rows = (folder / "history.csv").read_text().splitlines()
        assert rows[0].startswith("step,minutes,")
        assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3", "4"]
        assert list((folder / "tensorboard").glob("events*"))
        kept = sorted(path.name for path in (folder / "state").iterdir())
        assert kept == ["step_0000003", "step_0000004"]
        assert not list(folder.rglob(".writing-*"))
    saved = keras.saving.load_model(tmp_path / "parts" / "model")
    np.testing.assert_array_equal(outputs(saved), outputs(whole))

    other = dataclasses.replace(config, batch_size=2, seed=5)
    with pytest.raises(ValueError, match="holds a run with another batch_size, seed"):
        train(other, tmp_path / "parts")
