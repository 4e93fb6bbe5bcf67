"""The same steps and the same pictures on TensorFlow, JAX and PyTorch.

Tolerances: after one step (two discriminator updates and the generator's) losses and scores agree
to 1e-5 and weights to 2e-5 absolute; pictures of the published models to 2 of 255 grey levels,
probabilities to 1e-4. One step, because sooner or later rounding puts a ReLU on the other side of
0, even from one thread of one backend to two.
"""

import numpy as np
import pytest
from processes import python
from steps import VARIANTS

from zoo import registry

pytestmark = pytest.mark.parity

BACKENDS = ("tensorflow", "jax", "torch")


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """{backend: the arrays of steps.py}, each made in a process of its own."""
    folder, arrays = tmp_path_factory.mktemp("parity"), {}
    for backend in BACKENDS:
        out = folder / f"{backend}.npz"
        python("tests/parity/steps.py", out, KERAS_BACKEND=backend)
        with np.load(out) as file:
            arrays[backend] = dict(file)
    return arrays


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("step", [*registry.list_recipes(), *VARIANTS])
def test_a_step_gives_the_same_losses_and_weights(results, backend, step):
    expected, found = results["tensorflow"], results[backend]
    assert expected.keys() == found.keys()
    keys = [key for key in expected if key.startswith(f"{step}: ")]
    assert len(keys) > 20
    for key in keys:
        absolute = 1e-5 if "log" in key else 2e-5
        np.testing.assert_allclose(found[key], expected[key], 1e-5, absolute, err_msg=key)


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("name", registry.list_models())
def test_published_models_give_the_same_outputs(results, backend, name):
    expected, found = (results[b][f"outputs {name}"] for b in ("tensorflow", backend))
    pictures = expected.dtype == np.uint8
    assert expected.std() > (30 if pictures else 0.1)
    difference = np.abs(expected.astype(float) - found).max()
    assert difference <= (2 if pictures else 1e-4)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_never_import_tensorflow(results, backend):
    assert backend in results[backend]["loaded"]
    assert "tensorflow" not in results[backend]["loaded"]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_card_names_the_same_machine(results, backend):
    assert results[backend]["hardware"] == results["tensorflow"]["hardware"]
