"""Gradients and the training step with JAX: Keras variables made pure by a `StatelessScope`."""

import os

import jax
import keras


def _values(scope, variables):
    return [scope.get_current_value(variable) for variable in variables]


def value_and_grad(fn, variables, state):
    def pure(values, state_values):
        mapping = [*zip(variables, values), *zip(state, state_values)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            loss, auxiliary = fn()
        return loss, (auxiliary, _values(scope, state))

    values, state_values = [v.value for v in variables], [v.value for v in state]
    (loss, (auxiliary, updated)), gradients = jax.value_and_grad(pure, has_aux=True)(
        values, state_values
    )
    for variable, before, after in zip(state, state_values, updated):
        if after is not before:
            variable.assign(after)
    return (loss, auxiliary), gradients


def input_gradient(fn, x):
    return jax.grad(lambda x: fn(x).sum())(x)


def train_step(model, state, data):
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    mapping = [pair for group, values in zip(groups, state) for pair in zip(group, values)]
    with keras.StatelessScope(state_mapping=mapping) as scope:
        logs = model.adversarial_step(data[0])
    return logs, tuple(_values(scope, group) for group in groups)


def assign(variable, value):
    variable.assign(value)


def sync(model):
    model.jax_state_sync()


def make_deterministic():
    if accelerators() and "--xla_gpu_deterministic_ops=true" not in os.environ.get("XLA_FLAGS", ""):
        raise ValueError(
            "--deterministic with JAX on a GPU needs XLA_FLAGS=--xla_gpu_deterministic_ops=true in "
            "the environment."
        )


def accelerators():
    return [d.device_kind for d in jax.devices() if d.platform != "cpu"]
