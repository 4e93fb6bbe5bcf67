"""The training run that every recipe shares: data, model, callbacks, `fit`, save."""

import contextlib
import pathlib
import shutil
import sys
import tempfile
import warnings

import keras
import numpy as np

from zoo import (
    backend,
    callbacks,
    data,
    files,
    labelled,
    policy,
    registry,
    resuming,
    runs,
    starting,
)
from zoo.collapse import CollapseWarning
from zoo.divergence import DivergenceError, StopOnNonFinite
from zoo.interruption import StopOnSignal
from zoo.metrics import extractors
from zoo.metrics.periodic import PeriodicFID
from zoo.train_state import TrainState


def train_gan(recipe, config, workdir):
    """Trains a GAN recipe into a folder and saves the model there; goes on from the folder's state.

    Writes `run.json` (facts for the card), `state/` (to resume from), `history.csv`, `samples/`,
    `tensorboard/` and, at the end, `training.gif` and `model/` in the Keras directory format. With
    `fid_every` there is also `best/`, the model of the lowest FID so far, as `zoo.metrics.periodic`
    keeps it.

    Args:
        recipe: Name of the recipe.
        config: Its `Config`.
        workdir: Folder of the run; made if it does not exist.

    Returns:
        The trained `zoo.GAN`.

    Raises:
        ValueError: If another process trains in the folder, or it holds a run of another config.
        DivergenceError: If numbers are no longer finite.
        MemoryError: If it does not fit into the memory of the device.
        Interruption: After SIGTERM or SIGINT, the state being saved.
    """

    def prepare(images, workdir):
        if config.num_classes:
            data.check_labelled(images, config.num_classes)
        first = np.arange(min(config.batch_size, len(images)))
        real = images[first], images.labels[first] if config.num_classes else None
        extra = [
            callbacks.SampleGrid(workdir / "samples"),
            callbacks.TensorBoard(workdir / "tensorboard", workdir / "samples", real),
        ]
        if config.fid_every:
            saves = -(-config.steps // config.save_every)
            if config.fid_every > saves:
                raise ValueError(
                    f"fid_every counts saves, of which the run has {saves}: with "
                    f"{config.fid_every:,} there would be no FID."
                )
            classifier = extractors.get("classifier", config.dataset)
            height, width, depth = data.NAMED.get(config.dataset, config.image_shape)
            if (height, width, depth) != config.image_shape:
                raise ValueError(
                    f"{classifier.name} knows images of another size: fid_every needs "
                    f"--image_size={height} --channels={depth}."
                )
            fid = PeriodicFID(workdir / "best", config.fid_every, extractor=classifier)
            extra.insert(0, fid)  # for what it adds to the logs
        return {"x": images}, extra

    return _train(recipe, config, workdir, prepare)


def train_classifier(recipe, config, workdir):
    """Trains a classifier recipe as `train_gan` does a GAN's; there are no `samples/`.

    `val_accuracy` is that of the `holdout` of the training images, which is not trained on.

    Returns:
        The trained `zoo.Classifier`.
    """

    def prepare(images, workdir):
        data.check_labelled(images, config.num_classes)
        if config.test_dataset:  # read in the end, when the hours of work are over
            test = labelled.test_images(config, images.class_names)
            data.check_labelled(test, config.num_classes)
        training, held_out = data.split(images, config.holdout, config.seed)
        arguments = {"x": training, "validation_data": held_out if len(held_out) else None}
        return arguments, [callbacks.TensorBoard(workdir / "tensorboard")]

    return _train(recipe, config, workdir, prepare)


def _train(recipe, config, workdir, prepare):
    """Runs `fit` into a folder that no other process trains in.

    `prepare(images, workdir)` returns the data for `fit` and the callbacks of this kind of model.
    """
    if config.save_every % config.steps_per_execution or config.steps % config.steps_per_execution:
        raise ValueError("steps_per_execution must divide save_every and steps.")
    with (
        backend.short_of_memory("a smaller --batch_size or --width needs less"),
        _placed(config, workdir) as (workdir, scope),
        policy.dtype_policy(config.precision),
    ):
        if config.deterministic:
            backend.make_deterministic()
        keras.utils.set_random_seed(config.seed)
        images = _images(config)
        arguments, extra = prepare(images, workdir)
        with runs.claimed(workdir):
            facts = resuming.facts(recipe, config, images, workdir)
            fresh = not runs.has_trained(workdir)
            if fresh:
                resuming.clear(workdir)
            files.sweep(workdir, *(workdir / name for name in ("state", "samples", "best")))
            state = TrainState(workdir, config.keep)
            with scope():
                model = registry.build(recipe, config)
                if config.start_from and fresh:
                    starting.copy_weights(config.start_from, model)
                model.compile_for_run()
                state.restore(model)
            if model.step >= config.steps and (workdir / "model").is_dir():
                return _finished(model, config, workdir)
            if model.step % config.steps_per_execution:
                raise ValueError(
                    f"The run stopped at step {model.step:,}: go on with --steps_per_execution=1."
                )
            files.write_json(workdir / "run.json", facts)
            files.remove_folder(workdir / "model")  # of an end that was planned before
            # One worker's signal is no other's: they would wait for it.
            with StopOnSignal(state, listen=config.strategy != "multi_worker") as stop:
                watchers = [
                    StopOnNonFinite(),
                    *extra,
                    callbacks.Progress(config.steps),
                    *([CollapseWarning(state.history)] if config.kind == "GAN" else []),
                    state,
                    stop,
                ]
                _fit(model, scope, state, watchers, arguments)
            callbacks.save_film(workdir / "training.gif", workdir / "samples")
            model.save(workdir / "model", zipped=False)  # last: it says that the run is finished
    return model


def _finished(model, config, workdir):
    """Returns the model of a run that has ended; what tests it may still be named."""
    facts = files.read_json(workdir / "run.json")
    test_dataset = getattr(config, "test_dataset", "")
    if test_dataset and facts["config"]["test_dataset"] != test_dataset:
        facts["config"]["test_dataset"] = test_dataset
        files.write_json(workdir / "run.json", facts)
        model.save(workdir / "model", zipped=False)
    return model


def _images(config):
    """Opens the training images in the model's shape; warns where a named set has another."""
    own = data.NAMED.get(config.dataset, config.image_shape)
    if own != config.image_shape:
        warnings.warn(
            f"The images of {config.dataset} are {own}, and the run makes them "
            f"{config.image_shape}: --image_size={own[0]} --channels={own[2]} leaves them as they "
            "are.",
            stacklevel=2,
        )
    return data.load(config.dataset).resized(config.image_shape)


@contextlib.contextmanager
def _placed(config, workdir):
    """Gives the folder this process writes to, and the scope of its model.

    The folder is `workdir` for the chief. Every other worker does all that the chief does, for the
    sake of the collectives in it, in a copy of the run's state that is thrown away.
    """
    workdir = pathlib.Path(workdir)
    with backend.strategy(config.strategy, config.batch_size) as (chief, scope):
        if chief:
            yield workdir, scope
            return
        with tempfile.TemporaryDirectory() as scratch:
            for kept in ("state", "best"):
                if runs.has_trained(workdir) and (workdir / kept).is_dir():
                    ignore = shutil.ignore_patterns(f"{files.SCRATCH}*")  # the chief may be writing
                    shutil.copytree(workdir / kept, pathlib.Path(scratch) / kept, ignore=ignore)
            yield pathlib.Path(scratch), scope


def _fit(model, scope, state, watchers, arguments):
    """Runs `fit` to the last step, going back after a divergence if the config says so."""
    config = model.config
    while model.step < config.steps:
        initial_epoch, epochs, steps = next_epochs(model.step, config.steps, config.save_every)
        try:
            with _told_of_the_end(watchers):
                model.fit(
                    **arguments,
                    epochs=epochs,
                    initial_epoch=initial_epoch,
                    steps_per_epoch=steps,
                    verbose="auto" if sys.stdout.isatty() else 0,
                    callbacks=watchers,
                )
        except DivergenceError as divergence:
            if config.on_nan == "stop" or len(state.divergences) >= config.restores:
                raise
            found = {"step": divergence.step, "term": divergence.term}
            with scope():
                state.restore(model, [*state.divergences, found])
            print(
                f"step {found['step']:,}: {found['term']} was not finite; back to step "
                f"{model.step:,} with half the learning rates",
                flush=True,
            )


@contextlib.contextmanager
def _told_of_the_end(watchers):
    """Tells callbacks of an end by an error, of which Keras does not tell them."""
    try:
        yield
    except BaseException:
        for watcher in watchers:
            watcher.on_train_end()
        raise


def next_epochs(step, steps, save_every):
    """Returns (initial_epoch, epochs, steps_per_epoch) for the next call of `fit`.

    Epochs end at multiples of `save_every`; the first and the last of a run may be shorter.
    """
    epoch, done = divmod(step, save_every)
    whole = (steps - step) // save_every
    if done == 0 and whole:
        return epoch, epoch + whole, save_every
    return epoch, epoch + 1, min(save_every - done, steps - step)
