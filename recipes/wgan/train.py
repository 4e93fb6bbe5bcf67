"""Trains WGAN: `python -m recipes.wgan.train --workdir=runs/wgan`."""

import zoo
from recipes.wgan import Config
from zoo import cli


def train(config, workdir):
    """Trains into `workdir` until `config.steps`; started again, it goes on from its last state."""
    return zoo.training.train_gan("wgan", config, workdir)


if __name__ == "__main__":
    cli.run(train, Config)
