"""Training on several devices and machines gives the weights of one device: `--strategy`.

Replicas and workers have processes of their own: devices are set before TensorFlow starts.
"""

import dataclasses
import json
import time
import types

import numpy as np
import pytest
import workers
from crash_run import last_arrays, newest_step
from processes import python
from replicas import check_first_wrong, check_replicas, train_on_replicas

import zoo
from zoo import registry
from zoo.backend import tensorflow as tensorflow_backend

RECIPES = ("wgan", "wgan_gp", "sngan", "cbn_resnet", "classifier")
LOST = "Another worker was lost. Start all workers again"


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """What one device and two ended in."""
    return train_on_replicas(tmp_path_factory.mktemp("replicas") / "weights.npz", RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_replicas_end_as_one_device(replicas, recipe):
    check_replicas(replicas, recipe)


def test_copies_on_two_replicas_stay_equal(replicas):
    assert replicas["largest difference of copies"] == 0.0


def test_the_first_wrong_term_is_named_on_two_replicas(replicas):
    check_first_wrong(replicas, RECIPES)


def test_a_batch_that_two_devices_cannot_share_is_refused(replicas):
    assert "must be a multiple of their number, but is 3" in str(replicas["refusal"])


def test_the_layers_work_on_two_devices():
    assert "5 passed" in python("-m", "pytest", "-q", "tests/layers/on_two_devices.py").stdout


@pytest.fixture
def config(tmp_path, tiny):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "images.npz", images=rng.integers(0, 256, (24, 8, 8, 1), np.uint8))
    run = {"steps": 12, "save_every": 2, "dataset": f"npz:{tmp_path / 'images.npz'}"}
    return registry.import_recipe("wgan_gp").Config.from_dict(tiny | run | workers.RATES)


def test_a_killed_worker_ends_the_run_which_goes_on_and_ends_as_on_one_device(config, tmp_path):
    """Two workers; one is killed after a save; the other says so; both are started again."""
    started = workers.start(config, tmp_path / "two", workers.of_tensorflow())
    deadline = time.monotonic() + 120
    while newest_step(tmp_path / "two") < 2:
        assert time.monotonic() < deadline
        assert started[0].poll() is None, workers.finish(started[0])[1][-3000:]
        time.sleep(0.02)
    started[1].kill()
    code, errors = workers.finish(started[0])
    workers.finish(started[1])
    assert code == 1
    assert LOST in errors
    assert 2 <= newest_step(tmp_path / "two") < 12

    started = workers.start(config, tmp_path / "two", workers.of_tensorflow())
    ends = [workers.finish(worker) for worker in started]
    assert [code for code, _ in ends] == [0, 0], ends[0][1][-3000:]

    zoo.training.train_gan("wgan_gp", config, tmp_path / "one")
    expected, found = last_arrays(tmp_path / "one"), last_arrays(tmp_path / "two")
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-4, err_msg=name)
    rows = (tmp_path / "two" / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["2", "4", "6", "8", "10", "12"]
    one, two = (
        sorted(path.name for path in (tmp_path / run).rglob("*") if "tfevents" not in path.name)
        for run in ("one", "two")
    )
    assert one == two
    sample = zoo.load(tmp_path / "two" / "model").sample(4, seed=0)
    difference = sample.astype(int) - zoo.load(tmp_path / "one" / "model").sample(4, seed=0)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("addresses", [[], ["localhost"]])
def test_workers_need_their_addresses(addresses, config, tmp_path, monkeypatch):
    task = {"type": "worker", "index": 0}
    value = {"cluster": {"worker": addresses}, "task": task} if addresses else {}
    monkeypatch.setenv("TF_CONFIG", json.dumps(value))
    config = dataclasses.replace(config, strategy="multi_worker")
    with pytest.raises(ValueError, match="needs the environment variable TF_CONFIG"):
        zoo.training.train_gan("wgan_gp", config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_workers_that_do_different_things_are_told(config, tmp_path):
    """Here of another number of updates, and so of collectives."""
    environments = workers.of_tensorflow()
    started = workers.start(config, tmp_path / "run", environments, "--n_critic=2")
    ends = [workers.finish(worker) for worker in started]
    assert 1 in [code for code, _ in ends]
    told = [errors for _, errors in ends if "The workers do different things: all need" in errors]
    assert told, [errors[-3000:] for _, errors in ends]


@pytest.mark.parametrize(
    ("jobs", "task", "chief"),
    [
        (["worker"], ("worker", 0), True),
        (["worker"], ("worker", 1), False),
        (["chief", "worker"], ("chief", 0), True),
        (["chief", "worker"], ("worker", 0), False),
    ],
)
def test_one_worker_is_the_chief(jobs, task, chief):
    resolver = types.SimpleNamespace(
        cluster_spec=lambda: types.SimpleNamespace(jobs=jobs), task_type=task[0], task_id=task[1]
    )
    assert tensorflow_backend._is_chief(resolver) == chief
