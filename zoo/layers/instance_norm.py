"""Instance normalisation under its own name."""

import math

import keras


@keras.saving.register_keras_serializable("zoo")
class InstanceNormalization(keras.layers.GroupNormalization):
    """`keras.layers.GroupNormalization` with one group per channel.

    ```
    y = gamma * (x - mean_hw(x)) / sqrt(var_hw(x) + epsilon) + beta
    ```

    The mean and variance are those of one channel of one sample, so that a sample's output does
    not depend on the rest of its batch.

    Args:
        axis: int, the channel axis.
        epsilon: float, added to the variance.
        center: bool, whether to add `beta`.
        scale: bool, whether to multiply by `gamma`.
        **kwargs: the other keyword arguments of `keras.layers.GroupNormalization`.

    Input shape:
        `(N, ..., C)`.

    Output shape:
        The same as the input.

    Raises:
        ValueError: for features of one pixel, which less their mean are 0 whatever the image.

    Reference:
        - [Ulyanov et al., 2016](https://arxiv.org/abs/1607.08022), section 2.
        - [Wu and He, 2018](https://arxiv.org/abs/1803.08494), section 3.1.
    """

    def __init__(self, axis=-1, epsilon=1e-3, center=True, scale=True, **kwargs):
        super().__init__(
            groups=-1, axis=axis, epsilon=epsilon, center=center, scale=scale, **kwargs
        )

    def build(self, input_shape):
        sizes = list(input_shape[1:])
        del sizes[self.axis - 1 if self.axis > 0 else self.axis]
        if math.prod(size or 0 for size in sizes) == 1:
            raise ValueError(
                "Instance normalisation of features of one pixel leaves 0 of them: choose another "
                "norm, or larger images."
            )
        super().build(input_shape)

    def get_config(self):
        config = super().get_config()
        del config["groups"]  # always one per channel
        return config
