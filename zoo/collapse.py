"""Warnings of runs whose numbers are finite and yet say that nothing good is being learnt."""

import math
import warnings

import keras

PATIENCE = 3  # epochs in a row


class CollapseWarning(keras.callbacks.Callback):
    """Warns, once each time it begins, when the discriminator or the samples collapse.

    It reads the logs of an epoch:
    - `real_score` and `fake_score` are equal to a thousandth of their size: the discriminator has
      given up, and its gradients are noise.
    - A hinge or logistic `d_loss` is below 0.01: the discriminator tells all images apart with
      room to spare, has almost no gradient itself, and so stops telling what is wrong with a
      sample.
    - A `fid_*` is more than twice the lowest before: the samples get worse, as when modes collapse.

    The first two must hold for three epochs, the last for three measurements.

    Args:
        history: The epochs of the run so far, as of `TrainState`.
    """

    def __init__(self, history=()):
        super().__init__()
        self.history, self.counts, self.lowest = history, {}, {}  # by what is counted

    def on_train_begin(self, logs=None):
        if not self.counts:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # told when they were new
                for row in self.history:
                    self.on_epoch_end(None, row)

    def on_epoch_end(self, epoch, logs=None):
        real, fake = logs["real_score"], logs["fake_score"]
        self._note(
            "alike",
            abs(real - fake) <= 1e-3 * (abs(real) + abs(fake)),
            "the discriminator scores real and fake images alike: it has collapsed, or needs more "
            "updates (--n_critic) or a higher learning rate",
        )
        self._note(
            "won",
            self.model.config.loss != "wasserstein" and logs["d_loss"] < 0.01,
            "the discriminator tells all real and fake images apart and learns nothing more: it "
            "needs fewer updates (--n_critic) or a lower learning rate",
        )
        for name, value in logs.items():
            if name.startswith("fid_"):
                lowest = self.lowest.get(name, math.inf)
                self._note(
                    name,
                    value > 2 * lowest,
                    f"{name} is more than twice its lowest, {lowest:.3g}: look at the samples for "
                    "few or repeated kinds of images (mode collapse)",
                )
                self.lowest[name] = min(lowest, value)

    def _note(self, what, wrong, message):
        self.counts[what] = count = self.counts.get(what, 0) + 1 if wrong else 0
        if count == PATIENCE:
            warnings.warn(f"step {self.model.step:,}: {message}.", stacklevel=3)
