"""Trains ProGAN: `python -m recipes.progan.train --workdir=runs/progan`."""

import warnings

import zoo
from recipes.progan import Config
from zoo import cli


def train(config, workdir):
    """Trains into `workdir` until `config.steps`; started again, it goes on from its last state.

    Warns where the run ends before its networks have grown to the size of the images.
    """
    from recipes.progan.model import last_stage

    grown = 2 * last_stage(config) * config.stage_steps
    if config.steps < grown and not config.start_from:
        warnings.warn(
            f"{config.steps:,} steps end before the networks have grown to full size, which takes "
            f"{grown:,}: more --steps, or fewer --stage_steps.",
            stacklevel=2,
        )
    return zoo.training.train_gan("progan", config, workdir)


if __name__ == "__main__":
    cli.run(train, Config)
