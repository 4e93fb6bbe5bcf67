"""Training images per second of the zoo's recipes, of PyTorch, and of a loop of gradient tapes.

    python -m benchmarks.training [--recipes=wgan_gp,sngan] [--width=32] [--json=speed.json]

KERAS_BACKEND chooses the framework of the zoo. `--help` has all options. Each number is of real
images, those the discriminator or classifier is shown, per second of the median step, on random
images of Fashion-MNIST's size:

    zoo     the recipe's model, trained by its own `fit`
    torch   the same networks in plain PyTorch, in its usual loop; needs `pip install torch`
    tapes   WGAN-GP in the style of keras.io's example; TensorFlow only
    of peak operations per second of the zoo and of PyTorch, as a fraction of the fastest product of
            large matrices in this run, in the precision of the training; operations are counted
            (see `benchmarks/flops.py`), not estimated
    data    making a batch, as a fraction of the zoo's step; TensorFlow does it in the background
    cores   CPU seconds per second of the zoo's: less than was asked for means a busy machine
"""

import itertools
import platform
import statistics
import sys
import time

import keras
import numpy as np
from keras import ops

from benchmarks import workload
from zoo import files, provenance
from zoo.policy import dtype_policy

NO_TORCH = "PyTorch is not installed: its columns, and shares of peak, are left out."
DTYPES = {"float32": "float32", "mixed_bfloat16": "bfloat16"}
HEADER = ("recipe", "parameters", "zoo", "torch", "zoo/torch", "tapes")
HEADER += ("zoo of peak", "torch of peak", "data", "cores")


class StopByClock(keras.callbacks.Callback):
    """Ends `fit` when a `workload.Clock` says so."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = self.clock.tick(batch + 1)


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    options = workload.parse(arguments)
    torch_training, flops = _torch_modules()
    with dtype_policy(options.precision):
        report = machine(options, torch_training)
        _say("counting operations" if flops else NO_TORCH)
        zoo_flops = flops.of_recipes(arguments) if flops else {}
        report["recipes"] = {
            recipe: measure(recipe, options, torch_training, flops, zoo_flops.get(recipe))
            for recipe in options.recipes
        }
    print(table(report))
    if options.json:
        files.write_json(options.json, report)


def _torch_modules():
    try:
        from benchmarks import flops, torch_training
    except ModuleNotFoundError as error:
        if error.name.split(".")[0] != "torch":
            raise
        return None, None
    return torch_training, flops


def _say(text):
    print(text, file=sys.stderr, flush=True)


# The machine


def machine(options, torch_training):
    """Returns what the numbers were measured on and with, and the rates of matrix products."""
    matmul = {}
    for dtype in DTYPES.values():
        _say(f"matrix products in {dtype}")
        rates = {"keras": _matmul_rate(options, _keras_product(options.matmul_size, dtype))}
        if torch_training:
            product = torch_training.matrix_product(options.matmul_size, dtype)
            rates["torch"] = _matmul_rate(options, product)
        matmul[dtype] = rates
    return {
        "hardware": provenance.hardware(),
        "python": platform.python_version(),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        "options": vars(options),
        "matmul_flops_per_second": matmul,
    }


def _keras_product(size, dtype):
    x = np.random.default_rng(0).standard_normal((size, size), np.float32)
    x = ops.cast(ops.convert_to_tensor(x), dtype)
    return lambda: ops.convert_to_numpy(ops.cast(ops.matmul(x, x)[0, 0], "float32"))


def _matmul_rate(options, product):
    """Returns operations per second of the fastest product."""
    product()
    start, times = time.perf_counter(), []
    while len(times) < 3 or time.perf_counter() - start < options.seconds / 4:
        before = time.perf_counter()
        product()
        times.append(time.perf_counter() - before)
    return 2 * options.matmul_size**3 / min(times)


# One recipe


def measure(recipe, options, torch_training, flops, zoo_flops):
    """Returns the timings of one recipe by loop, and of its batches alone."""
    model = workload.build(recipe, options)
    images = workload.random_images(model.config)
    parameters = workload.count_parameters(model)
    _say(f"{recipe}: the zoo's fit")
    loops = {"zoo": _time_fit(model, options, lambda stop: _fit(model, images, stop))}
    loops["zoo"]["flops_per_step"] = zoo_flops
    training = torch_training and torch_training.make(recipe, model.config)
    batches = model.batches(images, 0)
    if training:
        _say(f"{recipe}: PyTorch")
        assert training.parameters == parameters, f"{training.parameters} and {parameters}"
        loops["torch"] = _time_torch(model, options, training, batches)
        loops["torch"]["flops_per_step"] = flops.count(lambda: training.step(next(batches)))
    if recipe == "wgan_gp" and keras.backend.backend() == "tensorflow":
        from benchmarks import tape_training

        _say(f"{recipe}: gradient tapes")
        loops["tapes"] = _time_fit(
            model, options, lambda stop: tape_training.fit(model, images.images, stop)
        )
    return {
        "parameters": parameters,
        "images_per_step": model.images_per_step,
        "loops": loops,
        "seconds_per_batch": _batch_seconds(batches),
    }


def _fit(model, images, stop):
    model.fit(images, steps_per_epoch=10**6, verbose=0, callbacks=[stop])


def _time_fit(model, options, fit):
    clock = workload.Clock(options.seconds)
    fit(StopByClock(clock))
    return clock.result(model.images_per_step)


def _time_torch(model, options, training, batches):
    clock = workload.Clock(options.seconds)
    for steps in itertools.count(1):
        training.step(next(batches))
        if clock.tick(steps):
            return clock.result(model.images_per_step)


def _batch_seconds(batches, repeats=20):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        next(batches)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


# The table


def table(report):
    """Returns the report as text."""
    options = report["options"]
    matmul = report["matmul_flops_per_second"]
    lines = [
        f"{report['hardware']}, Keras {report['keras']} on {report['backend']}",
        f"{options['image_size']}x{options['image_size']} grey, width {options['width']}, "
        f"discriminator_width {options['discriminator_width']}, batch {options['batch_size']}, "
        f"{options['precision']}, jit {options['jit']}, "
        f"steps_per_execution {options['steps_per_execution']}; images per second",
    ]
    for dtype, rates in matmul.items():
        measured = ", ".join(f"{name} {rate / 1e9:,.1f}" for name, rate in rates.items())
        lines.append(f"matrix products in {dtype}, GFLOP/s: {measured}")
    peak = max(matmul[DTYPES[options["precision"]]].values())
    rows = [HEADER, *(_row(name, row, peak) for name, row in report["recipes"].items())]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
    return "\n".join(lines)


def _row(recipe, row, peak):
    loops, zoo = row["loops"], row["loops"]["zoo"]

    def rate(name):
        return f"{loops[name]['images_per_second']:,.1f}" if name in loops else "-"

    def share(name):
        operations = loops.get(name, {}).get("flops_per_step")
        return f"{operations / loops[name]['seconds_per_step'] / peak:.0%}" if operations else "-"

    ratio = "-"
    if "torch" in loops:
        ratio = f"{zoo['images_per_second'] / loops['torch']['images_per_second']:.2f}"
    batch = row["seconds_per_batch"] / zoo["seconds_per_step"]
    return (
        *(recipe, f"{row['parameters']:,}", rate("zoo"), rate("torch"), ratio, rate("tapes")),
        *(share("zoo"), share("torch"), f"{batch:.1%}", f"{zoo['cores']:.2f}"),
    )


if __name__ == "__main__":
    main()
