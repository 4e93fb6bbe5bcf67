"""Loads a ProGAN and writes samples: `python -m recipes.progan.load [NAME] [--out=grid.png]`."""

import sys

import zoo
from zoo import cli


def load(name="progan_fmnist"):
    """Returns the `zoo.GAN` of a published name, a run's `model` folder or an `hf://` address."""
    return zoo.load(name)


if __name__ == "__main__":
    cli.main(["sample", *(sys.argv[1:] or ["progan_fmnist"])])
