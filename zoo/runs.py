"""What the training runs of a folder are doing, read from their states."""

import contextlib
import pathlib
import re

import filelock

from zoo import files

LOCK = ".lock"
RECORD = "record.json"  # of a state
STATE = re.compile(r"step_\d+")  # its folder's name; copies have others


def states(workdir):
    """Returns the folders of a run's saved states, the oldest first."""
    found = (pathlib.Path(workdir) / "state").glob("step_*")
    return sorted((state for state in found if STATE.fullmatch(state.name)), key=step_of)


def has_trained(workdir):
    """Whether a run has saved a step; each saves its beginning, step 0, too."""
    return any(map(step_of, states(workdir)))


def facts(workdir):
    """Returns the `run.json` of a run that has trained; None where there is none.

    What ended before its first save, by a wrong setting perhaps, binds nobody.
    """
    path = pathlib.Path(workdir) / "run.json"
    return files.read_json(path) if path.is_file() and has_trained(workdir) else None


def step_of(state):
    """Returns the step of a state's folder."""
    return int(state.name.removeprefix("step_"))


def lock(workdir):
    """Takes a run's folder for this process; the system gives it back when the process dies.

    Returns:
        A context manager that gives it back.

    Raises:
        ValueError: If another process trains there.
    """
    held = filelock.FileLock(pathlib.Path(workdir) / LOCK)
    try:
        return held.acquire(timeout=1)
    except filelock.Timeout:
        raise ValueError(
            f"Another process trains in {str(workdir)!r}; wait for it or choose another --workdir."
        ) from None


@contextlib.contextmanager
def claimed(workdir):
    """Makes a run's folder and takes it for this process, as `lock` does.

    What is refused before it writes anything leaves no folder where there was none.
    """
    workdir = pathlib.Path(workdir)
    made = not workdir.exists()
    workdir.mkdir(parents=True, exist_ok=True)
    try:
        with lock(workdir):
            yield
    finally:
        if made and {path.name for path in workdir.iterdir()} <= {LOCK}:
            (workdir / LOCK).unlink(missing_ok=True)
            workdir.rmdir()


def list_runs(folder):
    """Describes every run below a folder, itself included.

    Args:
        folder: Where to look.

    Returns:
        A list of dicts: `run`, its path from `folder`; `recipe`; `state`, "training", "finished" or
        "stopped"; `step` and `steps`; `minutes` of training; `fid`, the last measured while
        training as (name, value), or None.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    facts = {path.parent: _read(path) for path in sorted(folder.rglob("run.json"))}
    return [
        _describe(workdir, folder, of)
        for workdir, of in facts.items()
        if _is_ours(of)  # others write files of that name too
    ]


def _is_ours(facts):
    config = facts.get("config")
    return "recipe" in facts and isinstance(config, dict) and "steps" in config


def _read(path):
    """Returns what a JSON file holds; {} where it is damaged."""
    try:
        return files.read_json(path)
    except (OSError, ValueError):
        return {}


def _describe(workdir, root, facts):
    step, record = 0, {}
    for folder in states(workdir):
        if found := _read(folder / RECORD):
            step, record = step_of(folder), found
    fids = [
        (name, value)
        for row in record.get("history", ())
        for name, value in row.items()
        if name.startswith("fid_")
    ]
    finished = step >= facts["config"]["steps"] and (workdir / "model").is_dir()
    return {
        "run": str(workdir.relative_to(root)),
        "recipe": facts["recipe"],
        "state": "training" if _is_training(workdir) else "finished" if finished else "stopped",
        "step": step,
        "steps": facts["config"]["steps"],
        "minutes": record.get("seconds", 0.0) / 60,
        "fid": fids[-1] if fids else None,
    }


def _is_training(workdir):
    if not (workdir / LOCK).is_file():
        return False
    try:
        with filelock.FileLock(workdir / LOCK, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except PermissionError:  # another user's
        return False
