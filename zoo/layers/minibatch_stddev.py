"""Minibatch standard deviation."""

import keras
from keras import ops

from zoo.layers.precision import at_least_float32


@keras.saving.register_keras_serializable("zoo")
class MinibatchStddev(keras.layers.Layer):
    """Appends one feature map that tells how much the samples of a group differ.

    ```
    s_g = mean_hwc( sqrt( var_{n in g}(x_nhwc) + epsilon ) )
    y_n = concat_c(x_n, s_g(n))
    ```

    The batch is dealt into `M = max(N // group_size, 1)` groups, sample `i` into group `i mod M`.
    Where `group_size` divides `N` all groups have that size. Otherwise the samples left over join
    the groups in turn, so that each has at least `group_size` members, or all `N` if there are
    fewer. A single sample has no spread: its map is `sqrt(epsilon)`.

    Under a `tf.distribute` strategy the batch is that of a replica: groups do not reach over
    devices. With JAX it is the global batch.

    Args:
        group_size: int, at least 1.
        epsilon: float, inside the square root.
        **kwargs: keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(N, ..., C)`, of rank 2 or more.

    Output shape:
        `(N, ..., C + 1)`.

    Raises:
        ValueError: if `group_size` is less than 1.

    Reference:
        - [Karras et al., 2018](https://arxiv.org/abs/1710.10196), section 3.
    """

    def __init__(self, group_size=4, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        if group_size < 1:
            raise ValueError(f"group_size must be at least 1; received {group_size}.")
        self.group_size = group_size
        self.epsilon = epsilon

    def call(self, inputs):
        inputs = ops.cast(inputs, self.compute_dtype)
        batch_size = ops.shape(inputs)[0]
        x = ops.reshape(at_least_float32(inputs), (batch_size, -1))
        # Row i of this (N, N) matrix averages over the group of sample i. Unlike a reshape into
        # groups it takes any batch, and it costs nothing next to a convolution.
        group = ops.arange(batch_size) % ops.maximum(batch_size // self.group_size, 1)
        same = ops.cast(ops.expand_dims(group, 1) == ops.expand_dims(group, 0), x.dtype)
        average = same / ops.sum(same, axis=1, keepdims=True)

        variance = ops.matmul(average, ops.square(x - ops.matmul(average, x)))
        statistic = ops.mean(ops.sqrt(variance + self.epsilon), axis=1)
        statistic = ops.reshape(statistic, (-1,) + (1,) * (len(inputs.shape) - 1))
        feature_map = ops.broadcast_to(statistic, ops.shape(inputs)[:-1] + (1,))
        return ops.concatenate([inputs, ops.cast(feature_map, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        return {
            **super().get_config(),
            "group_size": self.group_size,
            "epsilon": self.epsilon,
        }
