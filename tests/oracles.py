"""NumPy's side of the tests of layers and constraints."""

import keras
import numpy as np


def to_numpy(x):
    return np.array(keras.ops.convert_to_numpy(x))


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def largest_singular_value(matrix):
    return np.linalg.svd(matrix, compute_uv=False)[0]
