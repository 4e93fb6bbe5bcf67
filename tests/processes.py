"""Python in a process of its own, which knows this source and no installed copy of it."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent


def python(*arguments, cwd=ROOT, check=True, **environment):
    """Runs `python *arguments` to its end; with `check` it must not fail.

    Returns:
        A `subprocess.CompletedProcess` with what it printed, as text.
    """
    run = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0 or not check, run.stdout[-3000:] + run.stderr[-3000:]
    return run
