"""Settings of a whole process that several threads change at once."""

import contextlib
import threading


class WhileAny:
    """A context that is entered by the first of the threads within it and left by the last.

    Args:
        context: Called without arguments; makes the context that is entered and left.
    """

    def __init__(self, context):
        self._context, self._entered = context, contextlib.ExitStack()
        self._lock, self._within = threading.Lock(), 0

    @contextlib.contextmanager
    def __call__(self):
        with self._lock:
            if not self._within:
                self._entered.enter_context(self._context())
            self._within += 1
        try:
            yield
        finally:
            with self._lock:
                self._within -= 1
                if not self._within:
                    self._entered.close()
