"""Numbers that are not finite stop a run, or send it back, and never reach a saved state."""

import contextlib
import dataclasses
import math
import warnings

import keras
import numpy as np
import pytest

import zoo
from recipes.wgan_gp import Config
from zoo import registry, runs, train_state, training
from zoo.collapse import CollapseWarning
from zoo.divergence import TERMS, DivergenceError, FirstNonFinite, StopOnNonFinite
from zoo.train_state import TrainState


@pytest.fixture
def config(tiny, pictures, tmp_path):
    np.savez(tmp_path / "set.npz", images=pictures)
    source = {"dataset": f"npz:{tmp_path / 'set.npz'}", "save_every": 2, "steps": 6}
    return Config.from_dict(tiny | {"n_critic": 2} | source)


def saved_steps(workdir):
    return [runs.step_of(state) for state in runs.states(workdir)]


def test_the_first_term_is_named(config, tmp_path):
    """A discriminator whose first update overflows its weights cannot score in its second."""
    config = dataclasses.replace(config, discriminator_learning_rate=1e30)
    with pytest.raises(DivergenceError) as caught:
        training.train_gan("wgan_gp", config, tmp_path / "run")
    assert (caught.value.step, caught.value.term) == (1, "real_score (update 2 of the step)")
    assert str(caught.value).startswith(
        "The run diverged at step 1: real_score (update 2 of the step) was the first to be not "
        "finite."
    )
    assert saved_steps(tmp_path / "run") == [0]


@pytest.mark.parametrize(
    ("update", "term"), [(0, "real_score"), (1, "penalty"), (1, "d_loss"), (2, "g_loss")]
)
def test_first_non_finite(update, term):
    metric = FirstNonFinite()
    fine = dict.fromkeys(TERMS, 1.0)
    for k in range(3):
        metric.update_state(k, fine)
    assert metric.in_words() is None
    wrong = dict.fromkeys(TERMS[TERMS.index(term) :], math.nan)
    metric.update_state(update, fine | wrong)
    metric.update_state(update + 1, dict.fromkeys(TERMS, math.inf))
    assert metric.in_words() == f"{term} (update {update + 1} of the step)"
    metric.reset_state()
    assert metric.in_words() is None


def test_a_state_with_a_weight_that_is_not_finite_is_never_saved(config, tmp_path):
    gan = zoo.GAN("wgan_gp", config)
    gan.compile()
    state = TrainState(tmp_path)
    state.set_model(gan)
    bad = gan.optimizer.discriminator.variables[-1]
    bad.assign(keras.ops.full(bad.shape, math.inf))
    with pytest.raises(DivergenceError, match=f"the weight {bad.path} was the first"):
        state.save()
    assert not (tmp_path / "state").exists()


class Poison(keras.callbacks.Callback):
    """Spoils a weight once, after a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step == self.step:
            kernel = self.model.training_generator.trainable_variables[0]
            kernel.assign(keras.ops.full(kernel.shape, math.nan))
            self.step = None


def start(config, workdir):
    keras.utils.set_random_seed(0)
    gan = registry.build("wgan_gp", config)
    gan.compile_for_run()
    state = TrainState(workdir)
    state.restore(gan)
    return gan, state


def test_restore_goes_back_and_halves_the_learning_rates(config, pictures, tmp_path, capsys):
    config = dataclasses.replace(config, on_nan="restore")
    gan, state = start(config, tmp_path / "run")
    watchers = [StopOnNonFinite(), Poison(3), state]
    training._fit(gan, contextlib.nullcontext, state, watchers, {"x": pictures})
    assert gan.step == 6
    assert saved_steps(tmp_path / "run") == [4, 6]
    assert [divergence["step"] for divergence in state.divergences] == [4]
    assert state.divergences[0]["term"].startswith("fake_score (update 1")
    assert "not finite; back to step 2 with half the learning rates" in capsys.readouterr().out

    # The same by hand: two steps as configured, then four at half the learning rates.
    expected, _ = start(config, tmp_path / "expected")
    expected.fit(pictures, steps_per_epoch=2, verbose=0)
    values = [variable.numpy() for variable in [*expected.variables, *expected.optimizer.variables]]
    expected.compile(optimizer=expected.make_optimizer(scale=0.5))
    for variable, value in zip([*expected.variables, *expected.optimizer.variables], values):
        variable.assign(value)
    expected.fit(pictures, steps_per_epoch=4, verbose=0)
    for ours, theirs in zip(gan.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)

    # A run that is started again knows.
    again, its_state = start(config, tmp_path / "run")
    assert its_state.divergences == state.divergences
    assert again.optimizer.generator.learning_rate == pytest.approx(1e-4)


def test_restore_gives_up_after_as_many_times_as_it_is_told(config, tmp_path, capsys):
    config = dataclasses.replace(
        config, discriminator_learning_rate=1e30, on_nan="restore", restores=2
    )
    with pytest.raises(DivergenceError):
        training.train_gan("wgan_gp", config, tmp_path / "run")
    assert capsys.readouterr().out.count("back to step 0 with half the learning rates") == 2
    assert saved_steps(tmp_path / "run") == [0]
    train_state.check_state(tmp_path / "run" / "state" / "step_0000000")


def warnings_of(config, epochs):
    watcher = CollapseWarning()
    watcher.set_model(zoo.GAN("wgan_gp", config))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for epoch, logs in enumerate(epochs):
            watcher.on_epoch_end(epoch, logs)
    return [str(warning.message) for warning in found]


@pytest.mark.parametrize("scores", [(5.0, 5.001), (0.0, 0.0)])
def test_a_collapsed_discriminator_is_told_once_each_time(config, scores):
    alike = {"real_score": scores[0], "fake_score": scores[1], "d_loss": 0.0}
    apart = alike | {"fake_score": 4.0}
    epochs = [alike, alike, apart, *[alike] * 5, apart, *[alike] * 3]
    messages = warnings_of(config, epochs)
    assert len(messages) == 2
    assert "scores real and fake images alike" in messages[0]


def test_what_was_told_before_a_run_was_stopped_is_not_told_again(config):
    alike = {"real_score": 5.0, "fake_score": 5.0, "d_loss": 0.0}
    watcher = CollapseWarning([alike] * 3)
    watcher.set_model(registry.build("wgan_gp", config))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watcher.on_train_begin()
        watcher.on_epoch_end(3, alike)
    watcher = CollapseWarning([alike] * 2)
    watcher.set_model(registry.build("wgan_gp", config))
    watcher.on_train_begin()
    with pytest.warns(UserWarning, match="scores real and fake images alike"):
        watcher.on_epoch_end(2, alike)


@pytest.mark.parametrize(("loss", "expected"), [("hinge", 1), ("wasserstein", 0)])
def test_a_discriminator_that_has_won(config, loss, expected):
    config = dataclasses.replace(config, loss=loss)
    won = {"real_score": 3.0, "fake_score": -3.0, "d_loss": 0.001}
    messages = warnings_of(config, [won] * 6)
    assert [("tells all real and fake" in message) for message in messages] == [True] * expected


def test_a_rising_fid_is_told_with_its_lowest(config):
    logs = {"real_score": 1.0, "fake_score": 0.0, "d_loss": -1.0}
    fids = [9.0, 4.0, 7.9, 8.1, 8.2, 4.1, 8.1, 8.1, 8.1, 8.1]
    epochs = [logs | {"fid_classifier": fid} for fid in fids]
    messages = warnings_of(config, epochs)
    assert len(messages) == 1
    assert "fid_classifier is more than twice its lowest, 4:" in messages[0]


def test_two_fids_have_a_lowest_each(config):
    logs = {"real_score": 1.0, "fake_score": 0.0, "d_loss": -1.0, "fid_classifier": 1.0}
    assert warnings_of(config, [logs | {"fid_inception": fid} for fid in (30.0, 29.0, 28.0)]) == []
