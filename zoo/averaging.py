"""The moving average of a network in training, whose images are better than its own."""

from keras import ops

from zoo import backend


def update_average(average, network, decay, step):
    """Moves the weights of `average` towards those of `network`; moving statistics are copied.

    The decay is warmed up as (1 + step) / (10 + step), else the average lags for thousands of
    steps.

    Args:
        average: A network.
        network: One of the same layers.
        decay: What the average keeps of itself, in [0, 1); 0 copies.
        step: Steps that `network` has taken, a number or scalar tensor.
    """
    step = ops.cast(step, "float32")
    decay = ops.minimum(decay, (1.0 + step) / (10.0 + step))
    trainable = {id(v) for v in network.trainable_variables}
    for kept, value in zip(average.weights, network.weights):
        new = ops.convert_to_tensor(value)
        if id(value) in trainable:
            kept_now = ops.convert_to_tensor(kept)
            new = new + ops.cast(decay, new.dtype) * (kept_now - new)
        backend.assign(kept, new)
