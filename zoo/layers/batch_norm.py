"""Batch normalisation in one kernel, of the whole batch, however many replicas it lies on."""

import keras
from keras import ops

from zoo import backend


def can_synchronize():
    """Whether Keras can share batch statistics between replicas; elsewhere it refuses to."""
    return keras.backend.backend() == "tensorflow"


@keras.saving.register_keras_serializable("zoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """A `keras.layers.BatchNormalization` that is fast in training, and synchronised where it can.

    ```
    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
    ```

    Its weights, arguments and results are those of the Keras layer. In training, features
    (N, H, W, C) go through one kernel of TensorFlow or PyTorch. With TensorFlow on a CPU, forward
    and backward then take a third of the Keras layer's time in float32, a fifth in bfloat16.

    Weights and statistics are float32 under a pure half-precision policy, too.

    By default it is synchronised over replicas where Keras can, with TensorFlow only; elsewhere one
    program sees the whole batch anyway. Without it, replicas of a `tf.distribute` strategy
    normalise by different statistics and their moving statistics drift apart.

    Args:
        synchronized: bool, as for the Keras layer, but by default True; with TensorFlow only, no
            effect on other backends.
        **kwargs: As for `keras.layers.BatchNormalization`.

    Reference:
        - [Ioffe & Szegedy, 2015](https://arxiv.org/abs/1502.03167), algorithms 1 and 2.
    """

    def __init__(self, synchronized=None, **kwargs):
        wanted = synchronized is None or synchronized
        super().__init__(synchronized=wanted and can_synchronize(), **kwargs)
        self._synchronized = synchronized

    def get_config(self):
        # As it was given: a model saved with TensorFlow loads where Keras cannot synchronise.
        return {**super().get_config(), "synchronized": self._synchronized}

    def add_weight(self, **kwargs):
        # A variance above 65504, or a small change of one, is lost in half precision.
        dtype = keras.backend.result_type(self.variable_dtype, "float32")
        return super().add_weight(dtype=dtype, **kwargs)

    def call(self, inputs, training=None, mask=None):
        fused = None
        if training and self.trainable and self._is_plain(inputs, mask):
            fused = backend.fused_batch_norm(inputs, *self._scale_and_offset(), self.epsilon)
        if fused is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, *statistics = fused
        for moving, new in zip((self.moving_mean, self.moving_variance), statistics):
            old = ops.cast(moving, "float32")
            moving.assign(old * self.momentum + new * (1 - self.momentum))
        return outputs

    def _is_plain(self, inputs, mask):
        """Whether every value counts, and counts for its channel, which is the last axis."""
        last = self.axis in (-1, len(inputs.shape) - 1)
        return last and mask is None and not getattr(self, "renorm", False)

    def _scale_and_offset(self):
        """Gamma and beta in float32, or ones and zeros where the layer has none."""
        shape = self.moving_mean.shape
        gamma = ops.cast(self.gamma, "float32") if self.scale else ops.ones(shape, "float32")
        beta = ops.cast(self.beta, "float32") if self.center else ops.zeros(shape, "float32")
        return gamma, beta
