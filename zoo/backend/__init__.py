"""The gradient code and the placing of a run, which Keras leaves to each framework.

Each backend offers the same functions:

`value_and_grad(fn, variables, state)`
    `fn()` returns (scalar loss, auxiliary structure); the result is ((loss, auxiliary), gradients).
    `state` are the other variables that `fn` may assign, moving statistics for example.
`input_gradient(fn, x)`
    The gradient of sum(fn(x)) with respect to the tensor x, itself differentiable.
`fused_batch_norm(x, gamma, beta, epsilon)`
    Features (N, H, W, C), float32 or bfloat16, normalised per channel by the statistics of the
    batch, in one kernel. The result is (y, mean, variance), the statistics those of y and float32;
    or None where there is no such kernel, or the batch lies on several replicas.
`COMPILES_GRADIENTS`
    Whether a step that takes gradients of gradients can be compiled (`jit_compile=True`).
`train_step(model, *args)`
    The body of `keras.Model.train_step` on this backend, around `model.adversarial_step(batch)`.
`assign(variable, value)`
    Assigns a value every replica agrees on, inside a distributed step too.
`sync(model)`
    Gives a model in `fit` the variables of the last step, which JAX keeps to itself in an epoch.
`make_deterministic()`
    Lets only kernels run, from now on, that give the same bits every time.
`is_out_of_memory(error)`
    Whether an exception says that the memory of the device is too small.
`accelerators()`
    The names of the GPUs and TPUs it computes on; empty on a CPU.
`strategy(name, batch_size)`
    The context of a run on one device ("none"), on all devices of this machine ("mirrored") or of
    several ("multi_worker"). It gives a pair: whether this process is the chief, which alone writes
    the run's files, and a function of the scope to build, compile and restore the model in.
    `ValueError` where it cannot be or the devices cannot share the batch equally; a
    `ConnectionError` ends a run that lost a worker.
`distribute(model, batches)`
    What `fit` takes for every device to get its own part of each batch of `batches()`, a generator
    that the backend may start more than once.
`distribute_evaluation(model, batches)`
    What `evaluate` takes for a `keras.utils.PyDataset`, its length being the number of steps.
`undistributed()`
    A context in which a batch need not be shared by the devices: every one computes all of it.
`full_precision()`
    A context in which products of float32 are those of float32 on a GPU too, which would else round
    the factors to TF32's 10 bits: what is measured and published must not depend on the machine.
"""

import contextlib
import importlib

import keras

from zoo.console import BACKENDS

if keras.backend.backend() not in BACKENDS:
    raise ValueError(
        f"The zoo runs on {', '.join(BACKENDS)}; Keras (KERAS_BACKEND) is set to "
        f"{keras.backend.backend()}."
    )
_module = importlib.import_module(f"zoo.backend.{keras.backend.backend()}")

COMPILES_GRADIENTS = _module.COMPILES_GRADIENTS

value_and_grad = _module.value_and_grad
input_gradient = _module.input_gradient
fused_batch_norm = _module.fused_batch_norm
train_step = _module.train_step
assign = _module.assign
sync = _module.sync
make_deterministic = _module.make_deterministic
is_out_of_memory = _module.is_out_of_memory
accelerators = _module.accelerators
strategy = _module.strategy
distribute = _module.distribute
distribute_evaluation = _module.distribute_evaluation
undistributed = _module.undistributed
full_precision = _module.full_precision


@contextlib.contextmanager
def short_of_memory(remedy):
    """Makes a `MemoryError` that names a remedy of what the framework raises."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryError(remedy) from error
