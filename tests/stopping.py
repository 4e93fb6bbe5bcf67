"""Stops a tiny run within an epoch and goes on: `python stopping.py FOLDER`, on any backend."""

import contextlib
import pathlib
import signal
import sys

import keras
import numpy as np

from zoo import data, registry, training
from zoo.interruption import Interruption, StopOnSignal
from zoo.train_state import TrainState

SMALL = {"width": 8, "image_size": 8, "batch_size": 4, "steps": 9, "save_every": 3}
CONFIGS = {
    "sngan": SMALL | {"discriminator_width": 8, "latent_size": 6, "n_critic": 2},
    "classifier": SMALL,
}


class Ask(keras.callbacks.Callback):
    """Sends this process a SIGTERM in the middle of the second epoch."""

    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == 5:
            signal.raise_signal(signal.SIGTERM)


def train(recipe, workdir, *watchers):
    config = registry.import_recipe(recipe).Config.from_dict(CONFIGS[recipe])
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 8, 8, 1), np.uint8)
    images = data.ArrayImages(images, np.arange(24) % 10)
    keras.utils.set_random_seed(0)
    model = registry.build(recipe, config)
    model.compile_for_run()
    state = TrainState(workdir)
    state.restore(model)
    with StopOnSignal(state) as stop:
        training._fit(model, contextlib.nullcontext, state, [*watchers, state, stop], {"x": images})
    return model, state


def check(recipe, folder):
    """Asserts that a run stopped after step 5 of 9 ends with the bits of one that was not."""
    whole, its_state = train(recipe, folder / "whole")
    with contextlib.suppress(Interruption):
        train(recipe, folder / "parts", Ask())
    assert (folder / "parts" / "state" / "step_0000005").is_dir()
    model, state = train(recipe, folder / "parts")
    assert model.step == whole.step == 9
    for ours, theirs in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [row["step"] for row in state.history] == [3, 6, 9]
    for ours, theirs in zip(state.history, its_state.history, strict=True):
        assert ours | {"minutes": 0} == theirs | {"minutes": 0}


if __name__ == "__main__":
    for name in CONFIGS:
        check(name, pathlib.Path(sys.argv[1]) / name)
    print("the same bits")
