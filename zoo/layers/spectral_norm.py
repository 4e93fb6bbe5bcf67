"""Spectral normalisation: the power iteration, and the layer wrapper over it."""

import math

import keras
from keras import ops

from zoo.layers.precision import at_least_float32

TINY = 1e-12

# Which kernel axes count the output units of a layer. A transposed convolution stores its output
# channels before its input channels; a depthwise one has an output for each (input, multiplier).
OUTPUT_AXES = {
    keras.layers.Dense: (-1,),
    keras.layers.Embedding: (-1,),
    keras.layers.Conv1D: (-1,),
    keras.layers.Conv2D: (-1,),
    keras.layers.Conv3D: (-1,),
    keras.layers.Conv1DTranspose: (-2,),
    keras.layers.Conv2DTranspose: (-2,),
    keras.layers.Conv3DTranspose: (-2,),
    keras.layers.DepthwiseConv1D: (-2, -1),
    keras.layers.DepthwiseConv2D: (-2, -1),
}
NORMALIZABLE = tuple(OUTPUT_AXES)


def spectral_norm(w, u, iterations=1):
    """Estimates the largest singular value of a matrix by power iteration.

    Each iteration moves `u` towards the first left singular vector of `w`:

    ```
    v <- w^T u / |w^T u|
    u <- w v / |w v|
    ```

    and then, with `v = w^T u / |w^T u|` for the last `u`, `sigma = u^T w v`. The estimate never
    exceeds the true value. `u` and `v` are constants for the gradient, which flows through the
    `w` of `sigma` alone: `d sigma / d w = u v^T`.

    Args:
        w: tensor of shape `(m, n)`.
        u: tensor of shape `(m,)`, of any non-zero length. Keep the returned one and pass it again:
            while `w` changes slowly, a single iteration per change is enough.
        iterations: int, the number of iterations. With 0 the estimate is that of `u` as it is.

    Returns:
        A tuple `(sigma, u)`: a scalar, and the moved `u` of length 1, both in float32 or more.

    Reference:
        - [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), algorithm 1 (the
          iteration) and section 2.3 (the gradient).
    """
    w = at_least_float32(ops.convert_to_tensor(w))
    constant = ops.stop_gradient(w)
    u = _unit(ops.stop_gradient(ops.cast(u, w.dtype)))
    for _ in range(iterations):
        u = _unit(ops.matmul(constant, _unit(ops.matmul(u, constant))))
    v = _unit(ops.matmul(u, constant))
    return ops.sum(u * ops.matmul(w, v)), u


def kernel_matrix(kernel, output_axis=-1):
    """Reshapes a layer's kernel to the matrix whose spectral norm is taken.

    Args:
        kernel: tensor of rank 2 or more.
        output_axis: int or tuple of ints, the kernel's axes that count output units.

    Returns:
        Tensor of shape `(outputs, everything else)`.
    """
    axes = output_axis if isinstance(output_axis, (tuple, list)) else (output_axis,)
    rank = len(kernel.shape)
    outputs = [axis % rank for axis in axes]
    rest = [axis for axis in range(rank) if axis not in outputs]
    rows = math.prod(kernel.shape[axis] for axis in outputs)
    return ops.reshape(ops.transpose(kernel, outputs + rest), (rows, -1))


def output_axes(layer):
    """The kernel axes of a normalisable layer that count its output units.

    Raises:
        ValueError: if the layer is of a type that cannot be normalised.
    """
    for kind, axes in OUTPUT_AXES.items():
        if isinstance(layer, kind):
            return axes
    names = ", ".join(kind.__name__ for kind in NORMALIZABLE)
    raise ValueError(
        f"spectral normalisation takes one of the layers {names}; received {type(layer).__name__}."
    )


def layer_kernel(layer):
    """The variable that a normalisable layer multiplies its inputs with."""
    return layer.embeddings if isinstance(layer, keras.layers.Embedding) else layer.kernel


def layer_matrix(layer):
    """The kernel of a built normalisable layer as a matrix of shape (outputs, inputs)."""
    axes = output_axes(layer)
    return kernel_matrix(layer_kernel(layer), axes)


@keras.saving.register_keras_serializable("zoo")
class SpectralNorm(keras.layers.Wrapper):
    """Calls a layer with its kernel divided by the kernel's spectral norm.

    ```
    y = layer(x; W / sigma(W)),    sigma(W) = u^T W v,    v = W^T u / |W^T u|
    ```

    `W` is the kernel as a matrix with one row per output unit. The stored kernel is the raw one
    that the optimizer trains: a call never changes it, and the gradient of the quotient flows
    through `sigma` too. The state `u` is a non-trainable weight that is saved with the model.

    When `u` moves. Everything about a call is a pure function of the weights, except that one
    step of power iteration has to be taken after each change of the kernel:

    - With `update_in_call=True` (the default) a call with `training=True` moves `u` first, as
      BatchNormalization moves its statistics. This is all that a plain `keras.Model.fit` needs.
    - With `update_in_call=False` no call changes anything, so that the real and the fake pass of
      one discriminator update see the same weights. The training step calls
      `zoo.layers.update_spectral_norms(discriminator)` once per update, before it takes the
      gradient. `zoo.GAN` trains this way. The attribute may be set at any time before training.

    Args:
        layer: a `Dense`, `Embedding`, `Conv1D`, `Conv2D`, `Conv3D`, `Conv1DTranspose`,
            `Conv2DTranspose`, `Conv3DTranspose`, `DepthwiseConv1D` or `DepthwiseConv2D` layer
            of Keras, or of a subclass. A depthwise kernel counts as a matrix with one row per
            output channel, whose norm bounds the norm of every channel's filter.
        power_iterations: int, at least 1. Power iterations each time that `u` moves.
        update_in_call: bool, whether a call with `training=True` moves `u`.
        **kwargs: keyword arguments of `keras.layers.Layer` but `dtype`: the wrapped layer keeps
            its own dtype policy, and `sigma` is computed in float32 or more.

    Call arguments:
        inputs: tensor, as the wrapped layer takes it.
        training: bool, whether `u` may move.

    Raises:
        ValueError: if `layer` is of another type, or `power_iterations` is less than 1.

    Reference:
        - [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), equation 8 and algorithm 1.
    """

    def __init__(self, layer, power_iterations=1, update_in_call=True, **kwargs):
        output_axes(layer)  # refuses other layers
        if power_iterations < 1:
            raise ValueError(f"power_iterations must be at least 1; received {power_iterations}.")
        if "dtype" in kwargs:
            raise ValueError("SpectralNorm has no dtype of its own; give it to the wrapped layer.")
        # The wrapper has the dtype of the variables and casts nothing: it reads the kernel in the
        # precision it is stored in, and the layer casts its inputs. The activity regularizer is
        # the wrapper's, because losses of the call inside the scope are dropped.
        super().__init__(
            layer,
            dtype=layer.dtype_policy.variable_dtype,
            autocast=False,
            activity_regularizer=layer.activity_regularizer,
            **kwargs,
        )
        self.power_iterations = power_iterations
        self.update_in_call = update_in_call
        self.supports_masking = layer.supports_masking

    def build(self, input_shape=None):
        super().build(input_shape)
        kernel = layer_kernel(self.layer)
        self.u = self.add_weight(
            shape=(math.prod(kernel.shape[axis] for axis in output_axes(self.layer)),),
            initializer="random_normal",
            trainable=False,
            autocast=False,
            dtype=keras.backend.result_type(kernel.dtype, "float32"),
            name="u",
        )

    def call(self, inputs, training=None):
        if training and self.update_in_call and self.trainable:
            self.power_iterate()
        kernel = layer_kernel(self.layer)
        normalized = self.normalized_kernel()
        # A scope hides the one around it, hence every variable of the layer goes into it.
        values = [
            (variable, normalized if variable is kernel else variable)
            for variable in self.layer.variables
        ]
        with keras.StatelessScope(values):
            return self.layer(inputs)

    def power_iterate(self, iterations=None):
        """Moves `u` by `iterations` steps of power iteration (default: `power_iterations`)."""
        _, u = spectral_norm(layer_matrix(self.layer), self.u, iterations or self.power_iterations)
        self.u.assign(u)

    def sigma(self):
        """The estimate of the kernel's spectral norm for the present `u`: a scalar tensor."""
        return spectral_norm(layer_matrix(self.layer), self.u, iterations=0)[0]

    def normalized_kernel(self):
        """The kernel that a call uses: `W / sigma(W)`, in the shape and dtype of `W`."""
        kernel = layer_kernel(self.layer)
        # A kernel of zeros stays one.
        normalized = at_least_float32(ops.convert_to_tensor(kernel)) / ops.maximum(
            self.sigma(), TINY
        )
        return ops.cast(normalized, kernel.dtype)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs, training=None):
        return self.layer.compute_output_spec(inputs)  # its policy decides the dtype

    def compute_mask(self, inputs, previous_mask=None):
        return self.layer.compute_mask(inputs, previous_mask)

    def get_config(self):
        config = super().get_config()
        for inherited in ("dtype", "activity_regularizer"):  # the wrapped layer's
            config.pop(inherited, None)
        return {
            **config,
            "power_iterations": self.power_iterations,
            "update_in_call": self.update_in_call,
        }


def _unit(x):
    return x / ops.maximum(ops.norm(x), TINY)
