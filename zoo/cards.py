"""A published model's folder: weights, facts in `metadata.json`, and the card made from them."""

import os
import pathlib
import platform
import re
import shlex
import shutil

from zoo import __version__, card_text, files, hub, overview, registry, runs

LICENCE = "Apache-2.0"
REPOSITORY_OWNER = "keras-gan-zoo"
SAMPLE_SEED = 0
PICTURED = ("neighbours", "classes")  # measurements with a picture of their own
UNPINNED = ("metadata.json", "README.md", "__init__.py")  # by metadata.json itself


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
    workdir = f"runs/{recipe}_{config.dataset}"
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


def publish(name, workdir, checkpoints=None, best=False):
    """Turns a run into a published model's folder.

    What was measured on the very same weights before is kept.

    Args:
        name: The model's name, `<recipe>_<dataset>` by habit.
        workdir: Folder of a run of `zoo.training`.
        checkpoints: Folder of the published models; the project's own by default.
        best: Whether to publish the weights that `PeriodicFID` kept and not the newest state.

    Returns:
        The model's folder. `write_cards` makes the cards and the index of all folders.

    Raises:
        FileNotFoundError: If `workdir` holds no run with a saved state.
        ValueError: If there are no images to test a classifier on.
    """
    from zoo import curves

    facts, model, state = _load_run(pathlib.Path(workdir), best)
    minutes = state.seconds / 60 + sum(run["minutes"] for run in facts.get("before", ()))
    folder = pathlib.Path(checkpoints or registry.bundled_checkpoints()) / name
    with files.atomic_folder(folder) as scratch:
        model.save(scratch, zipped=False)
        halve(scratch / hub.WEIGHTS)
        published = hub.load_folder(scratch)
        files.write_csv(scratch / "history.csv", state.history)
        curves.save_curves(scratch / "curves.png", state.history)
        metadata = files.read_json(scratch / "metadata.json") | facts
        metadata |= {
            "name": name,
            "dataset": facts["config"]["dataset"],
            "licence": LICENCE,
            "minutes": round(minutes),
            "parameters": {
                network: getattr(published, network).count_params()
                for network in published.networks
            },
        }
        metadata |= FACTS[published.kind](published, scratch) | _keep_measured(folder, scratch)
        _write_metadata(scratch, metadata)
    for path in folder.iterdir():
        if path.is_file() and path.name not in (*metadata["files"], *UNPINNED):
            path.unlink()  # of a model published under this name before
    return folder


def _load_run(workdir, best):
    """Returns (facts, model, `TrainState`); the facts say how the best weights were found."""
    from zoo.metrics import periodic
    from zoo.train_state import TrainState

    facts = runs.facts(workdir)
    if facts is None:
        raise FileNotFoundError(f"{str(workdir)!r} holds no run with a saved state.")
    state = TrainState(workdir)
    model = registry.build(facts["recipe"], facts["config"])
    model.compile()
    state.restore(model)
    if not state.history:
        raise FileNotFoundError(f"{str(workdir)!r} holds no run that came to its first save.")
    facts["steps"] = model.step
    if state.planned:
        facts["planned"] = state.planned
    if state.divergences:
        facts["divergences"] = state.divergences
    if not best:
        return facts, model, state
    if not (workdir / "best" / periodic.RECORD).is_file():
        raise FileNotFoundError(f"{str(workdir)!r} holds no best weights: it ran without an FID.")
    facts["chosen"] = files.read_json(workdir / "best" / periodic.RECORD)
    facts["steps"] = facts["chosen"]["step"]
    return facts, hub.load_folder(workdir / "best"), state


def _keep_measured(folder, scratch):
    """Copies what was measured on the weights in `scratch` there; returns its facts."""
    from zoo import measurement

    record = measurement.read(folder)
    if record.get("weights") != files.sha256(scratch / hub.WEIGHTS):
        return {}
    kept = {"metrics": measurement.summary(record)}
    shutil.copy(folder / measurement.RECORD, scratch)
    for part in PICTURED:
        if (folder / f"{part}.png").is_file():
            shutil.copy(folder / f"{part}.png", scratch)
            kept[part] = files.read_json(folder / "metadata.json")[part]
    return kept


def _write_metadata(folder, metadata):
    """Writes `metadata.json` with the sha256 of all other files of the folder."""
    parts = sorted({path.name for path in folder.iterdir() if path.is_file()} - {*UNPINNED})
    metadata["files"] = {part: files.sha256(folder / part) for part in parts}
    files.write_json(folder / "metadata.json", metadata)


def measure(name, part, checkpoints=None, **options):
    """Measures a published GAN for its card, and writes card and index again.

    Args:
        name: The model's name.
        part: "neighbours", "classes" (of a conditional model), or a name of
            `zoo.measurement.PROTOCOLS`; None for all that apply.
        checkpoints: Folder of the published models; the project's own by default.
        **options: `dtype`, `inception` and `progress`, as in `zoo.compare`.

    Raises:
        ValueError, FileNotFoundError: If there is no such model or it cannot be measured so.
    """
    from zoo import measurement, neighbours, recognition

    checkpoints = pathlib.Path(checkpoints or registry.bundled_checkpoints())
    names = [path.parent.name for path in _metadata(checkpoints)]
    folder = checkpoints / registry.known(name, names, "model")
    metadata = files.read_json(folder / "metadata.json")
    if registry.import_recipe(metadata["recipe"]).Config.kind != "GAN":
        raise ValueError(f"{name!r} generates no images; its card was measured when published.")
    measurement.check_measurable(metadata["dataset"])
    if part is None:
        pictured = PICTURED if metadata["config"].get("num_classes") else ("neighbours",)
        for each in (*pictured, *measurement.PROTOCOLS):
            measure(name, each, checkpoints, **options)
        return
    if part in PICTURED:
        check = {"neighbours": neighbours, "classes": recognition}[part].check
        model, progress = hub.load_folder(folder), options.get("progress", True)
        with measurement.unchanged(folder):
            found = {part: check(model, folder / f"{part}.png", progress=progress)}
    else:
        found = {"metrics": measurement.summary(measurement.measure(folder, part, **options))}
    # Read again: another measurement may have ended meanwhile.
    _write_metadata(folder, files.read_json(folder / "metadata.json") | found)
    write_cards(checkpoints)


def halve(path):
    """Rewrites a weights file with float16 instead of float32 arrays; Keras loads them alike."""
    import h5py
    import numpy as np

    def copy(name, item):
        if isinstance(item, h5py.Group):
            copied = target.require_group(name)
        else:
            half = item.dtype == np.float32
            copied = target.create_dataset(name, data=item[()], dtype="float16" if half else None)
        copied.attrs.update(item.attrs)

    with (
        files.atomic_path(path) as temporary,
        h5py.File(path, "r") as source,
        h5py.File(temporary, "w") as target,
    ):
        target.attrs.update(source.attrs)
        source.visititems(copy)


def write_cards(checkpoints=None):
    """Writes what is made from `metadata.json`: the cards, the README's table and the index.

    The index is of the project's own checkpoints: those of another folder leave it as it is.
    """
    own = registry.bundled_checkpoints()
    checkpoints = pathlib.Path(checkpoints or own)
    for path, text in generated(checkpoints).items():
        files.write_text(path, text)
    if checkpoints.resolve() == own.resolve():
        index = {path.parent.name: index_entry(path.parent) for path in _metadata(checkpoints)}
        files.write_json(registry.INDEX, index)
        registry.index.cache_clear()


def generated(checkpoints):
    """Returns {path: text} of all cards in `checkpoints`, and of what stands beside it.

    That is MODEL_CARDS.md, and README.md where there is one.
    """
    facts = {path.parent: files.read_json(path) for path in _metadata(checkpoints)}
    cards = {folder / "README.md": card_text.card(of) for folder, of in facts.items()}
    sections = [
        re.sub(r"\((\w+\.png)\)", rf"(checkpoints/{folder.name}/\1)", card_text.body(of))
        for folder, of in facts.items()
    ]
    note = "<!-- Generated from checkpoints/*/metadata.json by `zoo cards`; do not edit. -->"
    texts = cards | {checkpoints.parent / "MODEL_CARDS.md": "\n".join([note, *sections])}
    readme = checkpoints.parent / "README.md"
    if readme.is_file():
        texts[readme] = overview.with_models(readme.read_text(encoding="utf-8"), facts.values())
    return texts


def _metadata(checkpoints):
    return sorted(checkpoints.glob("*/metadata.json"))


def index_entry(folder):
    """Returns what the index says of a model's folder, the sha256 of each file included."""
    metadata = files.read_json(folder / "metadata.json")
    pinned = (*metadata["files"], "metadata.json", "README.md")
    return {
        "recipe": metadata["recipe"],
        "dataset": metadata["dataset"],
        "repository": f"{REPOSITORY_OWNER}/{folder.name}",
        "files": {part: files.sha256(folder / part) for part in pinned},
    }


def _gan_facts(model, folder):
    """Writes the 64 images of the card."""
    from zoo import images

    images.save_grid(folder / "samples.png", showcase(model), model.config.num_classes or None)
    return {"sample_seed": SAMPLE_SEED}


def showcase(model):
    """Returns the 64 images of a GAN's card; a conditional model shows its classes in turn."""
    classes = model.config.num_classes
    labels = [i % classes for i in range(64)] if classes else None
    return model.sample(64, seed=SAMPLE_SEED, labels=labels)


def _classifier_facts(model, folder):
    """Measures the accuracy of the published weights on the test images."""
    from zoo import labelled

    images = labelled.test_images(model.config)
    accuracy = model.evaluate(images)["accuracy"]
    return {
        "metrics": {"test_accuracy": round(accuracy, 4)},
        "test_images": len(images),
        "features": model.feature_size,
    }


FACTS = {"GAN": _gan_facts, "Classifier": _classifier_facts}
