"""The training run that every recipe shares: data, model, callbacks, `fit`, save."""

import contextlib
import pathlib
import shutil
import sys
import tempfile

import keras

from zoo import backend, callbacks, cards, data, files, registry
from zoo.metrics import extractors
from zoo.metrics.periodic import PeriodicFID


def train_gan(recipe, config, workdir):
    """Trains a GAN recipe into a folder and saves the model there; goes on from the folder's state.

    Writes `run.json` (facts for the card), `state/` (to resume from), `history.csv`, `samples/`,
    `tensorboard/` and, at the end, `model/` in the Keras directory format. With `fid_every` there
    is also `best/`, the model of the lowest FID so far, as `zoo.metrics.periodic` keeps it.

    Args:
        recipe: Name of the recipe.
        config: Its `Config`.
        workdir: Folder of the run; made if it does not exist.

    Returns:
        The trained `zoo.GAN`.
    """
    with _placed(config, workdir) as (folder, scope):
        extra = [callbacks.SampleGrid(folder / "samples")]
        if config.fid_every:
            classifier = extractors.get("classifier", config.dataset)
            extra.append(PeriodicFID(folder / "best", config.fid_every, extractor=classifier))
        return _train(recipe, config, folder, scope, lambda images: {"x": images}, extra)


def train_classifier(recipe, config, workdir):
    """Trains a classifier recipe as `train_gan` does a GAN's; there are no `samples/`.

    `val_accuracy` is that of the `holdout` of the training images, which is not trained on.

    Returns:
        The trained `zoo.Classifier`.
    """

    def divide(images):
        training, held_out = data.split(images, config.holdout, config.seed)
        return {"x": training, "validation_data": held_out if len(held_out) else None}

    with _placed(config, workdir) as (folder, scope):
        return _train(recipe, config, folder, scope, divide)


@contextlib.contextmanager
def _placed(config, workdir):
    """Gives the folder this process writes to, and the scope of its model.

    The folder is `workdir` for the chief. Every other worker does all that the chief does, for the
    sake of the collectives in it, in a copy of the run's state that is thrown away.
    """
    workdir = pathlib.Path(workdir)
    with backend.strategy(config.strategy, config.batch_size) as (chief, scope):
        if chief:
            yield workdir, scope
            return
        with tempfile.TemporaryDirectory() as scratch:
            for kept in ("state", "best"):
                if (workdir / kept).is_dir():
                    shutil.copytree(workdir / kept, pathlib.Path(scratch) / kept)
            yield pathlib.Path(scratch), scope


def _train(recipe, config, workdir, scope, fit_arguments, extra_callbacks=()):
    """Runs `fit` with `fit_arguments(images)` into a folder."""
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    images = data.load(config.dataset).resized(config.image_shape)
    state = callbacks.TrainState(workdir / "state")
    with scope():
        model = registry.build(recipe, config)
        model.compile()
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
            *extra_callbacks,  # first, for what they add to the logs
            callbacks.Progress(config.steps),
            callbacks.TensorBoard(workdir / "tensorboard", workdir / "samples"),
            state,
        ],
    )
    model.save(workdir / "model", zipped=False)
    return model
