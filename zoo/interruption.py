"""Stopping a run between two steps when the system or the user asks for it."""

import signal
import threading

import keras


class Interruption(KeyboardInterrupt):
    """A run that stopped because of a signal, after it saved its state.

    Args:
        number: The signal.
        step: The last step that was saved.
    """

    def __init__(self, number, step):
        super().__init__(
            f"stopped by {signal.Signals(number).name} after step {step:,}; "
            "the same command goes on from there"
        )
        self.exit_code = 128 + number


class StopOnSignal(keras.callbacks.Callback):
    """Saves and raises an `Interruption` after the step in which SIGTERM or SIGINT came.

    It listens while it is entered as a context; a second signal ends the process at once. Put it
    after the `TrainState`, which saves whole epochs by itself.

    Args:
        state: The run's `TrainState`.
        listen: Whether to do so: not where other processes train along, which do not know of the
            signal and would wait for this one.
    """

    def __init__(self, state, listen=True):
        super().__init__()
        self.state, self.received, self.previous = state, None, {}
        self.listen = listen and threading.current_thread() is threading.main_thread()

    def __enter__(self):
        if self.listen:  # Python has handlers in the main thread only
            for number in (signal.SIGTERM, signal.SIGINT):
                self.previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error):
        self._restore_handlers()

    def _note(self, number, frame):
        self.received = number
        self._restore_handlers()

    def _restore_handlers(self):
        while self.previous:
            signal.signal(*self.previous.popitem())

    def on_train_batch_end(self, batch, logs=None):
        if self.received is not None and batch + 1 < self.params["steps"]:
            self.state.save_within_epoch()
            raise Interruption(self.received, self.model.step)

    def on_epoch_end(self, epoch, logs=None):
        if self.received is not None:
            raise Interruption(self.received, self.model.step)
