"""The state of a training run on disk: always whole, checked when it is read, and exact.

Each save is a folder of its own, `step_0001000/`, that appears by one rename. It holds the weights
of all networks (a GAN's averaged generator too) and optimizers, what else the run needs to go on as
if it had never stopped, and the sha256 of both. Order of the data and all random numbers are
functions of (seed, step), so the step is their whole state.
"""

import pathlib
import time
import warnings

import keras

from zoo import backend, files, runs, weights
from zoo.divergence import check_finite
from zoo.runs import RECORD

WEIGHTS, DIGESTS = "train.weights.h5", "SHA256SUMS"


class TrainState(keras.callbacks.Callback):
    """Saves everything a run needs to go on, after every epoch, and goes on from it.

    `history.csv` is written from the saved history: a resumed run neither loses
    nor repeats a row.

    Args:
        workdir: Folder of the run; the states are in its `state`.
        keep: How many of them are kept; the newest.
    """

    def __init__(self, workdir, keep=2):
        super().__init__()
        self.workdir, self.keep = pathlib.Path(workdir), keep
        self.folder = self.workdir / "state"
        self.history, self.seconds = [], 0.0
        self.planned = []  # the ends that were planned before this one; schedules depend on them
        self.divergences = []  # steps where the run diverged and went back with lower rates
        self.partial = []  # the running means of an epoch that was stopped in its middle

    # Reading

    def restore(self, model, divergences=()):
        """Loads the newest whole state into a compiled model, if there is one.

        A damaged state is passed over with a warning that names it.

        Args:
            model: The model.
            divergences: What made the run go back, each halving the learning rates; by default
                those that the state knows.

        Raises:
            ValueError: If there are states, and none is whole; or if it is of another version.
        """
        states = runs.states(self.workdir)
        for folder in reversed(states):
            try:
                check_state(folder)
                record = files.read_json(folder / RECORD)
            except (OSError, ValueError) as error:
                warnings.warn(f"{str(folder)!r} is damaged, {error}", stacklevel=2)
                continue
            record["divergences"] = [*divergences] or record["divergences"]
            self._restore(model, folder, record)
            return
        if states:
            raise ValueError(
                f"{str(self.folder)!r} holds no whole state; remove it to begin the run anew."
            )

    def _restore(self, model, folder, record):
        for name in ("history", "seconds", "planned", "divergences", "partial"):
            setattr(self, name, record[name])
        if self.divergences:
            model.compile_for_run(scale=0.5 ** len(self.divergences))
        try:
            with warnings.catch_warnings():  # where an optimizer does not fit, Keras only warns
                warnings.filterwarnings("error", message="Skipping variable loading")
                model.load_weights(folder / WEIGHTS)
        except (KeyError, ValueError, UserWarning) as error:  # it is whole: others wrote it
            raise ValueError(
                f"{str(folder)!r} does not fit this version of the zoo and of Keras: go on with "
                "those of run.json, or begin a run with its model (--start_from)."
            ) from error
        if record["steps"] != model.config.steps:
            self.planned.append(record["steps"])

    # Writing

    def on_train_begin(self, logs=None):
        self.begin = time.monotonic() - self.seconds
        if not runs.states(self.workdir):
            self.save()

    def on_epoch_begin(self, epoch, logs=None):
        if self.partial:  # after Keras has reset them
            self.model.build_metrics()
            for variable, value in zip(self.model.metrics_variables, self.partial, strict=True):
                variable.assign(value)
            self.partial = []

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.monotonic() - self.begin
        row = {"step": self.model.step, "minutes": round(self.seconds / 60, 3)}
        self.history.append(row | {name: float(value) for name, value in logs.items()})
        self.save()

    def save_within_epoch(self):
        """Saves after a step that does not end an epoch."""
        backend.sync(self.model)
        self.seconds = time.monotonic() - self.begin
        values = map(keras.ops.convert_to_numpy, self.model.metrics_variables)
        self.partial = [value.item() for value in values]
        self.save()

    def save(self):
        """Saves the state of this step, then removes the oldest and writes `history.csv`.

        Raises:
            DivergenceError: If a weight is not finite; the states before stay as they are.
            OSError: If the disk is full or cannot be written, in one sentence.
        """
        step = self.model.step
        check_finite(self.model, step)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(self.folder / f"step_{step:07d}")
            self._remove_others(step)
            if self.history:
                files.write_csv(self.workdir / "history.csv", self.history)
        except OSError as error:
            reason = error.strerror or error
            raise OSError(
                f"Step {step:,} could not be saved in {str(self.folder)!r}: {reason}. The states "
                "there are whole: the same command goes on from the newest."
            ) from error

    def _remove_others(self, step):
        """Removes all but the newest; what claims to be newer than this step was damaged."""
        states = runs.states(self.workdir)
        kept = [state for state in states if runs.step_of(state) <= step][-self.keep :]
        for state in states:
            if state not in kept:
                files.remove_folder(state)

    def _write(self, target):
        files.remove_folder(target)  # a damaged one
        with files.atomic_folder(target) as scratch:
            variables = [*self.model.variables, *self.model.optimizer.variables]
            files.check_space(scratch, weights.storage(variables))
            self.model.save_weights(scratch / WEIGHTS)
            record = {
                "steps": self.model.config.steps,
                "seconds": self.seconds,
                "planned": self.planned,
                "divergences": self.divergences,
                "partial": self.partial,
                "history": self.history,
            }
            files.write_json(scratch / RECORD, record)
            write_digests(scratch)


def write_digests(folder):
    """Writes the sha256 of every file of a folder into it, as `sha256sum --check` reads them."""
    lines = [f"{files.sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    files.write_text(folder / DIGESTS, "".join(lines))


def check_state(folder):
    """Raises a `ValueError` or `OSError` unless all files of a folder are as they were written."""
    lines = (folder / DIGESTS).read_text(encoding="utf-8").splitlines()
    stated = {name: digest for digest, name in (line.split("  ") for line in lines)}
    for name in (WEIGHTS, RECORD):
        if stated.get(name) != files.sha256(folder / name):
            raise ValueError(f"{name} is not what was written")
