"""What a run does when its numbers are no longer finite, and how it knows what went wrong first."""

import math

import keras
import numpy as np
from keras import ops

from zoo import backend

TERMS = ("real_score", "fake_score", "penalty", "d_loss", "g_loss")  # as a step computes them
NONE = 1e9


class DivergenceError(FloatingPointError):
    """A run whose losses, scores or weights are not finite.

    Args:
        step: The training step.
        term: What was the first to be wrong, in words.
    """

    def __init__(self, step, term):
        super().__init__(
            f"The run diverged at step {step:,}: {term} was the first to be not finite. The states "
            "before are untouched: --on_nan=restore goes back to them, up to --restores times, and "
            "halves the learning rates; or begin a run with lower ones."
        )
        self.step, self.term = step, term


class FirstNonFinite(keras.metrics.Metric):
    """Remembers which term of which update of an epoch was the first to be not finite.

    A metric, for these are the variables that every backend lets a training step change, and that
    `fit` resets.
    """

    def __init__(self, name="first_non_finite"):
        super().__init__(name=name, dtype="float32")
        self.code = self.add_variable(
            (),
            lambda shape, dtype: ops.full(shape, NONE, dtype),
            aggregation="only_first_replica",  # a sum over replicas would be no code
        )

    def update_state(self, update, logs):
        """Looks at the terms of one update.

        Args:
            update: Number of the update in its step, from 0.
            logs: Scalars by the names in `TERMS`; others are passed over.
        """
        for i, term in enumerate(TERMS):
            if term in logs:
                found = ops.logical_and(
                    self.code == NONE, ops.logical_not(ops.isfinite(logs[term]))
                )
                code = float(update * len(TERMS) + i)
                self.code.assign(ops.where(found, code, ops.convert_to_tensor(self.code)))

    def reset_state(self):
        self.code.assign(NONE)

    def result(self):
        return ops.convert_to_tensor(self.code)

    def in_words(self):
        """Returns the term and its update, or None if all was finite."""
        code = float(ops.convert_to_numpy(self.code))
        if code >= NONE:
            return None
        update, term = divmod(int(code), len(TERMS))
        return f"{TERMS[term]} (update {update + 1} of the step)"


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises a `DivergenceError` after the first step whose logs are not finite.

    After an epoch it looks at the weights too. Put it before callbacks that measure or save: what
    they have saved then stays good. Several steps in one execution are looked at once.
    """

    def on_train_batch_end(self, batch, logs=None):
        wrong = [name for name, value in logs.items() if not math.isfinite(value)]
        if wrong:
            backend.sync(self.model)
            raise DivergenceError(self.model.step, self.model.where_diverged(wrong))

    def on_epoch_end(self, epoch, logs=None):
        check_finite(self.model, self.model.step)


def check_finite(model, step):
    """Raises a `DivergenceError` if a weight of a model or its optimizer is not finite."""
    for variable in [*model.variables, *model.optimizer.variables]:
        if not np.isfinite(np.asarray(ops.convert_to_numpy(variable), np.float32)).all():
            raise DivergenceError(step, f"the weight {variable.path}")
