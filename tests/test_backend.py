"""What each backend promises for itself; `parity/test_suites.py` runs this on the others."""

import contextlib
import threading

import keras
import numpy as np
from keras import ops

from zoo import backend
from zoo.backend import shared


def test_a_variable_that_the_loss_does_not_see_has_the_gradient_zero():
    """On every backend, so that an optimizer's averages decay alike (ProGAN's unused stages)."""
    seen, unseen = (keras.Variable(np.ones(3, np.float32)) for _ in range(2))
    _, (two, zero) = backend.value_and_grad(lambda: (ops.sum(seen**2), {}), [seen, unseen], [])
    np.testing.assert_array_equal(ops.convert_to_numpy(two), [2, 2, 2])
    np.testing.assert_array_equal(ops.convert_to_numpy(zero), [0, 0, 0])


def test_too_little_memory_is_known_from_other_errors():
    found = []
    for shape in ((2**56,), (-1,)):  # 256 PiB, and no shape at all
        try:
            ops.zeros(shape)
        except Exception as error:
            found.append(backend.is_out_of_memory(error))
    assert found == [True, False]


def test_float32_stays_exact_until_the_last_thread_has_left():
    """What the user had set comes back then, and no thread's end rounds another's products."""
    changes, entered, leave = [], threading.Event(), threading.Event()

    @contextlib.contextmanager
    def setting():
        changes.append("exact")
        yield
        changes.append("as before")

    context = shared.WhileAny(setting)

    def first():
        with context():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(10)
    with context():
        leave.set()
        thread.join()
        assert changes == ["exact"]
    assert changes == ["exact", "as before"]
    with context():
        assert len(changes) == 3


def test_full_precision_gives_back_what_was_set():
    """By PyTorch's older name or by its newer one, which do not mix; by TensorFlow's."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for rounds in (True, False, True):  # the default at last
            tf.config.experimental.enable_tensor_float_32_execution(rounds)
            with backend.full_precision():
                assert not tf.config.experimental.tensor_float_32_execution_enabled()
            assert tf.config.experimental.tensor_float_32_execution_enabled() == rounds
    elif keras.backend.backend() == "torch":
        import torch

        matmul = torch.backends.cuda.matmul
        for name, rounds, exact in (
            ("allow_tf32", True, False),
            ("allow_tf32", False, False),
            ("fp32_precision", "tf32", "ieee"),
        ):
            setattr(matmul, name, rounds)
            with backend.full_precision():
                assert getattr(matmul, name) == exact
            assert getattr(matmul, name) == rounds
        matmul.fp32_precision = "none"
    else:
        import jax

        with backend.full_precision():
            assert jax.config.jax_default_matmul_precision == "highest"
        assert jax.config.jax_default_matmul_precision is None
