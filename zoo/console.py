"""What every command does around its work: errors of one line, a quiet start, durations."""

import contextlib
import functools
import importlib
import os
import pathlib
import signal
import sys
import threading
import warnings

BACKENDS = ("tensorflow", "jax", "torch")


@contextlib.contextmanager
def user_errors():
    """Turns the zoo's errors into one line and exit code 1, and its warnings into one."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # who started the process has closed it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        if hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="replace")  # a terminal may know no "±"
    try:
        with warnings.catch_warnings():
            warnings.showwarning = functools.partial(_warn, warnings.showwarning)
            yield
        sys.stdout.flush()
    except BrokenPipeError:  # who reads, `head` for example, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # as the signal SIGPIPE ends others
    except (ValueError, FileNotFoundError, FloatingPointError, ConnectionError) as error:
        fail(error, 1)
    except OSError as error:  # such as a full disk
        where = f": {error.filename!r}" if error.filename else ""
        fail(f"{error.strerror or error}{where}", 1)
    except MemoryError as error:
        fail(f"there is not enough memory: {error or 'ask for less at once'}", 1)
    except KeyboardInterrupt as interruption:
        fail(str(interruption) or "interrupted", getattr(interruption, "exit_code", 130))


@contextlib.contextmanager
def tidied_up():
    """Lets what is half-written be removed when the system asks the process to end."""
    if threading.current_thread() is not threading.main_thread():  # which alone has handlers
        yield
        return
    numbers = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
    before = {number: signal.signal(number, _end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number, frame):
    sys.exit(128 + number)


def import_keras(devices=True):
    """Imports Keras and looks for devices without the lines TensorFlow prints then.

    No setting turns them off; an error line is then the only line. The file descriptor is
    redirected because they come from C++; Python's errors are raised as ever.
    """
    named = os.environ.get("KERAS_BACKEND")
    if named and named not in BACKENDS:
        raise ValueError(f"KERAS_BACKEND is {named!r}; accepted are {', '.join(BACKENDS)}.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            importlib.import_module("zoo.gan")
            if devices:
                importlib.import_module("keras").ops.zeros(())
        except ModuleNotFoundError as error:
            backend = (error.name or "").partition(".")[0]
            if backend not in BACKENDS:
                raise
            raise ValueError(
                f"Keras is to use {backend}, which is not installed: pip install {backend}, or set "
                "KERAS_BACKEND to another."
            ) from error
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def fail(message, code):
    """Prints one line and ends the process."""
    print(f"{_program()}: {message}", file=sys.stderr)
    sys.exit(code)


def format_duration(seconds):
    """Formats seconds for people, such as '2 h 05 min' or '40 s'."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _warn(others, message, category, *where, **options):
    """Prints a warning for people as one line, without the place in the source; not `others`."""
    if category is UserWarning:
        print(f"{_program()}: warning: {message}", file=sys.stderr, flush=True)
    else:
        others(message, category, *where, **options)


def _program():
    return pathlib.Path(sys.argv[0]).name.replace("__main__.py", "zoo")
