"""Where a model comes from: command, hyperparameters, hardware and versions of its run."""

import os
import pathlib
import platform
import re
import shlex

from zoo import __version__


def run_facts(recipe, config, before=(), inherited=None):
    """Returns what a card says of a run: recipe, command, config, hardware and versions.

    `before` and `inherited` are what `zoo.starting` says of the model that it starts from: the runs
    before and the hyperparameters.
    """
    import importlib.metadata

    import keras

    backend = keras.backend.backend()
    packages = ("keras", backend, "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "recipe": recipe,
        "command": command(recipe, config, before, inherited),
        "before": [*before],
        "inherited": inherited or {},
        "config": config.to_dict(),
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), "zoo": __version__} | versions,
    }


def command(recipe, config, before=(), inherited=None):
    """Returns the command line that trains `config`: the flags that differ from their defaults.

    These are those of the model that it starts from, if there is one.
    """
    defaults, values = type(config)().to_dict() | (inherited or {}), config.to_dict()
    images = pathlib.PurePath(config.dataset.partition(":")[2] or config.dataset).stem
    workdir = f"runs/{recipe}_{re.sub('[^A-Za-z0-9_-]+', '_', images)}"
    if before:  # what the commands before left
        values["start_from"] = "./{workdir}/{model}".format(**{"model": "model"} | before[-1])
        workdir += f"_{len(before) + 1}"
    flags = [f"--{name}={value}" for name, value in values.items() if value != defaults[name]]
    return shlex.join(["python", "-m", f"recipes.{recipe}.train", f"--workdir={workdir}", *flags])


def hardware():
    """Returns the machine in words: CPU cores and model, or the accelerators in use."""
    from zoo import backend

    if accelerators := backend.accelerators():
        return ", ".join(accelerators)
    model = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{os.cpu_count()} CPU cores ({model})"
