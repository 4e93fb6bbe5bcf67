"""A project of its own with one published model."""

import functools
import shutil

import keras
import pytest
from published import NAME, PROTOCOLS
from small import small_named

from recipes.wgan_gp import Config
from zoo import cards, data, measurement, registry, training


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project of its own, with one published model, small protocols and an empty cache."""
    home = tmp_path_factory.mktemp("project")
    (home / "checkpoints").mkdir()
    index = home / "index.json"
    index.write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_HOME", str(home / "cache"))
        patch.setattr(registry, "INDEX", index)
        registry.index.cache_clear()
        patch.setattr(registry, "bundled_checkpoints", lambda: home / "checkpoints")
        patch.setattr(measurement, "PROTOCOLS", PROTOCOLS)
        patch.setattr(data, "_load_named", functools.cache(small_named))
        config = Config(width=8, batch_size=4, n_critic=1, steps=2, save_every=1)
        training.train_gan("wgan_gp", config, home / "run")
        keras.utils.clear_session()  # names of layers are stored, and count within a process
        cards.publish(NAME, home / "run")
        cards.write_cards()
        yield home
    registry.index.cache_clear()


@pytest.fixture(scope="module")
def measured(home):
    """The folder of the model after all its measurements."""
    assert cards.measure(NAME, progress=False) == ["neighbours", *PROTOCOLS]
    return home / "checkpoints" / NAME


@pytest.fixture
def copy(measured, tmp_path):
    """A copy of the folder to forge."""
    return shutil.copytree(measured, tmp_path / NAME)
