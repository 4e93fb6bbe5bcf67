"""What tests share: models and images small enough to train in a second."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The processes of a test run share a GPU, where there is one.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# And then do bit for bit the same only if they are told to.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_gpu_deterministic_ops=true"
).strip()
# Compiling with all optimisations takes longer than tests run what is compiled.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")

import pytest
from small import TINY, grey_levels, small_named


def pytest_addoption(parser):
    parser.addoption("--times", type=int, default=20, help="how often a run is killed")


def pytest_runtest_setup(item):
    """Seeds each test, before all of its fixtures: weights and batches are those of every run."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_the_users(tmp_path_factory):
    """What somebody has set for the zoo, the Hub or TensorFlow's workers is not for its tests."""
    for name in [name for name in os.environ if name.startswith(("ZOO_", "HF_", "TF_CONFIG"))]:
        del os.environ[name]
    os.environ["ZOO_HOME"] = str(tmp_path_factory.mktemp("zoo_home"))


@pytest.fixture(scope="session", autouse=True)
def deterministic():
    """Lets tests compare runs bit by bit, which `--deterministic` promises and no other run."""
    from zoo import backend

    backend.make_deterministic()


@pytest.fixture(scope="session", autouse=True)
def graphs_as_they_are():
    """Spares TensorFlow the rewriting of graphs, which takes longer than tests run them."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(scope="module", autouse=True)
def forgotten_graphs():
    """Frees the models of a module, 0.1 to 0.5 GB for each that was trained.

    TensorFlow up to 2.21 keeps every graph with a custom gradient, that of summing gradients over
    replicas among them (tensorflow/tensorflow#97697): two processes of tests grow to 18 GB.
    """
    yield
    import keras

    keras.utils.clear_session()
    if keras.backend.backend() == "tensorflow":
        from tensorflow.python.framework import ops

        registered = ops.gradient_registry._registry
        for name in [name for name in registered if name.startswith("CustomGradient-")]:
            del registered[name]


@pytest.fixture
def small_sets(monkeypatch):
    """Lets a test name sets that need not be there; returns the splits that it opened."""
    from zoo import data

    opened = []

    def load(name, split):
        opened.append((name, split))
        return small_named(name, split)

    monkeypatch.setattr(data, "_load_named", load)
    return opened


@pytest.fixture
def tiny():
    """Hyperparameters of a model small enough for a test."""
    return dict(TINY)


@pytest.fixture
def pictures():
    """Images of a test's own, each of one grey level; see `small.grey_levels`."""
    return grey_levels()
