import numpy as np
from oracles import to_numpy

from zoo.layers import InstanceNormalization


def test_statistics_of_each_channel_of_each_sample():
    x = np.random.default_rng(0).normal(5.0, 3.0, (4, 6, 6, 3)).astype("float32")
    y = to_numpy(InstanceNormalization(epsilon=1e-6)(x))
    np.testing.assert_allclose(y.mean(axis=(1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(1, 2)), 1.0, rtol=1e-5)


def test_a_sample_does_not_depend_on_its_batch():
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 3)).astype("float32")
    layer = InstanceNormalization()
    np.testing.assert_allclose(to_numpy(layer(x))[:1], to_numpy(layer(x[:1])), atol=1e-6)


def test_config_has_no_number_of_groups():
    layer = InstanceNormalization()
    layer.build((None, 4, 4, 6))
    copy = InstanceNormalization.from_config(layer.get_config())
    copy.build((None, 4, 4, 3))  # another width than the first layer's
    assert copy.groups == 3
