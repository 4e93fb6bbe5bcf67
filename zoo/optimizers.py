"""Optimizers of the recipes; a GAN's two in one, so that `fit` and saving see both."""

import keras
from keras import ops

# Keras adds it under the root: its default, 1e-7, stops a generator behind a clipped critic, whose
# gradients are about 1e-7 themselves. This is the 1e-8 added after the root by other frameworks.
RMSPROP_EPSILON = 1e-16


@keras.saving.register_keras_serializable("zoo")
class AdversarialOptimizer(keras.optimizers.Optimizer):
    """The generator's and the discriminator's optimizer in one `keras.optimizers.Optimizer`.

    `iterations` are the steps of the GAN, which counts them: those of its optimizers stand still
    where a network is frozen or gradients are accumulated.

    Args:
        generator: Optimizer of the generator, or its name.
        discriminator: Optimizer of the discriminator, or its name.

    Raises:
        ValueError: For one that is none, or that averages the weights itself.
    """

    def __init__(self, generator, discriminator, name="adversarial_optimizer"):
        super().__init__(learning_rate=0.0, name=name)
        if generator is discriminator and not isinstance(generator, str):
            raise ValueError("Each network needs an optimizer of its own: give two.")
        self.generator = keras.optimizers.get(generator)
        self.discriminator = keras.optimizers.get(discriminator)
        if self.generator.use_ema or self.discriminator.use_ema:
            raise ValueError("A GAN averages its generator itself (ema_decay): leave use_ema off.")

    def build(self, generator_variables, discriminator_variables):
        """Creates all slots now: made inside a traced step they break under `tf.distribute`."""
        self.generator.build(generator_variables)
        self.discriminator.build(discriminator_variables)
        super().build([])

    @property
    def variables(self):
        return [*super().variables, *self.generator.variables, *self.discriminator.variables]

    @property
    def learning_rate(self):
        """The generator's."""
        return self.generator.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        raise ValueError(
            "A GAN has two learning rates, which no single schedule sets: compile it with "
            "zoo.optimizers.AdversarialOptimizer(generator, discriminator), each with its own."
        )

    def save_own_variables(self, store):
        """Stores the steps taken; both optimizers are saved as attributes."""
        store["iterations"] = ops.convert_to_numpy(self.iterations)

    def load_own_variables(self, store):
        """Loads the steps taken; both optimizers are loaded as attributes."""
        self.iterations.assign(store["iterations"][()])

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        networks = ("generator", "discriminator")
        return cls(**config | {network: deserialize(config[network]) for network in networks})


def check_adversarial(optimizer, dtype):
    """Raises a `ValueError` unless a GAN can train with `optimizer` and compute in `dtype`."""
    if not isinstance(optimizer, AdversarialOptimizer):
        raise ValueError(
            "A GAN trains with two optimizers: compile it with "
            f"zoo.optimizers.AdversarialOptimizer(generator, discriminator), not {optimizer!r}."
        )
    if dtype == "float16":
        raise ValueError(
            "The gradients of a GAN are too small for float16, and its losses are not scaled: "
            "train in mixed_bfloat16."
        )


@keras.saving.register_keras_serializable("zoo")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A constant learning rate that falls linearly to 0 from `decay_from * steps` to `steps`.

    With `decay_from` of 1 and more it never falls.
    """

    def __init__(self, learning_rate, steps, decay_from):
        self.learning_rate = learning_rate
        self.steps = steps
        self.decay_from = decay_from

    def __call__(self, step):
        if self.decay_from >= 1.0:
            return self.learning_rate
        left = 1.0 - ops.cast(step, "float32") / self.steps
        return self.learning_rate * ops.clip(left / (1.0 - self.decay_from), 0.0, 1.0)

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "steps": self.steps,
            "decay_from": self.decay_from,
        }


def _rate(config, learning_rate, updates_per_step, scale):
    """Returns a number, which a callback may change, or for a scale the schedule of a run.

    A run has a schedule even where it is constant: Keras saves a plain number with the optimizer,
    and a run that goes back to a save with a lower rate would get the old one.
    """
    if scale is None:
        return learning_rate
    return LinearDecay(scale * learning_rate, config.steps * updates_per_step, config.decay_from)


def make_network_optimizer(config, learning_rate):
    """Builds one network's optimizer from the hyperparameters of a `GANConfig`."""
    if config.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(learning_rate, rho=0.99, epsilon=RMSPROP_EPSILON)
    return keras.optimizers.Adam(learning_rate, beta_1=config.beta_1, beta_2=config.beta_2)


def make_optimizers(config, scale=None):
    """Returns the `AdversarialOptimizer` of a `GANConfig`.

    Args:
        config: The config.
        scale: Of the learning rates of a run, which fall as the config says; None for constant
            ones, of a `fit` that knows no end of the run.
    """
    of_generator = _rate(config, config.generator_learning_rate, 1, scale)
    of_discriminator = _rate(config, config.discriminator_learning_rate, config.n_critic, scale)
    return AdversarialOptimizer(
        make_network_optimizer(config, of_generator),
        make_network_optimizer(config, of_discriminator),
    )


def make_classifier_optimizer(config, scale=None):
    """Returns the optimizer of a `ClassifierConfig`: AdamW, which decays kernels only.

    Args: As for `make_optimizers`.
    """
    learning_rate = _rate(config, config.learning_rate, 1, scale)
    optimizer = keras.optimizers.AdamW(learning_rate, config.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
