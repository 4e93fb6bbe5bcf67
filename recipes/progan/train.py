"""Trains ProGAN: `python -m recipes.progan.train --workdir=runs/progan`."""

import zoo
from recipes.progan import Config
from zoo import cli


def train(config, workdir):
    """Trains into `workdir` until `config.steps`; started again, it goes on from its last state."""
    return zoo.training.train_gan("progan", config, workdir)


if __name__ == "__main__":
    cli.run(train, Config)
