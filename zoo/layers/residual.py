"""Residual blocks of GAN generators."""

import keras

from zoo.layers.batch_norm import BatchNormalization
from zoo.layers.conditional_batch_norm import ConditionalBatchNormalization
from zoo.layers.folded import UpsampleConv2D


def residual_convolution(
    block, size, filters=None, gain=2.0, use_bias=True, kind=keras.layers.Conv2D
):
    """The convolution of a residual block: zero-padded, Glorot uniform times sqrt(gain).

    It has the block's filters, unless others are given, and its dtype and `trainable`: a frozen
    block that is built later, or made again from its configuration, has frozen parts. The gain is 2
    on the residual path, where a rectifier halves the signal, and 1 on the skip.
    """
    return kind(
        filters or block.filters,
        size,
        padding="same",
        use_bias=use_bias,
        data_format="channels_last",
        kernel_initializer=keras.initializers.VarianceScaling(gain, "fan_avg", "uniform"),
        dtype=block.dtype_policy,
        trainable=block.trainable,
    )


def _normalization(block):
    settings = {
        "momentum": block.momentum,
        "epsilon": block.epsilon,
        "synchronized": block.synchronized,
        "dtype": block.dtype_policy,
        "trainable": block.trainable,
    }
    if block.num_classes is None and block.condition_size is None:
        return BatchNormalization(**settings)
    return ConditionalBatchNormalization(block.num_classes, block.condition_size, **settings)


@keras.saving.register_keras_serializable("zoo")
class ConditionalResidualBlock(keras.layers.Layer):
    """Post-activation residual block with conditional batch normalisation.

    ```
    f(x) = leaky_relu(cbn(conv3x3(x)))
    g(x) = x, or leaky_relu(cbn(conv1x1(x))) where the width changes
    y = f2(f1(x)) + g(x)
    ```

    The convolutions have no bias: the beta of the normalisation that follows is one.

    Args:
        filters: int, the number of output channels.
        num_classes: int, as for `ConditionalBatchNormalization`; or None.
        condition_size: int, as for `ConditionalBatchNormalization`; or None.
        negative_slope: float, the slope of the leaky ReLU below 0.
        momentum: float, the momentum of the normalisation's statistics.
        epsilon: float, the epsilon of the normalisation.
        synchronized: bool, whether a training batch's statistics are taken over all replicas of a
            distribution strategy (TensorFlow; no effect on other backends).
        **kwargs: keyword arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor of shape `(N, H, W, C)`.
        condition: labels or vectors, as for `ConditionalBatchNormalization`.
        training: bool.

    Output shape:
        `(N, H, W, filters)`.

    Raises:
        ValueError: unless exactly one of `num_classes` and `condition_size` is given.

    Reference:
        - [He et al., 2016](https://arxiv.org/abs/1512.03385), equations 1 and 2 (the block).
        - [de Vries et al., 2017](https://arxiv.org/abs/1707.00683) (its normalisation).
    """

    def __init__(
        self,
        filters,
        num_classes=None,
        condition_size=None,
        negative_slope=0.2,
        momentum=0.9,
        epsilon=2e-5,
        synchronized=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if (num_classes is None) == (condition_size is None):
            raise ValueError(
                "ConditionalResidualBlock takes num_classes or condition_size, one of them; "
                f"received num_classes={num_classes} and condition_size={condition_size}."
            )
        self.filters = filters
        self.num_classes = num_classes
        self.condition_size = condition_size
        self.negative_slope = negative_slope
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized

    def build(self, inputs_shape, condition_shape):
        outputs_shape = self.compute_output_shape(inputs_shape)
        self.convolution_1 = residual_convolution(self, 3, use_bias=False)
        self.convolution_1.build(inputs_shape)
        self.convolution_2 = residual_convolution(self, 3, use_bias=False)
        self.convolution_2.build(outputs_shape)
        self.normalization_1 = _normalization(self)
        self.normalization_2 = _normalization(self)
        self.normalization_1.build(outputs_shape, condition_shape)
        self.normalization_2.build(outputs_shape, condition_shape)
        self.skip_convolution = None
        if inputs_shape[-1] != self.filters:
            self.skip_convolution = residual_convolution(self, 1, use_bias=False)
            self.skip_convolution.build(inputs_shape)
            self.skip_normalization = _normalization(self)
            self.skip_normalization.build(outputs_shape, condition_shape)

    def call(self, inputs, condition, training=None):
        def activate(x, normalization):
            x = normalization(x, condition, training=training)
            return keras.ops.leaky_relu(x, self.negative_slope)

        x = activate(self.convolution_1(inputs), self.normalization_1)
        x = activate(self.convolution_2(x), self.normalization_2)
        if self.skip_convolution is None:
            return x + inputs
        return x + activate(self.skip_convolution(inputs), self.skip_normalization)

    def compute_output_shape(self, inputs_shape, condition_shape=None):
        return (*inputs_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_classes": self.num_classes,
            "condition_size": self.condition_size,
            "negative_slope": self.negative_slope,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
        }


@keras.saving.register_keras_serializable("zoo")
class GeneratorBlock(keras.layers.Layer):
    """Pre-activation residual block that doubles the resolution: the generator block of SNGAN.

    ```
    f(x) = conv3x3(relu(bn(conv3x3(up(relu(bn(x)))))))
    y = f(x) + conv1x1(up(x))
    ```

    `bn` is batch normalisation, or conditional batch normalisation where `num_classes` or
    `condition_size` is given; `up` repeats every pixel 2 x 2 times. With `upsample=False` there
    is no `up`, and without a change of width the skip is `x` itself.

    Args:
        filters: int, the number of output channels.
        num_classes: int, as for `ConditionalBatchNormalization`; or None.
        condition_size: int, as for `ConditionalBatchNormalization`; or None.
        upsample: bool, whether to double height and width.
        momentum: float, the momentum of the normalisation's statistics.
        epsilon: float, the epsilon of the normalisation.
        synchronized: bool, whether a training batch's statistics are taken over all replicas of a
            distribution strategy (TensorFlow; no effect on other backends).
        **kwargs: keyword arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor of shape `(N, H, W, C)`.
        condition: labels or vectors, as for `ConditionalBatchNormalization`; None where the block
            is unconditional.
        training: bool.

    Output shape:
        `(N, 2 H, 2 W, filters)`, or `(N, H, W, filters)` with `upsample=False`.

    Raises:
        ValueError: if a conditional block is called without a condition, or the other way round.

    Reference:
        - [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), figure 8.
        - [Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637): the conditional one.
    """

    def __init__(
        self,
        filters,
        num_classes=None,
        condition_size=None,
        upsample=True,
        momentum=0.9,
        epsilon=2e-5,
        synchronized=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.num_classes = num_classes
        self.condition_size = condition_size
        self.upsample = upsample
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized

    def build(self, inputs_shape, condition_shape=None):
        conditional = self.num_classes is not None or self.condition_size is not None
        if conditional != (condition_shape is not None):
            needs = "needs a condition" if conditional else "is unconditional and takes none"
            raise ValueError(f"the generator block {self.name} {needs}.")
        conditions = (condition_shape,) if conditional else ()
        outputs_shape = self.compute_output_shape(inputs_shape)
        self.resize = keras.layers.UpSampling2D(
            2, data_format="channels_last", dtype=self.dtype_policy
        )
        self.resize.build(inputs_shape)
        self.normalization_1 = _normalization(self)
        self.normalization_1.build(inputs_shape, *conditions)
        kind = UpsampleConv2D if self.upsample else keras.layers.Conv2D
        self.convolution_1 = residual_convolution(self, 3, kind=kind)
        self.convolution_1.build(inputs_shape)
        self.normalization_2 = _normalization(self)
        self.normalization_2.build(outputs_shape, *conditions)
        self.convolution_2 = residual_convolution(self, 3)
        self.convolution_2.build(outputs_shape)
        self.skip_convolution = None
        if self.upsample or inputs_shape[-1] != self.filters:
            self.skip_convolution = residual_convolution(self, 1, gain=1.0)
            self.skip_convolution.build(inputs_shape)

    def call(self, inputs, condition=None, training=None):
        conditions = () if condition is None else (condition,)
        x = keras.ops.relu(self.normalization_1(inputs, *conditions, training=training))
        x = self.convolution_1(x)
        x = keras.ops.relu(self.normalization_2(x, *conditions, training=training))
        x = self.convolution_2(x)
        skip = inputs
        if self.skip_convolution is not None:
            skip = self.skip_convolution(skip)
        if self.upsample:  # after the 1 x 1 convolution, with which it commutes
            skip = self.resize(skip)
        return x + skip

    def compute_output_shape(self, inputs_shape, condition_shape=None):
        batch, height, width, _ = inputs_shape
        if self.upsample:
            height, width = (size and 2 * size for size in (height, width))
        return (batch, height, width, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_classes": self.num_classes,
            "condition_size": self.condition_size,
            "upsample": self.upsample,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
        }
