"""Spectral normalisation over whole models: find, move, inspect, apply."""

import keras
import numpy as np

from zoo.layers.conditional_batch_norm import ConditionalBatchNormalization
from zoo.layers.spectral_norm import NORMALIZABLE, SpectralNorm, layer_matrix
from zoo.layers.walk import every_layer

SETTLING_ITERATIONS = 100


def spectral_norm_layers(model):
    """Lists every `SpectralNorm` layer inside a model or layer, each once, at any depth.

    A training step that moves `u` itself keeps the calls from doing it with

    ```python
    for layer in zoo.layers.spectral_norm_layers(discriminator):
        layer.update_in_call = False
    ```

    Args:
        model: a `keras.Model` or a layer.

    Returns:
        List of `SpectralNorm` layers. It is empty if there is none.
    """
    return [layer for layer in every_layer(model) if isinstance(layer, SpectralNorm)]


def update_spectral_norms(model):
    """Moves the `u` of every trainable `SpectralNorm` layer by its `power_iterations`.

    Call it once per discriminator update, before the gradient is taken: what follows, until the
    next call, sees one fixed estimate of each spectral norm. It assigns weights with
    `Variable.assign` as any layer does, so that it works in a `keras.StatelessScope` (JAX), in a
    compiled function and in a replica of a distribution strategy.

    Args:
        model: a built `keras.Model` or a layer. Without spectral normalisation nothing happens.
    """
    for layer in spectral_norm_layers(model):
        if layer.trainable:
            layer.power_iterate()


def spectral_norm_value(layer):
    """Measures the spectral norm of one layer's kernel.

    Args:
        layer: a built `SpectralNorm` layer, or a built layer that it can wrap.

    Returns:
        float. For a `SpectralNorm` layer the estimate that its calls divide the raw kernel by;
        for any other layer the largest singular value of its kernel by a full decomposition.

    Raises:
        ValueError: if the layer has no kernel that `SpectralNorm` could normalise.
    """
    if isinstance(layer, SpectralNorm):
        return float(keras.ops.convert_to_numpy(layer.sigma()))
    matrix = keras.ops.convert_to_numpy(keras.ops.cast(layer_matrix(layer), "float32"))
    return float(np.linalg.svd(matrix, compute_uv=False)[0])


def apply_spectral_norm(model, power_iterations=1):
    """Builds the spectrally normalised twin of a model, with the model's weights.

    Every `Dense`, `Embedding`, convolution, transposed and depthwise convolution, in nested
    models too, is wrapped in `SpectralNorm` under its own name; a layer whose configuration has
    `spectral_norm=False` (the zoo's discriminator blocks) is rebuilt with `True`. The state `u`
    is settled by 100 power iterations, so that the twin is normalised from its first call.
    Layers that normalise by statistics (batch, group, instance, layer normalisation) are kept as
    they are; the norms of the kernels say nothing about the Lipschitz constant of those.

    Args:
        model: a built Sequential or Functional `keras.Model`. It is left unchanged.
        power_iterations: int, as for `SpectralNorm`.

    Returns:
        A new model of the same kind. It shares no weight with `model`.

    Raises:
        ValueError: if the model is subclassed or unbuilt, if one of its layers hides a layer that
            cannot be reached to be wrapped, or has a kernel that `SpectralNorm` does not take.

    Example:

    ```python
    discriminator = zoo.layers.apply_spectral_norm(dcgan_discriminator)
    ```
    """
    is_graph = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if not (isinstance(model, keras.Model) and is_graph and model.built):
        raise ValueError(
            f"apply_spectral_norm takes a built Sequential or Functional model; "
            f"received {type(model).__name__}."
        )

    def normalize(layer):
        config = layer.get_config()
        if isinstance(layer, NORMALIZABLE):
            copy = type(layer).from_config(config)
            return SpectralNorm(copy, power_iterations=power_iterations, name=layer.name)
        if config.get("spectral_norm") is False:
            config["spectral_norm"] = True
        return type(layer).from_config(config)

    twin = keras.models.clone_model(model, clone_function=normalize, recursive=True)
    _refuse_hidden_layers(twin)
    _copy_weights(model, twin)
    for layer in spectral_norm_layers(twin):
        layer.power_iterate(SETTLING_ITERATIONS)
    return twin


def _refuse_hidden_layers(twin):
    normalized = spectral_norm_layers(twin)
    wrapped = {id(layer.layer) for layer in normalized}
    for layer in every_layer(twin):
        if isinstance(layer, NORMALIZABLE) and id(layer) not in wrapped:
            raise ValueError(
                f"apply_spectral_norm cannot reach the layer '{layer.path}' inside another layer; "
                f"build the outer layer with SpectralNorm instead."
            )
        if isinstance(layer, ConditionalBatchNormalization):
            normalized.append(layer)  # which is kept as it is, like other normalisations
    kept = {id(weight) for layer in normalized for weight in layer.weights}
    for weight in twin.weights:
        if weight.name.endswith("kernel") and id(weight) not in kept:
            raise ValueError(
                f"apply_spectral_norm cannot normalise '{weight.path}': SpectralNorm takes Dense, "
                "Embedding and convolution layers; write the layer as these."
            )


def _copy_weights(model, twin):
    """Copies weight by weight: but for each `u`, both models have the same ones in order."""
    for target, source in zip(_without_states(twin), _without_states(model), strict=True):
        # Through a copy: with JAX an assigned array would be one buffer of two variables, which
        # a training step of one model gives away under the other.
        target.assign(np.array(keras.ops.convert_to_numpy(source.value)))


def _without_states(model):
    states = {id(layer.u) for layer in spectral_norm_layers(model)}
    return [weight for weight in model.weights if id(weight) not in states]
