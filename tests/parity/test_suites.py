"""Suites of the default tests that JAX and PyTorch must pass as well."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize(
    "tests",
    [
        *("tests/layers", "tests/test_backend.py"),
        *("tests/test_constraints.py", "tests/test_freezing.py"),
        *("tests/test_losses.py", "tests/test_penalties.py"),
    ],
)
def test_suites_pass_on_other_backends(backend, tests):
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", tests]
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert "skipped" not in run.stdout
