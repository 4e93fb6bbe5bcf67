"""Parts of a global batch, for the replicas and machines that share it."""

import keras


def check(batch_size, replicas):
    """Raises a `ValueError` unless a batch can be divided into equal parts."""
    if batch_size % replicas:
        raise ValueError(
            f"batch_size is that of all {replicas} devices together and must be a multiple of "
            f"their number, but is {batch_size}."
        )


def part(batch, index, count):
    """Returns the `index`-th of `count` equal parts of the arrays of a batch."""

    def cut(array):
        size = len(array) // count
        return array[index * size : (index + 1) * size]

    return keras.tree.map_structure(cut, batch)
