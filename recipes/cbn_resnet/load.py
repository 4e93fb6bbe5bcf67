"""Loads a model and writes samples: `python -m recipes.cbn_resnet.load [NAME] [--out=grid.png]`."""

import sys

import zoo
from zoo import cli


def load(name="cbn_resnet_fmnist"):
    """Returns the `zoo.GAN` of a published name, a run's `model` folder or an `hf://` address."""
    return zoo.load(name)


if __name__ == "__main__":
    cli.main(["sample", *(sys.argv[1:] or ["cbn_resnet_fmnist"])])
