"""A run stopped within an epoch goes on exactly where a step keeps its variables to itself."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_run_stopped_within_an_epoch_ends_with_the_same_bits(backend, tmp_path):
    run = subprocess.run(
        [sys.executable, "tests/stopping.py", tmp_path],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.endswith("the same bits\n")
