"""What a run shows: TensorBoard's events, the film of its samples."""

import contextlib
import resource
import signal
import struct
import threading

import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto import event_pb2

from recipes.sngan import Config
from zoo import callbacks, training
from zoo.grids import grid
from zoo.layers import spectral_norm_layers, spectral_norm_value


def events(folder):
    """Reads TensorBoard's files: records of a length, its checksum, an event and its checksum."""
    for path in sorted(folder.glob("events*")):
        data, start = path.read_bytes(), 0
        while start < len(data):
            (length,) = struct.unpack_from("<Q", data, start)
            yield event_pb2.Event.FromString(data[start + 12 : start + 12 + length])
            start += 16 + length


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 5 steps, saved every 2, and its model."""
    folder = tmp_path_factory.mktemp("callbacks")
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8)
    np.savez(folder / "set.npz", images=images)
    config = Config(
        dataset=f"npz:{folder / 'set.npz'}",
        image_size=8,
        width=8,
        discriminator_width=8,
        latent_size=6,
        batch_size=4,
        n_critic=1,
        steps=5,
        save_every=2,
    )
    return folder / "run", training.train_gan("sngan", config, folder / "run")


def test_tensorboard_has_every_log_at_its_step(run):
    folder, model = run
    values, starts = {}, []
    for event in events(folder / "tensorboard"):
        if event.HasField("session_log"):
            starts.append(event.step)
        for value in event.summary.value:
            values.setdefault(value.tag, {})[event.step] = value
    assert starts == [1, 5], "whole epochs, then a shorter one: nothing written is hidden"
    assert all(list(steps) == [2, 4, 5] for steps in values.values())

    rows = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
    losses = [value.simple_value for value in values["d_loss"].values()]
    np.testing.assert_allclose(losses, rows["d_loss"], rtol=1e-6)
    for layer in spectral_norm_layers(model.discriminator):
        sigma = values[f"sigma/{layer.name}"][5].simple_value
        assert sigma == pytest.approx(spectral_norm_value(layer), rel=1e-5)
    fake = values["scores/fake"][5].histo
    scores = model.scores(model.sample(4, seed=0))
    assert (fake.num, values["scores/real"][5].histo.num) == (4, 4)
    assert (fake.min, fake.max) == pytest.approx((scores.min(), scores.max()), rel=1e-5)
    assert values["samples"][5].image.width > 8


def test_the_film_runs_from_the_first_grid_to_the_last(run, tmp_path):
    folder, model = run
    grids = [np.asarray(Image.open(path)) for path in sorted((folder / "samples").iterdir())]
    np.testing.assert_array_equal(grids[-1], grid(model.sample(64, seed=0))[..., 0])
    with Image.open(folder / "training.gif") as film:
        assert film.n_frames == len(grids) == 3
        for i, expected in enumerate(grids):
            film.seek(i)
            np.testing.assert_allclose(np.asarray(film.convert("L"), int), expected, atol=2)
    callbacks.save_film(tmp_path / "short.gif", folder / "samples", frames=2)
    with Image.open(tmp_path / "short.gif") as film:
        assert film.n_frames == 2
        film.seek(1)
        np.testing.assert_allclose(np.asarray(film.convert("L"), int), grids[2], atol=2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_does_not_wait_for_tensorboard_after_a_write_that_failed(run, tmp_path):
    """Its thread of the events is at its end then, and takes no more of them."""
    board = callbacks.TensorBoard(tmp_path)
    board.set_model(run[1])
    board.on_train_begin()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        board.writer.add_text("notes", "x" * 50_000, 1)
        with contextlib.suppress(OSError):
            board.writer.flush()
        worker = board.writer.file_writer.event_writer._worker
        worker.join(20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not worker.is_alive()
    logs = {f"loss_{k}": 1.0 for k in range(50)}
    thread = threading.Thread(target=board.on_epoch_end, args=(0, logs), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
