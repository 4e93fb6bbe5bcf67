"""The benchmark of training: that it measures, and that PyTorch's networks are the recipes'."""

import json
import math
import sys

import numpy as np
import pytest

from benchmarks import training, workload
from zoo import registry

TINY = ["--width=4", "--image_size=8", "--batch_size=8", "--seconds=0.02", "--matmul_size=64"]


def run(tmp_path, *arguments):
    """Returns the report of a tiny benchmark."""
    training.main([*TINY, *arguments, f"--json={tmp_path / 'speed.json'}"])
    return json.loads((tmp_path / "speed.json").read_text())


def check_timing(timing, images_per_step):
    rate, seconds = timing["images_per_second"], timing["seconds_per_step"]
    assert 0 < rate < math.inf
    assert rate * seconds == pytest.approx(images_per_step)
    assert 0 < timing["cores"] < math.inf


def test_a_recipe_is_timed_without_torch(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails, as where it is missing
    for name in ("benchmarks.flops", "benchmarks.torch_training", "benchmarks.torch_networks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    report = run(tmp_path, "--recipes=classifier", "--steps_per_execution=2")
    row = report["recipes"]["classifier"]
    assert row["loops"].keys() == {"zoo"}
    check_timing(row["loops"]["zoo"], 8)
    assert row["seconds_per_batch"] > 0
    assert all(rates["keras"] > 1e6 for rates in report["matmul_flops_per_second"].values())
    out, err = capsys.readouterr()
    assert training.NO_TORCH in err
    cells = out.splitlines()[-1].split()
    assert cells[0] == "classifier"
    assert cells[1] == f"{row['parameters']:,}"
    assert cells[3:8] == ["-"] * 5


def test_the_rate_is_that_of_the_median_execution_after_the_first_two(monkeypatch):
    monkeypatch.setattr(workload.time, "perf_counter", iter([9, 10, 11, 12, 19]).__next__)
    monkeypatch.setattr(workload.time, "process_time", iter([0, 4, 5, 6, 8.5]).__next__)
    clock = workload.Clock(seconds=9)
    assert [clock.tick(steps) for steps in (4, 8, 12, 16, 20)] == [False] * 4 + [True]
    result = clock.result(images_per_step=10)
    assert result == {"images_per_second": 40.0, "seconds_per_step": 0.25, "cores": 0.5}


@pytest.mark.parity
def test_torch_and_tapes_are_timed(tmp_path):
    loops = run(tmp_path, "--recipes=wgan_gp")["recipes"]["wgan_gp"]["loops"]
    assert loops.keys() == {"zoo", "torch", "tapes"}
    for timing in loops.values():
        check_timing(timing, 40)
    # The same networks; padding, which counts, is not quite.
    counted = [loops[name]["flops_per_step"] for name in ("zoo", "torch")]
    assert counted[0] == pytest.approx(counted[1], rel=0.05)
    assert counted[0] > 1e7


@pytest.mark.parity
@pytest.mark.parametrize("size", [8, 28])
@pytest.mark.parametrize("recipe", registry.list_recipes())
def test_torch_networks_have_the_parameters_of_the_recipe(recipe, size):
    from benchmarks import torch_networks, torch_training

    options = workload.parse(["--width=4", "--discriminator_width=6", f"--image_size={size}"])
    model = workload.build(recipe, options)
    trainer = torch_training.make(recipe, model.config)
    if recipe in torch_networks.NETWORKS:
        assert trainer.parameters == workload.count_parameters(model)
    else:
        assert trainer is None, "a recipe is complete without"


@pytest.mark.parity
def test_a_torch_generator_makes_the_same_images_of_the_same_weights():
    import torch

    from benchmarks import torch_networks

    model = workload.build("wgan_gp", workload.parse(["--width=4", "--image_size=12"]))
    rng = np.random.default_rng(0)
    weights = [
        rng.normal(0, 0.2, w.shape) if len(w.shape) > 1 else rng.uniform(0.5, 1, w.shape)
        for w in model.generator.weights
    ]
    weights = [w.astype("float32") for w in weights]
    model.generator.set_weights(weights)
    generator, _ = torch_networks.build("wgan_gp", model.config)
    generator.eval()
    targets = [t for t in generator.state_dict().values() if t.ndim]
    dense, *others = weights
    # A dense layer makes (height, width, channels) in Keras and (channels, height, width) here.
    dense = dense.reshape(-1, 3, 3, 16).transpose(3, 1, 2, 0).reshape(-1, dense.shape[0])
    others = [w.transpose(3, 2, 0, 1) if w.ndim == 4 else w for w in others]
    for target, weight in zip(targets, [dense, *others], strict=True):
        target.copy_(torch.from_numpy(weight))
    latents = rng.standard_normal((5, 100), np.float32)
    expected = np.array(model.generator(latents))
    with torch.no_grad():
        found = generator(torch.from_numpy(latents)).numpy().transpose(0, 2, 3, 1)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_an_unknown_recipe_is_named(capsys):
    with pytest.raises(SystemExit, match="2"):
        workload.parse(["--recipes=wgan_pg"])
    assert "There is no recipe 'wgan_pg'; did you mean wgan_gp" in capsys.readouterr().err
