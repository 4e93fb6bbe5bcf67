import keras
import numpy as np
import pytest
from oracles import to_numpy

from zoo.layers import MinibatchStddev


def images(n):
    return np.random.default_rng(n).normal(size=(n, 4, 4, 3)).astype("float32")


def expected_map(x, groups):
    """Sample i is in group i mod `groups`; one number per sample."""
    values = np.empty(len(x))
    for group in range(groups):
        values[group::groups] = np.sqrt(x[group::groups].var(axis=0) + 1e-8).mean()
    return values


@pytest.mark.parametrize(
    ("batch", "group_size", "groups"),
    [
        (8, 4, 2),  # divides
        (4, 4, 1),
        (10, 4, 2),  # 5 and 5
        (11, 4, 2),  # 6 and 5
        (3, 4, 1),  # fewer than a group
        (7, 2, 3),  # 3, 2 and 2
        (5, 1, 5),
    ],
)
def test_against_numpy(batch, group_size, groups):
    x = images(batch)
    y = to_numpy(MinibatchStddev(group_size)(x))
    assert y.shape == (batch, 4, 4, 4)
    np.testing.assert_array_equal(y[..., :3], x)
    expected = np.broadcast_to(expected_map(x, groups)[:, None, None], (batch, 4, 4))
    np.testing.assert_allclose(y[..., 3], expected, rtol=1e-5)


def test_closed_form():
    # Two samples at -1 and 3: every standard deviation is 2.
    x = np.stack([np.full((2, 2, 1), -1.0), np.full((2, 2, 1), 3.0)]).astype("float32")
    np.testing.assert_allclose(to_numpy(MinibatchStddev(2)(x))[..., 1], 2.0, rtol=1e-6)


def test_equal_samples_have_no_spread_and_a_finite_gradient(weight_gradients):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3), MinibatchStddev(4)])
    x = np.ones((4, 5), "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0)[:, 3], 1e-4, rtol=1e-4)
    for gradient in weight_gradients(model, x, np.ones((4, 4), "float32")):
        assert np.isfinite(gradient).all()


def test_a_compiled_model_takes_any_batch():
    model = keras.Sequential([keras.Input((4, 4, 3)), MinibatchStddev(4)])
    for batch in (8, 6, 1):
        x = images(batch)
        y = model.predict(x, batch_size=batch, verbose=0)
        np.testing.assert_allclose(
            y[:, 0, 0, 3], expected_map(x, max(batch // 4, 1)), rtol=1e-5, atol=1e-8
        )


def test_half_precision_does_not_overflow():
    x = np.array([[-1000.0], [1000.0]], "float32")  # the variance is 1e6
    y = MinibatchStddev(2, dtype="mixed_float16")(x)
    assert to_numpy(keras.ops.cast(y, "float32"))[0, 1] == 1000.0


def test_bad_group_size():
    with pytest.raises(ValueError, match="group_size must be at least 1; received 0"):
        MinibatchStddev(0)
