"""Suites of the default tests that JAX and PyTorch must pass as well."""

import pytest
from processes import python

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize(
    "tests",
    [
        *("tests/layers", "tests/test_augmentation.py", "tests/test_backend.py"),
        *("tests/test_constraints.py", "tests/test_freezing.py"),
        *("tests/test_losses.py", "tests/test_penalties.py"),
    ],
)
def test_suites_pass_on_other_backends(backend, tests):
    run = python("-m", "pytest", "-q", "-W", "ignore", tests, KERAS_BACKEND=backend)
    assert "skipped" not in run.stdout
