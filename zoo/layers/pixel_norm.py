"""Pixelwise feature vector normalisation."""

import keras
from keras import ops

from zoo.layers.precision import at_least_float32


@keras.saving.register_keras_serializable("zoo")
class PixelNorm(keras.layers.Layer):
    """Scales the feature vector of every pixel to root mean square 1.

    ```
    y = x / sqrt(mean_c(x^2) + epsilon)
    ```

    with the mean over the last axis. The output has length `sqrt(C)` over its `C` channels, not
    length 1. The layer has no weights, and computes in float32 or more under every dtype policy.

    Args:
        epsilon: float. Keeps an all-zero vector at zero instead of dividing by zero.
        **kwargs: keyword arguments of `keras.layers.Layer`.

    Input shape:
        Any rank, channels last: `(N, ..., C)`.

    Output shape:
        The same as the input.

    Reference:
        - [Karras et al., 2018](https://arxiv.org/abs/1710.10196), section 4.2.
    """

    def __init__(self, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.supports_masking = True

    def call(self, inputs):
        x = at_least_float32(inputs)
        mean_square = ops.mean(ops.square(x), axis=-1, keepdims=True)
        return ops.cast(x * ops.rsqrt(mean_square + self.epsilon), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
