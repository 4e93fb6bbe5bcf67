"""Trains the classifier: `python -m recipes.classifier.train --workdir=runs/classifier`."""

import zoo
from recipes.classifier import Config
from zoo import cli


def train(config, workdir):
    """Trains into `workdir` until `config.steps`; started again, it goes on from its last state."""
    return zoo.training.train_classifier("classifier", config, workdir)


if __name__ == "__main__":
    cli.run(train, Config)
