"""Constraints on weights: clipping, and spectral normalisation by projection."""

import keras
import numpy as np
from keras import ops

from zoo.layers.precision import at_least_float32
from zoo.layers.spectral_norm import TINY, kernel_matrix, spectral_norm


@keras.saving.register_keras_serializable("zoo")
class WeightClip(keras.constraints.Constraint):
    """Clips every entry of a weight to `[-c, c]` after each step of the optimizer.

    Args:
        c: float above 0.

    Raises:
        ValueError: if `c` is not above 0.

    Reference:
        - [Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875), algorithm 1, line 7.
    """

    def __init__(self, c=0.01):
        if not c > 0:
            raise ValueError(f"the clipping bound c must be above 0; received {c}.")
        self.c = float(c)

    def __call__(self, w):
        return ops.clip(w, -self.c, self.c)

    def get_config(self):
        return {"c": self.c}


def clip_weights(model, c=0.01):
    """Clips every entry of a model's trainable weights to `[-c, c]`.

    Statistics, such as the moving variance of batch normalisation, are no trainable weights and
    keep their values.

    Args:
        model: a built `keras.Model` or a layer.
        c: float above 0.

    Raises:
        ValueError: if `c` is not above 0.

    Reference:
        - [Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875), algorithm 1, line 7.
    """
    clip = WeightClip(c)
    for weight in model.trainable_weights:
        weight.assign(clip(weight))


@keras.saving.register_keras_serializable("zoo")
class SpectralNormConstraint(keras.constraints.Constraint):
    """Divides a kernel by its spectral norm after each step of the optimizer.

    ```
    W <- W / sigma(W),    sigma(W) = u^T W v after `iterations` power iterations
    ```

    A constraint has no state, so that the iteration starts from the same random `u` after every
    step. It needs more iterations than `zoo.layers.SpectralNorm`, whose `u` persists, and too few
    leave the norm above 1, never below. Nor does the gradient know of the division: this is a
    projection, while the wrapper is a reparametrisation.

    Args:
        iterations: int, at least 1.
        output_axis: int or tuple of ints, the kernel's axes that count output units: -1 for
            `Dense` and convolutions, -2 for transposed convolutions, (-2, -1) for depthwise ones.
        seed: int, the seed of the first `u`.

    Raises:
        ValueError: if `iterations` is less than 1.

    Reference:
        - [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), algorithm 1.
    """

    def __init__(self, iterations=5, output_axis=-1, seed=0):
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1; received {iterations}.")
        self.iterations = iterations
        self.output_axis = output_axis
        self.seed = seed

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        matrix = kernel_matrix(w, self.output_axis)
        u = np.random.default_rng(self.seed).standard_normal(matrix.shape[0])
        sigma, _ = spectral_norm(matrix, ops.convert_to_tensor(u, "float32"), self.iterations)
        return ops.cast(at_least_float32(w) / ops.maximum(sigma, TINY), w.dtype)

    def get_config(self):
        return {"iterations": self.iterations, "output_axis": self.output_axis, "seed": self.seed}
