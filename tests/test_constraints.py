import json

import keras
import numpy as np
import pytest
from oracles import gaussian, largest_singular_value, to_numpy

from zoo.constraints import SpectralNormConstraint, WeightClip, clip_weights

CONSTRAINTS = [
    WeightClip(0.02),
    SpectralNormConstraint(iterations=7, output_axis=(-2, -1), seed=3),
]


def trained(layer, x, y):
    """One step of gradient descent; the constraint acts through the layer's own argument."""
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    model.train_on_batch(x, y)
    return model


def test_weight_clip_closed_form():
    w = np.array([-1.0, -0.01, 0.005, 0.011], "float32")
    np.testing.assert_allclose(to_numpy(WeightClip()(w)), [-0.01, -0.01, 0.005, 0.01])
    np.testing.assert_allclose(to_numpy(WeightClip(0.5)(w)), [-0.5, -0.01, 0.005, 0.011])


def test_weight_clip_acts_after_a_step():
    layer = keras.layers.Dense(3, kernel_constraint=WeightClip(0.05))
    trained(layer, gaussian(8, 4), gaussian(8, 3))
    assert np.abs(to_numpy(layer.kernel)).max() == pytest.approx(0.05)


def test_clip_weights_leaves_moving_statistics_alone():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5), keras.layers.BatchNormalization()]
    )
    normalization = model.layers[1]
    normalization.moving_mean.assign(np.full(5, 3.0))
    normalization.moving_variance.assign(np.full(5, 7.0))
    clip_weights(model, 0.01)
    for weight in model.trainable_weights:
        assert np.abs(to_numpy(weight)).max() <= np.float32(0.01)
    np.testing.assert_array_equal(to_numpy(normalization.gamma), np.full(5, np.float32(0.01)))
    np.testing.assert_array_equal(to_numpy(normalization.moving_mean), np.full(5, 3.0))
    np.testing.assert_array_equal(to_numpy(normalization.moving_variance), np.full(5, 7.0))


def test_clip_weights_leaves_frozen_layers_alone():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    model.trainable = False
    before = to_numpy(model.layers[0].kernel)
    clip_weights(model, 0.01)
    np.testing.assert_array_equal(to_numpy(model.layers[0].kernel), before)


@pytest.mark.parametrize(
    ("shape", "axis", "rows"),
    [
        ((6, 4), -1, lambda w: w.T),
        ((3, 3, 4, 5), -1, lambda w: w.reshape(-1, 5).T),
        ((3, 3, 5, 4), -2, lambda w: np.moveaxis(w, 2, 0).reshape(5, -1)),
        ((3, 3, 4, 2), (-2, -1), lambda w: w.reshape(9, 8).T),
    ],
)
def test_spectral_norm_becomes_one(shape, axis, rows):
    w = 3 * gaussian(*shape)
    projected = to_numpy(SpectralNormConstraint(iterations=300, output_axis=axis)(w))
    assert largest_singular_value(rows(projected)) == pytest.approx(1.0, rel=1e-5)
    np.testing.assert_allclose(projected, w / largest_singular_value(rows(w)), rtol=1e-4)


def test_few_iterations_err_above_one_only():
    w = gaussian(64, 64)
    norms = [largest_singular_value(to_numpy(SpectralNormConstraint(n)(w))) for n in (1, 5, 20)]
    assert norms == sorted(norms, reverse=True)
    assert 1.0 <= norms[1] < 1.15


def test_spectral_norm_constraint_acts_after_a_step():
    # A constraint that defines `call` in place of `__call__` would leave the kernel as it is.
    layer = keras.layers.Dense(
        3, kernel_initializer="ones", kernel_constraint=SpectralNormConstraint(50)
    )
    trained(layer, gaussian(8, 4), gaussian(8, 3))
    assert largest_singular_value(to_numpy(layer.kernel)) == pytest.approx(1.0, rel=1e-5)


def test_spectral_norm_constraint_keeps_zeros_and_dtype():
    assert not to_numpy(SpectralNormConstraint()(np.zeros((3, 2), "float32"))).any()
    # The squares of these entries overflow float16.
    w = keras.ops.cast(100 * gaussian(64, 64), "float16")
    projected = SpectralNormConstraint(300)(w)
    assert keras.backend.standardize_dtype(projected.dtype) == "float16"
    norm = largest_singular_value(to_numpy(projected).astype("float32"))
    assert norm == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda c: type(c).__name__)
def test_configuration_round_trip(constraint):
    saved = json.loads(json.dumps(keras.constraints.serialize(constraint)))
    assert saved["registered_name"] == f"zoo>{type(constraint).__name__}"
    loaded = keras.constraints.deserialize(saved)
    assert type(loaded) is type(constraint)
    w = gaussian(3, 3, 4, 2)
    np.testing.assert_array_equal(to_numpy(loaded(w)), to_numpy(constraint(w)))


def test_saved_in_a_model(tmp_path):
    layer = keras.layers.Dense(3, kernel_constraint=SpectralNormConstraint(9))
    model = trained(layer, gaussian(8, 4), gaussian(8, 3))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].kernel_constraint.iterations == 9


def test_bad_arguments():
    for bad in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="c must be above 0; received"):
            WeightClip(bad)
    with pytest.raises(ValueError, match="iterations must be at least 1; received 0"):
        SpectralNormConstraint(0)
