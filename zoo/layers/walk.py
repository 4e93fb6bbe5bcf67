"""Every layer inside a layer or model, at any depth."""

import keras


def every_layer(item, seen=None):
    """Yields a layer and every layer reachable from its attributes, each once."""
    seen = set() if seen is None else seen
    if isinstance(item, keras.Layer):
        if id(item) not in seen:
            seen.add(id(item))
            yield item
            yield from every_layer(vars(item), seen)
    elif isinstance(item, dict):
        for value in item.values():
            yield from every_layer(value, seen)
    elif isinstance(item, (list, tuple)):
        for value in item:
            yield from every_layer(value, seen)


def copy_trainable(source, target):
    """Makes the same layers of a model trainable as are of another one that was built alike."""
    pairs = zip(every_layer(source), every_layer(target), strict=True)
    # The outermost first: a layer hands what it is told to all inside it.
    for ours, theirs in sorted(pairs, key=lambda pair: -len([*every_layer(pair[0])])):
        if ours.trainable != theirs.trainable:
            theirs.trainable = ours.trainable
