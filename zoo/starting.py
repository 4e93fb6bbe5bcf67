"""Runs that start from the weights of a model, a person's own or a published one."""

import dataclasses
import pathlib
import shlex

from zoo import files, hub, runs


def hyperparameters(source, Config, workdir=None):
    """Returns the hyperparameters of a model that a run starting from it takes over.

    Those that only say how a run is done, such as its length, are not among them.

    Args:
        source: The model, as for `zoo.load`; there is nothing to take over of none.
        Config: The recipe's `Config`.
        workdir: Folder of the run. One that goes on keeps what it took over, whatever has become
            of the model since.

    Raises:
        ValueError: If it is a model of another recipe.
        FileNotFoundError: If there is no such model.
    """
    if not source:
        return {}
    facts = workdir and runs.facts(workdir)
    if facts and "inherited" in facts and facts["config"]["start_from"] == source:
        return facts["inherited"]
    folder, _ = hub.locate(source)
    _, described = hub.describe(folder)
    _check_recipe(source, described["recipe"], Config.__module__.rpartition(".")[2])
    kept = {field.name for field in dataclasses.fields(Config) if not field.metadata["of_run"]}
    kept.discard("start_from")
    return {name: value for name, value in described["config"].items() if name in kept}


def stated(source, fact):
    """Returns what the card of a model or its run says, None where neither does."""
    if not source:
        return None
    folder, _ = hub.locate(source)
    for path in (folder / "metadata.json", folder.parent / "run.json"):
        if path.is_file() and (value := files.read_json(path).get(fact)):
            return value
    return None


def copy_weights(source, model):
    """Gives an untrained model the weights of another.

    Args:
        source: The other, as for `zoo.load`.
        model: A `zoo.model.RecipeModel`.

    Raises:
        ValueError: If it is of another recipe or has networks of other shapes.
    """
    other = hub.load(source)
    _check_recipe(source, other.recipe, model.recipe)
    for network in model.networks:
        ours, theirs = getattr(model, network), getattr(other, network)
        if [w.shape for w in ours.weights] != [w.shape for w in theirs.weights]:
            differ = set(model.config.differing(other.config)) - {"start_from"}
            values = ", ".join(f"{name}={getattr(other.config, name)}" for name in sorted(differ))
            raise ValueError(
                f"start_from: the {network} of {source!r} has other shapes; what differs in its "
                f"config: {values}."
            )
        ours.set_weights(theirs.get_weights())


def _check_recipe(source, recipe, wanted):
    if recipe != wanted:
        raise ValueError(
            f"start_from: {source!r} is a model of the recipe {recipe!r}, not of {wanted!r}."
        )


def runs_before(source):
    """Returns the runs that led to the model of a run, the earliest first.

    Each is a dict of its `command`, the `workdir` in it, the `model` there that it led to, "model"
    or "best", the `steps` of that and the run's `minutes`. There is none for a model that is not in
    the folder of a run, as a published one.
    """
    from zoo.metrics import periodic

    model = pathlib.Path(source).expanduser()
    run = model.parent
    if not source or not (run / "run.json").is_file():
        return []
    facts, history = files.read_json(run / "run.json"), files.read_csv(run / "history.csv")
    steps, minutes = int(history[-1]["step"]), float(history[-1]["minutes"])
    if (model / periodic.RECORD).is_file():
        steps = files.read_json(model / periodic.RECORD)["step"]
    last = _run(facts["command"], model.name, steps, minutes)
    return [*facts.get("before", []), last]


def runs_of_card(metadata):
    """Returns the runs that led to a published model as `runs_before` does, from its metadata."""
    before = metadata.get("before", [])
    model = "best" if "chosen" in metadata else "model"
    minutes = metadata["minutes"] - sum(run["minutes"] for run in before)
    return [*before, _run(metadata["command"], model, metadata["steps"], minutes)]


def _run(command, model, steps, minutes):
    (workdir,) = (
        word.partition("=")[2] for word in shlex.split(command) if word.startswith("--workdir=")
    )
    return {
        "command": command,
        "workdir": workdir,
        "model": model,
        "steps": steps,
        "minutes": minutes,
    }
