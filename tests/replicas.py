"""Trains recipes on one device and on two: `python replicas.py OUT.npz RECIPE...`.

Started by tests, in a process of its own, on the TensorFlow and the JAX backend.
"""

import dataclasses
import sys

import keras
import numpy as np
from processes import python

import zoo
from zoo import backend, data, registry
from zoo.divergence import DivergenceError, StopOnNonFinite
from zoo.optimizers import AdversarialOptimizer

SMALL = {"width": 8, "discriminator_width": 8, "image_size": 8, "latent_size": 6, "n_critic": 1}
BATCH_SIZE = 8


def train_on_replicas(out, recipes, backend="tensorflow"):
    """Runs this file in a process of its own; returns the arrays it wrote to `out`."""
    on_cpu = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}  # two, which TensorFlow splits
    on_cpu |= {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    python(__file__, out, *recipes, **on_cpu, KERAS_BACKEND=backend)
    with np.load(out) as file:
        return dict(file)


def check_replicas(arrays, recipe):
    """Asserts that logs and weights are those of one device, to 1e-4, and that there was a step."""
    keys = [key for key in arrays if key.startswith(f"none {recipe} ")]
    assert len(keys) > 20
    moved = 0.0
    for key in keys:
        expected, found = arrays[key], arrays[key.replace("none", "mirrored")]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4, err_msg=key)
        if "weight" in key:
            moved = max(moved, np.abs(expected - arrays[key.replace("none", "before")]).max())
    assert moved > 1e-2


def check_first_wrong(arrays, recipes):
    """Asserts that every GAN said which score was the first to be not finite."""
    found = {key: str(arrays[key]) for key in arrays if key.startswith("first wrong of ")}
    expected = "fake_score (update 1 of the step)"
    assert found == {f"first wrong of {r}": expected for r in recipes if r != "classifier"}


def split_cpu():
    """Makes two devices of the CPU for TensorFlow, without its slow rewriting of graphs."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, devices)


def train(recipe, strategy):
    """Returns a model after two steps, {name: array} of its results, and its weights before."""
    names = {field.name for field in dataclasses.fields(registry.import_recipe(recipe).Config)}
    config = {name: SMALL[name] for name in SMALL.keys() & names} | {"batch_size": BATCH_SIZE}
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (257, 8, 8, 1), np.uint8)
    images = data.ArrayImages(images, np.arange(257) % 10)
    with backend.strategy(strategy, BATCH_SIZE) as (chief, scope):
        assert chief
        with scope():
            # Adam's usual epsilon would turn rounding errors of a gradient of 0 into steps.
            adams = [keras.optimizers.Adam(1e-2, 0.0, 0.9, epsilon=1e-3) for _ in "gd"]
            model = registry.build(recipe, config)
            adversarial = isinstance(model, zoo.GAN)
            optimizer = AdversarialOptimizer(*adams) if adversarial else adams[0]
            # Two steps on one device take less time than their compilation by TensorFlow.
            eagerly = strategy == "none" and keras.backend.backend() == "tensorflow"
            model.compile(optimizer, run_eagerly=eagerly)
        before = model.get_weights()
        # 257 images leave an evaluation batch of one, less than one for each device.
        measured = {} if adversarial else {"validation_data": images}
        logs = model.fit(images, steps_per_epoch=2, verbose=0, **measured).history
        if adversarial:
            assert model.sample(3, seed=0).shape == (3, 8, 8, 1)
    results = {f"log {name}": values for name, values in logs.items()}
    results |= {f"weight {i}": weight for i, weight in enumerate(model.get_weights())}
    return model, results, before


def largest_difference(model):
    """Returns the largest difference between the two replicas' copies of a variable."""
    variables = [v.value.values for v in model.weights + model.optimizer.variables]
    return max(np.abs(a.numpy() - b.numpy()).max(initial=0.0) for a, b in variables)


def first_wrong(model):
    """Returns what a model on two devices says of a step with a weight that is not finite."""
    weight = model.training_generator.trainable_variables[0]
    weight.assign(keras.ops.full(weight.shape, np.nan))
    images = data.ArrayImages(np.zeros((16, 8, 8, 1), np.uint8), np.arange(16) % 10)
    try:
        model.fit(images, steps_per_epoch=1, verbose=0, callbacks=[StopOnNonFinite()])
    except DivergenceError as error:
        return error.term
    return ""


def refusal():
    """Returns what is said of a batch that two devices cannot share."""
    try:
        with backend.strategy("mirrored", 3):
            return ""
    except ValueError as error:
        return str(error)


def main(out, *recipes):
    tensorflow = keras.backend.backend() == "tensorflow"
    if tensorflow:
        split_cpu()
    results, differences = {"refusal": refusal()}, []
    for recipe in recipes:
        _, one, before = train(recipe, "none")
        model, two, _ = train(recipe, "mirrored")
        results |= {f"none {recipe} {key}": value for key, value in one.items()}
        results |= {f"mirrored {recipe} {key}": value for key, value in two.items()}
        results |= {f"before {recipe} weight {i}": value for i, value in enumerate(before)}
        if tensorflow:
            differences.append(largest_difference(model))
        if isinstance(model, zoo.GAN):
            results[f"first wrong of {recipe}"] = first_wrong(model)
    np.savez(out, **results, **{"largest difference of copies": max(differences, default=0.0)})


if __name__ == "__main__":
    main(*sys.argv[1:])
