"""The file of a model's weights: its size and its precision."""

import math

import h5py
import numpy as np

from zoo import files


def storage(variables):
    """Returns the bytes that a weights file of the variables may take.

    HDF5, which meets a full disk with a page of messages, is so not begun where it would not end.
    """
    return sum(math.prod(v.shape) * 4 + 5_000 for v in variables)


def halve(path):
    """Rewrites a weights file with float16 instead of float32 arrays; Keras loads them alike.

    An array that holds more than float16 can, 65504, stays as it is.
    """
    largest = np.finfo("float16").max

    def copy(name, item):
        if isinstance(item, h5py.Group):
            copied = target.require_group(name)
        else:
            array = item[()]
            if array.dtype == np.float32 and np.abs(array).max(initial=0) <= largest:
                array = array.astype("float16")
            copied = target.create_dataset(name, data=array)
        copied.attrs.update(item.attrs)

    with (
        files.atomic_path(path) as temporary,
        h5py.File(path, "r") as source,
        h5py.File(temporary, "w") as target,
    ):
        target.attrs.update(source.attrs)
        source.visititems(copy)
