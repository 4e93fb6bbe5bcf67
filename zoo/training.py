"""The training run every GAN recipe shares: data, model, callbacks, `fit`, save."""

import pathlib
import sys

import keras

from zoo import callbacks, cards, data, files
from zoo.gan import GAN


def train_gan(recipe, config, workdir):
    """Trains a recipe into a folder and saves the model there; goes on from the folder's state.

    Writes `run.json` (facts for the card), `state/` (to resume from), `history.csv`, `samples/`,
    `tensorboard/` and, at the end, `model/` in the Keras directory format.

    Args:
        recipe: Name of the recipe.
        config: Its `Config`.
        workdir: Folder of the run; made if it does not exist.

    Returns:
        The trained `zoo.GAN`.
    """
    workdir = pathlib.Path(workdir)
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    images = data.load(config.dataset)
    gan = GAN(recipe, config)
    gan.compile()

    state = callbacks.TrainState(workdir / "state")
    state.restore(gan)
    workdir.mkdir(parents=True, exist_ok=True)
    files.write_json(workdir / "run.json", cards.run_facts(recipe, config))
    epochs = -(-config.steps // config.save_every)
    gan.fit(
        images,
        epochs=epochs,
        initial_epoch=gan.step // config.save_every,
        steps_per_epoch=config.save_every,
        verbose="auto" if sys.stdout.isatty() else 0,
        callbacks=[
            callbacks.Progress(config.steps),
            callbacks.SampleGrid(workdir / "samples"),
            callbacks.TensorBoard(workdir / "tensorboard", workdir / "samples"),
            state,
        ],
    )
    gan.save(workdir / "model", zipped=False)
    return gan
