"""Runs that are killed, stopped, torn and left without disk; each a real process.

`pytest tests/test_crash.py --times=300` kills more often than the suite does.
"""

import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import crash_run
import numpy as np
import pytest
from crash_run import Run, last_arrays

from zoo import runs, train_state

STEPS_PER_KILL = 6
LONG = {"steps": 600, "save_every": 300}


@pytest.fixture(scope="module")
def server():
    return crash_run.server()


def assert_same(run, whole):
    """Asserts that a run ended with the bits and the history of one that never stopped."""
    assert run.history() == whole.history()
    ours, theirs = last_arrays(run.workdir), last_arrays(whole.workdir)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 50
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    grids = [sorted((r.workdir / "samples").iterdir()) for r in (run, whole)]
    assert [(p.name, p.read_bytes()) for p in grids[0]] == [
        (p.name, p.read_bytes()) for p in grids[1]
    ]
    assert not run.half_written()


@pytest.fixture(scope="module")
def whole(server, tmp_path_factory):
    """A run of 20 steps that nothing disturbed."""
    return Run(server, tmp_path_factory.mktemp("whole"), steps=20).complete()


@pytest.fixture(scope="module")
def long(server, tmp_path_factory):
    """A run of two long epochs that nothing disturbed."""
    return Run(server, tmp_path_factory.mktemp("long"), **LONG).complete()


def test_killed_again_and_again_it_ends_with_the_same_bits(server, tmp_path, pytestconfig):
    """Half of the kills come at a random moment, half while a state is being written."""
    times = pytestconfig.getoption("times")
    steps = STEPS_PER_KILL * times
    run = Run(server, tmp_path / "killed", steps=steps)
    rng = random.Random(0)
    for kill in range(times):
        run.start()
        run.wait_for_step(run.step() + 1)
        if kill % 2:
            run.freeze_in_save(rng)
        else:
            time.sleep(rng.uniform(0, 0.15))
        assert run.process.is_alive(), run.log.read_text()
        run.kill()
        assert run.in_save() or kill % 2 == 0
        for state in run.states():
            train_state.check_state(state)
    assert_same(run.complete(), Run(server, tmp_path / "whole", steps=steps).complete())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_the_step_it_is_at(server, long, tmp_path, number):
    run = Run(server, tmp_path / "stopped", **LONG)
    run.start()
    run.wait_for_step(LONG["save_every"])
    time.sleep(0.1)  # into the second epoch
    run.signal(number)
    code, printed = run.finish()
    step = run.step()
    assert code == 128 + number
    assert 0 < step < LONG["steps"]
    assert printed.splitlines()[step // LONG["save_every"] :] == [
        f"train: stopped by {number.name} after step {step:,}; the same command goes on from there"
    ]
    assert_same(run.complete(), long)


@pytest.mark.parametrize(
    ("harm", "file"),
    [("torn", train_state.WEIGHTS), ("flipped", runs.RECORD), ("lost", train_state.DIGESTS)],
)
def test_a_damaged_state_is_passed_over(whole, tmp_path, harm, file):
    run = whole.copy(tmp_path / "damaged")
    newest = run.states()[-1]
    content = bytearray((newest / file).read_bytes())
    content[len(content) // 2] ^= 1
    if harm == "torn":
        del content[len(content) // 2 :]
    (newest / file).write_bytes(content)
    if harm == "lost":
        (newest / file).unlink()
    run.complete()
    lines = run.log.read_text().splitlines()
    assert lines[0].startswith(f"train: warning: '{newest}' is damaged, ")
    assert file in lines[0]
    assert lines[1].startswith("step 20 of 20"), "it went on from step 18"
    assert len(lines) == 2
    assert_same(run, whole)


def test_no_whole_state_is_an_error(whole, tmp_path):
    run = whole.copy(tmp_path / "damaged")
    for state in run.states():
        (state / train_state.WEIGHTS).write_bytes(b"")
    run.start()
    code, printed = run.finish()
    assert code == 1
    folder = str(run.workdir / "state")
    assert printed.splitlines()[-1] == (
        f"train: {folder!r} holds no whole state; remove it to begin the run anew."
    )


def test_a_second_process_is_refused(server, tmp_path):
    first = Run(server, tmp_path, steps=10_000)
    first.start()
    first.wait_for_step(2)
    second = Run(server, tmp_path, steps=10_000)
    second.log = tmp_path / "log_of_the_second"
    second.start()
    code, printed = second.finish()
    assert code == 1
    assert printed == (
        f"train: Another process trains in {str(first.workdir)!r}; wait for it or choose another "
        "--workdir.\n"
    )
    assert first.process.is_alive()
    first.kill()


def test_a_full_disk(server, whole, tmp_path):
    """The run ends with one sentence and whole states, and goes on when there is space."""
    script = pathlib.Path(__file__).with_name("full_disk.py")
    result = subprocess.run(
        [*own_mounts(), sys.executable, script, tmp_path, whole.dataset],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    run = whole.copy(tmp_path / "copy")
    shutil.rmtree(run.workdir)
    shutil.copytree(tmp_path / "result", run.workdir)
    assert_same(run, whole)


def own_mounts():
    """Returns the command that lets a process mount a small disk, where the system allows it."""
    command = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return command
