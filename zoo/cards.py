"""A published model's folder: weights, facts in `metadata.json`, and the card made from them."""

import os
import pathlib
import platform
import shlex

from zoo import __version__, files, hub, registry

LICENCE = "Apache-2.0"
REPOSITORY_OWNER = "keras-gan-zoo"
SAMPLE_SEED = 0
PARTS = ("config.json", hub.WEIGHTS, "samples.png", "history.csv")

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
    """Returns the machine in words: CPU cores and model, or the accelerators Keras sees."""
    import keras

    devices = keras.distribution.list_devices()
    accelerators = [d for d in devices if not d.lower().startswith("cpu")]
    if accelerators:
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
        workdir: Folder of a run of `zoo.training.train_gan`.
        checkpoints: Folder of the published models; the project's own by default.

    Returns:
        The model's folder. `write_cards` makes the cards and the index of all folders.

    Raises:
        FileNotFoundError: If `workdir` holds no run with a saved state.
    """
    from zoo import callbacks, images
    from zoo.gan import GAN

    workdir = pathlib.Path(workdir)
    if not (workdir / "run.json").is_file() or not (workdir / "state" / "state.json").is_file():
        raise FileNotFoundError(f"{str(workdir)!r} holds no run with a saved state.")
    facts = files.read_json(workdir / "run.json")
    state = callbacks.TrainState(workdir / "state")
    gan = GAN(facts["recipe"], facts["config"])
    gan.compile()
    state.restore(gan)

    checkpoints = pathlib.Path(checkpoints or registry.bundled_checkpoints())
    folder = checkpoints / name
    with files.atomic_folder(folder) as scratch:
        gan.save(scratch, zipped=False)
        halve(scratch / hub.WEIGHTS)
        published = hub.load_folder(scratch)
        images.save_grid(scratch / "samples.png", showcase(published))
        callbacks.write_csv(scratch / "history.csv", state.history)
        metadata = files.read_json(scratch / "metadata.json") | facts
        metadata |= {
            "name": name,
            "dataset": facts["config"]["dataset"],
            "licence": LICENCE,
            "steps": state.history[-1]["step"],
            "minutes": round(state.history[-1]["minutes"]),
            "parameters": {
                "generator": published.generator.count_params(),
                "discriminator": published.discriminator.count_params(),
            },
            "sample_seed": SAMPLE_SEED,
            "files": {part: hub.sha256(scratch / part) for part in PARTS},
        }
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


def showcase(model):
    """Returns the 64 images of a card; a conditional model shows its classes in turn."""
    classes = model.config.num_classes
    labels = [i % classes for i in range(64)] if classes else None
    return model.sample(64, seed=SAMPLE_SEED, labels=labels)


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
    pinned = (*PARTS, "metadata.json", "README.md")
    return {
        "recipe": metadata["recipe"],
        "dataset": metadata["dataset"],
        "repository": f"{REPOSITORY_OWNER}/{folder.name}",
        "files": {part: hub.sha256(folder / part) for part in pinned},
    }


def card(metadata):
    """Returns the card of one model, as Markdown."""
    dataset = DATASETS[metadata["dataset"]]
    versions = ", ".join(f"{name} {version}" for name, version in metadata["versions"].items())
    sizes = [f"{network} {count:,}" for network, count in metadata["parameters"].items()]
    name = metadata["name"]
    return f"""# {name}

![64 samples of {name}](samples.png)

```python
import zoo

images = zoo.load("{name}").sample(64, seed=0)  # uint8, NHWC
```

| | |
|---|---|
| Recipe | `recipes/{metadata["recipe"]}` |
| Trained on | {dataset["title"]}, training split ({dataset["classes"]}) |
| Licence | weights {metadata["licence"]}; training images: {dataset["licence"]} |
| Parameters | {", ".join(sizes)} |
| Training | {metadata["steps"]:,} generator steps, {metadata["minutes"]} minutes |
| Hardware | {metadata["hardware"]} |
| Versions | {versions} |
| Picture | samples of seed {metadata["sample_seed"]}, not selected |

Trained with

```
{metadata["command"]}
```
"""
