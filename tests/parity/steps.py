"""Runs one backend's share of the parity tests: `python steps.py OUT.npz`, under KERAS_BACKEND.

Weights, images and latents come from NumPy, so that every backend starts from the same numbers.
"""

import dataclasses
import sys

import keras
import numpy as np

import zoo
from zoo import data, provenance, registry
from zoo.optimizers import AdversarialOptimizer

SMALL = {
    "width": 8,
    "discriminator_width": 8,
    "image_size": 8,
    "latent_size": 6,
    "batch_size": 4,
    "n_critic": 2,
}
# What else a step can do that no recipe does by default.
VARIANTS = {
    "sngan with r1": ("sngan", {"penalty": "r1", "penalty_weight": 1.0}),
    "wgan_gp relativistic": (
        "wgan_gp",
        {"loss": "relativistic", "penalty": "r1_r2", "penalty_weight": 1.0},
    ),
    "wgan_gp augmented": ("wgan_gp", {"augment": "color,translation,cutout"}),
}


def initialise(network, rng):
    """Gives a network weights drawn by NumPy: kernels, biases and u, the rest as it was built.

    A bias of 0 leaves a leaky ReLU at its kink where an image is 0, as where it was cut out, and
    the slope that a backend takes there is its own choice.
    """
    for variable in network.weights:
        if len(variable.shape) > 1 or variable.name == "bias":
            deviation = 1.0 if "equalized" in variable.path else 0.2  # which is scaled when used
            variable.assign(rng.normal(0, deviation, variable.shape))
        elif variable.name == "u":
            u = rng.normal(size=variable.shape)
            variable.assign(u / np.linalg.norm(u))
        elif variable.name == "progress":
            variable.assign(0.5)  # in the middle of a growing network's first fade


def step(recipe, settings):
    """Returns the losses and the weights after one training step."""
    rng = np.random.default_rng(0)
    Config = registry.import_recipe(recipe).Config
    names = {field.name for field in dataclasses.fields(Config)}
    config = {name: SMALL[name] for name in SMALL.keys() & names} | settings
    if getattr(Config(**config), "penalty_weight", 0):
        config["penalty_every"] = 2  # the first step is penalised, in a branch of its own
    model = registry.build(recipe, config)
    for network in model.networks:
        initialise(getattr(model, network), rng)
    # Adam divides by the root of a squared gradient: its usual epsilon would turn the rounding
    # error of a gradient that is 0 (a bias before batch norm) into a step as long as any other.
    adams = [keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.9, epsilon=1e-3) for _ in "gd"]
    adversarial, networks = isinstance(model, zoo.GAN), model.networks
    model.compile(AdversarialOptimizer(*adams) if adversarial else adams[0])
    images = rng.integers(0, 256, (32, 8, 8, 1)).astype(np.uint8)
    images = data.ArrayImages(images, np.arange(32) % 10)
    measured = {} if adversarial else {"validation_data": images}
    logs = model.fit(images, steps_per_epoch=1, verbose=0, **measured).history
    results = {f"log {name}": values for name, values in logs.items()}
    for network in (*networks, "training_generator") if adversarial else networks:
        for i, weight in enumerate(getattr(model, network).get_weights()):
            results[f"weight {network} {i}"] = weight
    return results


def outputs(model):
    """Returns 64 images of a GAN, or probabilities of a classifier for 16 images."""
    if isinstance(model, zoo.GAN):
        return model.sample(64, seed=0)
    images = np.random.default_rng(0).integers(0, 256, (16, *model.config.image_shape), np.uint8)
    return model.predict(images)


def main(out):
    results = {}
    steps = {recipe: (recipe, {}) for recipe in registry.list_recipes()} | VARIANTS
    for name, of in steps.items():
        results |= {f"{name}: {key}": value for key, value in step(*of).items()}
    for name in zoo.list_models():
        results[f"outputs {name}"] = outputs(zoo.load(name))
    loaded = {"tensorflow", "jax", "torch"} & set(sys.modules)
    np.savez(out, loaded=sorted(loaded), hardware=provenance.hardware(), **results)


if __name__ == "__main__":
    main(sys.argv[1])
