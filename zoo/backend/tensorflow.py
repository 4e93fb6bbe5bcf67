"""Gradients and the training step with TensorFlow."""

import tensorflow as tf


def value_and_grad(fn, variables, state):
    # Keras's optimizers sum gradients over replicas; a loss is a mean over its replica's batch.
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    with tf.GradientTape() as tape:
        loss, auxiliary = fn()
        scaled = loss / replicas
    gradients = tape.gradient(scaled, [v.value for v in variables])
    # An embedding's gradient is sparse, and Keras's Adam would keep the stale momentum of the rows
    # that no label of the batch names.
    dense = [g if g is None else tf.convert_to_tensor(g) for g in gradients]
    return (loss, auxiliary), dense


def input_gradient(fn, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(fn(x))
    return tape.gradient(total, x)


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


def accelerators():
    devices = tf.config.list_physical_devices("GPU") + tf.config.list_physical_devices("TPU")
    details = map(tf.config.experimental.get_device_details, devices)
    return [d.get("device_name", "accelerator") for d in details]
