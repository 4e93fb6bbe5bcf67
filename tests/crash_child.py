"""A tiny run in a process of its own, as a recipe's command does it."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from recipes.wgan_gp import Config
from zoo import console, training


def run(workdir, log, hyperparameters):
    """Trains until the end, or until it is killed; what it prints goes to the file `log`."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = ["train"]
    # Rewriting the graph takes longer than its few steps.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    with console.user_errors():
        training.train_gan("wgan_gp", Config(**hyperparameters), workdir)
