"""Tiny runs in processes of their own, for the tests that kill them."""

import csv
import multiprocessing
import os
import shutil
import signal
import time

import crash_child
import h5py
import numpy as np

from zoo import runs, train_state

TINY = {
    "width": 4,
    "image_size": 8,
    "latent_size": 6,
    "batch_size": 2,
    "n_critic": 1,
    "penalty_weight": 0.0,  # it keeps no state, and takes half of the time to compile
    "save_every": 2,
    "deterministic": True,
}


def server():
    """Returns a fork server that has imported what a run needs, TensorFlow above all.

    It knows no path but the folder it is started in, and passes over what it does not find.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["zoo.gan", "zoo.training", "recipes.wgan_gp", "tensorboardX"])
    return context


def save_images(folder):
    """Writes some random images; returns them as a data source."""
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8)
    np.savez(folder / "set.npz", images=images)
    return f"npz:{folder / 'set.npz'}"


def newest_step(workdir):
    """Returns the newest saved step; -1 before the first."""
    return max(map(runs.step_of, runs.states(workdir)), default=-1)


def last_arrays(workdir):
    """Returns all numbers of the last state: networks, average and both optimizers' slots."""
    arrays = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with h5py.File(runs.states(workdir)[-1] / train_state.WEIGHTS) as file:
        file.visititems(collect)
    return arrays


class Run:
    """A run in a folder, whose process can be started again and again."""

    def __init__(self, server, folder, **hyperparameters):
        folder.mkdir(parents=True, exist_ok=True)
        self.server, self.workdir, self.log = server, folder / "run", folder / "log"
        self.log.touch()
        self.hyperparameters = {"dataset": save_images(folder)} | TINY | hyperparameters

    def copy(self, folder):
        """Copies the run as it is on disk, with a log of its own."""
        copy = Run(self.server, folder, **self.hyperparameters)
        shutil.copytree(self.workdir, copy.workdir)
        return copy

    @property
    def dataset(self):
        return self.hyperparameters["dataset"]

    def start(self):
        arguments = (self.workdir, self.log, self.hyperparameters)
        self.process = self.server.Process(target=crash_child.run, args=arguments, daemon=True)
        self.process.start()

    def finish(self):
        """Waits for the end; returns the exit code and what was printed since the start."""
        self.process.join(600)
        assert self.process.exitcode is not None, self.log.read_text()
        return self.process.exitcode, self.log.read_text()

    def complete(self):
        self.start()
        code, printed = self.finish()
        assert code == 0, printed
        return self

    def states(self):
        return runs.states(self.workdir)

    def step(self):
        return newest_step(self.workdir)

    def wait_for(self, condition):
        """Waits for something to be seen in the folder, or for the end; tells whether it came."""
        while self.process.is_alive():
            if condition():
                return True
            time.sleep(0.0005)
        return condition()

    def wait_for_step(self, step):
        assert self.wait_for(lambda: self.step() >= step), self.log.read_text()

    def freeze_in_save(self, rng):
        """Stops the process at a random moment of a save; it is then to be killed.

        A frozen process tells whether the moment was one: how long a save takes differs between
        machines, and one that was over is gone on with.
        """
        while self.wait_for(self.in_save):
            time.sleep(rng.uniform(0, 0.02))
            self.signal(signal.SIGSTOP)
            time.sleep(0.01)  # until its threads stand still
            if self.in_save():
                return
            self.signal(signal.SIGCONT)

    def in_save(self):
        return list((self.workdir / "state").glob(".writing-*"))

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.process.kill()
        self.process.join()

    def half_written(self):
        return list(self.workdir.rglob(".writing-*"))

    def history(self):
        """`history.csv` without the minutes, which no two runs share."""
        with open(self.workdir / "history.csv", encoding="utf-8") as file:
            return [
                {k: v for k, v in row.items() if k != "minutes"} for row in csv.DictReader(file)
            ]
