"""Spectral normalisation of whole models, and what it promises: a Lipschitz bound."""

import keras
import numpy as np
import pytest
from oracles import gaussian, to_numpy

from zoo.layers import (
    ConditionalBatchNormalization,
    DiscriminatorBlock,
    FirstDiscriminatorBlock,
    SpectralNorm,
    apply_spectral_norm,
    spectral_norm_layers,
    spectral_norm_value,
    update_spectral_norms,
)

layers = keras.layers


def grow(model, factor):
    """Makes a model violate any bound of 1."""
    for weight in model.trainable_weights:
        weight.assign(factor * weight)
    return model


def dcgan_discriminator():
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(8, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(16, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def wgan_critic():
    return keras.Sequential(
        [
            keras.Input((32,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(1),
        ]
    )


def biggan_like_discriminator():
    image, label = keras.Input((16, 16, 3)), keras.Input((), dtype="int32")
    x = FirstDiscriminatorBlock(8, spectral_norm=False)(image)
    x = DiscriminatorBlock(8, downsample=False, spectral_norm=False)(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    head = keras.Sequential([keras.Input((8,)), layers.Dense(1)])
    projection = layers.Dot(-1)([x, layers.Embedding(10, 8)(label)])
    return keras.Model([image, label], layers.Add()([head(x), projection]))


def lipschitz_ratios(model, shape):
    """|f(a) - f(b)| / |a - b| over random pairs, far apart and close together."""
    a = gaussian(256, *shape)
    b = a + gaussian(256, *shape, seed=1) * np.geomspace(1e-2, 10, 256).reshape(
        -1, *(1,) * len(shape)
    ).astype("float32")
    difference = model.predict(a, verbose=0) - model.predict(b, verbose=0)
    distance = np.linalg.norm((a - b).reshape(256, -1), axis=1)
    return np.linalg.norm(difference.reshape(256, -1), axis=1) / distance


@pytest.mark.parametrize(
    ("build", "shape", "overlaps"),
    [
        (wgan_critic, (32,), (1, 1, 1)),
        # A pixel is in 2 x 2 of the patches that a 4 x 4 convolution of stride 2 reads: the
        # convolution's norm is at most sqrt(2 * 2) times that of its kernel matrix.
        (dcgan_discriminator, (16, 16, 3), (2, 2, 1)),
    ],
)
def test_product_of_layer_norms_bounds_the_lipschitz_ratio(build, shape, overlaps):
    model = grow(build(), 5.0)
    norms = [spectral_norm_value(layer) for layer in model.layers if layer.weights]
    raw_ratio = lipschitz_ratios(model, shape).max()
    assert raw_ratio <= np.prod(norms) * np.prod(overlaps)

    twin = apply_spectral_norm(model)
    ratio = lipschitz_ratios(twin, shape).max()
    assert ratio <= np.prod(overlaps)  # every norm is 1
    assert raw_ratio > np.prod(overlaps)  # which says something: the raw model breaks it


def test_the_bound_is_tight_for_a_linear_layer():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, use_bias=False)])
    direction = np.linalg.svd(to_numpy(model.weights[0]))[0][:, :1].T.astype("float32")
    y = to_numpy(apply_spectral_norm(model)(direction))
    assert np.linalg.norm(y) == pytest.approx(1.0, rel=1e-4)


def test_twin_has_the_weights_and_leaves_the_model_alone():
    model = biggan_like_discriminator()
    inputs = [gaussian(4, 16, 16, 3), np.array([0, 3, 9, 3], "int32")]
    before = model.predict(inputs, verbose=0)
    twin = apply_spectral_norm(model)
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), before)
    assert np.isfinite(twin.predict(inputs, verbose=0)).all()

    # Three convolutions, two (the skip of the second block is the identity), head, embedding.
    normalized = spectral_norm_layers(twin)
    assert len(normalized) == 7
    assert len(spectral_norm_layers(model)) == 0
    copied = [weight for weight in twin.weights if weight.name != "u"]
    assert len(copied) == len(twin.weights) - 7
    for source, target in zip(model.weights, copied, strict=True):
        np.testing.assert_array_equal(to_numpy(source), to_numpy(target))
        assert source is not target
    for layer in normalized:
        assert spectral_norm_value(layer) == pytest.approx(
            spectral_norm_value(layer.layer), rel=1e-3
        )


def test_twin_of_a_normalised_chain_equals_dividing_by_hand():
    model = wgan_critic()
    twin = apply_spectral_norm(model)
    for layer in model.layers:
        layer.kernel.assign(layer.kernel / spectral_norm_value(layer))
    x = gaussian(8, 32)
    np.testing.assert_allclose(
        twin.predict(x, verbose=0), model.predict(x, verbose=0), rtol=2e-3, atol=1e-4
    )


def test_the_twin_of_a_twin_is_the_twin():
    twin = apply_spectral_norm(biggan_like_discriminator())
    again = apply_spectral_norm(twin)
    assert len(spectral_norm_layers(again)) == 7
    inputs = [gaussian(4, 16, 16, 3), np.array([0, 3, 9, 3], "int32")]
    expected = twin.predict(inputs, verbose=0)
    np.testing.assert_allclose(again.predict(inputs, verbose=0), expected, rtol=1e-3)


def test_layers_keep_their_names():
    model = dcgan_discriminator()
    twin = apply_spectral_norm(model)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]


def test_update_reaches_every_depth_once():
    shared = SpectralNorm(layers.Dense(4), update_in_call=False)
    inner = keras.Sequential([keras.Input((4,)), shared, shared])
    image = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(DiscriminatorBlock(4)(image))
    model = keras.Model(image, inner(shared(x)))
    assert len(spectral_norm_layers(model)) == 4
    kernel, u = to_numpy(shared.layer.kernel), to_numpy(shared.u)
    update_spectral_norms(model)
    once = kernel.T @ (kernel @ u)
    np.testing.assert_allclose(to_numpy(shared.u), once / np.linalg.norm(once), atol=1e-5)


def test_an_update_takes_each_layers_iterations_and_leaves_frozen_ones():
    frozen = SpectralNorm(layers.Dense(4), power_iterations=3, update_in_call=False)
    frozen.build((None, 4))
    kernel, u = to_numpy(frozen.layer.kernel), to_numpy(frozen.u)
    frozen.trainable = False
    update_spectral_norms(frozen)
    np.testing.assert_array_equal(to_numpy(frozen.u), u)
    frozen.trainable = True
    update_spectral_norms(frozen)
    thrice = np.linalg.matrix_power(kernel.T @ kernel, 3) @ u
    np.testing.assert_allclose(to_numpy(frozen.u), thrice / np.linalg.norm(thrice), atol=1e-5)


def test_refuses_models_it_cannot_rebuild():
    class Subclassed(keras.Model):
        def build(self, input_shape):
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Subclassed()
    model(np.ones((1, 2), "float32"))
    with pytest.raises(ValueError, match="built Sequential or Functional model; received Subcl"):
        apply_spectral_norm(model)
    with pytest.raises(ValueError, match="built Sequential or Functional model; received Seq"):
        apply_spectral_norm(keras.Sequential([layers.Dense(1)]))


def test_refuses_a_layer_that_hides_another():
    model = keras.Sequential([keras.Input((5, 2)), layers.TimeDistributed(layers.Dense(3))])
    with pytest.raises(ValueError, match="cannot reach the layer '.*dense"):
        apply_spectral_norm(model)


def test_refuses_a_kernel_that_it_would_leave_raw():
    einsum = layers.EinsumDense("abcd,de->abce", (8, 8, 3))
    for kind, name in ((layers.SeparableConv2D(3, 3), "depthwise_kernel"), (einsum, "kernel")):
        model = keras.Sequential([keras.Input((8, 8, 2)), kind, layers.Flatten(), layers.Dense(1)])
        with pytest.raises(ValueError, match=f"cannot normalise '.*{name}'"):
            apply_spectral_norm(model)


def test_statistics_layers_are_kept():
    image, label = keras.Input((8, 8, 3)), keras.Input((), dtype="int32")
    x = ConditionalBatchNormalization(4)(layers.Conv2D(4, 3)(image), label)
    model = keras.Model([image, label], layers.LayerNormalization()(x))
    twin = apply_spectral_norm(model)
    kinds = [type(layer).__name__ for layer in twin.layers if layer.weights]
    assert kinds == ["SpectralNorm", "ConditionalBatchNormalization", "LayerNormalization"]
