"""Callbacks for plain `fit`: progress, sample grids and their film, TensorBoard."""

import pathlib
import time

import keras
import numpy as np

from zoo import grids, sampling
from zoo.console import format_duration
from zoo.layers import spectral_norm_layers, spectral_norm_value


class SampleGrid(keras.callbacks.Callback):
    """Writes a grid of images of fixed latents to `folder` after every epoch.

    Args:
        folder: Where `step_0001000.png` goes.
        n: Images in the grid.
        seed: Of the latents.
    """

    def __init__(self, folder, n=64, seed=0):
        super().__init__()
        self.folder, self.n, self.seed = pathlib.Path(folder), n, seed

    def on_epoch_end(self, epoch, logs=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.model.config
        labels = sampling.in_turn(config, self.n)
        images = self.model.sample(self.n, seed=self.seed, labels=labels)
        path = self.folder / f"step_{self.model.step:07d}.png"
        grids.save_grid(path, images, columns=config.num_classes or None)


def save_film(path, folder, frames=60):
    """Writes the grids of a `SampleGrid` as an animation from the first step to the last.

    Args:
        path: The .gif file; not written when there are no grids.
        folder: The folder of the grids.
        frames: How many at most, evenly spaced.
    """
    paths = sorted(pathlib.Path(folder).glob("step_*.png"))
    if paths:
        chosen = np.linspace(0, len(paths) - 1, min(frames, len(paths))).round().astype(int)
        images = [grids.read_picture(paths[i]) for i in chosen]
        grids.save_animation(path, images, scale=1, milliseconds=150, back=False)


class TensorBoard(keras.callbacks.Callback):
    """Writes the epoch's logs and the newest sample grid for TensorBoard, without TensorFlow.

    Of a GAN also histograms of the scores of `real` and of samples, and the largest singular value
    of every layer under spectral normalisation.

    Args:
        folder: Where the event file goes.
        samples: The folder of a `SampleGrid` that runs before this callback; None for a classifier.
        real: Images and labels of a batch that the discriminator scores; None for a classifier.
    """

    def __init__(self, folder, samples=None, real=None):
        super().__init__()
        self.folder, self.samples, self.real = folder, samples, real
        self.writer = None

    def on_train_begin(self, logs=None):
        from tensorboardX import SummaryWriter

        # What a killed run wrote after its last save is hidden. Without an end of the queue (0) no
        # event waits for ever for a thread that a full disk has ended.
        first = self.model.step + 1
        self.writer = SummaryWriter(str(self.folder), max_queue=0, purge_step=first)

    def on_epoch_end(self, epoch, logs=None):
        step = self.model.step
        for name, value in logs.items():
            self.writer.add_scalar(name, float(value), step)
        if self.real is not None:
            self._add_scores(step)
        if self.samples:
            grid = grids.read_picture(pathlib.Path(self.samples) / f"step_{step:07d}.png")
            self.writer.add_image("samples", grid, step, dataformats="HWC")
        self.writer.flush()

    def _add_scores(self, step):
        images, labels = self.real
        samples = self.model.sample(len(images), seed=0, labels=labels)
        self.writer.add_histogram("scores/real", self.model.scores(images, labels), step)
        self.writer.add_histogram("scores/fake", self.model.scores(samples, labels), step)
        for layer in spectral_norm_layers(self.model.discriminator):
            self.writer.add_scalar(f"sigma/{layer.name}", spectral_norm_value(layer), step)

    def on_train_end(self, logs=None):
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class Progress(keras.callbacks.Callback):
    """Prints one line per epoch: step, speed, time left and the logs.

    Args:
        steps: Steps of the whole run.
    """

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_begin(self, logs=None):
        self.last_step, self.last_time = self.model.step, time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        step, now = self.model.step, time.monotonic()
        speed = (step - self.last_step) / (now - self.last_time)
        self.last_step, self.last_time = step, now
        left = format_duration((self.steps - step) / speed)
        values = "  ".join(f"{name} {float(value):.4g}" for name, value in logs.items())
        line = f"step {step:,} of {self.steps:,}  {speed:.2f} steps/s  {left} left  {values}"
        print(line, flush=True)
