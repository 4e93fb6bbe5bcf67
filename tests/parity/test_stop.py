"""A run stopped within an epoch goes on exactly where a step keeps its variables to itself."""

import pytest
from processes import python

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_run_stopped_within_an_epoch_ends_with_the_same_bits(backend, tmp_path):
    printed = python("tests/stopping.py", tmp_path, KERAS_BACKEND=backend).stdout
    assert printed.endswith("the same bits\n")
