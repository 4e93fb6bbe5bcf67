"""Batch normalisation whose statistics are those of the whole batch, however many replicas."""

import keras


def can_synchronize():
    """Whether Keras can share batch statistics between replicas; elsewhere it refuses to."""
    return keras.backend.backend() == "tensorflow"


def BatchNormalization(**kwargs):  # noqa: N802 - stands for the class it makes
    """A `keras.layers.BatchNormalization` that is synchronised over replicas where Keras can.

    That is with TensorFlow only; elsewhere one program sees the whole batch anyway.
    Without it, replicas of a `tf.distribute` strategy normalise by different statistics and their
    moving statistics drift apart (Ioffe & Szegedy 2015).

    Args:
        **kwargs: As for `keras.layers.BatchNormalization`.
    """
    return keras.layers.BatchNormalization(**{"synchronized": can_synchronize()} | kwargs)
