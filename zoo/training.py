"""The training run that every recipe shares: data, model, callbacks, `fit`, save."""

import pathlib
import sys

import keras

from zoo import callbacks, cards, data, files, registry


def train_gan(recipe, config, workdir):
    """Trains a GAN recipe into a folder and saves the model there; goes on from the folder's state.

    Writes `run.json` (facts for the card), `state/` (to resume from), `history.csv`, `samples/`,
    `tensorboard/` and, at the end, `model/` in the Keras directory format.

    Args:
        recipe: Name of the recipe.
        config: Its `Config`.
        workdir: Folder of the run; made if it does not exist.

    Returns:
        The trained `zoo.GAN`.
    """
    samples = callbacks.SampleGrid(pathlib.Path(workdir) / "samples")
    return _train(recipe, config, workdir, lambda images: {"x": images}, [samples])


def train_classifier(recipe, config, workdir):
    """Trains a classifier recipe as `train_gan` does a GAN's; there are no `samples/`.

    `val_accuracy` is that of the `holdout` of the training images, which is not trained on.

    Returns:
        The trained `zoo.Classifier`.
    """

    def divide(images):
        training, held_out = data.split(images, config.holdout, config.seed)
        return {"x": training, "validation_data": held_out if len(held_out) else None}

    return _train(recipe, config, workdir, divide)


def _train(recipe, config, workdir, fit_arguments, extra_callbacks=()):
    """Runs `fit` with `fit_arguments(images)` into a folder."""
    workdir = pathlib.Path(workdir)
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    images = data.load(config.dataset).resized(config.image_shape)
    model = registry.build(recipe, config)
    model.compile()

    state = callbacks.TrainState(workdir / "state")
    state.restore(model)
    workdir.mkdir(parents=True, exist_ok=True)
    files.write_json(workdir / "run.json", cards.run_facts(recipe, config))
    epochs = -(-config.steps // config.save_every)
    model.fit(
        **fit_arguments(images),
        epochs=epochs,
        initial_epoch=model.step // config.save_every,
        steps_per_epoch=config.save_every,
        verbose="auto" if sys.stdout.isatty() else 0,
        callbacks=[
            callbacks.Progress(config.steps),
            *extra_callbacks,
            callbacks.TensorBoard(workdir / "tensorboard", workdir / "samples"),
            state,
        ],
    )
    model.save(workdir / "model", zipped=False)
    return model
