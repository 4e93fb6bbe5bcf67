"""Runs that start from a model: its weights, its hyperparameters, and what the card says of it."""

import dataclasses
import shlex
import shutil

import numpy as np
import pytest
from absl import flags
from small import TINY, grey_levels

from recipes.wgan_gp import Config
from zoo import cards, cli, files, hub, provenance, registry, starting, training


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    images = tmp_path_factory.mktemp("images") / "set.npz"
    np.savez(images, images=grey_levels())
    source = {"dataset": f"npz:{images}", "steps": 2}
    return Config.from_dict(TINY | source | {"penalty_weight": 5.0, "n_critic": 2})


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """The folder of a run of two steps."""
    run = tmp_path_factory.mktemp("trained") / "first"
    training.train_gan("wgan_gp", config, run)
    return run


@pytest.fixture
def first(trained, tmp_path):
    """The model of a run of two steps, in a test's own copy of the run."""
    return shutil.copytree(trained, tmp_path / "first") / "model"


def parsed(*arguments, workdir=None):
    values = flags.FlagValues()
    cli.define_flags(Config, values)
    values(["train", *arguments])
    return cli.config_from_flags(Config, values, workdir)


def test_a_run_starts_from_the_weights_and_the_next_from_its_own(config, first, tmp_path):
    config = dataclasses.replace(config, start_from=str(first), steps=1)
    trained = training.train_gan("wgan_gp", config, tmp_path / "second")
    start = registry.build("wgan_gp", config)
    start.compile_for_run()
    start.load_weights(tmp_path / "second" / "state" / "step_0000000" / "train.weights.h5")
    expected = hub.load(first)
    for network in ("generator", "discriminator"):
        pairs = zip(*(getattr(gan, network).get_weights() for gan in (start, expected)))
        for ours, theirs in pairs:
            np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(start.training_generator.get_weights(), start.generator.get_weights()):
        np.testing.assert_array_equal(ours, theirs)

    longer = dataclasses.replace(config, steps=2)
    going_on = training.train_gan("wgan_gp", longer, tmp_path / "second")
    whole = training.train_gan("wgan_gp", longer, tmp_path / "whole")
    assert trained.step == 1
    for ours, theirs in zip(going_on.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_flags_that_are_not_given_are_those_of_the_model(config, first):
    assert parsed(f"--start_from={first}", "--n_critic=3") == dataclasses.replace(
        config, start_from=str(first), n_critic=3, steps=Config().steps
    )
    worker = first.parent.parent / "worker"  # has copies of the states, and nothing else
    (worker / "state" / "step_0000001").mkdir(parents=True)
    assert parsed(f"--start_from={first}", workdir=worker).penalty_weight == config.penalty_weight
    published = parsed("--start_from=wgan_gp_fmnist", "--dataset=folder:shoes")
    assert (published.width, published.decay_from, published.dataset) == (32, 0.5, "folder:shoes")


def test_the_card_tells_both_commands_and_all_minutes(config, first, tmp_path):
    config = dataclasses.replace(config, start_from=str(first), steps=3, penalty_weight=10.0)
    training.train_gan("wgan_gp", config, tmp_path / "second")
    (tmp_path / "published").mkdir()
    cards.publish("twice", tmp_path / "second", tmp_path / "published")
    metadata = files.read_json(tmp_path / "published" / "twice" / "metadata.json")
    histories = [files.read_csv(tmp_path / run / "history.csv") for run in ("first", "second")]
    minutes = [float(history[-1]["minutes"]) for history in histories]
    assert metadata["before"] == starting.runs_before(str(first))
    assert (metadata["before"][0]["steps"], metadata["steps"]) == (2, 3)
    assert metadata["minutes"] == round(sum(minutes))
    workdir = "runs/wgan_gp_set"
    assert metadata["before"][0]["workdir"] == workdir
    assert f"--workdir={workdir}_2 " in metadata["command"]
    assert f"--start_from=./{workdir}/model" in metadata["command"]
    words = metadata["command"].replace(f"./{workdir}/model", str(first)).split()
    assert parsed(*words[4:]) == config
    card = cards.card_text.body(metadata)
    assert "| Training | 2 + 3 generator steps," in card
    assert f"```\n{metadata['before'][0]['command']}\n{metadata['command']}\n```" in card


def test_what_a_run_cannot_start_from_is_one_sentence(config, first, tmp_path):
    wider = dataclasses.replace(config, start_from=str(first), width=9)
    with pytest.raises(ValueError, match=r"generator of .* has other shapes; .*: width=8"):
        training.train_gan("wgan_gp", wider, tmp_path / "wider")
    other = dataclasses.replace(config, start_from="cbn_resnet_fmnist")
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="a model of the recipe 'cbn_resnet', not of 'wgan_gp'"):
        training.train_gan("wgan_gp", other, tmp_path / "other")
    with pytest.raises(ValueError, match="a model of the recipe 'cbn_resnet', not of 'wgan_gp'"):
        parsed("--start_from=cbn_resnet_fmnist")
    with pytest.raises(FileNotFoundError, match="is the folder of a run: its model is in `model/`"):
        parsed(f"--start_from={first.parent}")
    with pytest.raises(ValueError, match="There is no model 'wgan_gp_fmnits'; did you mean"):
        parsed("--start_from=wgan_gp_fmnits")
    assert {path.parent.name for path in tmp_path.glob("*/state")} == {"first"}
    assert not (tmp_path / "wider").exists(), "no folder is left where there was none"
    assert (tmp_path / "other").exists(), "but one that was there"


def test_a_run_goes_on_when_the_model_it_started_from_is_gone(config, first, tmp_path):
    workdir = tmp_path / "second"
    arguments = [f"--start_from={first}", "--steps=3", "--save_every=1"]
    training.train_gan("wgan_gp", parsed(*arguments, workdir=workdir), workdir)
    command = files.read_json(workdir / "run.json")["command"]
    shutil.rmtree(first)
    longer = parsed(*arguments, "--steps=4", workdir=workdir)
    assert longer.penalty_weight == config.penalty_weight
    assert training.train_gan("wgan_gp", longer, workdir).step == 4
    expected = command.replace("--steps=3", "--steps=4")
    assert files.read_json(workdir / "run.json")["command"] == expected
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        parsed(*arguments, workdir=tmp_path / "third")


def test_the_best_weights_of_a_run_are_another_start_than_its_last(config, first):
    run = first.parent
    shutil.copytree(first, run / "best")
    files.write_json(run / "best" / "fid.json", {"fid": 3.0, "step": 1})
    facts = files.read_json(run / "run.json")
    dataset = "folder:/home/me/My Shoes"
    facts["command"] = provenance.command("wgan_gp", dataclasses.replace(config, dataset=dataset))
    files.write_json(run / "run.json", facts)
    ((last,), (best,)) = (starting.runs_before(str(run / name)) for name in ("model", "best"))
    assert (last["model"], last["steps"]) == ("model", 2)
    assert (best["model"], best["steps"]) == ("best", 1)
    assert best["workdir"] == "runs/wgan_gp_My_Shoes"
    command = provenance.command("wgan_gp", config, [best])
    assert f"--start_from=./{best['workdir']}/best" in shlex.split(command)
