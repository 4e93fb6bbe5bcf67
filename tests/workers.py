"""Worker processes of one run on this machine, as `--strategy=multi_worker` has them on several."""

import contextlib
import json
import os
import socket
import subprocess
import sys

from processes import ROOT

ON_CPU = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
# Adam makes steps of its learning rate out of gradients that are rounding errors.
RATES = {"generator_learning_rate": 2e-5, "discriminator_learning_rate": 2e-5}


def free_addresses(count):
    """Returns addresses on this machine that nobody listens at."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]


def of_tensorflow():
    """Returns the environment variables of two workers with TensorFlow."""
    cluster = {"worker": free_addresses(2)}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": i}} for i in range(2)]
    return [ON_CPU | {"TF_CONFIG": json.dumps(task)} for task in tasks]


def of_jax():
    """Returns the environment variables of two workers with JAX."""
    shared = ON_CPU | {
        "KERAS_BACKEND": "jax",
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": free_addresses(1)[0],
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    }
    return [shared | {"KERAS_DISTRIBUTION_PROCESS_ID": str(index)} for index in range(2)]


def start(config, workdir, environments, *others):
    """Starts a worker for each of `environments`; `others` are flags of the last one alone."""
    flags = [f"--{name}={value}" for name, value in config.to_dict().items() if name != "strategy"]
    command = [sys.executable, "-m", "recipes.wgan_gp.train", *flags, f"--workdir={workdir}"]
    return [
        subprocess.Popen(
            [*command, "--strategy=multi_worker", *(others if own is environments[-1] else ())],
            cwd=ROOT,
            env=os.environ | own,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for own in environments
    ]


def finish(worker):
    """Returns a worker's exit code and what it said on stderr."""
    try:
        _, errors = worker.communicate(timeout=120)
    finally:
        worker.kill()
    return worker.returncode, errors
