"""Runs one backend's share of the parity tests: `python steps.py OUT.npz`, under KERAS_BACKEND.

Weights, images and latents come from NumPy, so that every backend starts from the same numbers.
"""

import sys

import keras
import numpy as np

import zoo
from zoo import registry
from zoo.optimizers import AdversarialOptimizer

SMALL = {"width": 8, "image_size": 8, "latent_size": 6, "batch_size": 4, "n_critic": 2}


def initialise(network, rng):
    """Gives a network weights drawn by NumPy: kernels and u normal, the rest as it was built."""
    for variable in network.weights:
        if len(variable.shape) > 1:
            variable.assign(rng.normal(0, 0.2, variable.shape))
        elif variable.name == "u":
            u = rng.normal(size=variable.shape)
            variable.assign(u / np.linalg.norm(u))


def step(recipe):
    """Returns the losses and the weights after one adversarial step."""
    rng = np.random.default_rng(0)
    gan = zoo.GAN(recipe, SMALL)
    for network in (gan.generator, gan.discriminator):
        initialise(network, rng)
    # Adam divides by the root of a squared gradient: its usual epsilon would turn the rounding
    # error of a gradient that is 0 (a bias before batch norm) into a step as long as any other.
    adams = [keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.9, epsilon=1e-3) for _ in "gd"]
    gan.compile(AdversarialOptimizer(*adams))
    images = rng.integers(0, 256, (32, 8, 8, 1)).astype(np.uint8)
    labels = np.arange(32) % 10
    logs = gan.fit(images, labels, steps_per_epoch=1, verbose=0).history
    results = {f"log {name}": values for name, values in logs.items()}
    for network in ("generator", "training_generator", "discriminator"):
        for i, weight in enumerate(getattr(gan, network).get_weights()):
            results[f"weight {network} {i}"] = weight
    return results


def main(out):
    results = {}
    for recipe in registry.list_recipes():
        results |= {f"{recipe}: {key}": value for key, value in step(recipe).items()}
    for name in zoo.list_models():
        results[f"images {name}"] = zoo.load(name).sample(64, seed=0)
    loaded = {"tensorflow", "jax", "torch"} & set(sys.modules)
    np.savez(out, loaded=sorted(loaded), **results)


if __name__ == "__main__":
    main(sys.argv[1])
