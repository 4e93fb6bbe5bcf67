"""What each backend promises for itself; `parity/test_suites.py` runs this on the others."""

import keras
import numpy as np
from keras import ops

from zoo import backend


def test_a_variable_that_the_loss_does_not_see_has_the_gradient_zero():
    """On every backend, so that an optimizer's averages decay alike (ProGAN's unused stages)."""
    seen, unseen = (keras.Variable(np.ones(3, np.float32)) for _ in range(2))
    _, (two, zero) = backend.value_and_grad(lambda: (ops.sum(seen**2), {}), [seen, unseen], [])
    np.testing.assert_array_equal(ops.convert_to_numpy(two), [2, 2, 2])
    np.testing.assert_array_equal(ops.convert_to_numpy(zero), [0, 0, 0])


def test_too_little_memory_is_known_from_other_errors():
    found = []
    for shape in ((2**44,), (-1,)):  # 64 TiB, and no shape at all
        try:
            ops.zeros(shape)
        except Exception as error:
            found.append(backend.is_out_of_memory(error))
    assert found == [True, False]
