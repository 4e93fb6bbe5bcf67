"""Trains the model: `python -m recipes.cbn_resnet.train --workdir=runs/cbn_resnet`."""

import zoo
from recipes.cbn_resnet import Config
from zoo import cli


def train(config, workdir):
    """Trains into `workdir` until `config.steps`; started again, it goes on from its last state."""
    return zoo.training.train_gan("cbn_resnet", config, workdir)


if __name__ == "__main__":
    cli.run(train, Config)
