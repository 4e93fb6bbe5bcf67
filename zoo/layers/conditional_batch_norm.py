"""Batch normalisation whose scale and offset depend on a class or on a vector."""

import keras
import numpy as np
from keras import ops

from zoo.layers.batch_norm import BatchNormalization
from zoo.layers.precision import at_least_float32


@keras.saving.register_keras_serializable("zoo")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalisation with one scale and offset per sample, chosen by a condition.

    ```
    y = gamma(c) * (x - mean) / sqrt(variance + epsilon) + beta(c)
    ```

    The statistics are those of `keras.layers.BatchNormalization`: of the batch in training, the
    moving averages in inference and while the layer is not trainable. They are shared by all
    classes. What depends on the condition `c` is one of:

    - `num_classes=K`: a table with a row per class, `gamma(c) = gamma[c]` and `beta(c) = beta[c]`.
      With one class the layer is plain batch normalisation.
    - `condition_size=D`: a linear function of a vector (an embedding, latents),
      `gamma(c) = gamma + c @ gamma_kernel` and `beta(c) = beta + c @ beta_kernel`.

    Every gamma starts at 1 and every beta at 0 (the kernels at 0), the moving mean at 0 and the
    moving variance at 1.

    Args:
        num_classes: int, the number of classes; or None.
        condition_size: int, the length of the condition vector; or None. Exactly one of the two
            is given.
        momentum: float in [0, 1), the weight of the past in the moving averages.
        epsilon: float, added to the variance.
        synchronized: bool, whether the statistics of a training batch are taken over all replicas
            of a distribution strategy (TensorFlow; no effect on other backends).
        **kwargs: keyword arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor of shape `(N, ..., C)`.
        condition: with `num_classes`, integer labels of shape `(N,)` in [0, K), or one-hot rows
            (or weights of a mixture of classes) of shape `(N, K)`; with `condition_size`, floats
            of shape `(N, D)`.
        training: bool, whether to use and to record the statistics of the batch.

    Output shape:
        The shape of `inputs`.

    Raises:
        ValueError: for a wrong choice of arguments, a condition of another shape, or a label
            outside [0, K). In a compiled function, where labels have no values yet, the range
            cannot be checked.

    Reference:
        - [de Vries et al., 2017](https://arxiv.org/abs/1707.00683): a vector that
          shifts gamma and beta.
        - [Dumoulin et al., 2017](https://arxiv.org/abs/1610.07629), equation 5: a row
          of a table per class (there of instance normalisation).
    """

    def __init__(
        self,
        num_classes=None,
        condition_size=None,
        momentum=0.99,
        epsilon=1e-3,
        synchronized=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if (num_classes is None) == (condition_size is None):
            raise ValueError(
                "ConditionalBatchNormalization takes num_classes or condition_size, one of them; "
                f"received num_classes={num_classes} and condition_size={condition_size}."
            )
        if (condition_size if num_classes is None else num_classes) < 1:
            raise ValueError(
                "num_classes and condition_size must be at least 1; "
                f"received num_classes={num_classes} and condition_size={condition_size}."
            )
        self.num_classes = num_classes
        self.condition_size = condition_size
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized
        self.normalization = BatchNormalization(
            momentum=momentum,
            epsilon=epsilon,
            center=False,
            scale=False,
            synchronized=synchronized,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="normalization",
        )

    @property
    def moving_mean(self):
        """Variable of shape `(C,)`."""
        return self.normalization.moving_mean

    @property
    def moving_variance(self):
        """Variable of shape `(C,)`."""
        return self.normalization.moving_variance

    def build(self, inputs_shape, condition_shape):
        self._check_condition_shape(condition_shape)
        self.normalization.build(inputs_shape)
        channels = inputs_shape[-1]
        if self.num_classes is not None:
            shape = (self.num_classes, channels)
        else:
            shape = (channels,)
            kernel_shape = (self.condition_size, channels)
            self.gamma_kernel = self._add_weight("gamma_kernel", kernel_shape, "zeros")
            self.beta_kernel = self._add_weight("beta_kernel", kernel_shape, "zeros")
        self.gamma = self._add_weight("gamma", shape, "ones")
        self.beta = self._add_weight("beta", shape, "zeros")

    def call(self, inputs, condition, training=None):
        gamma, beta = self._scale_and_offset(condition)
        per_sample = (-1,) + (1,) * (len(inputs.shape) - 2) + (inputs.shape[-1],)
        normalized = at_least_float32(self.normalization(inputs, training=training))
        outputs = normalized * ops.reshape(gamma, per_sample) + ops.reshape(beta, per_sample)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, inputs_shape, condition_shape=None):
        return inputs_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "condition_size": self.condition_size,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
        }

    def _add_weight(self, name, shape, initializer):
        # Scale and offset join float32 statistics, hence no cast to a half precision.
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

    def _scale_and_offset(self, condition):
        """Gamma and beta of every sample, each of shape (N, C)."""
        self._check_condition_shape(condition.shape)
        gamma, beta = (
            at_least_float32(ops.convert_to_tensor(weight)) for weight in (self.gamma, self.beta)
        )
        if self.num_classes is None:
            condition = ops.cast(condition, gamma.dtype)
            return (
                gamma + ops.matmul(condition, ops.cast(self.gamma_kernel, gamma.dtype)),
                beta + ops.matmul(condition, ops.cast(self.beta_kernel, beta.dtype)),
            )
        if len(condition.shape) == 2:
            weights = ops.cast(condition, gamma.dtype)
            return ops.matmul(weights, gamma), ops.matmul(weights, beta)
        self._check_labels(condition)
        condition = ops.cast(condition, "int32")  # TensorFlow takes rows by few types of integers
        return ops.take(gamma, condition, axis=0), ops.take(beta, condition, axis=0)

    def _check_condition_shape(self, shape):
        shape = tuple(shape)
        size = self.num_classes or self.condition_size
        if len(shape) == 2 and shape[1] == size:
            return
        if len(shape) == 1 and self.num_classes is not None:
            return
        accepted = f"labels of shape (N,) or (N, {size})" if self.num_classes else f"(N, {size})"
        raise ValueError(
            f"the condition of {self.name} must have shape {accepted}; received shape {shape}."
        )

    def _check_labels(self, labels):
        dtype = keras.backend.standardize_dtype(labels.dtype)
        if "int" not in dtype:
            raise ValueError(f"labels of shape (N,) must be integers; received {dtype}.")
        values = _values(labels)
        if (
            values is not None
            and values.size
            and not np.all((values >= 0) & (values < self.num_classes))
        ):
            raise ValueError(
                f"labels must lie in [0, {self.num_classes - 1}]; "
                f"received labels from {values.min()} to {values.max()}."
            )


def _values(tensor):
    """The values of a tensor as an array, or None while a function is being compiled."""
    try:
        return ops.convert_to_numpy(tensor)
    # Every framework refuses a tensor without values by an error of its own.
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None
