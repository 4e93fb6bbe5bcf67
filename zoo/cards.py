"""A published model's folder: weights, facts in `metadata.json`, and the card made from them."""

import pathlib
import re
import shutil

from zoo import card_text, files, hub, overview, provenance, registry, runs, starting, weights

LICENCE = "Apache-2.0"
REPOSITORY_OWNER = "keras-gan-zoo"
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
SAMPLE_SEED = 0
PICTURED = ("neighbours", "classes")  # measurements with a picture of their own
UNPINNED = ("metadata.json", "README.md")  # by metadata.json itself


def publish(name, workdir, checkpoints=None, best=False):
    """Turns a run into a published model's folder.

    What was measured on the very same weights before is kept.

    Args:
        name: The model's name, letters, digits, "_", "-" and "."; `<recipe>_<dataset>` by habit.
        workdir: Folder of a run of `zoo.training`.
        checkpoints: Folder of the published models; the project's own by default.
        best: Whether to publish the weights that `PeriodicFID` kept and not the newest state.

    Returns:
        The model's folder. `write_cards` makes the cards and the index of all folders.

    Raises:
        FileNotFoundError: If `workdir` holds no run with a saved state.
        ValueError: If the name is of another form or that of another recipe's model or another data
            set's, or there are no images to test a classifier on.
    """
    from zoo import curves

    if not re.fullmatch(NAME, name):
        raise ValueError(
            f'A model\'s name is made of letters, digits, "_", "-" and ".", unlike {name!r}.'
        )
    facts, model, state = _load_run(pathlib.Path(workdir), best)
    folder = pathlib.Path(checkpoints or registry.bundled_checkpoints()) / name
    _check_place(folder, facts)
    source = facts["config"]["start_from"]
    if folder.exists() and (source == name or pathlib.Path(source).resolve() == folder.resolve()):
        facts |= _continued(folder, facts, state)
    minutes = _minutes(state, facts["steps"])
    minutes += sum(run["minutes"] for run in facts.get("before", ()))
    with files.atomic_folder(folder) as scratch:
        model.save(scratch, zipped=False)
        weights.halve(scratch / hub.WEIGHTS)
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
        metadata |= FACTS[published.kind](published, scratch, metadata)
        metadata |= _keep_measured(folder, scratch)
        parts = sorted({path.name for path in scratch.iterdir()} - {*UNPINNED})
        metadata["files"] = {part: files.sha256(scratch / part) for part in parts}
        files.write_json(scratch / "metadata.json", metadata)
        before = hub.stated_digests(folder)  # of a model published under this name
    for part in before.keys() - {*metadata["files"], *UNPINNED}:
        (folder / pathlib.PurePath(part).name).unlink(missing_ok=True)
    return folder


def _check_place(folder, facts):
    """Raises a `ValueError` if `folder` holds anything but an earlier model of the same kind."""
    if not folder.exists():
        return
    if not hub.stated_digests(folder):
        raise ValueError(f"{str(folder)!r} is no published model's: choose another name.")
    published = files.read_json(folder / "metadata.json")
    earlier = f"{published['recipe']} of {published['dataset']}"
    run = f"{facts['recipe']} of {facts['config']['dataset']}"
    if earlier != run:
        raise ValueError(
            f"{folder.name!r} is the published {earlier}, and the run is one of {run}: choose "
            "another name."
        )


def _continued(folder, facts, state):
    """Returns the facts of a run from the very model that it replaces, which no command can name.

    The runs that led to that model come before, and the command goes on from what they leave.
    """
    published = files.read_json(folder / "metadata.json")
    shown = [float(row["minutes"]) for row in files.read_csv(folder / "history.csv")]
    if shown == [row["minutes"] for row in state.history[: len(shown)]]:  # published before
        before = published["before"]
    else:
        before = starting.runs_of_card(published)
    config = registry.import_recipe(facts["recipe"]).Config.from_dict(facts["config"])
    command = provenance.command(facts["recipe"], config, before, facts.get("inherited"))
    return {"before": before, "command": command}


def _load_run(workdir, best):
    """Returns (facts, model, `TrainState`); the facts say how the best weights were found."""
    from zoo.metrics import periodic
    from zoo.train_state import TrainState

    facts = runs.facts(workdir)
    if facts is None:
        raise FileNotFoundError(f"{str(workdir)!r} holds no run with a saved state.")
    state = TrainState(workdir)
    model = registry.build(facts["recipe"], facts["config"])
    model.compile_for_run()
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


def _minutes(state, step):
    """Returns the minutes that a run had trained at a step: the best's may lie before its end."""
    at = [row["minutes"] for row in state.history if row["step"] == step]
    return at[-1] if at else state.seconds / 60


def _keep_measured(folder, scratch):
    """Copies what was measured on the weights in `scratch` there; returns its facts."""
    from zoo import measurement

    weights = files.sha256(scratch / hub.WEIGHTS)
    if hub.stated_digests(folder).get(hub.WEIGHTS) != weights:
        return {}
    kept, record = {}, measurement.read(folder)
    if record.get("weights") == weights:
        kept["metrics"] = measurement.summary(record)
        shutil.copy(folder / measurement.RECORD, scratch)
    metadata = files.read_json(folder / "metadata.json")
    for part in PICTURED:
        if part in metadata and (folder / f"{part}.png").is_file():
            shutil.copy(folder / f"{part}.png", scratch)
            kept[part] = metadata[part]
    return kept


def measure(name, parts=None, checkpoints=None, **options):
    """Measures a published GAN for its card, and writes card and index again.

    Args:
        name: The model's name.
        parts: Of "neighbours", "classes" (of a conditional model) and the names of
            `zoo.measurement.PROTOCOLS`; all that apply by default.
        checkpoints: Folder of the published models; the project's own by default.
        **options: `dtype`, `inception` and `progress`, as in `zoo.compare`.

    Returns:
        The parts that were measured.

    Raises:
        ValueError, FileNotFoundError: If there is no such model, one of its files is not the
            published one, or it cannot be measured so.
    """
    checkpoints = pathlib.Path(checkpoints or registry.bundled_checkpoints())
    names = [path.parent.name for path in _metadata(checkpoints)]
    folder = checkpoints / registry.known(name, names, "model")
    metadata = files.read_json(folder / "metadata.json")
    if registry.import_recipe(metadata["recipe"]).Config.kind != "GAN":
        raise ValueError(f"{name!r} generates no images; its card was measured when published.")
    applicable = _measurable_parts(metadata)
    parts = applicable if parts is None else [*parts]
    for part in parts:  # before the hours of the first
        if part not in applicable:
            raise ValueError(
                f"There is no {part!r} to measure of {name}; accepted are {', '.join(applicable)}."
            )
    hub.check_digests(folder, metadata["files"])
    for part in parts:
        _measure_part(folder, part, **options)
        write_cards(checkpoints)
    return parts


def _measurable_parts(metadata):
    """What can be measured of a model; some of it needs a classifier of its data set."""
    from zoo import measurement
    from zoo.metrics import extractors

    measurement.check_measurable(metadata["dataset"])
    config = registry.import_recipe(metadata["recipe"]).Config.from_dict(metadata["config"])
    classifier = extractors.has_classifier(config)
    conditional = classifier and config.num_classes
    pictured = PICTURED if conditional else ("neighbours",)
    protocols = measurement.PROTOCOLS.items()
    return [
        *pictured,
        *(name for name, plan in protocols if classifier or plan.extractor != "classifier"),
    ]


def _measure_part(folder, part, **options):
    from zoo import measurement, neighbours, recognition

    if part in PICTURED:
        check = {"neighbours": neighbours, "classes": recognition}[part].check
        written, progress = f"{part}.png", options.get("progress", True)
        with measurement.unchanged(folder):
            found = {part: check(hub.load_folder(folder), folder / written, progress=progress)}
    else:
        written = measurement.RECORD
        found = {"metrics": measurement.summary(measurement.measure(folder, part, **options))}
    # Read again: another measurement may have ended meanwhile.
    metadata = files.read_json(folder / "metadata.json") | found
    digests = metadata["files"] | {written: files.sha256(folder / written)}
    metadata["files"] = dict(sorted(digests.items()))
    files.write_json(folder / "metadata.json", metadata)


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
    """Returns {path: text} of all cards in `checkpoints`.

    In the project's own folder, of MODEL_CARDS.md and README.md beside it, too.
    """
    facts = {path.parent: files.read_json(path) for path in _metadata(checkpoints)}
    own = checkpoints.resolve() == registry.bundled_checkpoints().resolve()
    if not own:  # no name that `zoo.load` knows
        facts = {
            folder: of | {"address": f"./{checkpoints.name}/{folder.name}"}
            for folder, of in facts.items()
        }
    cards = {folder / "README.md": card_text.card(of) for folder, of in facts.items()}
    if not own:
        return cards
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
    """Returns the paths of all models' facts; Keras's own save has a file of that name too."""
    found = sorted(checkpoints.glob("*/metadata.json"))
    return [path for path in found if hub.stated_digests(path.parent)]


def index_entry(folder):
    """Returns what the index says of a model's folder, the sha256 of each file included."""
    metadata = files.read_json(folder / "metadata.json")
    # Those of a file that was damaged since are not pinned: it is refused.
    own = {part: files.sha256(folder / part) for part in ("metadata.json", "README.md")}
    return {
        "recipe": metadata["recipe"],
        "dataset": metadata["dataset"],
        "repository": f"{REPOSITORY_OWNER}/{folder.name}",
        "files": metadata["files"] | own,
    }


def _gan_facts(model, folder, _):
    """Writes the 64 images of the card."""
    from zoo import grids

    grids.save_grid(folder / "samples.png", showcase(model), model.config.num_classes or None)
    return {"sample_seed": SAMPLE_SEED}


def showcase(model):
    """Returns the 64 images of a GAN's card; a conditional model shows its classes in turn."""
    from zoo import sampling

    return model.sample(64, seed=SAMPLE_SEED, labels=sampling.in_turn(model.config, 64))


def _classifier_facts(model, _, metadata):
    """Measures the accuracy of the published weights on the test images."""
    from zoo import labelled

    images = labelled.test_images(model.config, metadata.get("class_names", ()))
    accuracy = model.evaluate(images)["accuracy"]
    return {
        "metrics": {"test_accuracy": round(accuracy, 4)},
        "test_images": len(images),
        "features": model.feature_size,
    }


FACTS = {"GAN": _gan_facts, "Classifier": _classifier_facts}
