"""`RecipeModel`: what the zoo's models share, whatever they are trained for."""

import contextlib
import dataclasses
import functools
import pathlib

import keras
import numpy as np
from keras import ops

from zoo import backend, batching, data, files, hub, policy, registry, weights

BATCHES = (
    "its batches are made as the config says, which "
    'zoo.load(name, config={"batch_size": 16}) changes'
)


class RecipeModel(keras.Model):
    """A model that a recipe builds from its config, and that is saved as these two and weights.

    A subclass names its `networks`: the recipe's `model.py` builds each by `build_<network>`, and
    the model has each as an attribute. Its `batches(images, first_step)` yields what each training
    step takes, from `first_step` on, endlessly; `make_optimizer(scale)` is its config's, for a run;
    and `where_diverged(names)` tells the term that was the first not to be finite, given
    the names of the logs that are not.

    Args:
        recipe: Name of a recipe, a folder of `recipes/`.
        config: The recipe's `Config`, or a dict of the hyperparameters that differ from it.
        name: Name of the Keras model; the recipe's by default.

    Raises:
        ValueError: For an unknown recipe or one of another kind of model, or a hyperparameter of
            unknown name or wrong value, or under a policy that keeps weights in bfloat16.
        MemoryError: If the networks do not fit into the memory of the device.
    """

    kind = None
    networks = ()

    def __init__(self, recipe, config=None, name=None):
        Config = registry.import_recipe(recipe).Config
        if Config.kind != self.kind:
            raise ValueError(f"The recipe {recipe!r} makes a {Config.kind}, not a {self.kind}.")
        if not isinstance(config, Config):
            config = Config.from_dict(config or {})
        super().__init__(name=name or recipe)
        self.recipe = recipe
        self.config = config
        if self.dtype_policy.variable_dtype == "bfloat16":
            raise ValueError("Weights are kept in float32: set mixed_bfloat16, not bfloat16.")
        with backend.short_of_memory("networks of a smaller width need less"):
            for network in self.networks:
                setattr(self, network, self.build_network(network))
        self.built = True

    def build_network(self, network):
        """Builds a network anew as the recipe does, in the model's own precision."""
        model = registry.import_recipe(self.recipe, "model")
        with policy.dtype_policy(self.dtype_policy), policy.channels_last():
            return getattr(model, f"build_{network}")(self.config)

    @property
    def step(self):
        """Training steps taken since `compile`."""
        if not self.compiled:
            return 0
        accumulated = self.optimizer.gradient_accumulation_steps or 1  # of them Keras counts one
        return int(ops.convert_to_numpy(self.optimizer.iterations)) * accumulated

    @property
    def compile_defaults(self):
        """What the config says to `keras.Model.compile`, whoever trains."""
        return {"jit_compile": {"auto": "auto", "on": True, "off": False}[self.config.jit]}

    def compile_for_run(self, scale=1.0):
        """Compiles with what the config says of a recipe's run as well.

        These are learning rates that fall and the steps of one call: `fit`, which may take fewer
        steps than that, does without.

        Args:
            scale: Of the learning rates.
        """
        steps = self.config.steps_per_execution
        self.compile(optimizer=self.make_optimizer(scale), steps_per_execution=steps)

    # Training

    def fit(self, x, y=None, *, epochs=1, steps_per_epoch=None, initial_epoch=0, **kwargs):
        """Trains on images; `keras.Model.fit` with the batches drawn by the zoo.

        The batch size is the config's: `zoo.load(name, config={"batch_size": 16})`. The order of
        the images is shuffled anew in every pass. The config's `dataset` says from then on what
        the model was last trained on.

        Args:
            x: `zoo.data.load(...)`, or a uint8 array of shape (N, H, W, C).
            y: Labels of an array, integers of shape (N,); classifiers and conditional models only.
            epochs: Number of epochs.
            steps_per_epoch: Steps per epoch; by default as many as see every image once.
            initial_epoch: Where to go on counting.
            **kwargs: `callbacks` and `verbose` as in Keras.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            ValueError: For images or labels that do not fit, and for arguments of Keras's that say
                how to make batches, which the config does.
        """
        self._check_arguments(y, steps_per_epoch, kwargs)
        images = data.as_images(x, y).resized(self.config.image_shape)
        if not self.compiled:
            self.compile()
        data.warn_of_missing_classes(images, self.config.num_classes)
        self.config = dataclasses.replace(self.config, dataset=images.source)
        if steps_per_epoch is None:
            steps_per_epoch = -(-len(images) // self.images_per_step)

        make = functools.partial(self.batches, images, self.step)
        with batching.Feed(make, self.config.prefetch) as feed:
            try:
                return super().fit(
                    backend.distribute(self, feed),
                    epochs=epochs,
                    steps_per_epoch=steps_per_epoch,
                    initial_epoch=initial_epoch,
                    shuffle=False,
                    **kwargs,
                )
            except Exception:
                if feed.failure:  # TensorFlow wraps what a generator raises
                    raise feed.failure from None
                raise

    def _check_arguments(self, y, steps_per_epoch, options):
        """Raises a `ValueError` for what `fit` would ignore, or never end with."""
        for name in ("batch_size", "shuffle", "sample_weight", "class_weight", "validation_split"):
            check_absent(options, name, "fit", BATCHES)
        for callback in keras.tree.flatten(options.get("callbacks")):
            if isinstance(callback, keras.callbacks.BackupAndRestore):
                raise ValueError(
                    "BackupAndRestore would go on with the first images again: a recipe's run "
                    "(python -m recipes.NAME.train) goes on where it was."
                )
        if steps_per_epoch is not None and steps_per_epoch < 1:  # to Keras, an epoch without an end
            raise ValueError(f"steps_per_epoch must be at least 1, but is {steps_per_epoch}.")
        if y is not None and not self.config.num_classes:
            raise ValueError("This model is unconditional: it learns no labels, so give none.")

    def build_metrics(self):
        """Makes the variables of all metrics, where Keras would wait for the first batch."""

    @property
    def images_per_step(self):
        """Fresh images that a training step takes."""
        return self.config.batch_size

    # Saving

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Saves what is needed to use the model: config and networks, not the state of training.

        Args: As for `keras.Model.save`; `zipped=False` writes the directory format.

        Raises:
            ValueError: For another format than Keras's own, or what exists and is not to be
                overwritten, as the folder of a published model never is.
            ConnectionError: If the Hub cannot be reached, or refuses.
        """
        where = str(filepath)
        on_hub = where.startswith("hf://")
        path = pathlib.Path(filepath).expanduser()
        if zipped is None:
            zipped = not on_hub
        if zipped and not where.endswith(".keras"):
            raise ValueError(
                f"{where!r} must end in .keras, or be a folder: save with zipped=False."
            )
        if not overwrite and not on_hub and path.exists():
            raise ValueError(f"{where!r} exists already, and overwrite is False.")
        if not on_hub and (path.is_dir() if zipped else path.is_file()):
            raise ValueError(f"{where!r} exists already, as a {'folder' if zipped else 'file'}.")
        facts = path / "metadata.json"
        if not on_hub and facts.is_file() and "files" in files.read_json(facts):
            raise ValueError(f"{where!r} holds a published model, whose card says other things.")
        if self.compiled:
            with policy.dtype_policy(self.dtype_policy):
                bare = type(self)(self.recipe, self.config, self.name)
            for network in self.networks:
                getattr(bare, network).set_weights(getattr(self, network).get_weights())
            return bare.save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)
        if on_hub:
            try:
                return super().save(filepath, zipped=zipped, **kwargs)
            except Exception as error:  # of any kind, as `zoo.hub.push` says
                raise ConnectionError(
                    f"{where!r} could not be written: {hub.one_line(error)}"
                ) from error
        place = files.atomic_path if zipped else files.atomic_folder
        with place(path) as scratch:
            files.check_space(scratch.parent, weights.storage(self.variables))
            super().save(scratch.absolute(), zipped=zipped, **kwargs)
            if not zipped:
                with contextlib.suppress(OSError):
                    (scratch / "assets").rmdir()  # Keras's folder for assets; there are none

    def export(self, filepath, **kwargs):
        """Exports what the model is used for: of a GAN its generator, of a classifier its logits.

        A generator maps latents, and class weights (N, classes) if it takes any, to float images in
        [-1, 1]; a classifier uint8 images to logits.

        Args: As for `keras.Model.export`.
        """
        self.exported().export(filepath, **kwargs)

    def exported(self):
        """Returns the Functional model that `export` writes."""
        return getattr(self, self.networks[0])

    def get_config(self):
        return {"recipe": self.recipe, "config": self.config.to_dict(), "name": self.name}

    def get_compile_config(self):
        """None: a copy, however made, is compiled by `fit`, which knows the config."""

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def check_absent(options, name, function, reason):
    """Takes an option that is None away; raises a `ValueError` for one that would be ignored."""
    if options.pop(name, None) is not None:
        raise ValueError(f"{function} takes no {name}: {reason}.")


def to_float(images):
    """Maps pixels in [0, 255] to float32 in [-1, 1], what the networks work with."""
    return ops.cast(images, "float32") / 127.5 - 1.0


def check_images(images, shape):
    """Returns `images` as an array; a `ValueError` says where they are not uint8 (N, *shape).

    Those of a data source, of any size, are made to be of that shape.
    """
    if isinstance(images, data.Images):
        return images.resized(shape)[np.arange(len(images))]
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != tuple(shape):
        height, width, channels = shape
        raise ValueError(
            f"Images must be uint8 of shape (N, {height}, {width}, {channels}), but are "
            f"{images.dtype} of shape {images.shape}."
        )
    return images
