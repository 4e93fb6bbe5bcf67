"""Arithmetic in at least single precision, whatever the dtype policy of the layer."""

import keras
from keras import ops


def at_least_float32(x):
    """Casts half precision (and integers) up to float32; float32 and float64 stay as they are.

    Squares, sums over many values and small epsilons overflow or vanish in half precision
    (the largest float16 is 65504, and 1e-8 is zero in it).
    """
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
