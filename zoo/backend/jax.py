"""Gradients and the training step with JAX: Keras variables made pure by a `StatelessScope`.

Several devices run one program that sees the whole batch, so that nothing else knows of them.
"""

import contextlib
import os

import jax
import keras

from zoo.backend import parts

COMPILES_GRADIENTS = True


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


def fused_batch_norm(x, gamma, beta, epsilon):
    return None  # XLA fuses what it is made of


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


def is_out_of_memory(error):
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def accelerators():
    return [d.device_kind for d in jax.devices() if d.platform != "cpu"]


@contextlib.contextmanager
def strategy(name, batch_size):
    if name == "none":
        yield True, contextlib.nullcontext
        return
    if name == "multi_worker":
        if "KERAS_DISTRIBUTION_JOB_ADDRESSES" not in os.environ:
            raise ValueError(
                "multi_worker needs the environment variables KERAS_DISTRIBUTION_JOB_ADDRESSES, "
                "KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID; "
                "docs/distributed.md has an example."
            )
        keras.distribution.initialize()
    parts.check(batch_size, jax.device_count())
    with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
        yield jax.process_index() == 0, contextlib.nullcontext


def distribute(model, batches):
    index, count = jax.process_index(), jax.process_count()
    return (parts.part(batch, index, count) for batch in batches())


def distribute_evaluation(model, batches):
    return batches


@contextlib.contextmanager
def undistributed():
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def full_precision():
    return jax.default_matmul_precision("highest")
