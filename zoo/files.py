"""Files that appear whole or not at all: written beside their place, then renamed."""

import contextlib
import json
import os
import pathlib
import tempfile


@contextlib.contextmanager
def atomic_path(path):
    """Gives a temporary path of the same name, renamed to `path` on success.

    Raises:
        FileNotFoundError: If the folder that `path` lies in does not exist.
    """
    path = pathlib.Path(path)
    with _scratch_beside(path) as scratch:
        yield scratch / path.name
        os.replace(scratch / path.name, path)


@contextlib.contextmanager
def atomic_folder(path):
    """Gives a temporary folder that becomes `path` on success.

    Where `path` exists already, each file of the new folder replaces its namesake there.

    Raises:
        FileNotFoundError: If the folder that `path` lies in does not exist.
    """
    path = pathlib.Path(path)
    with _scratch_beside(path) as scratch:
        folder = scratch / path.name
        folder.mkdir()
        yield folder
        if not path.exists():
            os.rename(folder, path)
            return
        for file in sorted(folder.iterdir()):
            os.replace(file, path / file.name)


def check_parent(path):
    """Raises a `FileNotFoundError` unless there is a folder to write `path` in."""
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        parent = str(path.parent)
        raise FileNotFoundError(f"There is no folder {parent!r} to write {path.name!r} in.")


@contextlib.contextmanager
def _scratch_beside(path):
    check_parent(path)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as scratch:
        yield pathlib.Path(scratch)


def write_text(path, text):
    """Writes a UTF-8 text file."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Writes a dict as indented JSON."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path):
    """Reads a JSON object; a `ValueError` names the file if it holds none."""
    try:
        value = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{str(path)!r} does not hold a JSON object.")
    return value
