"""What the tests of the layers share. No helper names a backend's API."""

import json

import keras
import numpy as np
import pytest
from oracles import to_numpy


@pytest.fixture
def weight_gradients():
    """weight_gradients(model, x, cotangent): gradients of sum(cotangent * model(x)) per weight.

    One step of gradient descent with learning rate 1 moves each weight by its gradient. That asks
    the backend's own training step, the same way on every backend.
    """

    def gradients(model, x, cotangent):
        def loss(cotangent, outputs):
            return keras.ops.sum(keras.ops.cast(cotangent, outputs.dtype) * outputs)

        model.compile(keras.optimizers.SGD(1.0), loss, jit_compile=False)
        before = [to_numpy(weight) for weight in model.trainable_weights]
        model.train_on_batch(x, cotangent)
        return [old - to_numpy(new) for old, new in zip(before, model.trainable_weights)]

    return gradients


@pytest.fixture
def round_trip(tmp_path):
    """round_trip(layer, *inputs): the layer saved in a model and loaded, after checking both ways.

    The configuration survives JSON, and the loaded model gives the same outputs.
    """

    def check(layer, *inputs):
        config = layer.get_config()
        copy = type(layer).from_config(json.loads(json.dumps(config)))
        assert copy.get_config() == config

        symbols = [keras.Input(x.shape[1:], dtype=x.dtype) for x in inputs]
        model = keras.Model(symbols, layer(*symbols))
        path = tmp_path / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
        for weight, copy in zip(model.weights, loaded.weights, strict=True):
            np.testing.assert_array_equal(to_numpy(weight), to_numpy(copy))
        np.testing.assert_array_equal(
            model.predict(list(inputs), verbose=0), loaded.predict(list(inputs), verbose=0)
        )
        return loaded.layers[-1]

    return check
