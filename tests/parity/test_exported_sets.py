"""Named sets without TensorFlow: from the files that `zoo export` writes."""

import numpy as np
import pytest
from processes import python

pytestmark = pytest.mark.parity

SCRIPT = """
import sys
from zoo import data
try:
    print(data.load("cifar10", "test").images.sum())
except ValueError as error:
    print(error)
print("tensorflow" in sys.modules)
"""


def test_an_exported_set_is_read_by_name(tmp_path):
    file = tmp_path / "datasets" / "cifar10-test.npz"

    def load():
        run = python("-c", SCRIPT, KERAS_BACKEND="jax", ZOO_HOME=str(tmp_path))
        said, with_tensorflow = run.stdout.splitlines()
        assert with_tensorflow == "False"
        return said

    assert "`zoo export cifar10 --split=test` where TensorFlow is installed writes" in load()
    file.parent.mkdir()
    np.savez(file, images=np.ones((5, 28, 28, 1), np.uint8), labels=np.arange(5))
    assert load() == f"{str(file)!r} does not hold cifar10; remove it and export it again."
    np.savez(file, images=np.full((5, 32, 32, 3), 2, np.uint8), labels=np.arange(5))
    assert load() == str(5 * 32 * 32 * 3 * 2)
