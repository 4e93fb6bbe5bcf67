"""Files that appear whole or not at all: written beside their place, then renamed."""

import contextlib
import csv
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import zipfile
import zlib

SCRATCH = ".writing-"
# What NumPy raises for an .npz that is damaged, encrypted or none at all.
NO_ARRAYS = (ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def cache_folder():
    """The folder of downloaded and computed files: `$ZOO_HOME` or `~/.cache/keras-gan-zoo`."""
    chosen = os.environ.get("ZOO_HOME") or "~/.cache/keras-gan-zoo"
    return pathlib.Path(chosen).expanduser()


@contextlib.contextmanager
def atomic_path(path):
    """Gives a temporary path of the same name, renamed to `path` on success.

    Raises:
        FileNotFoundError: If the folder that `path` lies in does not exist.
    """
    path = pathlib.Path(path)
    with _scratch_beside(path) as scratch:
        yield scratch / path.name
        _flush(scratch / path.name)
        os.replace(scratch / path.name, path)
        _flush(path.parent)


@contextlib.contextmanager
def atomic_folder(path):
    """Gives a temporary folder that becomes `path` on success.

    Where `path` exists already, each file of the new folder replaces its namesake there.

    Raises:
        FileNotFoundError: If the folder that `path` lies in does not exist.
    """
    path = pathlib.Path(path).absolute()  # "." has a name then
    with _scratch_beside(path) as scratch:
        folder = scratch / path.name
        folder.mkdir()
        yield folder
        for file in (*sorted(folder.iterdir()), folder):
            _flush(file)
        if not path.exists():
            os.rename(folder, path)
        else:
            for file in sorted(folder.iterdir()):
                os.replace(file, path / file.name)
        _flush(path.parent)


def check_space(folder, size):
    """Raises the system's `OSError` if `size` bytes cannot be written to a folder now."""
    block = bytes(2**20)
    with tempfile.TemporaryFile(dir=folder, prefix=SCRATCH) as file:
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
        file.flush()


def remove_folder(path):
    """Removes a folder that is whole until it is gone; one that does not exist is no error."""
    path = pathlib.Path(path)
    if path.exists():
        with _scratch_beside(path) as scratch:
            os.rename(path, scratch / path.name)


def sweep(*folders):
    """Removes what a killed process left half-written in folders that nothing writes to now.

    Not in their subfolders, where another process may be writing.
    """
    for folder in folders:
        for scratch in pathlib.Path(folder).glob(f"{SCRATCH}*"):
            shutil.rmtree(scratch, ignore_errors=True)


def _flush(path):
    """Makes the disk hold what was written, so that a rename never outlives it."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_parent(path):
    """Raises a `FileNotFoundError` unless there is a folder to write `path` in."""
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        parent = str(path.parent)
        raise FileNotFoundError(f"There is no folder {parent!r} to write {path.name!r} in.")


def check_place(path):
    """Raises the error that writing a file to `path` would end with, before the work for it.

    Raises:
        FileNotFoundError: If there is no folder to write it in.
        ValueError: If it is a folder itself, or its folder cannot be written in.
    """
    path = pathlib.Path(path)
    check_parent(path)
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder.")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"The folder {str(path.parent)!r} can not be written in.")


@contextlib.contextmanager
def _scratch_beside(path):
    check_parent(path)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=path.parent) as scratch:
        yield pathlib.Path(scratch)


def write_text(path, text):
    """Writes a UTF-8 text file."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Writes a dict as indented JSON."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_csv(path, rows):
    """Writes dicts as a CSV file with a header; where a row lacks a key its cell is empty."""
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path):
    """Returns the rows of a CSV file with a header as dicts of text."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sha256(path):
    """Returns the sha256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path):
    """Reads a JSON object; a `ValueError` names the file if it holds none."""
    try:
        value = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{str(path)!r} does not hold a JSON object.")
    return value
