"""What every measurement of training shares: the options, the models they mean, and the clock."""

import argparse
import dataclasses
import statistics
import time

import numpy as np

from zoo import data, files, registry

IMAGES = 10_000
GROWN = 1_000  # a step at which progan, which grows by a doubling per step here, has grown
UNTIMED, TIMED = 2, 3  # first executions, which trace and warm up; executions timed at least


def parse(arguments=None):
    """Returns the options of the command line, or of a list of arguments."""
    parser = argparse.ArgumentParser("python -m benchmarks.training")
    recipes = registry.list_recipes()
    parser.add_argument("--recipes", default=",".join(recipes), help="comma-separated; all")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--discriminator_width", type=int, help="of recipes with one; the width")
    parser.add_argument("--image_size", type=int, default=28, help="of random grey images")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--precision", default="float32", choices=("float32", "mixed_bfloat16"))
    parser.add_argument("--jit", default="auto", choices=("auto", "on", "off"))
    parser.add_argument("--steps_per_execution", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6.0, help="of every measurement")
    parser.add_argument("--matmul_size", type=int, default=2048, help="rows of the square matrices")
    parser.add_argument("--json", metavar="FILE", help="where to write the numbers, too")
    options = parser.parse_args(arguments)
    options.recipes = options.recipes.split(",")
    options.discriminator_width = options.discriminator_width or options.width
    try:
        for recipe in options.recipes:
            registry.known(recipe, recipes, "recipe")
        if options.json:
            files.check_parent(options.json)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    return options


def build(recipe, options):
    """Builds and compiles a recipe's model at the size that the options say, fully grown."""
    Config = registry.import_recipe(recipe).Config
    wanted = vars(options) | {"stage_steps": 1}
    names = {field.name for field in dataclasses.fields(Config)} & wanted.keys()
    model = registry.build(recipe, {name: wanted[name] for name in names})
    model.compile_for_run()
    model.optimizer.iterations.assign(GROWN)
    return model


def random_images(config):
    """Returns labelled images of the config's shape, as a data source."""
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, *config.image_shape), np.uint8)
    return data.ArrayImages(images, np.arange(IMAGES) % 10)


def count_parameters(model):
    """Returns how many trainable numbers the networks of a model have."""
    networks = [getattr(model, name) for name in model.networks]
    return sum(int(np.prod(v.shape)) for of in networks for v in of.trainable_variables)


class Clock:
    """Times a loop, told of the end of every execution of one or more steps.

    Args:
        seconds: How long to measure, after the executions that trace and warm up.
    """

    def __init__(self, seconds):
        self.seconds, self.marks = seconds, []

    def tick(self, steps):
        """Notes that so many steps have been taken in all; returns whether to stop."""
        self.marks.append((steps, time.perf_counter(), time.process_time()))
        timed = self.marks[UNTIMED - 1 :]
        return len(timed) > TIMED and timed[-1][1] - timed[0][1] >= self.seconds

    def result(self, images_per_step):
        """Returns the rate of the median execution, and how many cores the process had."""
        timed = self.marks[UNTIMED - 1 :]
        pairs = zip(timed, timed[1:])
        seconds = statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs)
        (_, start, cpu_start), (_, end, cpu_end) = timed[0], timed[-1]
        return {
            "images_per_second": images_per_step / seconds,
            "seconds_per_step": seconds,
            "cores": (cpu_end - cpu_start) / (end - start),
        }
