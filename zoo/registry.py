"""Which recipes, classes and published models there are. Standard library only.

A recipe is a folder of `recipes/`; nothing outside that folder names it. A published model is an
entry of the index that ships inside the package and pins every file by sha256.
"""

import difflib
import fnmatch
import functools
import importlib
import json
import pathlib

_PACKAGE = pathlib.Path(__file__).parent
INDEX = _PACKAGE / "index.json"

# The classes a recipe's models can be of, and where each is; Keras knows them as "zoo>" + name.
CLASSES = {"GAN": "zoo.gan", "Classifier": "zoo.classifier"}


def list_recipes():
    """Returns the names of the recipes, sorted."""
    folder = pathlib.Path(importlib.import_module("recipes").__file__).parent
    return sorted(path.parent.name for path in folder.glob("*/model.py"))


def import_recipe(name, module=None):
    """Imports a recipe's package or a module of it: the only way from `zoo` to `recipes`.

    Args:
        name: A name of `list_recipes()`. Any other is a `ValueError`, so that a downloaded config
            can never name a module.
        module: A module of the recipe's folder, or None for the package, which has its `Config`.
    """
    package = f"recipes.{known(name, list_recipes(), 'recipe')}"
    return importlib.import_module(f"{package}.{module}" if module else package)


def build(recipe, config=None):
    """Builds the untrained model of a recipe, of the class that its `Config` names.

    Args:
        recipe: A name of `list_recipes()`.
        config: Its `Config`, or a dict of the hyperparameters that differ from it.
    """
    return import_class(import_recipe(recipe).Config.kind)(recipe, config)


def import_class(name):
    """Returns a class of `CLASSES` by its name."""
    return getattr(importlib.import_module(CLASSES[name]), name)


def known(name, names, kind):
    """Returns `name` if it is in `names`; else raises a `ValueError` with the nearest ones."""
    if name in names:
        return name
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    known_here = f"known are {', '.join(names)}." if names else "none is known here."
    hint = f"did you mean {' or '.join(near)}?" if near else known_here
    raise ValueError(f"There is no {kind} {name!r}; {hint}")


def bundled_checkpoints():
    """Returns the folder of the checkpoints that came with the installation."""
    installed = _PACKAGE / "checkpoints"
    return installed if installed.is_dir() else _PACKAGE.parent / "checkpoints"


@functools.cache
def index():
    """Returns {model name: {"recipe", "dataset", "repository", "files"}}."""
    return json.loads(INDEX.read_text(encoding="utf-8"))


def list_models(pattern="*"):
    """Returns the names of the published models that match a shell pattern, sorted."""
    return sorted(fnmatch.filter(index(), pattern))


def info(name):
    """Returns one published model's facts: its `metadata.json`, as a dict.

    Of a model that did not come along it returns what the index has.

    Raises:
        ValueError: For an unknown name, with the nearest ones.
    """
    path = bundled_checkpoints() / known(name, list_models(), "model") / "metadata.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    return dict(index()[name])
