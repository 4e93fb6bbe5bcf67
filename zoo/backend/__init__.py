"""The gradient code Keras leaves to each framework, and nothing else.

Each backend offers the same functions:

`value_and_grad(fn, variables, state)`
    `fn()` returns (scalar loss, auxiliary structure); the result is ((loss, auxiliary), gradients).
    `state` are the other variables that `fn` may assign, moving statistics for example.
`input_gradient(fn, x)`
    The gradient of sum(fn(x)) with respect to the tensor x, itself differentiable.
`train_step(model, *args)`
    The body of `keras.Model.train_step` on this backend, around `model.adversarial_step(batch)`.
`assign(variable, value)`
    Assigns a value every replica agrees on, inside a distributed step too.
`sync(model)`
    Gives a model in `fit` the variables of the last step, which JAX keeps to itself in an epoch.
`make_deterministic()`
    Lets only kernels run, from now on, that give the same bits every time.
`accelerators()`
    The names of the GPUs and TPUs it computes on; empty on a CPU.
"""

import importlib

import keras

_module = importlib.import_module(f"zoo.backend.{keras.backend.backend()}")

value_and_grad = _module.value_and_grad
input_gradient = _module.input_gradient
train_step = _module.train_step
assign = _module.assign
sync = _module.sync
make_deterministic = _module.make_deterministic
accelerators = _module.accelerators
