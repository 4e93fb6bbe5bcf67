"""The precision that layers are built in."""

import contextlib

import keras


@contextlib.contextmanager
def dtype_policy(policy):
    """Lets layers be built with a policy of Keras, such as "mixed_bfloat16", within the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
