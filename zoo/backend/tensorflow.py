"""Gradients, the training step and `tf.distribute` with TensorFlow."""

import contextlib
import functools
import itertools

import numpy as np
import tensorflow as tf

from zoo.backend import parts, shared

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
COMPILES_GRADIENTS = True
DIFFERENT = (tf.errors.InternalError, tf.errors.InvalidArgumentError)


def value_and_grad(fn, variables, state):
    # Keras's optimizers sum gradients over replicas; a loss is a mean over its replica's batch.
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    with tf.GradientTape() as tape:
        loss, auxiliary = fn()
        scaled = loss / replicas
    zero = tf.UnconnectedGradients.ZERO  # as on the other backends
    gradients = tape.gradient(scaled, [v.value for v in variables], unconnected_gradients=zero)
    # An embedding's gradient is sparse, and Keras's Adam would keep the stale momentum of the rows
    # that no label of the batch names.
    return (loss, auxiliary), [tf.convert_to_tensor(g) for g in gradients]


def input_gradient(fn, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(fn(x))
    return tape.gradient(total, x)


def fused_batch_norm(x, gamma, beta, epsilon):
    one_replica = tf.distribute.get_strategy().num_replicas_in_sync == 1
    if not one_replica or x.shape.rank != 4 or x.dtype not in (tf.float32, tf.bfloat16):
        return None
    y, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon
    )
    count = tf.cast(tf.size(x) / x.shape[-1], tf.float32)
    return y, mean, unbiased * tf.maximum(count - 1, 1) / count


def train_step(model, data):
    return model.adversarial_step(data[0])


def assign(variable, value):
    def update(strategy, value):
        strategy.extended.update(variable.value, lambda v, x: v.assign(x), args=(value,))

    context = tf.distribute.get_replica_context()
    if context is None or context.strategy.num_replicas_in_sync == 1:
        variable.assign(value)
    else:
        context.merge_call(update, args=(value,))


def sync(model):
    pass


def make_deterministic():
    tf.config.experimental.enable_op_determinism()


def is_out_of_memory(error):
    return isinstance(error, tf.errors.ResourceExhaustedError)


def accelerators():
    devices = tf.config.list_physical_devices("GPU") + tf.config.list_physical_devices("TPU")
    details = map(tf.config.experimental.get_device_details, devices)
    return [d.get("device_name", "accelerator") for d in details]


@contextlib.contextmanager
def strategy(name, batch_size):
    if name == "none":
        yield True, contextlib.nullcontext
        return
    tf.get_logger().setLevel("WARNING")  # else it reports every collective
    chosen = _mirrored() if name == "mirrored" else _workers()
    if chosen.num_replicas_in_sync == 1:
        yield True, contextlib.nullcontext  # as without one, for Keras reads batches ahead in it
        return
    parts.check(batch_size, chosen.num_replicas_in_sync)
    if name == "mirrored":
        yield True, chosen.scope
    else:
        try:
            yield _is_chief(chosen.cluster_resolver), chosen.scope
        except LOST as error:
            raise ConnectionError(
                "Another worker was lost. Start all workers again, with the same --workdir: the "
                "run goes on from its last state."
            ) from error
        except DIFFERENT as error:
            if "ollective" not in str(error):
                raise
            raise ValueError(
                "The workers do different things: all need the same flags, and one --workdir that "
                "they share."
            ) from error


# One strategy a process: a second one would use the keys of the first one's collectives again, and
# fail with "Shape mismatch in the collective instance 100".
@functools.cache
def _mirrored():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@functools.cache
def _workers():
    return _Workers(_cluster_resolver())


class _Workers(tf.distribute.MultiWorkerMirroredStrategy):
    """The strategy with two things that Keras's `fit` asks of it."""

    def reduce(self, reduce_op, value, axis):
        """Reduces batches that are dicts (Keras issue 20329), and logs, which have no axis."""
        reduce = super().reduce

        def leaf(x):
            scalar = not self.experimental_local_results(x)[0].shape.rank
            return reduce(reduce_op, x, None if scalar else axis)

        return tf.nest.map_structure(leaf, value)


def _cluster_resolver():
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    try:
        spec = resolver.cluster_spec()
        addresses = itertools.chain.from_iterable(spec.as_dict().values())
        complete = all(address.rpartition(":")[2].isdigit() for address in addresses)
        if complete and resolver.task_id < spec.num_tasks(resolver.task_type):
            return resolver
    except (TypeError, ValueError, AttributeError):  # it is missing, no JSON, or names no task
        pass
    raise ValueError(
        "multi_worker needs the environment variable TF_CONFIG to say the addresses (host:port) of "
        "all workers and which of them this one is; docs/distributed.md has an example."
    )


def _is_chief(resolver):
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (first, 0)


def distribute(model, batches):
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches()

    # Given a generator, Keras would lose the batches it reads ahead before the first step.
    return _dataset(
        strategy,
        lambda mine: (parts.part(batch, i, replicas) for batch in batches() for i in mine),
    )


def distribute_evaluation(model, batches):
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return batches

    # Every replica measures all, and the mean stays the same: no part of a short batch is empty.
    return _dataset(
        model.distribute_strategy,
        lambda mine: (batches[k % len(batches)] for k in itertools.count() for _ in mine),
    )


def _dataset(strategy, elements):
    """Distributes `elements(mine)`, in which the replicas `mine` of a worker take turns."""

    def from_context(context):
        local = strategy.num_replicas_in_sync // context.num_input_pipelines
        mine = range(context.input_pipeline_id * local, (context.input_pipeline_id + 1) * local)

        def generate():
            # As floats: Keras averages the first batch over replicas, by collectives where there
            # are several machines, and those know no uint8.
            for element in elements(mine):
                yield tf.nest.map_structure(
                    lambda x: x.astype(np.float32) if x.dtype == np.uint8 else x, element
                )

        signature = tf.nest.map_structure(
            lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), next(generate())
        )
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(local)

    return strategy.distribute_datasets_from_function(from_context)


undistributed = contextlib.nullcontext  # a model computes where its scope said


@shared.WhileAny
@contextlib.contextmanager
def full_precision():
    allowed = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(allowed)
