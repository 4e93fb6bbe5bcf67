"""Loads a model and writes samples: `python -m recipes.cbn_resnet.load [NAME] [--out=grid.png]`."""

import zoo
from zoo import cli

NAME = "cbn_resnet_fmnist"


def load(name=NAME):
    """Returns the `zoo.GAN` of a published name, a run's `model` folder or an `hf://` address."""
    return zoo.load(name)


if __name__ == "__main__":
    cli.sample_main(NAME)
