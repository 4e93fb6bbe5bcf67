"""Stops a tiny run within an epoch and goes on: `python stop.py FOLDER`, on any backend."""

import contextlib
import pathlib
import signal
import sys

import keras
import numpy as np

from recipes.sngan import Config
from zoo import registry, training
from zoo.interruption import Interruption, StopOnSignal
from zoo.train_state import TrainState


class Ask(keras.callbacks.Callback):
    """Sends this process a SIGTERM in the middle of the second epoch."""

    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == 5:
            signal.raise_signal(signal.SIGTERM)


def train(workdir, *watchers):
    config = Config(
        width=8,
        discriminator_width=8,
        image_size=8,
        latent_size=6,
        batch_size=4,
        n_critic=2,
        steps=9,
        save_every=3,
    )
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8)
    keras.utils.set_random_seed(0)
    model = registry.build("sngan", config)
    model.compile()
    state = TrainState(workdir / "state")
    state.restore(model)
    with StopOnSignal(state) as stop:
        watchers = [*watchers, state, stop]
        training._fit(model, contextlib.nullcontext, state, watchers, {"x": images})
    return model, state


def main(folder):
    whole, its_state = train(folder / "whole")
    with contextlib.suppress(Interruption):
        train(folder / "parts", Ask())
    assert (folder / "parts" / "state" / "step_0000005").is_dir()
    model, state = train(folder / "parts")
    assert model.step == whole.step == 9
    for ours, theirs in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(state.history, its_state.history, strict=True):
        assert ours | {"minutes": 0} == theirs | {"minutes": 0}
    print("the same bits")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
