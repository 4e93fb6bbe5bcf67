"""The `zoo` command, and `run`, which makes a command of a recipe's `train`."""

import argparse
import dataclasses
import functools
import os
import sys

from zoo import cli_metrics
from zoo.console import fail, format_duration, import_keras, tidied_up, user_errors


def run(train, Config, argv=None, end="the model is in {}", made="model"):
    """Runs `train(config, workdir)` with absl flags made from the fields of `Config`.

    In the end it says, in the words of `end`, where `made` is, which is in the workdir.

    A bad flag is one line and exit code 2; what `user_errors` knows, raised by `train`, is one line
    and exit code 1, or 128 and the signal's number.
    """
    from absl import app, flags

    flags.DEFINE_string("workdir", None, "Folder of the run; an earlier run in it goes on.")
    define_flags(Config, flags.FLAGS)
    for name in ("workdir", *(field.name for field in dataclasses.fields(Config))):
        # --help shows the flags that belong to the script.
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
    configs = []

    def parse(argv):
        try:
            arguments = flags.FLAGS(argv)
            if arguments[1:]:
                raise ValueError(f"Unexpected argument {arguments[1]!r}; flags begin with --.")
            if not flags.FLAGS.workdir:
                raise ValueError("Say where the run lives: --workdir=FOLDER.")
            flags.FLAGS.workdir = os.path.expanduser(flags.FLAGS.workdir)
            configs.append(config_from_flags(Config, flags.FLAGS, flags.FLAGS.workdir))
        except (flags.Error, ValueError, FileNotFoundError) as error:
            fail(error, 2)
        except SystemExit:  # absl has printed its help, and calls that a failure
            sys.exit(0)
        return arguments

    def main(_):
        with user_errors():
            # Workers find each other before they look for devices.
            import_keras(devices=configs[0].strategy != "multi_worker")
            train(configs[0], flags.FLAGS.workdir)
            print(f"finished: {end.format(os.path.join(flags.FLAGS.workdir, made))}")

    app.run(main, argv=argv, flags_parser=parse)


def define_flags(Config, flag_values):
    """Defines one absl flag per field of a `RecipeConfig`."""
    from absl import flags

    kinds = {
        bool: flags.DEFINE_boolean,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }
    defaults = Config()
    for field in dataclasses.fields(Config):
        default, choices = getattr(defaults, field.name), field.metadata.get("choices")
        help = field.metadata["help"] + (
            f" One of {', '.join(map(str, choices))}." if choices else ""
        )
        kinds[type(default)](field.name, default, help, flag_values=flag_values)


def config_from_flags(Config, flag_values, workdir=None):
    """Returns the `Config` that the parsed flags describe.

    With `--start_from` what no flag says is as in the model that the run starts from, or, where the
    run in `workdir` goes on, as it was in that model then.
    """
    from zoo import starting

    values = {field.name: flag_values[field.name].value for field in dataclasses.fields(Config)}
    if values["start_from"]:
        given = {name for name in values if flag_values[name].present}
        inherited = starting.hyperparameters(values["start_from"], Config, workdir)
        values |= {name: value for name, value in inherited.items() if name not in given}
    return Config.from_dict(values)


def main(argv=None):
    """The `zoo` command."""
    arguments = parser().parse_args(argv)
    for name, value in vars(arguments).items():
        if isinstance(value, str) and value.startswith("~"):  # --out=~/x: no shell expands it
            setattr(arguments, name, os.path.expanduser(value))
    with tidied_up(), user_errors():
        arguments.function(arguments)


def sample_main(default):
    """Runs `zoo sample` with the arguments of a script, of the model `default` if none is named."""
    arguments = sys.argv[1:]
    named = arguments[:1] and not arguments[0].startswith("-")
    main(["sample", *([] if named else [default]), *arguments])


def parser():
    """Returns the parser of the `zoo` command; building it imports no framework."""
    root = argparse.ArgumentParser("zoo", description="Pretrained GANs for Keras.")
    commands = root.add_subparsers(required=True, metavar="COMMAND")

    def command(function, help):
        sub = commands.add_parser(function.__name__.strip("_").replace("_", "-"), help=help)
        sub.set_defaults(function=function)
        return sub

    sub = command(list_, "the published models")
    sub.add_argument("pattern", nargs="?", default="*", help='such as "*fmnist*"')

    sub = command(show, "a model's facts")
    _model_argument(sub)

    sub = command(sample, "write generated images")
    _model_argument(sub)
    sub.add_argument("--n", type=int, help="how many (default: 64, or one per label)")
    sub.add_argument("--labels", help="classes, such as 3 or 0,1,2; conditional models only")
    _sampling_arguments(sub, "samples.png", "picture of a grid, or .npz of uint8 images")

    sub = command(interpolate, "write an animation between two latents")
    _model_argument(sub)
    sub.add_argument("--steps", type=int, default=32, help="images of the walk (default: 32)")
    sub.add_argument("--label", help="class, or 2,7 to walk between two; conditional models only")
    _sampling_arguments(sub, "walk.gif", "animation, .gif or .webp, or .npz of uint8 images")

    sub = command(export, "write a named data set to an .npz, for other backends")
    sub.add_argument("dataset", help="fashion_mnist or cifar10")
    sub.add_argument("out", nargs="?", help="the .npz file (default: where they look for it)")
    sub.add_argument("--split", default="train", choices=("train", "test"))

    sub = command(publish, "turn a run into a published model; --push sends it to the Hub")
    sub.add_argument("name", help="the model's name")
    sub.add_argument("--workdir", help="folder of the run")
    sub.add_argument("--best", action="store_true", help="the weights that PeriodicFID kept")
    sub.add_argument("--checkpoints", help="folder of your own to publish in (default: the zoo's)")
    sub.add_argument("--push", action="store_true", help="upload the folder to the Hub")

    sub = command(runs, "what the training runs below a folder are doing")
    sub.add_argument("folder", nargs="?", default=".", help="where to look (default: here)")

    command(cards, "write cards and index again, from metadata.json")
    cli_metrics.add_commands(command)
    return root


def _model_argument(sub):
    sub.add_argument("name", help="published name, ./folder or hf://user/repository")


def _sampling_arguments(sub, out, help):
    sub.add_argument("--seed", type=int, default=0, help="same seed, same images (default: 0)")
    sub.add_argument("--truncation", type=float, default=1.0, help="in (0, 1] (default: 1)")
    sub.add_argument("--out", default=out, help=f"{help} (default: {out})")


def list_(arguments):
    from zoo import registry

    for name in registry.list_models(arguments.pattern):
        entry = registry.index()[name]
        print(f"{name:24}  recipe {entry['recipe']:12}  trained on {entry['dataset']}")


def show(arguments):
    from zoo import hub

    folder, _ = hub.locate(arguments.name)
    card = folder / "README.md"
    if not card.is_file():
        hub.describe(folder)  # refuses what is no model
        card = folder / "config.json"
    print(card.read_text(encoding="utf-8"))


def _integers(flag, text):
    """Reads "3" as 3, "2,7" as [2, 7], and None as None."""
    if text is None:
        return None
    try:
        integers = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(f"{flag} takes integers, not {text!r}.") from error
    return integers[0] if len(integers) == 1 else integers


def _load_gan(name):
    import zoo

    model = zoo.load(name)
    if not isinstance(model, zoo.GAN):
        raise ValueError(f"{name!r} is a {type(model).kind}: it generates no images.")
    return model


def _writer(out, animated=False):
    """Returns the function that writes images to `out`, once it is known that it can."""
    from zoo import files, grids

    if out.endswith(".npz"):
        files.check_place(out)
        return lambda images: grids.save_npz(out, images=images)
    grids.check_writable(out, animated)
    return functools.partial(grids.save_animation if animated else grids.save_grid, out)


def sample(arguments):
    write = _writer(arguments.out)
    import_keras()
    labels = _integers("--labels", arguments.labels)
    n = arguments.n
    if n is None and not isinstance(labels, list):
        n = 64
    images = _load_gan(arguments.name).sample(
        n, seed=arguments.seed, labels=labels, truncation=arguments.truncation
    )
    write(images)
    print(f"{len(images)} images in {arguments.out}")


def interpolate(arguments):
    write = _writer(arguments.out, animated=True)
    import_keras()
    images = _load_gan(arguments.name).interpolate(
        arguments.steps,
        seed=arguments.seed,
        label=_integers("--label", arguments.label),
        truncation=arguments.truncation,
    )
    write(images)
    print(f"{len(images)} images in {arguments.out}")


def export(arguments):
    import_keras()
    from zoo import data, files, grids

    if arguments.dataset not in data.NAMED:
        raise ValueError(
            f"There is no named set {arguments.dataset!r}; accepted are {', '.join(data.NAMED)}."
        )
    out = arguments.out or data.exported(arguments.dataset, arguments.split)
    if not str(out).endswith(".npz"):
        raise ValueError(f"The file must end in .npz, but is {out!r}.")
    if arguments.out:
        files.check_place(out)
    images = data.load(arguments.dataset, arguments.split)
    if not arguments.out:
        out.parent.mkdir(parents=True, exist_ok=True)
    grids.save_npz(out, images=images.images, labels=images.labels)
    print(f"{len(images)} images in {out}")


def publish(arguments):
    import_keras()
    from zoo import cards, hub

    if not arguments.workdir and (arguments.best or not arguments.push):
        raise ValueError("Say which run is to be published: --workdir=FOLDER.")
    if arguments.push and arguments.checkpoints:
        raise ValueError(
            "--push is for the zoo's own models; a model of your own goes to the Hub by "
            'zoo.load("./FOLDER").save("hf://user/repository").'
        )
    if arguments.workdir:
        where = arguments.checkpoints
        print(cards.publish(arguments.name, arguments.workdir, where, best=arguments.best))
        cards.write_cards(where)
    if arguments.push:
        print(hub.push(arguments.name))


def runs(arguments):
    from zoo import runs

    found = runs.list_runs(arguments.folder)
    if not found:
        raise ValueError(f"There is no run in {arguments.folder!r}.")
    width = max(len(run["run"]) for run in found)
    for run in found:
        spent = format_duration(60 * run["minutes"])
        fid = "{} {:.3g}".format(*run["fid"]) if run["fid"] else ""
        print(
            f"{run['run']:{width}}  {run['recipe']:10}  {run['state']:8}  "
            f"step {run['step']:,} of {run['steps']:,}  {spent}  {fid}".rstrip()
        )


def cards(arguments):
    from zoo import cards

    cards.write_cards()
