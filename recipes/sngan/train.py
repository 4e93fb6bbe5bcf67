"""Trains SNGAN: `python -m recipes.sngan.train --workdir=runs/sngan`."""

import zoo
from recipes.sngan import Config
from zoo import cli


def train(config, workdir):
    """Trains into `workdir` until `config.steps`; started again, it goes on from its last state."""
    return zoo.training.train_gan("sngan", config, workdir)


if __name__ == "__main__":
    cli.run(train, Config)
