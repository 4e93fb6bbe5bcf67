"""`zoo runs`, over real runs."""

import numpy as np
import pytest
from processes import python

from recipes.wgan_gp import Config
from zoo import cli, console, files, runs, training


def test_runs_are_listed_with_what_they_do(tiny, pictures, tmp_path, capsys):
    np.savez(tmp_path / "set.npz", images=pictures)
    source = {"dataset": f"npz:{tmp_path / 'set.npz'}", "save_every": 2}
    training.train_gan("wgan_gp", Config(**tiny, **source, steps=2), tmp_path / "a")
    (first,) = runs.list_runs(tmp_path)
    assert first.pop("minutes") > 0
    assert first == {
        "run": "a",
        "recipe": "wgan_gp",
        "state": "finished",
        "step": 2,
        "steps": 2,
        "fid": None,
    }
    whole = files.read_json(tmp_path / "a" / "run.json")
    files.write_json(
        tmp_path / "a" / "run.json", whole | {"config": whole["config"] | {"steps": 4}}
    )
    record = runs.states(tmp_path / "a")[-1] / runs.RECORD
    measured = files.read_json(record)
    measured["history"][0]["fid_quarters"] = 7.5
    files.write_json(record, measured)
    (stopped,) = runs.list_runs(tmp_path)
    assert (stopped["state"], stopped["step"], stopped["steps"]) == ("stopped", 2, 4)
    assert stopped["fid"] == ("fid_quarters", 7.5)
    files.write_json(tmp_path / "a" / "run.json", whole)
    with runs.lock(tmp_path / "a"):
        assert runs.list_runs(tmp_path)[0]["state"] == "training"
        with pytest.raises(ValueError, match=r"^Another process trains in '.*a'; wait"):
            runs.lock(tmp_path / "a")
    cli.main(["runs", str(tmp_path)])
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith("a  wgan_gp     finished  step 2 of 2  ")
    )
    assert (tmp_path / "a" / "training.gif").stat().st_size > 100


def test_states_are_in_the_order_of_their_steps(tmp_path):
    for step in (10_000_000, 9_998_000, 20):
        (tmp_path / "state" / f"step_{step:07}").mkdir(parents=True)
    for copy in ("step_0000020_backup", "step_0000020 (1)"):
        (tmp_path / "state" / copy).mkdir()
    assert [*map(runs.step_of, runs.states(tmp_path))] == [20, 9_998_000, 10_000_000]


@pytest.mark.parametrize("facts", [{}, {"recipe": "x", "config": {}}, {"recipe": "x", "config": 5}])
def test_what_others_write_is_no_run(facts, tmp_path):
    files.write_json(tmp_path / "run.json", facts)
    assert runs.list_runs(tmp_path) == []


def test_no_runs_is_one_sentence(tmp_path, capsys):
    for folder, message in (
        (tmp_path, f"zoo: There is no run in {str(tmp_path)!r}."),
        (tmp_path / "x", f"zoo: There is no folder {str(tmp_path / 'x')!r}."),
    ):
        with pytest.raises(SystemExit) as end:
            cli.main(["runs", str(folder)])
        assert end.value.code == 1
        assert capsys.readouterr().err.split(": ", 1)[1].strip() == message.split(": ", 1)[1]


def test_runs_are_listed_without_keras(tmp_path):
    code = "import sys; from zoo import cli; cli.main(['runs', sys.argv[1]])"
    code = f"try:\n    {code}\nexcept SystemExit:\n    print('keras' in sys.modules)"
    assert python("-c", code, tmp_path).stdout == "False\n"


def test_the_home_folder_is_found(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SystemExit):
        cli.main(["runs", "~"])
    assert f"There is no run in {str(tmp_path)!r}." in capsys.readouterr().err


def test_too_little_memory_is_one_line(capsys):
    with pytest.raises(SystemExit) as end, console.user_errors():
        np.empty(2**60, np.uint8)
    assert end.value.code == 1
    assert "there is not enough memory: Unable to allocate" in capsys.readouterr().err
