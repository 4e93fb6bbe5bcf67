"""JAX: `--strategy=mirrored` on two devices ends in the weights of one. PyTorch refuses it."""

import numpy as np
import pytest
import workers
from crash_run import last_arrays
from processes import python
from replicas import check_first_wrong, check_replicas, train_on_replicas

from zoo import registry

pytestmark = pytest.mark.parity
RECIPES = ("wgan_gp", "classifier")


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """What one device and two ended in."""
    return train_on_replicas(tmp_path_factory.mktemp("jax") / "weights.npz", RECIPES, "jax")


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_devices_end_as_one(replicas, recipe):
    check_replicas(replicas, recipe)


def test_the_first_wrong_term_is_named_on_two_devices(replicas):
    check_first_wrong(replicas, RECIPES)


def test_a_batch_that_two_devices_cannot_share_is_refused(replicas):
    assert "must be a multiple of their number, but is 3" in str(replicas["refusal"])


def test_two_workers_end_as_one_device(tiny, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "images.npz", images=rng.integers(0, 256, (24, 8, 8, 1), np.uint8))
    own = {"steps": 4, "save_every": 2, "dataset": f"npz:{tmp_path / 'images.npz'}"}
    config = registry.import_recipe("wgan_gp").Config.from_dict(tiny | own | workers.RATES)
    two = workers.start(config, tmp_path / "two", workers.of_jax())
    ends = [workers.finish(worker) for worker in two]
    assert [code for code, _ in ends] == [0, 0], [errors[-3000:] for _, errors in ends]
    (one,) = workers.start(
        config, tmp_path / "one", [workers.ON_CPU | {"KERAS_BACKEND": "jax"}], "--strategy=none"
    )
    code, errors = workers.finish(one)
    assert code == 0, errors[-3000:]
    expected, found = (last_arrays(tmp_path / run) for run in ("one", "two"))
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-4, err_msg=name)
    rows = (tmp_path / "two" / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["2", "4"]


DETERMINISTIC = """
from zoo import backend
from zoo.backend import {name} as framework

framework.accelerators = lambda: ["one"]
try:
    backend.make_deterministic()
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("jax", "XLA_FLAGS", "--xla_gpu_deterministic_ops=true"),
        ("torch", "CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
    ],
)
def test_the_same_bits_on_a_gpu_need_a_setting(name, variable, value, monkeypatch):
    monkeypatch.delenv(variable, raising=False)
    refusal = f"on a GPU needs {variable}={value} in the environment."
    for given, said in (({}, refusal), ({variable: value}, "")):
        printed = python("-c", DETERMINISTIC.format(name=name), KERAS_BACKEND=name, **given).stdout
        assert printed.strip().endswith(said)
        assert bool(printed) == bool(said)


def test_a_backend_of_keras_that_the_zoo_has_no_part_for_is_named():
    code = "import zoo; zoo.load('wgan_gp_fmnist')"  # Keras's NumPy needs JAX
    said = python("-c", code, check=False, KERAS_BACKEND="numpy").stderr.splitlines()[-1]
    known = "The zoo runs on tensorflow, jax, torch"
    assert said == f"ValueError: {known}; Keras (KERAS_BACKEND) is set to numpy."


def test_pytorch_compiles_no_gan():
    code = "import zoo; zoo.GAN('wgan_gp', {'width': 8, 'image_size': 8, 'jit': 'on'}).compile()"
    said = python("-c", code, check=False, KERAS_BACKEND="torch").stderr.splitlines()[-1]
    expected = "PyTorch compiles no gradients of gradients: jit must be auto or off."
    assert said == f"ValueError: {expected}"


def test_pytorch_says_that_it_trains_on_one_device(tmp_path):
    command = ("-m", "recipes.wgan_gp.train", "--strategy=mirrored")
    options = {"check": False, "KERAS_BACKEND": "torch"}
    run = python(*command, f"--workdir={tmp_path / 'run'}", **options)
    assert run.returncode == 1
    assert run.stderr.startswith("train.py: With PyTorch a model trains on one device")
    assert len(run.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()
