"""A published model's folder: weights, facts in `metadata.json`, and the card made from them."""

import os
import pathlib
import platform
import shlex

from zoo import __version__, files, hub, registry

LICENCE = "Apache-2.0"
REPOSITORY_OWNER = "keras-gan-zoo"
SAMPLE_SEED = 0

DATASETS = {
    "fashion_mnist": {
        "title": "Fashion-MNIST",
        "licence": "MIT",
        "classes": "T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, "
        "ankle boot",
    },
    "cifar10": {
        "title": "CIFAR-10",
        "licence": "none stated by its authors; research use with citation",
        "classes": "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck",
    },
}


def run_facts(recipe, config):
    """Returns what a card says of a run: recipe, command, config, hardware and versions."""
    import importlib.metadata

    import keras

    backend = keras.backend.backend()
    packages = ("keras", backend, "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "recipe": recipe,
        "command": command(recipe, config),
        "config": config.to_dict(),
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), "zoo": __version__} | versions,
    }


def command(recipe, config):
    """Returns the command line that trains `config`: the flags that differ from the defaults."""
    defaults = registry.import_recipe(recipe).Config().to_dict()
    values = config.to_dict()
    flags = [f"--{name}={value}" for name, value in values.items() if value != defaults[name]]
    workdir = f"--workdir=runs/{recipe}_{config.dataset}"
    return shlex.join(["python", "-m", f"recipes.{recipe}.train", workdir, *flags])


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


def publish(name, workdir, checkpoints=None):
    """Turns a run's newest state into a published model's folder.

    Args:
        name: The model's name, `<recipe>_<dataset>` by habit.
        workdir: Folder of a run of `zoo.training`.
        checkpoints: Folder of the published models; the project's own by default.

    Returns:
        The model's folder. `write_cards` makes the cards and the index of all folders.

    Raises:
        FileNotFoundError: If `workdir` holds no run with a saved state.
        ValueError: If there are no images to test a classifier on.
    """
    from zoo import callbacks

    workdir = pathlib.Path(workdir)
    if not (workdir / "run.json").is_file() or not (workdir / "state" / "state.json").is_file():
        raise FileNotFoundError(f"{str(workdir)!r} holds no run with a saved state.")
    facts = files.read_json(workdir / "run.json")
    state = callbacks.TrainState(workdir / "state")
    model = registry.build(facts["recipe"], facts["config"])
    model.compile()
    state.restore(model)

    checkpoints = pathlib.Path(checkpoints or registry.bundled_checkpoints())
    folder = checkpoints / name
    with files.atomic_folder(folder) as scratch:
        model.save(scratch, zipped=False)
        halve(scratch / hub.WEIGHTS)
        published = hub.load_folder(scratch)
        callbacks.write_csv(scratch / "history.csv", state.history)
        metadata = files.read_json(scratch / "metadata.json") | facts
        metadata |= {
            "name": name,
            "dataset": facts["config"]["dataset"],
            "licence": LICENCE,
            "steps": state.history[-1]["step"],
            "minutes": round(state.history[-1]["minutes"]),
            "parameters": {
                network: getattr(published, network).count_params()
                for network in published.networks
            },
        }
        metadata |= KINDS[published.kind].measure(published, scratch)
        parts = sorted({path.name for path in scratch.iterdir()} - {"metadata.json"})
        metadata["files"] = {part: hub.sha256(scratch / part) for part in parts}
        files.write_json(scratch / "metadata.json", metadata)
    return folder


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
    """Writes what is made from `metadata.json`: each model's card, MODEL_CARDS.md and the index."""
    checkpoints = pathlib.Path(checkpoints or registry.bundled_checkpoints())
    for path, text in generated(checkpoints).items():
        files.write_text(path, text)
    index = {path.parent.name: index_entry(path.parent) for path in _metadata(checkpoints)}
    files.write_json(registry.INDEX, index)


def generated(checkpoints):
    """Returns {path: text} of all cards in `checkpoints` and of MODEL_CARDS.md beside it."""
    cards = {
        path.parent / "README.md": card(files.read_json(path)) for path in _metadata(checkpoints)
    }
    sections = [
        text.replace("(samples.png)", f"(checkpoints/{path.parent.name}/samples.png)")
        for path, text in cards.items()
    ]
    note = "<!-- Generated from checkpoints/*/metadata.json by `zoo cards`; do not edit. -->"
    return cards | {checkpoints.parent / "MODEL_CARDS.md": "\n".join([note, *sections])}


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
        "files": {part: hub.sha256(folder / part) for part in pinned},
    }


def card(metadata):
    """Returns the card of one model, as Markdown."""
    dataset = DATASETS[metadata["dataset"]]
    kind = KINDS[registry.import_recipe(metadata["recipe"]).Config.kind]
    versions = ", ".join(f"{name} {version}" for name, version in metadata["versions"].items())
    sizes = [f"{network} {count:,}" for network, count in metadata["parameters"].items()]
    return f"""# {metadata["name"]}

{kind.introduction(metadata)}

| | |
|---|---|
| Recipe | `recipes/{metadata["recipe"]}` |
| Trained on | {dataset["title"]}, training split ({dataset["classes"]}) |
| Licence | weights {metadata["licence"]}; training images: {dataset["licence"]} |
| Parameters | {", ".join(sizes)} |
| Training | {metadata["steps"]:,} {kind.steps}, {metadata["minutes"]} minutes |
| Hardware | {metadata["hardware"]} |
| Versions | {versions} |
{kind.row(metadata)}

Trained with

```
{metadata["command"]}
```
"""


class _GANCard:
    """What is a GAN's own on its card."""

    steps = "generator steps"

    @staticmethod
    def measure(model, folder):
        """Writes the 64 images of the card; a conditional model shows its classes in turn."""
        from zoo import images

        classes = model.config.num_classes
        labels = [i % classes for i in range(64)] if classes else None
        samples = model.sample(64, seed=SAMPLE_SEED, labels=labels)
        images.save_grid(folder / "samples.png", samples)
        return {"sample_seed": SAMPLE_SEED}

    @staticmethod
    def introduction(metadata):
        name = metadata["name"]
        return f"""![64 samples of {name}](samples.png)

```python
import zoo

images = zoo.load("{name}").sample(64, seed=0)  # uint8, NHWC
```"""

    @staticmethod
    def row(metadata):
        return f"| Picture | samples of seed {metadata['sample_seed']}, not selected |"


class _ClassifierCard:
    """What is a classifier's own on its card."""

    steps = "steps"

    @staticmethod
    def measure(model, folder):
        """Measures the accuracy of the published weights on the test images."""
        from zoo import labelled

        images = labelled.test_images(model.config)
        accuracy = model.evaluate(images)["accuracy"]
        return {
            "metrics": {"test_accuracy": round(accuracy, 4)},
            "test_images": len(images),
            "features": model.feature_size,
        }

    @staticmethod
    def introduction(metadata):
        config = metadata["config"]
        image = ", ".join(str(config[key]) for key in ("image_size", "image_size", "channels"))
        return f"""A classifier of images; its features also serve the zoo's metrics.

```python
import zoo

classifier = zoo.load("{metadata["name"]}")  # takes uint8 images, (N, {image})
probabilities = classifier.predict(images)  # float32, (N, {config["num_classes"]})
features = classifier.features(images)  # float32, (N, {metadata["features"]})
```"""

    @staticmethod
    def row(metadata):
        held_out = metadata["config"]["holdout"]
        return f"""| Held out | {held_out:.0%} of the training split, to choose settings by |
| Test accuracy | {metadata["metrics"]["test_accuracy"]:.2%} of {metadata["test_images"]:,} \
test images, which chose nothing |"""


KINDS = {"GAN": _GANCard, "Classifier": _ClassifierCard}
