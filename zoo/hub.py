"""Where weights come from: bundled checkpoints, the Hugging Face cache, the Hub.

Nothing downloaded is trusted: digests are checked before HDF5 is opened, a config can name only a
recipe of the zoo and its scalars, every stored shape is compared with the built model's before it
is read, and nothing is unpickled or imported by name.
"""

import os
import pathlib
import tempfile

from zoo import registry
from zoo.files import read_json, sha256

WEIGHTS = "model.weights.h5"


def load(name, *, config=None, revision=None, cache_dir=None, token=None):
    """Loads a model with its weights.

    Args:
        name: A published model's name (`zoo.list_models()`), the path of a folder, which has
            a "/", starts with "." or "~" or is a `pathlib.Path`, or
            "hf://user/repository[@revision]".
        config: A dict of hyperparameters to change, for training on: `{"batch_size": 16,
            "generator_learning_rate": 1e-5}`. Those of a recipe's run alone, such as
            `precision` (set a dtype policy) and `decay_from`, change nothing in `fit`.
        revision: Branch, tag or commit on the Hub; a published model is pinned by default.
        cache_dir: Folder of downloads; the Hugging Face cache by default.
        token: Hub token; by default the one `huggingface_hub` finds.

    Returns:
        A `zoo.GAN` or `zoo.Classifier`, as its recipe makes it, with weights restored.

    Raises:
        ValueError: For an unknown name, a file that is not the published one, or a folder that
            does not hold a model of the zoo, or a hyperparameter of unknown name or wrong value,
            or that makes networks for other weights.
        FileNotFoundError: If there is no such folder, or a download is needed and impossible.
    """
    folder, digests = locate(name, revision=revision, cache_dir=cache_dir, token=token)
    check_digests(folder, digests)
    return load_folder(folder, config)


def locate(name, *, revision=None, cache_dir=None, token=None):
    """Finds or downloads a model's folder; see `load` for arguments and errors.

    Returns:
        (folder, {file name: sha256}).
    """
    text = str(name)
    download = {"cache_dir": cache_dir, "token": token}
    if text.startswith("hf://"):
        repository, _, pinned = text[len("hf://") :].partition("@")
        folder = _download(repository, revision=revision or pinned or None, **download)
        return folder, stated_digests(folder)
    is_path = isinstance(name, os.PathLike) or text.startswith((".", "~"))
    if is_path or "/" in text or os.sep in text or text.endswith(".keras"):
        folder = pathlib.Path(os.path.expanduser(name))
        if folder.suffix == ".keras" and folder.is_file():
            raise ValueError(f"{text!r} is a file: keras.saving.load_model({text!r}) reads it.")
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder {text!r}.")
        return folder, stated_digests(folder)
    if text and text not in registry.list_models() and pathlib.Path(text).is_dir():
        raise ValueError(f"There is no model {text!r}; the folder is './{text}'.")
    entry = registry.index()[registry.known(text, registry.list_models(), "model")]
    folder = registry.bundled_checkpoints() / text
    if revision is None and folder.is_dir():
        return folder, entry["files"]
    folder = _download(entry["repository"], revision=revision, **download)
    return folder, entry["files"] if revision is None else stated_digests(folder)


def _download(repository, **options):
    """Returns the folder of a Hub repository's snapshot, in the cache."""
    import huggingface_hub
    from huggingface_hub import errors

    patterns = ["*.json", "*.md", "*.png", "*.csv", WEIGHTS]
    try:
        path = huggingface_hub.snapshot_download(repository, allow_patterns=patterns, **options)
    except errors.GatedRepoError as error:
        raise FileNotFoundError(
            f"{repository!r} is for those whom its owner lets in: ask for access on the Hub's page "
            "of it, and log in or give a token."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"There is no repository {repository!r} on the Hub, or it is private: log in, or give "
            "a token."
        ) from error
    except errors.RevisionNotFoundError as error:
        revision = options["revision"]
        raise FileNotFoundError(f"{repository!r} has no revision {revision!r}.") from error
    except errors.HFValidationError as error:
        raise ValueError(f"{repository!r} is no Hub repository, user/name: {error}") from error
    except Exception as error:  # see `push`
        raise FileNotFoundError(
            f"{repository!r} is not in the cache and could not be downloaded: {one_line(error)}"
        ) from error
    return pathlib.Path(path)


def stated_digests(folder):
    """Returns the digests that a folder's `metadata.json` states; {} where it states none."""
    path = folder / "metadata.json"
    metadata = read_json(path) if path.is_file() else {}
    files = metadata.get("files", {})
    return files if isinstance(files, dict) else {}


def check_digests(folder, digests):
    """Raises a `ValueError` that names the first file whose sha256 is not the stated one."""
    for name, digest in digests.items():
        path = folder / pathlib.PurePath(name).name
        if not path.is_file():
            raise FileNotFoundError(f"{str(folder)!r} lacks the file {name}.")
        if sha256(path) != digest:
            raise ValueError(
                f"{str(path)!r} is not the published file (its sha256 differs): it is corrupted "
                "or was changed; install or download it again."
            )


def load_folder(folder, config=None):
    """Builds the model of a folder in the Keras directory format and loads its weights.

    Args:
        folder: The folder.
        config: A dict of hyperparameters that are to be others than the folder's.

    Raises:
        ValueError: If it is not a model of the zoo, or weights and config do not fit together.
    """
    folder = pathlib.Path(folder)
    _check_complete(folder, ["config.json", WEIGHTS])
    model = _build(folder, config)
    try:
        _check_shapes(model, folder / WEIGHTS)
    except ValueError as error:
        if not config:
            raise
        raise ValueError(
            f"With config={config} the networks are not those of {str(folder)!r}: {error}"
        ) from error
    model.load_weights(folder / WEIGHTS)
    return model


def _check_complete(folder, names):
    for name in names:
        if not (folder / name).is_file():
            run = " It is the folder of a run: its model is in `model/`, once it has ended."
            raise FileNotFoundError(
                f"{str(folder)!r} holds no model: it lacks {name}."
                + (run if (folder / "run.json").is_file() else "")
            )


def _build(folder, changes):
    """Builds the model that `config.json` describes, without running anything it names."""
    kind, described = describe(folder)
    if changes is not None:
        if not isinstance(changes, dict):
            raise ValueError(f"config is a dict of hyperparameters by name, not {changes!r}.")
        described = described | {"config": (described.get("config") or {}) | changes}
    return registry.import_class(kind).from_config(described)


def describe(folder):
    """Returns (class, config) of a folder's model: "recipe", "config" and, perhaps, "name".

    Raises:
        ValueError: If it is not a model of the zoo.
    """
    _check_complete(folder, ["config.json"])
    described = read_json(folder / "config.json")
    classes = {f"zoo>{name}": name for name in registry.CLASSES}
    kind, config = str(described.get("registered_name")), described.get("config")
    if kind not in classes or not isinstance(config, dict) or "recipe" not in config:
        raise ValueError(f"{str(folder)!r} does not hold a model of the zoo, but {kind!r}.")
    unknown = set(config) - {"recipe", "config", "name"}
    if unknown:
        raise ValueError(f"{str(folder / 'config.json')!r} has an unknown key {min(unknown)!r}.")
    return classes[kind], config


def _check_shapes(model, path):
    """Compares names and shapes in a weights file with those the model itself would write."""
    with tempfile.TemporaryDirectory() as scratch:
        own = pathlib.Path(scratch) / WEIGHTS
        model.save_weights(own)
        expected = _shapes(own)
    stored = _shapes(path)
    if any(name.startswith("optimizer/") for name in stored):
        raise ValueError(
            f"{str(path)!r} holds the state of training too: it was not saved by the model's own "
            "`save`. Load it with keras.saving.load_model, and save it so."
        )
    for name in sorted(expected.keys() | stored.keys()):
        if expected.get(name) != stored.get(name):
            raise ValueError(
                f"{str(path)!r} does not fit its config.json: {name} is "
                f"{stored.get(name, 'missing')} in the file and "
                f"{expected.get(name, 'unknown')} in the model."
            )


def _shapes(path):
    """Returns {dataset name: shape} of an HDF5 file, following no links out of it."""
    import h5py

    shapes = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            # A chunk may unpack to gigabytes, whatever the shape; Keras writes none.
            plain = not (item.is_virtual or item.external or item.chunks)
            if not plain or item.dtype.kind not in "fiu":
                raise ValueError(f"{str(path)!r} is refused: {name} is not a plain array.")
            shapes[name] = item.shape

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{str(path)!r} is not a readable HDF5 file.") from error
    return shapes


def push(name, *, token=None):
    """Uploads a bundled model's folder to its repository on the Hub, in one commit.

    Returns:
        The address of the commit.

    Raises:
        ConnectionError: If the Hub cannot be reached, or refuses.
    """
    import huggingface_hub

    entry = registry.index()[registry.known(name, registry.list_models(), "model")]
    folder = registry.bundled_checkpoints() / name
    check_digests(folder, entry["files"])
    api = huggingface_hub.HfApi(token=token)
    try:
        api.create_repo(entry["repository"], exist_ok=True)
        return api.upload_folder(
            repo_id=entry["repository"],
            folder_path=folder,
            allow_patterns=[*entry["files"]],
            commit_message=f"Publish {name}",
        )
    # Any: huggingface_hub lets the errors of its HTTP library through, and changes the library.
    except Exception as error:
        raise ConnectionError(f"{name} could not be uploaded: {one_line(error)}") from error


def one_line(error):
    """Returns the first line of what an exception says, or else its name."""
    return str(error).strip().split("\n")[0] or type(error).__name__
