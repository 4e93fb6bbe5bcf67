"""The settings of Keras that layers are built in."""

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


@contextlib.contextmanager
def channels_last():
    """Lets layers be built for images (N, H, W, C) within the block, whatever `keras.json` says."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)
