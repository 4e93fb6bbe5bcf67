"""What a run records of itself, and whether the run of a folder can go on."""

import hashlib
import os
import pathlib
import warnings

from zoo import files, provenance, runs, starting


def facts(recipe, config, images, workdir):
    """Returns the facts of a run for its `run.json`, with all hardware that it has seen.

    Args:
        recipe: Name of the recipe.
        config: Its `Config`.
        images: The training images, a data source.
        workdir: Folder of the run.

    Raises:
        ValueError: If `workdir` holds a run that this config or these images cannot go on.
    """
    earlier = runs.facts(workdir)
    before = earlier.get("before", []) if earlier else starting.runs_before(config.start_from)
    inherited = starting.hyperparameters(config.start_from, type(config), workdir)
    facts = provenance.run_facts(recipe, config, before, inherited)
    facts["images"] = {"count": len(images), "sha256": _digest(images)}
    if earlier:
        _check_settings(recipe, config, facts["images"], earlier, workdir)
    facts |= _classes(config, images, earlier, workdir)
    if not earlier:
        _warn_of_leak(config, inherited, facts["images"])
    else:
        _check_images(config, facts["images"], earlier, workdir)
        if facts["hardware"] not in earlier["hardware"].split("; "):
            facts["hardware"] = f"{earlier['hardware']}; {facts['hardware']}"
        else:
            facts["hardware"] = earlier["hardware"]
    return facts


def clear(workdir):
    """Removes what a run left that ended before its first save, with other settings perhaps.

    Raises:
        ValueError: If there is a model, of which no state says where it comes from.
    """
    model = workdir / "model"
    if model.exists():
        raise ValueError(
            f"{str(model)!r} exists, and no saved state of a run that made it: choose another "
            "--workdir, or move it away."
        )
    if runs.states(workdir):
        for part in ("state", "best"):
            files.remove_folder(workdir / part)


def _digest(images):
    """Returns a sha256 that says whether own pictures are the same ones; None of a named set.

    Of a folder it is that of the pictures' names in order: reading all of them would take minutes.
    """
    kind, _, path = images.source.partition(":")
    if kind == "folder":
        names = [os.fsencode(path.relative_to(images.folder).as_posix()) for path in images.paths]
        return hashlib.sha256(b"\0".join(names)).hexdigest()
    return files.sha256(pathlib.Path(path).expanduser()) if kind == "npz" else None


def _check_settings(recipe, config, images, earlier, workdir):
    """Raises a `ValueError` unless recipe and config are those of the run."""
    differ = ["recipe"]
    if earlier["recipe"] == recipe:
        # A hyperparameter that is newer than the run had its default's effect.
        differ = config.differing(type(config).from_dict(earlier["config"]))
        if images["sha256"] and images == earlier.get("images"):  # elsewhere, perhaps
            differ = [name for name in differ if name != "dataset"]
    if differ:
        raise ValueError(
            f"{str(workdir)!r} holds a run with another {', '.join(differ)}; choose "
            "another --workdir or the same settings."
        )


def _check_images(config, images, earlier, workdir):
    """Warns of other pictures than those the run began with; a classifier's are not exchanged."""
    began = earlier.get("images", images)  # older runs do not say
    if images == began:
        return
    counts = f"{began['count']:,} pictures then, {images['count']:,} now"
    if getattr(config, "holdout", 0):
        raise ValueError(
            f"{config.dataset!r} is not as the run in {str(workdir)!r} has seen it ({counts}), and "
            "what was held out would be learnt from: choose another --workdir."
        )
    warnings.warn(
        f"{config.dataset!r} is not as the run in {str(workdir)!r} has seen it ({counts}): it goes "
        "on with what is there now.",
        stacklevel=2,
    )


def _warn_of_leak(config, inherited, images):
    """Warns where the model that a run starts from has learnt images that are held out now."""
    if inherited.get("dataset") != config.dataset or not getattr(config, "holdout", 0):
        return
    same = {name: inherited[name] for name in ("seed", "holdout")}
    learnt = starting.stated(config.start_from, "images") or images
    if (config.seed, config.holdout) != (*same.values(),) or learnt != images:
        flags = " ".join(f"--{name}={value}" for name, value in same.items())
        warnings.warn(
            f"{config.start_from!r} has learnt images that are held out now, and val_accuracy says "
            f"too much: {flags} and the same images hold out what it has not seen.",
            stacklevel=3,
        )


def _classes(config, images, earlier, workdir):
    """Returns, and prints, the names of the classes of a folder; their order is the labels'.

    Raises:
        ValueError: If the run in `workdir` has learnt other classes from that folder.
    """
    names = images.class_names
    if not (names and config.num_classes):
        return {}
    learnt = (earlier or {}).get("class_names", names)
    if names != learnt:
        raise ValueError(
            f"{config.dataset!r} has the classes {', '.join(names)}, but the run in "
            f"{str(workdir)!r} learnt {', '.join(learnt)}: choose another --workdir, and "
            "--start_from to begin with its weights."
        )
    labelled = ", ".join(f"{label} {name}" for label, name in enumerate(names))
    print(f"classes: {labelled}", flush=True)
    before = starting.stated(config.start_from, "class_names") if not earlier else None
    if before and before != names:
        warnings.warn(
            f"{config.start_from!r} learnt the classes {', '.join(before)}, in this order: a label "
            "of the pictures is now another class.",
            stacklevel=2,
        )
    return {"class_names": names}
