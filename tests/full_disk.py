"""Fills the disk of a run: `python full_disk.py FOLDER DATASET`, in mounts of its own or without.

Where the process may mount, the run lives on a disk of 600 kB; elsewhere a file may have no more
than 20 kB, which the system refuses alike. The run's folder is copied to FOLDER/result.
"""

import pathlib
import resource
import shutil
import subprocess
import sys

import crash_run

from zoo import train_state


def main(folder, dataset):
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "none", disk]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    server = crash_run.server()
    run = crash_run.Run(server, disk, dataset=dataset, steps=20)
    run.log = folder / "log"
    run.start()
    if not mounted:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (20_000, limits[1]))
    code, printed = run.finish()
    assert code == 1, printed
    last = printed.splitlines()[-1]
    reason = "No space left on device" if mounted else "File too large"
    assert last.startswith("train: "), printed
    assert reason in last
    assert "Traceback" not in printed
    for state in run.states():
        train_state.check_state(state)
    assert not run.half_written()

    if mounted:
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    run.complete()
    shutil.copytree(run.workdir, folder / "result")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
