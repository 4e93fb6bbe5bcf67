"""Trains WGAN-GP: `python -m recipes.wgan_gp.train --workdir=runs/wgan_gp`."""

import zoo
from recipes.wgan_gp import Config
from zoo import cli


def train(config, workdir):
    """Trains into `workdir` until `config.steps`; started again, it goes on from its last state."""
    return zoo.training.train_gan("wgan_gp", config, workdir)


if __name__ == "__main__":
    cli.run(train, Config)
