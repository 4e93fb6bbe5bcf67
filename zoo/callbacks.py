"""Callbacks for plain `fit`: progress, sample grids, TensorBoard, the state to resume from."""

import csv
import pathlib
import time

import keras

from zoo import files
from zoo import images as pictures


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
        labels = None
        if classes := self.model.config.num_classes:
            labels = [i % classes for i in range(self.n)]
        images = self.model.sample(self.n, seed=self.seed, labels=labels)
        path = self.folder / f"step_{self.model.step:07d}.png"
        pictures.save_grid(path, images, columns=classes or None)


class TensorBoard(keras.callbacks.Callback):
    """Writes the epoch's logs and the newest sample grid for TensorBoard, without TensorFlow.

    Args:
        folder: Where the event file goes.
        samples: The folder of a `SampleGrid` that runs before this callback, where there is one.
    """

    def __init__(self, folder, samples):
        super().__init__()
        self.folder, self.samples = folder, pathlib.Path(samples)

    def on_train_begin(self, logs=None):
        from tensorboardX import SummaryWriter

        self.writer = SummaryWriter(str(self.folder))

    def on_epoch_end(self, epoch, logs=None):
        step = self.model.step
        for name, value in logs.items():
            self.writer.add_scalar(name, float(value), step)
        grid = self.samples / f"step_{step:07d}.png"
        if grid.is_file():
            self.writer.add_image("samples", pictures.read_picture(grid), step, dataformats="HWC")
        self.writer.flush()

    def on_train_end(self, logs=None):
        self.writer.close()


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


class TrainState(keras.callbacks.Callback):
    """Saves everything a run needs to go on, after every epoch, and goes on from it.

    `folder/step_*.weights.h5` holds all networks (a GAN's averaged generator too) and optimizers,
    `folder/state.json` the config and the history so far. `history.csv` beside the folder is
    written from that history: a resumed run neither loses nor repeats a row.

    Args:
        folder: Where the state is kept.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.history, self.seconds = [], 0.0
        self.planned = []  # the ends that were planned before this one; schedules depend on them

    def restore(self, model):
        """Loads the state into a compiled model, if there is one.

        Raises:
            ValueError: If the state belongs to another config, naming the fields that differ.
        """
        path = self.folder / "state.json"
        if not path.is_file():
            return
        state = files.read_json(path)
        config = model.config.to_dict()
        # A hyperparameter that is newer than the run had its default's effect.
        earlier = type(model.config).from_dict(state["config"]).to_dict()
        differ = [key for key in config if config[key] != earlier[key]]
        if set(differ) - {"steps", "fid_every", "strategy"}:
            raise ValueError(
                f"{str(self.folder.parent)!r} holds a run with another "
                f"{', '.join(differ)}; choose another --workdir or the same settings."
            )
        model.load_weights(self.folder / state["weights"])
        self.history, self.seconds = state["history"], state["seconds"]
        self.planned = state.get("planned", [])
        if earlier["steps"] != config["steps"]:
            self.planned.append(earlier["steps"])

    def on_train_begin(self, logs=None):
        self.begin = time.monotonic() - self.seconds

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.monotonic() - self.begin
        row = {"step": self.model.step, "minutes": round(self.seconds / 60, 3)}
        self.history.append(row | {name: float(value) for name, value in logs.items()})
        self._save()
        write_csv(self.folder.parent / "history.csv", self.history)

    def _save(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        weights = f"step_{self.model.step:07d}.weights.h5"
        with files.atomic_path(self.folder / weights) as path:
            self.model.save_weights(path)
        state = {
            "weights": weights,
            "config": self.model.config.to_dict(),
            "seconds": self.seconds,
            "history": self.history,
            "planned": self.planned,
        }
        files.write_json(self.folder / "state.json", state)
        for old in self.folder.glob("step_*.weights.h5"):
            if old.name != weights:
                old.unlink()


def write_csv(path, rows):
    """Writes dicts as a CSV file with a header; where a row lacks a key its cell is empty."""
    with (
        files.atomic_path(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def format_duration(seconds):
    """Formats seconds for people, such as '2 h 05 min' or '40 s'."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
