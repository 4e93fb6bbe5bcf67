"""The optimizers that the configs of the recipes name."""

import keras
import numpy as np
import pytest

from recipes.wgan import Config
from zoo import registry
from zoo.optimizers import (
    AdversarialOptimizer,
    LinearDecay,
    make_classifier_optimizer,
    make_network_optimizer,
    make_optimizers,
)


def test_rmsprop_is_that_of_the_paper_at_the_gradients_of_a_clipped_critic():
    """Keras's own epsilon makes these steps a thousandth as long."""
    rate, rho, epsilon = 5e-5, 0.99, 1e-8
    random = np.random.default_rng(0)
    gradients = random.choice([-1e-5, 1e-5], (20, 50)) * random.uniform(1, 3, (20, 50))
    start = random.normal(size=50)
    expected, square = start.copy(), np.zeros(50)
    for gradient in gradients:
        square = rho * square + (1 - rho) * gradient**2
        expected -= rate * gradient / (np.sqrt(square) + epsilon)

    weight = keras.Variable(start)
    optimizer = make_network_optimizer(Config(), rate)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [weight])
    moved = keras.ops.convert_to_numpy(weight) - start
    # The epsilon, a hundredth of the first roots, is added after the root there, under it here.
    np.testing.assert_allclose(moved, expected - start, atol=0.5 * rate)
    assert np.abs(moved).max() > 10 * rate


def test_weight_decay_is_of_kernels_only():
    config = registry.import_recipe("classifier").Config
    config = config(weight_decay=0.1, learning_rate=0.5, decay_from=1.0)
    names = ("kernel", "bias", "gamma", "beta")
    weights = [keras.Variable(np.ones(3), name=name) for name in names]
    make_classifier_optimizer(config).apply([keras.ops.zeros(3)] * 4, weights)
    found = [keras.ops.convert_to_numpy(weight)[0] for weight in weights]
    np.testing.assert_allclose(found, [1 - 0.1 * 0.5, 1, 1, 1], rtol=1e-6)


def test_learning_rate_falls_linearly_to_zero():
    schedule = LinearDecay(0.4, steps=100, decay_from=0.5)
    rates = [float(keras.ops.convert_to_numpy(schedule(step))) for step in (0, 50, 75, 100, 120)]
    np.testing.assert_allclose(rates, [0.4, 0.4, 0.2, 0.0, 0.0], atol=1e-7)


def test_both_learning_rates_fall_over_the_steps_of_the_run():
    """The discriminator's counts `n_critic` updates for each of the generator's."""
    optimizers = make_optimizers(Config(n_critic=5, steps=10, decay_from=0.5), scale=2.0)
    for optimizer, updates in ((optimizers.generator, 1), (optimizers.discriminator, 5)):
        rates = []
        for step in (5, 8, 10):
            optimizer.iterations.assign(step * updates)
            rates.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
        np.testing.assert_allclose(rates, [1e-4, 0.4e-4, 0.0], atol=1e-10)


@pytest.mark.parametrize("recipe", ["wgan_gp", "classifier"])
def test_rates_fall_in_a_run_and_never_in_fit(recipe):
    """A model that is trained on would else begin, or end, at the rate 0 of the run behind it."""
    model = registry.build(recipe, {"image_size": 8, "width": 4, "steps": 10, "decay_from": 0.5})
    for optimizer, at_the_end in ((model.make_optimizer(), 0.0), (None, 1.0)):
        model.compile(optimizer)
        fallen = getattr(model.optimizer, "generator", model.optimizer)
        first = float(keras.ops.convert_to_numpy(fallen.learning_rate))
        fallen.iterations.assign(10)
        last = float(keras.ops.convert_to_numpy(fallen.learning_rate))
        assert first > 0
        assert last == pytest.approx(at_the_end * first)
        if optimizer is None:  # as a callback does it
            fallen.learning_rate = 1e-3
            assert float(keras.ops.convert_to_numpy(fallen.learning_rate)) == pytest.approx(1e-3)


def test_a_pair_is_of_optimizers_or_their_names_and_has_no_average_of_its_own():
    pair = AdversarialOptimizer("adam", keras.optimizers.SGD(0.5))
    assert isinstance(pair.generator, keras.optimizers.Adam)
    again = AdversarialOptimizer.from_config(pair.get_config())
    assert float(keras.ops.convert_to_numpy(again.discriminator.learning_rate)) == 0.5
    with pytest.raises(ValueError, match="Each network needs an optimizer of its own"):
        AdversarialOptimizer(pair.generator, pair.generator)
    with pytest.raises(ValueError, match="leave use_ema off"):
        AdversarialOptimizer("adam", keras.optimizers.SGD(use_ema=True))
