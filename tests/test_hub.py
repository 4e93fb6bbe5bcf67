"""Where models come from: bundled, a folder, the Hub; and what is refused before it is read."""

import json
import shutil

import h5py
import hub_server
import keras
import numpy as np
import pytest
from processes import python

import zoo
from zoo import files, hub, registry


@pytest.fixture
def folder(tiny, tmp_path):
    """A saved model."""
    zoo.GAN("wgan_gp", tiny).save(tmp_path / "mine", zipped=False)
    return tmp_path / "mine"


def edit_config(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def test_every_published_file_is_the_pinned_one():
    for name, entry in registry.index().items():
        files = {path.name for path in (registry.bundled_checkpoints() / name).iterdir()}
        assert files == set(entry["files"])
        hub.check_digests(registry.bundled_checkpoints() / name, entry["files"])


def test_published_models_load_and_are_small():
    total = 0
    for name in zoo.list_models():
        model = zoo.load(name)
        entry = registry.index()[name]
        assert (entry["recipe"], entry["dataset"]) == (model.recipe, model.config.dataset)
        size = (registry.bundled_checkpoints() / name / hub.WEIGHTS).stat().st_size
        assert size <= (4 if model.config.image_size == 28 else 11) * 2**20
        total += size
    assert 0 < total <= 52 * 2**20


def test_wgan_gp_fmnist_looks_like_fashion_mnist():
    """Mean and spread of the pixels, and of their means per image, are near the data's."""
    images = zoo.load("wgan_gp_fmnist").sample(512, seed=0)
    assert images.shape == (512, 28, 28, 1)
    # Of the 60,000 training images: mean 72.9, standard deviation 90.0, 32.1 between images' means.
    assert abs(images.mean() - 72.9) < 6
    assert abs(images.std() - 90.0) < 6
    assert abs(images.mean((1, 2, 3)).std() - 32.1) < 4


def test_classifier_fmnist_recognises_what_wgan_gp_fmnist_draws():
    images = zoo.load("wgan_gp_fmnist").sample(512, seed=0)
    probabilities = zoo.load("classifier_fmnist").predict(images)
    assert probabilities.max(1).mean() > 0.8
    classes = np.bincount(probabilities.argmax(1), minlength=10)
    assert classes.min() > 512 / 10 / 4


def test_names_and_patterns():
    assert "wgan_gp_fmnist" in zoo.list_models("*fmnist*")
    assert zoo.list_models("*none*") == []
    with pytest.raises(
        ValueError, match="There is no model 'wgan_gp_fmnits'; did you mean wgan_gp"
    ):
        zoo.load("wgan_gp_fmnits")
    with pytest.raises(ValueError, match="There is no model 'wgangp-fmnist'; did you mean"):
        zoo.info("wgangp-fmnist")


def test_a_folder_and_a_keras_file_are_told_how_to_be_loaded(folder, tiny, monkeypatch):
    monkeypatch.chdir(folder.parent)
    with pytest.raises(ValueError, match=r"There is no model 'mine'; the folder is '\./mine'"):
        zoo.load("mine")
    zoo.GAN("wgan_gp", tiny).save("mine.keras")
    with pytest.raises(ValueError, match=r"file: keras\.saving\.load_model\(.* reads it"):
        zoo.load("./mine.keras")
    assert keras.saving.load_model("./mine.keras").sample(1).shape == (1, 8, 8, 1)


def test_one_wrong_byte_is_found_before_the_file_is_opened(tmp_path):
    shutil.copytree(registry.bundled_checkpoints() / "wgan_gp_fmnist", tmp_path / "copy")
    weights = tmp_path / "copy" / hub.WEIGHTS
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.h5' is not the published file"):
        zoo.load(tmp_path / "copy")


@pytest.mark.parametrize("name", ["./mine", "../mine", "parent/mine", "{folder}"])
def test_a_path_is_no_name(folder, monkeypatch, name):
    here = folder.parent / "here"
    here.mkdir()
    (here / "parent").symlink_to(folder.parent)
    monkeypatch.chdir(folder.parent if name == "./mine" else here)
    assert zoo.load(name.format(folder=folder)).config.width == 8


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_torn_weights_file_is_one_sentence(folder, keep):
    path = folder / hub.WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="is not a readable HDF5 file"):
        zoo.load(folder)


def test_damage_within_a_weights_file_is_one_sentence(folder):
    """HDF5 finds it in its own ways, and not where it lies among the numbers."""
    path = folder / hub.WEIGHTS
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(min(len(whole), 8000), size=4):
            damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            hub._shapes(path)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert all(str(path) in message for message in refused)


def test_a_small_file_that_unpacks_to_gigabytes_is_not_read(folder):
    path = folder / hub.WEIGHTS
    name, shape = next(iter(hub._shapes(path).items()))
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, shape, "f4", maxshape=[None] * len(shape), compression="gzip")
    with pytest.raises(ValueError, match=f"is refused: {name} is not a plain array"):
        zoo.load(folder)


def test_incomplete_or_absent_folders(folder, tmp_path):
    for name in ("./no_such_folder", "runs/none/model", "~none"):
        with pytest.raises(FileNotFoundError, match=f"There is no folder '{name}'"):
            zoo.load(name)
    (folder / hub.WEIGHTS).unlink()
    with pytest.raises(FileNotFoundError, match="it lacks model.weights.h5"):
        zoo.load(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="it lacks config.json"):
        zoo.load(tmp_path / "empty")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["config"]["config"].update(widht=3), "Unknown hyperparameter 'widht'"),
        (lambda c: c["config"]["config"].update(width="3"), "width must be of type int"),
        (lambda c: c["config"].update(config=5), "Hyperparameters are a dict by name, not 5"),
        (lambda c: c.update(registered_name=["zoo>GAN"]), "does not hold a model of the zoo"),
        (lambda c: c["config"].update(recipe="os"), "There is no recipe 'os'"),
        (lambda c: c["config"].update(recipe="..evil"), "There is no recipe '..evil'"),
        (lambda c: c["config"].update(extra=1), "has an unknown key 'extra'"),
        (lambda c: c.update(registered_name="zoo>Other"), "does not hold a model of the zoo"),
        (lambda c: c.update(registered_name="zoo>Classifier"), "makes a GAN, not a Classifier"),
        (lambda c: c["config"]["config"].update(width=4), "does not fit its config.json"),
    ],
)
def test_a_config_can_name_nothing_but_a_recipe_and_its_scalars(folder, change, message):
    edit_config(folder, change)
    with pytest.raises(ValueError, match=message):
        zoo.load(folder)


def test_shapes_are_compared_before_weights_are_read(folder):
    with h5py.File(folder / hub.WEIGHTS, "r+") as file:
        name = next(iter(hub._shapes(folder / hub.WEIGHTS)))
        del file[name]
        file.create_dataset(name, data=np.zeros((3, 3), np.float32))
    with pytest.raises(ValueError, match=r"is \(3, 3\) in the file and"):
        zoo.load(folder)


def test_links_out_of_the_file_are_not_followed(folder, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("secret", data=np.zeros(3, np.float32))
    name = next(iter(hub._shapes(folder / hub.WEIGHTS)))
    with h5py.File(folder / hub.WEIGHTS, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")
    with pytest.raises(ValueError, match="missing in the file"):
        zoo.load(folder)


HUB_SCRIPT = """
import keras
import numpy as np
import zoo

images = zoo.load("hf://me/tiny").sample(3, seed=0)
np.testing.assert_array_equal(zoo.load("hf://me/tiny@v1").sample(3, seed=0), images)
np.testing.assert_array_equal(zoo.load("hf://me/tiny", revision="v1").sample(3, seed=0), images)
plain = keras.saving.load_model("hf://me/tiny")
np.testing.assert_array_equal(plain.sample(3, seed=0), images)
np.save(OUT, images)
wrong = "me/none", "me/tiny@v9", "a/b/c", "me/torn", "gated/tiny", "broken/tiny", "private/tiny"
for name in (f"hf://{repository}" for repository in wrong):
    try:
        zoo.load(name)
    except (ValueError, FileNotFoundError) as error:
        print(error)
    else:
        raise AssertionError(name)
private = zoo.load("hf://private/tiny", token=TOKEN)
np.testing.assert_array_equal(private.sample(3, seed=0), images)
"""

PUBLISHED_SCRIPT = """
import pathlib
import numpy as np
import zoo
from zoo import registry

here = pathlib.Path(OUT)
expected = np.load(here / "images.npy")
repository = here / "hub" / registry.index()["wgan_gp_fmnist"]["repository"]
registry.bundled_checkpoints = lambda: here / "nothing came along"
revised = zoo.load("wgan_gp_fmnist", revision="v1", cache_dir=here / "revised")
np.testing.assert_array_equal(revised.sample(3, seed=0), expected)
for cache in ("whole", "torn"):
    try:
        model = zoo.load("wgan_gp_fmnist", cache_dir=here / cache)
    except ValueError as error:
        print(error)
    else:
        np.testing.assert_array_equal(model.sample(3, seed=0), expected)
        weights = bytearray((repository / "model.weights.h5").read_bytes())
        weights[len(weights) // 2] ^= 1
        (repository / "model.weights.h5").write_bytes(weights)
"""

UPLOAD_SCRIPT = """
import numpy as np
import zoo
from zoo import cli

mine = zoo.load(OUT)
mine.save("hf://me/mine")
np.testing.assert_array_equal(zoo.load("hf://me/mine").sample(3, seed=0), mine.sample(3, seed=0))
cli.main(["publish", "wgan_gp_fmnist", "--push"])
pushed = zoo.load("hf://keras-gan-zoo/wgan_gp_fmnist").sample(3, seed=0)
np.testing.assert_array_equal(pushed, zoo.load("wgan_gp_fmnist").sample(3, seed=0))
"""

OFFLINE_SCRIPT = """
import numpy as np
import zoo

try:
    zoo.load("hf://me/tiny@v1").save("hf://me/new")
except ConnectionError as error:
    print(error)
np.testing.assert_array_equal(zoo.load("hf://me/tiny@v1").sample(3, seed=0), np.load(OUT))
try:
    zoo.load("hf://me/other")
except FileNotFoundError as error:
    print(error)
"""


def run_script(script, out, **environment):
    names = f"OUT, TOKEN = {str(out)!r}, {hub_server.TOKEN!r}"
    return python("-c", f"{names}\n{script}", **environment).stdout


def test_hub_over_http_and_then_offline_from_the_cache(folder, tmp_path):
    repositories = tmp_path / "hub"
    shutil.copytree(folder, repositories / "me" / "tiny")
    shutil.copytree(folder, repositories / "me" / "torn")
    shutil.copytree(folder, repositories / "broken" / "tiny")
    shutil.copytree(folder, repositories / "private" / "tiny")
    torn = repositories / "me" / "torn"
    digests = {hub.WEIGHTS: files.sha256(torn / hub.WEIGHTS)}
    (torn / "metadata.json").write_text(json.dumps({"files": digests}))
    (torn / hub.WEIGHTS).write_bytes(b"not the file")
    out, cache = tmp_path / "images.npy", str(tmp_path / "cache")
    with hub_server.serve(repositories) as address:
        printed = run_script(HUB_SCRIPT, out, HF_ENDPOINT=address, HF_HOME=cache)
    none, revision, name, digest, gated, broken, private = printed.strip().splitlines()
    assert none.startswith("There is no repository 'me/none' on the Hub, or it is private: log in")
    assert gated.startswith("'gated/tiny' is for those whom its owner lets in: ask for access")
    assert private.startswith("There is no repository 'private/tiny' on the Hub, or it is private")
    assert broken.startswith("'broken/tiny' is not in the cache and could not be downloaded: ")
    assert revision == "'me/tiny' has no revision 'v9'."
    assert "'a/b/c' is no Hub repository, user/name" in name
    assert "is not the published file (its sha256 differs)" in digest

    printed = run_script(OFFLINE_SCRIPT, out, HF_HUB_OFFLINE="1", HF_HOME=cache)
    saving, loading = printed.strip().splitlines()
    assert saving.startswith("'hf://me/new' could not be written: ")
    assert loading.startswith("'me/other' is not in the cache and could not be downloaded")


def test_a_published_model_that_did_not_come_along_is_downloaded_and_compared(tmp_path):
    """With the digests of the index: a repository cannot serve other weights under the name."""
    name = "wgan_gp_fmnist"
    bundled = registry.bundled_checkpoints() / name
    shutil.copytree(bundled, tmp_path / "hub" / registry.index()[name]["repository"])
    np.save(tmp_path / "images.npy", zoo.load(name).sample(3, seed=0))
    with hub_server.serve(tmp_path / "hub") as address:
        printed = run_script(PUBLISHED_SCRIPT, tmp_path, HF_ENDPOINT=address)
    assert "is not the published file (its sha256 differs)" in printed
    assert len(list((tmp_path / "whole").rglob(hub.WEIGHTS))) == 1, "it was downloaded there"


def test_models_are_uploaded_with_a_token(folder, tmp_path):
    repositories, cache = tmp_path / "hub", str(tmp_path / "cache")
    repositories.mkdir()
    with hub_server.serve(repositories) as address:
        environment = {"HF_ENDPOINT": address, "HF_HOME": cache, "HF_TOKEN": hub_server.TOKEN}
        printed = run_script(UPLOAD_SCRIPT, folder, **environment)
        assert f"{address}/keras-gan-zoo/wgan_gp_fmnist/commit/{hub_server.COMMIT}" in printed
        environment["HF_TOKEN"] = "hf_OfSomebodyElse"
        command = ("-m", "zoo", "publish", "wgan_gp_fmnist", "--push")
        run = python(*command, check=False, **environment)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("zoo: wgan_gp_fmnist could not be uploaded: ")
    assert "401" in line
    uploaded = {path.name for path in (repositories / "keras-gan-zoo/wgan_gp_fmnist").iterdir()}
    assert uploaded == set(registry.index()["wgan_gp_fmnist"]["files"])


def test_hyperparameters_of_a_loaded_model_can_be_others(folder):
    model = zoo.load(folder, config={"batch_size": 3, "generator_learning_rate": 1e-5})
    assert (model.config.batch_size, model.config.generator_learning_rate) == (3, 1e-5)
    np.testing.assert_array_equal(model.sample(2, seed=0), zoo.load(folder).sample(2, seed=0))
    with pytest.raises(ValueError, match="Unknown hyperparameter 'batchsize'; did you mean"):
        zoo.load(folder, config={"batchsize": 3})
    with pytest.raises(ValueError, match=r"^With config=\{'width': 9\} the networks are not those"):
        zoo.load(folder, config={"width": model.config.width + 1})
    with pytest.raises(ValueError, match=r"config is a dict of hyperparameters by name, not \['ba"):
        zoo.load(folder, config=["batch_size"])
