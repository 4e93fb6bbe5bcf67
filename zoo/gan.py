"""`GAN`: a generator and a discriminator as one `keras.Model`, trained by plain `fit`."""

import functools

import keras
import numpy as np
from keras import ops

from zoo import backend, batching, losses, penalties, registry, sampling
from zoo.augmentation import augment
from zoo.averaging import update_average
from zoo.divergence import FirstNonFinite
from zoo.layers import spectral_norm_layers, update_spectral_norms
from zoo.layers.walk import copy_trainable
from zoo.model import RecipeModel, check_absent, check_images, to_float
from zoo.optimizers import check_adversarial, make_optimizers

LOGS = ("d_loss", "g_loss", "penalty", "real_score", "fake_score", "wasserstein")


@keras.saving.register_keras_serializable("zoo")
class GAN(RecipeModel):
    """A generative adversarial network, built by a recipe from its config.

    `generator` is the one to use. While training it is the moving average (EMA) of the weights of
    `training_generator`, which every `compile` makes alike, with what is frozen of it, and which,
    like the optimizers, is no part of a saved model.

    One `fit` step is one generator update. It takes `n_critic` fresh batches of real images for as
    many discriminator updates, then updates the generator, then its average. Latents come with the
    batch, drawn by NumPy: a step is a pure function of weights and batch on every backend.

    A recipe's `model.py` has `build_generator(config)` and `build_discriminator(config)`, and may
    have `before_step(gan)`, `prepare_real(gan, real)`, which returns what the discriminator sees of
    float images, and `after_discriminator_update(gan)`.

    Args and errors: those of `zoo.model.RecipeModel`.
    """

    kind = "GAN"
    networks = ("generator", "discriminator")

    def __init__(self, recipe, config=None, name=None):
        super().__init__(recipe, config, name)
        self.training_generator = None
        model = registry.import_recipe(recipe, "model")
        self.before_step = getattr(model, "before_step", _nothing)
        self.prepare_real = getattr(model, "prepare_real", _unchanged)
        self.after_discriminator_update = getattr(model, "after_discriminator_update", _nothing)
        for layer in spectral_norm_layers(self.discriminator):
            layer.update_in_call = False  # the step moves u, once per update; see below
        self.trackers = []
        self.first_non_finite = FirstNonFinite()

    @property
    def metrics(self):
        return [*self.trackers, self.first_non_finite] if self.trackers else []

    def call(self, latents, labels=None, training=False):
        """Generates float images (N, H, W, C) in [-1, 1] from latents (N, latent_size).

        `labels`, for conditional models only, are integers (N,) or weights (N, num_classes).
        """
        return self._generate(self.generator, latents, labels, training)

    def sample(self, n=None, *, seed=None, labels=None, truncation=1.0, batch_size=64):
        """Generates images.

        Args:
            n: How many; by default as many as there are `labels`, or 1.
            seed: Same seed, same images, on every backend. None draws fresh ones.
            labels: One class for all or one per image; conditional models only. Drawn uniformly
                when not given.
            truncation: In (0, 1], a factor on the latents: smaller is safer and less varied.
            batch_size: Images per forward pass; no effect on the result.

        Returns:
            uint8 array of shape (n, H, W, C).

        Raises:
            ValueError: For an argument outside its range, labels the model cannot take, or weights
                that make no finite images.
        """
        latents, labels = sampling.draw(self.config, n, seed, labels, truncation)
        return sampling.generate(self.generator, latents, labels, batch_size)

    def interpolate(self, steps=16, *, seed=None, label=None, truncation=1.0, batch_size=64):
        """Walks between two random latents along the great circle through them (slerp).

        Given two classes it walks from one to the other instead, at one random latent: what the
        classes scale and shift features by is interpolated linearly.

        Args:
            steps: How many images, both ends included; at least 2.
            seed, truncation, batch_size: As in `sample`.
            label: The class of all images, or a pair of classes to walk between; conditional models
                only. A class is drawn when none is given.

        Returns:
            uint8 array of shape (steps, H, W, C).

        Raises:
            ValueError: As `sample`.
        """
        latents, labels = sampling.walk(self.config, steps, seed, label, truncation)
        return sampling.generate(self.generator, latents, labels, batch_size)

    def scores(self, images, labels=None, batch_size=64):
        """Returns what the discriminator thinks of images: more for what looks real to it.

        Args:
            images: uint8 array of shape (N, H, W, C), with the model's height, width and channels;
                or a data source.
            labels: Integers of shape (N,), or one for all; conditional models only.
            batch_size: Images per forward pass. It matters to a discriminator that compares the
                images of a batch (`progan`'s), and to no other.

        Returns:
            float32 array of shape (N,).

        Raises:
            ValueError: For images of another type or shape, or labels that do not fit.
        """
        images = check_images(images, self.config.image_shape)
        labels = sampling.class_of_each(self.config, labels, len(images))
        sampling.check_positive(batch_size, "batch_size")
        scores = np.empty(len(images), np.float32)
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            some = None if labels is None else ops.convert_to_tensor(labels[part])
            with backend.undistributed(), backend.full_precision():
                batch = _apply(self.discriminator, to_float(images[part]), some, training=False)
            scores[part] = ops.convert_to_numpy(batch)[:, 0]
        return scores

    # Training

    def compile(self, optimizer=None, **kwargs):
        """Prepares training; called by `fit` with the recipe's own settings when it has not been.

        Args:
            optimizer: A `zoo.optimizers.AdversarialOptimizer`; by default the config's, whose
                learning rates fall in a recipe's run only: `fit` knows no end of the run.
            **kwargs: As for `keras.Model.compile`: `jit_compile`, `run_eagerly`,
                `steps_per_execution`.
        """
        optimizer = optimizer or make_optimizers(self.config)
        check_adversarial(optimizer, self.compute_dtype)
        if (self.compile_defaults | kwargs)[
            "jit_compile"
        ] is True and not backend.COMPILES_GRADIENTS:
            raise ValueError("PyTorch compiles no gradients of gradients: jit must be auto or off.")
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            check_absent(kwargs, name, "compile", "the losses of a GAN are those of its config")
        if self.training_generator is None:
            # Not clone_model: Keras imports TensorFlow, where it is installed, to read configs.
            self.training_generator = self.build_network("generator")
        self.training_generator.set_weights(self.generator.get_weights())
        copy_trainable(self.generator, self.training_generator)
        self.d_loss_fn, self.g_loss_fn = losses.get(self.config.loss)
        optimizer.build(
            self.training_generator.trainable_variables, self.discriminator.trainable_variables
        )
        # The difference of scores estimates a distance with this loss alone.
        names = LOGS if self.config.loss == "wasserstein" else LOGS[:-1]
        self.trackers = [keras.metrics.Mean(name=name) for name in names]
        super().compile(
            optimizer=optimizer, auto_scale_loss=False, **self.compile_defaults | kwargs
        )

    def fit(self, x, y=None, **kwargs):
        if kwargs.get("validation_data") is not None:
            raise ValueError(
                "A GAN has no loss to validate: the callback PeriodicFID, of the module "
                "zoo.metrics.periodic, measures it while it trains."
            )
        return super().fit(x, y, **kwargs)

    def make_optimizer(self, scale=1.0):
        """Returns the optimizers of the config's run, their learning rates times `scale`."""
        return make_optimizers(self.config, scale)

    def where_diverged(self, wrong):
        return self.first_non_finite.in_words() or wrong[0]

    @property
    def images_per_step(self):
        return self.config.batch_size * self.config.n_critic

    def batches(self, images, first_step):
        return batching.batches(images, self.config, first_step)

    def train_step(self, *args):
        return backend.train_step(self, *args)

    def adversarial_step(self, batch):
        """Updates the discriminator `n_critic` times, the generator once, then its average.

        Args:
            batch: As `zoo.batching.batches` makes it: per sample one real image and label for each
                discriminator update, and one latent and label more, for the generator's.

        Returns:
            The means of the epoch so far, by names of `LOGS`.
        """
        self.before_step(self)
        logs = {}
        for k in range(self.config.n_critic):
            logs |= self._update_discriminator({name: batch[name][:, k] for name in batch})
            self.first_non_finite.update_state(k, logs)
        logs |= self._update_generator({name: batch[name][:, -1] for name in batch})
        self.first_non_finite.update_state(self.config.n_critic, {"g_loss": logs["g_loss"]})
        self.optimizer.iterations.assign_add(1)
        decay = self.config.ema_decay
        update_average(self.generator, self.training_generator, decay, self.optimizer.iterations)
        for tracker in self.trackers:
            tracker.update_state(logs[tracker.name])
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def _update_discriminator(self, batch):
        update_spectral_norms(self.discriminator)
        real_labels, fake_labels = batch.get("real_labels"), batch.get("fake_labels")
        real, fake = self._reals(batch), self._fakes(batch)
        fake = ops.stop_gradient(ops.cast(fake, "float32"))
        step = ops.convert_to_tensor(self.optimizer.iterations)  # JAX's `loss` knows no optimizer

        def loss():
            real_scores = _apply(self.discriminator, real, real_labels, training=True)
            fake_scores = _apply(self.discriminator, fake, fake_labels, training=True)
            total = self.d_loss_fn(real_scores, fake_scores)
            penalty = ops.zeros((), "float32")
            if self.config.penalty_weight:
                penalty = self._penalty(step, real, real_labels, fake, fake_labels, batch["mix"])
                total = total + self.config.penalty_weight * penalty
            if self.config.drift_weight:
                total = total + self.config.drift_weight * penalties.drift(real_scores)
            real_score, fake_score = _mean(real_scores), _mean(fake_scores)
            return total, {
                "d_loss": total,
                "penalty": penalty,
                "real_score": real_score,
                "fake_score": fake_score,
                "wasserstein": real_score - fake_score,
            }

        logs = self._minimize(loss, self.discriminator, self.optimizer.discriminator)
        self.after_discriminator_update(self)
        return logs

    def _penalty(self, step, real, real_labels, fake, fake_labels, mix):
        """Returns `penalty_every` times the penalty where it is due, and 0 between.

        Its mean is the penalty's then, for a part of the cost (Karras et al. 2020, Section 3.1).
        """

        def score(images, labels=real_labels):
            return _apply(self.discriminator, images, labels, training=False)

        def due():
            if self.config.penalty == "gradient_penalty":
                target = self.config.penalty_target
                return every * penalties.gradient_penalty(score, real, fake, mix, target)
            penalty = penalties.r1(score, real)
            if self.config.penalty == "r1_r2":
                penalty += penalties.r1(functools.partial(score, labels=fake_labels), fake)
            return every * penalty

        every = self.config.penalty_every
        if every == 1:
            return due()
        return ops.cond(step % every == 0, due, lambda: ops.zeros((), "float32"))

    def _update_generator(self, batch):
        def loss():
            fake, labels = self._fakes(batch), batch.get("fake_labels")
            scores = [_apply(self.discriminator, fake, labels, training=True)]
            if self.config.loss in losses.RELATIVISTIC:  # those of the last discriminator update
                real, labels = self._reals(batch), batch.get("real_labels")
                scores.append(_apply(self.discriminator, real, labels, training=True))
            total = self.g_loss_fn(*scores)
            return total, {"g_loss": total}

        return self._minimize(loss, self.training_generator, self.optimizer.generator)

    def _reals(self, batch):
        """Returns what the discriminator sees of a batch's real images, floats in [-1, 1]."""
        real = self.prepare_real(self, to_float(batch["real"]))
        return augment(real, self.config.augment, batch.get("augment_real"))

    def _fakes(self, batch):
        """Returns what the discriminator sees of the images generated from a batch's latents."""
        labels = batch.get("fake_labels")
        fake = self._generate(self.training_generator, batch["latents"], labels, training=True)
        return augment(fake, self.config.augment, batch.get("augment_fake"))

    def _generate(self, network, latents, labels, training):
        if labels is not None and len(labels.shape) == 1:
            labels = ops.one_hot(labels, self.config.num_classes)
        return _apply(network, latents, labels, training)

    def _minimize(self, loss, network, optimizer):
        """Takes one step on the trainable variables of one network; returns the loss's logs."""
        variables = network.trainable_variables
        if not variables:  # frozen as a whole
            return loss()[1]
        chosen = {id(v) for v in variables}
        state = [v for v in self.variables if id(v) not in chosen]
        (_, logs), gradients = backend.value_and_grad(loss, variables, state)
        optimizer.apply(gradients, variables)
        return logs


def _nothing(gan):
    """What a recipe without a hook does there."""


def _unchanged(gan, real):
    return real


def _apply(network, x, labels, training):
    return network(x if labels is None else [x, labels], training=training)


def _mean(scores):
    return ops.mean(ops.cast(scores, "float32"))
