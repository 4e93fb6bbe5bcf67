"""Counts floating-point operations of training steps with PyTorch's counter.

Convolutions and matrix products are counted, forward and backward, those of the gradient penalty's
second derivative too; what is done element by element is not. The zoo's own steps are counted by
running them on Keras's PyTorch backend, in a process of its own.
"""

import contextlib
import functools
import json
import os
import pathlib
import subprocess
import sys

from torch.utils import flop_counter
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import workload

ROOT = pathlib.Path(__file__).parent.parent


class Counter(TorchDispatchMode):
    """Adds up operations by PyTorch's formulas.

    Not `FlopCounterMode`, which also follows modules, and fails where Keras's layers, being such,
    are differentiated by `autograd.grad`.
    """

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        formula = flop_counter.flop_registry.get(function._overloadpacket)
        if formula:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def count(function):
    """Returns the floating-point operations of calling a function of torch tensors."""
    with Counter() as counter:
        function()
    return counter.total


def of_recipes(arguments):
    """Returns {recipe: operations per training step} for a command line of the benchmark."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": path}
    command = [sys.executable, "-m", "benchmarks.flops", *arguments]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def main():
    options = workload.parse()
    options.steps_per_execution, options.jit = 1, "off"  # PyTorch takes nothing else
    counted = {}
    with contextlib.redirect_stdout(sys.stderr):
        for recipe in options.recipes:
            model = workload.build(recipe, options)
            images = workload.random_images(model.config)
            fit = functools.partial(model.fit, images, steps_per_epoch=1, verbose=0)
            fit()  # Keras builds losses by running the model once more
            counted[recipe] = count(fit)
    print(json.dumps(counted))


if __name__ == "__main__":
    main()
