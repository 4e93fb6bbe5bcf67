"""Training on several devices and machines gives the weights of one device: `--strategy`.

Replicas and workers have processes of their own: devices are set before TensorFlow starts.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from crash_run import last_arrays, newest_step
from replicas import check_first_wrong, check_replicas, train_on_replicas

import zoo
from zoo import registry

ROOT = pathlib.Path(__file__).parent.parent
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
    command = [sys.executable, "-m", "pytest", "-q", "tests/layers/on_two_devices.py"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:]
    assert "5 passed" in run.stdout


@pytest.fixture
def config(tmp_path, tiny):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "images.npz", images=rng.integers(0, 256, (24, 8, 8, 1), np.uint8))
    run = {"steps": 12, "save_every": 2, "dataset": f"npz:{tmp_path / 'images.npz'}"}
    # Adam makes steps of its learning rate out of gradients that are rounding errors.
    rates = {"generator_learning_rate": 2e-5, "discriminator_learning_rate": 2e-5}
    return registry.import_recipe("wgan_gp").Config.from_dict(tiny | run | rates)


def start_workers(config, workdir):
    """Starts two worker processes of one run on this machine."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in (first, second)]
    flags = [f"--{name}={value}" for name, value in config.to_dict().items() if name != "strategy"]
    command = [sys.executable, "-m", "recipes.wgan_gp.train", *flags, f"--workdir={workdir}"]
    workers = []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = os.environ | {"TF_CONFIG": json.dumps(task)}
        workers.append(
            subprocess.Popen(
                [*command, "--strategy=multi_worker"],
                cwd=ROOT,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    return workers


def finish(worker):
    """Returns a worker's exit code and what it said on stderr."""
    try:
        _, errors = worker.communicate(timeout=120)
    finally:
        worker.kill()
    return worker.returncode, errors


def test_a_killed_worker_ends_the_run_which_goes_on_and_ends_as_on_one_device(config, tmp_path):
    """Two workers; one is killed after a save; the other says so; both are started again."""
    workers = start_workers(config, tmp_path / "two")
    deadline = time.monotonic() + 120
    while newest_step(tmp_path / "two") < 2:
        assert time.monotonic() < deadline
        assert workers[0].poll() is None, finish(workers[0])[1][-3000:]
        time.sleep(0.02)
    workers[1].kill()
    code, errors = finish(workers[0])
    finish(workers[1])
    assert code == 1
    assert LOST in errors
    assert 2 <= newest_step(tmp_path / "two") < 12

    ends = [finish(worker) for worker in start_workers(config, tmp_path / "two")]
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


def test_workers_need_their_addresses(config, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    workers = type(config)(**config.to_dict() | {"strategy": "multi_worker"})
    with pytest.raises(ValueError, match="needs the environment variable TF_CONFIG"):
        zoo.training.train_gan("wgan_gp", workers, tmp_path / "run")
    assert not (tmp_path / "run").exists()
