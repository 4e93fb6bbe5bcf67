"""Who may import whom, read from the source: the arrows of docs/design.md."""

import ast
import importlib
import re
import sys
import types

import pytest
from processes import ROOT, python

FRAMEWORKS = {"tensorflow", "jax", "torch", "tensorflow_datasets"}
SOURCES = sorted([*ROOT.glob("zoo/**/*.py"), *ROOT.glob("recipes/**/*.py")])


def names(path):
    """Returns the dotted names of all that a file imports, at module level or in a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def roots(path):
    return {name.split(".")[0] for name in names(path)}


def module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_there_is_something_to_check():
    assert {"zoo.gan", "zoo.backend.jax", "recipes.wgan_gp.model"} <= set(map(module, SOURCES))


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_framework_names_stay_in_the_backend_and_the_data_reader(path):
    allowed = set()
    if path.parent.name == "backend":
        allowed = FRAMEWORKS - {"tensorflow_datasets"}
    if module(path) == "zoo.data":
        allowed = {"tensorflow_datasets"}
    assert roots(path) & FRAMEWORKS <= allowed


def test_every_trap_of_the_design_has_its_test():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = text.partition("\n## 5. ")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 12
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", row)
        assert named, row
        for path, name in named:
            source = (ROOT / "tests" / path).read_text(encoding="utf-8")
            assert f"\ndef {name}(" in source, name


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_no_private_keras(path):
    assert not [name for name in names(path) if name.startswith("keras.src")]


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_recipes_import_zoo_but_never_another_recipe(path):
    own = ".".join(module(path).split(".")[:2])
    reached = {name for name in names(path) if name.split(".")[0] == "recipes"}
    if own.startswith("recipes"):
        assert all(name == own or name.startswith(f"{own}.") for name in reached)
    else:
        assert not reached, "zoo reaches recipes through zoo.registry.import_recipe only"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("config", set()),
        ("registry", set()),
        ("files", set()),
        ("losses", {"keras"}),
        ("augmentation", {"keras"}),
        ("averaging", {"keras", "zoo.backend"}),
        (
            "gan",
            {"keras", "numpy"}
            | {f"zoo.{name}" for name in ("backend", "batching", "divergence", "layers", "losses")}
            | {f"zoo.{name}" for name in ("model", "optimizers", "penalties", "registry")}
            | {"zoo.augmentation", "zoo.averaging", "zoo.sampling"},
        ),
        ("penalties", {"keras", "zoo.backend"}),
        ("constraints", {"keras", "numpy", "zoo.layers"}),
        ("labelled", {"keras", "numpy", "zoo.batching", "zoo.data"}),
        ("batching", {"numpy", "zoo.augmentation", "zoo.data"}),
        ("data", {"keras", "numpy", "PIL", "tensorflow_datasets", "zoo.files", "zoo.pictures"}),
        ("sampling", {"keras", "numpy", "zoo.backend"}),
        ("dataset_facts", set()),
        ("card_numbers", {"zoo.dataset_facts"}),
        (
            "card_text",
            {"huggingface_hub", "zoo.card_numbers", "zoo.dataset_facts", "zoo.registry"},
        ),
        ("metrics/kernel", {"numpy", "zoo.metrics"}),
        ("metrics/precision_recall", {"numpy", "zoo.metrics"}),
        ("metrics/inception_score", {"numpy"}),
        ("metrics/frechet", {"numpy", "zoo.metrics"}),
    ],
)
def test_arrows(name, allowed):
    reached = set()
    for found in names(ROOT / "zoo" / f"{name}.py"):
        root, *rest = found.split(".")
        if root == "zoo" and rest:
            reached.add(f"zoo.{rest[0]}")
        elif root not in sys.stdlib_module_names and root != "zoo":
            reached.add(root)
    assert reached <= allowed


def test_layers_use_keras_and_numpy_only():
    """And batch normalisation the kernel of the backend."""
    for path in ROOT.glob("zoo/layers/*.py"):
        others = roots(path) - set(sys.stdlib_module_names) - {"keras", "numpy"}
        assert others <= {"zoo"}
        inside = "zoo.backend" if path.stem == "batch_norm" else "zoo.layers"
        assert all(n.startswith(inside) for n in names(path) if n.startswith("zoo."))


def test_files_are_short():
    """About 300 lines a file, about 50 a function."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 330, module(path)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = node.end_lineno - node.body[0].lineno
                assert length <= 60, f"{module(path)}.{node.name}"


def test_importing_zoo_or_asking_for_help_imports_no_framework():
    script = (
        "import sys, zoo, zoo.cli\n"
        "assert zoo.list_recipes()\n"
        "try: zoo.cli.main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        f"loaded = {FRAMEWORKS | {'keras', 'numpy'}!r} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    python("-c", script)


EFFECTS = """
import importlib, sys
import keras, numpy, tensorflow as tf
from absl import flags

state, known = numpy.random.get_state()[1].tolist(), set(flags.FLAGS)
for name in sys.argv[1:]:
    importlib.import_module(name)
assert numpy.random.get_state()[1].tolist() == state
assert set(flags.FLAGS) == known, set(flags.FLAGS) - known
assert keras.config.dtype_policy().name == "float32"
tf.config.set_logical_device_configuration(  # refused once TensorFlow has begun
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
"""


def test_importing_has_no_effects():
    """No flag, no seed, no device that is set up."""
    modules = [module(path) for path in SOURCES if path.stem not in ("__main__", "jax", "torch")]
    python("-c", EFFECTS, *modules)


@pytest.mark.parametrize("order", ["import keras, zoo", "import zoo, keras"])
def test_keras_knows_the_zoo_in_either_import_order(order):
    script = f"{order}\n" + "".join(
        f"assert type(keras.saving.load_model('checkpoints/{name}')) is zoo.{kind}\n"
        for name, kind in (("wgan_fmnist", "GAN"), ("classifier_fmnist", "Classifier"))
    )
    python("-c", script)


def test_keras_knows_the_zoo_after_a_look_or_a_failed_import():
    """Others look for Keras without importing it; and a wrong KERAS_BACKEND can be mended."""
    script = """
import importlib.util, os, sys, zoo
assert importlib.util.find_spec("keras")
os.environ["KERAS_BACKEND"] = "none"
try: import keras
except ValueError: pass
else: sys.exit("imported")
for name in [name for name in sys.modules if name.split(".")[0] == "keras"]: del sys.modules[name]
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
assert type(keras.saving.load_model("checkpoints/wgan_fmnist")) is zoo.GAN
from_config = keras.saving.deserialize_keras_object
decay = {"class_name": "LinearDecay", "registered_name": "zoo>LinearDecay"}
decay["config"] = {"learning_rate": 1.0, "steps": 2, "decay_from": 0.0}
assert from_config(decay).steps == 2
assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("zoo")]
"""
    python("-c", script)


FIRST = """
import importlib, os, sys
import numpy, tensorflow
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        importlib.import_module(name)
        import keras, zoo
        known = keras.saving.get_custom_objects()
        assert {"zoo>GAN", "zoo>Classifier", "zoo>PixelNorm", "zoo>WeightClip"} <= known.keys()
        assert zoo.GAN is importlib.import_module("zoo.gan").GAN is known["zoo>GAN"]
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(name)
"""


def test_any_module_may_be_the_first_to_be_imported():
    """Keras is told of the zoo's classes while a module that they need imports it."""
    found = {m for path in SOURCES if (m := module(path)).startswith("zoo.") and m.count(".") == 1}
    modules = [*sorted(found - {"zoo.__main__"}), "zoo.layers.pixel_norm", "recipes.progan.model"]
    python("-c", FIRST, *modules)


SCRIPTS = [path for folder in ("benchmarks", "tests") for path in ROOT.glob(f"{folder}/**/*.py")]


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=module)
def test_what_is_taken_of_a_module_is_there(path):
    """Also in a function that no test runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("zoo", "recipes"):
            parent = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(parent, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                value = getattr(parent, alias.name)
                if isinstance(value, types.ModuleType):
                    known[alias.asname or alias.name] = value
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in known:
            assert hasattr(known[node.value.id], node.attr), f"{node.lineno}: {node.attr}"
