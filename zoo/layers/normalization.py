"""The normalisations a recipe chooses among, by name."""

import keras

from zoo.layers.batch_norm import BatchNormalization
from zoo.layers.instance_norm import InstanceNormalization


def normalization(norm, groups=8, **kwargs):
    """Returns a layer that normalises features (N, H, W, C), with one gamma and beta per channel.

    Args:
        norm: "batch" (Ioffe & Szegedy 2015); or within each sample "layer", over H, W and C (Ba et
            al. 2016), "instance", over H and W (Ulyanov et al. 2016), or "group", over H, W and
            the channels of a group (Wu & He 2018, equation 7, whose section 3.1 has the others as
            one group and as one group per channel); or "none".
        groups: Groups of "group"; a divisor of C.
        **kwargs: Initializers and constraints of gamma and beta.

    Raises:
        ValueError: For another name.
    """
    if norm == "none":
        return keras.layers.Identity()
    if norm == "batch":
        return BatchNormalization(**kwargs)
    if norm == "instance":
        return InstanceNormalization(**kwargs)
    if norm not in ("layer", "group"):
        raise ValueError(f"norm must be batch, layer, instance, group or none, but is {norm!r}.")
    return keras.layers.GroupNormalization(groups if norm == "group" else 1, **kwargs)
