"""`zoo.GAN`: the step, the average, sampling, saving."""

import resource
import signal

import keras
import numpy as np
import pytest

import zoo
from zoo import files, layers, penalties, sampling
from zoo.gan import LOGS
from zoo.layers.spectral_norm import layer_matrix
from zoo.model import to_float


def build(tiny, **values):
    keras.utils.set_random_seed(0)
    gan = zoo.GAN("wgan_gp", tiny | values)
    gan.compile()
    return gan


def weights(network):
    return [np.array(w) for w in network.get_weights()]


def changed(before, network):
    return [not np.array_equal(a, b) for a, b in zip(before, weights(network))]


def test_fit_counts_generator_steps_and_logs_means(tiny, pictures):
    gan = build(tiny, n_critic=3)
    history = gan.fit(pictures, epochs=2, steps_per_epoch=2, verbose=0).history
    assert gan.step == 4
    assert int(gan.optimizer.discriminator.iterations) == 12
    assert set(history) == set(LOGS)
    assert np.isfinite(list(history.values())).all()
    difference = np.subtract(history["real_score"], history["fake_score"])
    np.testing.assert_allclose(history["wasserstein"], difference, atol=1e-6)


def test_an_epoch_is_one_pass_by_default(tiny, pictures):
    gan = build(tiny, n_critic=2)
    gan.fit(pictures, verbose=0)
    assert gan.step == 3, "24 images, 4 x 2 per step"


def test_every_discriminator_update_sees_other_real_images(tiny, pictures):
    """With the n-th real image known by its level, the step must read all n_critic slices."""
    gan = build(tiny, n_critic=2, jit="off")
    gan.compile(run_eagerly=True)
    seen = []
    call = gan.discriminator.call
    gan.discriminator.call = lambda x, **kwargs: seen.append(np.array(x)) or call(x, **kwargs)
    gan.fit(pictures, steps_per_epoch=1, verbose=0)
    # Per update: real, fake, and the penalty's mix; then the generator's fake.
    assert len(seen) == 7
    levels = [set(np.rint((x[:, 0, 0, 0] + 1) * 127.5)) for x in (seen[0], seen[3])]
    assert levels[0].isdisjoint(levels[1])
    assert all(len(level) == 4 for level in levels)
    assert all(level % 10 == 0 for group in levels for level in group)


def test_average_is_warmed_up_and_moving_statistics_are_copied(tiny, pictures):
    gan = build(tiny, ema_decay=0.999)
    start = weights(gan.generator)
    gan.fit(pictures, steps_per_epoch=1, verbose=0)
    decay = (1 + 1) / (10 + 1)
    trainable = {id(v) for v in gan.training_generator.trainable_variables}
    assert len(trainable) == 11, "dense, 2 transposed and 1 plain convolution, 3 norms, 1 bias"
    for before, average, value in zip(start, gan.generator.weights, gan.training_generator.weights):
        expected = np.array(value)
        if id(value) in trainable:
            expected = decay * before + (1 - decay) * expected
        np.testing.assert_allclose(np.array(average), expected, atol=1e-6)


def test_no_average_when_the_decay_is_zero(tiny, pictures):
    gan = build(tiny, ema_decay=0.0)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    for average, value in zip(weights(gan.generator), weights(gan.training_generator)):
        np.testing.assert_array_equal(average, value)


def test_discriminator_update_moves_only_the_discriminators_trainable_weights(tiny, pictures):
    """With a generator learning rate of 0 its weights stay; its moving statistics do not."""
    gan = build(tiny, generator_learning_rate=0.0)
    generator, discriminator = weights(gan.training_generator), weights(gan.discriminator)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    for variable, moved in zip(
        gan.discriminator.weights, changed(discriminator, gan.discriminator)
    ):
        assert moved == (variable.path != "scores/bias"), "its gradient is -1 + 1"
    for variable, moved in zip(
        gan.training_generator.weights, changed(generator, gan.training_generator)
    ):
        assert moved == ("moving" in variable.name)


@pytest.mark.parametrize("penalty", ["gradient_penalty", "r1"])
def test_penalty_is_in_the_loss(tiny, pictures, penalty):
    gan = build(tiny, penalty=penalty, penalty_weight=3.0)
    logs = gan.fit(pictures, steps_per_epoch=1, verbose=0).history
    expected = -logs["wasserstein"][0] + 3 * logs["penalty"][0]
    np.testing.assert_allclose(logs["d_loss"][0], expected, rtol=1e-5)


def test_a_lazy_penalty_is_seldom_and_as_much_larger(tiny, pictures):
    rates = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
    gan = build(tiny, penalty="r1", penalty_weight=2.0, penalty_every=3, **rates)
    images = np.repeat(pictures[:1], len(pictures), axis=0)
    logs = gan.fit(images, steps_per_epoch=1, epochs=3, verbose=0).history
    penalty = float(penalties.r1(gan.discriminator, to_float(images[:1])))
    np.testing.assert_allclose(logs["penalty"], [3 * penalty, 0.0, 0.0], rtol=1e-5)


def test_r1_is_that_of_the_real_images_alone(tiny, pictures):
    rates = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
    gan = build(tiny, penalty="r1", penalty_weight=1.0, **rates)
    images = np.repeat(pictures[:1], len(pictures), axis=0)
    logs = gan.fit(images, steps_per_epoch=1, verbose=0).history
    expected = penalties.r1(gan.discriminator, to_float(images[:1]))
    np.testing.assert_allclose(logs["penalty"][0], float(expected), rtol=1e-5)


def test_penalty_sees_the_critic_as_it_is_used(tiny, pictures):
    """Its pass does not count among those that move batch statistics."""
    moving = []
    for penalty_weight in (0.0, 10.0):
        keras.utils.set_random_seed(0)
        rates = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
        config = tiny | rates | {"critic_norm": "batch", "penalty_weight": penalty_weight}
        gan = zoo.GAN("wgan", config)
        before = weights(gan.discriminator)
        gan.fit(pictures, steps_per_epoch=1, verbose=0)
        assert any(changed(before, gan.discriminator)), "the passes over real and fake do"
        moving.append(weights(gan.discriminator))
    for without, penalised in zip(*moving):
        np.testing.assert_array_equal(without, penalised)


def test_u_moves_once_for_a_discriminator_update(tiny, pictures):
    """By one step of power iteration of the kernel before the update (Miyato et al. 2018)."""
    config = tiny | {"discriminator_width": 8, "discriminator_learning_rate": 1e-3}
    gan = zoo.GAN("sngan", config)
    found = layers.spectral_norm_layers(gan.discriminator)
    assert len(found) == 11, "4 blocks of two convolutions, 2 of them with a third; the dense"
    matrices = [np.array(layer_matrix(layer.layer)) for layer in found]
    expected = [w @ (w.T @ np.array(layer.u)) for w, layer in zip(matrices, found)]
    gan.fit(pictures, steps_per_epoch=1, verbose=0)
    for layer, u, before in zip(found, expected, matrices):
        np.testing.assert_allclose(np.array(layer.u), u / np.linalg.norm(u), atol=1e-5)
        assert not np.array_equal(layer_matrix(layer.layer), before)


def test_mixed_precision_keeps_scores_and_losses_in_float32(tiny, pictures):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        gan = build(tiny)
    finally:
        keras.config.set_dtype_policy("float32")
    assert gan.discriminator.output.dtype == "float32"
    assert gan.generator.output.dtype == "float32"
    assert gan.generator.layers[1].compute_dtype == "bfloat16"
    history = gan.fit(pictures, steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["d_loss"]).all()


def test_labels_of_the_loss_make_the_generator_better(tiny, pictures):
    """Trained on constant images, the generator's mean moves to theirs."""
    gan = build(tiny, generator_learning_rate=2e-3, discriminator_learning_rate=2e-3, ema_decay=0.5)
    bright = np.full_like(pictures, 230)
    before = gan.sample(64, seed=0).mean()
    gan.fit(bright, epochs=1, steps_per_epoch=60, verbose=0)
    assert abs(gan.sample(64, seed=0).mean() - 230) < 0.5 * abs(before - 230)


def test_sample_is_deterministic_and_independent_of_the_batch_size(tiny):
    gan = build(tiny)
    images = gan.sample(7, seed=3)
    assert images.dtype == np.uint8
    assert images.shape == (7, 8, 8, 1)
    np.testing.assert_array_equal(images, gan.sample(7, seed=3))
    difference = images.astype(int) - gan.sample(7, seed=3, batch_size=2)
    assert np.abs(difference).max() <= 1
    assert not np.array_equal(images, gan.sample(7, seed=4))
    assert not np.array_equal(gan.sample(7), gan.sample(7)), "without a seed, fresh images"


def test_truncation_scales_latents(tiny):
    config = build(tiny).config
    latents, labels = sampling.draw(config, 5, seed=1)
    shorter, _ = sampling.draw(config, 5, seed=1, truncation=0.5)
    np.testing.assert_allclose(shorter, 0.5 * latents)
    assert labels is None


def test_interpolation_is_on_the_great_circle():
    start, end = np.eye(2, 5, dtype=np.float32) * 3
    walk = sampling.slerp(start, end, np.linspace(0, 1, 7, dtype=np.float32))
    np.testing.assert_allclose(np.linalg.norm(walk, axis=1), 3, rtol=1e-6)
    angles = np.arctan2(walk[:, 1], walk[:, 0])
    np.testing.assert_allclose(angles, np.linspace(0, np.pi / 2, 7), atol=1e-6)
    np.testing.assert_allclose(sampling.slerp(start, 2 * start, np.array([0.5])), [1.5 * start])


def test_interpolate_begins_and_ends_at_samples(tiny):
    gan = build(tiny)
    walk, ends = gan.interpolate(5, seed=2), gan.sample(2, seed=2)
    assert walk.shape == (5, 8, 8, 1)
    assert np.abs(walk[[0, -1]].astype(int) - ends).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n, the number of images, must be a positive integer, but is 0"),
        ({"n": -1}, "must be a positive integer, but is -1"),
        ({"n": 2.5}, "must be a positive integer, but is 2.5"),
        ({"n": "many"}, "must be a positive integer, but is 'many'"),
        ({"n": 2, "truncation": 0.0}, "truncation must be greater than 0 and at most 1"),
        ({"n": 2, "truncation": 1.1}, "truncation must be greater than 0 and at most 1"),
        ({"n": 2, "labels": 3}, "This model is unconditional"),
        ({"n": 2, "batch_size": 0}, "batch_size must be a positive integer"),
        ({"n": 2, "seed": -1}, "seed must be a non-negative integer"),
    ],
)
def test_bad_arguments_are_one_sentence(tiny, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(tiny).sample(**arguments)


@pytest.mark.parametrize(
    ("recipe", "images", "labels", "message"),
    [
        ("wgan_gp", np.zeros((2, 8, 8, 1), np.float32), None, "must be uint8 of shape"),
        ("wgan_gp", np.zeros((2, 9, 8, 1), np.uint8), None, r"\(N, 8, 8, 1\), but are uint8"),
        ("wgan_gp", np.zeros((2, 8, 8, 1), np.uint8), [0, 1], "This model is unconditional"),
        ("cbn_resnet", np.zeros((2, 8, 8, 1), np.uint8), None, "This model is conditional: give"),
        ("cbn_resnet", np.zeros((2, 8, 8, 1), np.uint8), [0, 10], "lie between 0 and 9"),
        ("cbn_resnet", np.zeros((2, 8, 8, 1), np.uint8), [0], "one label for all or 2 labels"),
    ],
)
def test_images_that_cannot_be_scored(recipe, images, labels, message):
    gan = zoo.GAN(recipe, {"width": 4, "image_size": 8})
    with pytest.raises(ValueError, match=message):
        gan.scores(images, labels)


def test_labels_of_a_conditional_model():
    config = zoo.GAN("wgan_gp").config.__class__(num_classes=10)
    assert sampling.draw(config, 3, seed=0)[1].shape == (3, 10)
    np.testing.assert_array_equal(sampling.draw(config, None, labels=range(10))[1], np.eye(10))
    np.testing.assert_array_equal(sampling.draw(config, 3, labels=4)[1], np.eye(10)[[4, 4, 4]])
    for labels, message in (
        ([1, 2], "3 images need one label for all or 3 labels, but got 2"),
        ([0, 1, 10], "labels must lie between 0 and 9"),
        (-1, "labels must lie between 0 and 9"),
        ([0.5, 1, 2], "labels must be one integer"),
    ):
        with pytest.raises(ValueError, match=message):
            sampling.draw(config, 3, labels=labels)


def test_folder_round_trip(tiny, pictures, tmp_path):
    gan = build(tiny)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    gan.save(tmp_path / "mine", zipped=False)
    images = gan.sample(6, seed=0)
    for load in (keras.saving.load_model, zoo.load):
        loaded = load(tmp_path / "mine")
        assert type(loaded) is zoo.GAN
        assert loaded.config == gan.config
        np.testing.assert_array_equal(loaded.sample(6, seed=0), images)
        for a, b in zip(weights(gan.discriminator), weights(loaded.discriminator)):
            np.testing.assert_array_equal(a, b)


def test_a_saved_model_holds_no_training_state(tiny, tmp_path):
    build(tiny).save(tmp_path / "mine", zipped=False)
    bare = zoo.GAN("wgan_gp", tiny)
    size = sum(w.size for w in bare.get_weights()) * 4
    assert (tmp_path / "mine" / "model.weights.h5").stat().st_size < 2 * size + 60_000
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == [
        "config.json",
        "metadata.json",
        "model.weights.h5",
    ]


def test_saving_over_a_folder_replaces_it(tiny, pictures, tmp_path):
    gan = build(tiny)
    gan.save(tmp_path / "mine", zipped=False)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    with pytest.raises(ValueError, match="exists already"):
        gan.save(tmp_path / "mine", zipped=False, overwrite=False)
    gan.save(tmp_path / "mine", zipped=False)
    loaded = zoo.load(tmp_path / "mine")
    np.testing.assert_array_equal(loaded.sample(3, seed=0), gan.sample(3, seed=0))


def test_a_relative_path_is_as_good_as_an_absolute_one(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gan = build(tiny)
    gan.save("mine", zipped=False)
    for loaded in (zoo.load("./mine"), keras.saving.load_model("mine")):
        np.testing.assert_array_equal(loaded.sample(2, seed=0), gan.sample(2, seed=0))


def test_keras_zip_round_trip(tiny, tmp_path):
    gan = build(tiny)
    gan.save(tmp_path / "mine.keras")
    loaded = keras.saving.load_model(tmp_path / "mine.keras")
    np.testing.assert_array_equal(loaded.sample(2, seed=0), gan.sample(2, seed=0))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mine.h5", {}, "mine.h5' must end in .keras, or be a folder: save with zipped=False"),
        ("mine", {}, "mine' must end in .keras"),
        ("file", {"zipped": False}, "file' exists already, as a file"),
        ("folder.keras", {}, "folder.keras' exists already, as a folder"),
        ("file.keras", {"overwrite": False}, "exists already, and overwrite is False"),
    ],
)
def test_where_a_model_cannot_be_saved(tiny, tmp_path, name, options, message):
    for file in ("file", "file.keras"):
        (tmp_path / file).write_text("mine")
    (tmp_path / "folder.keras").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message):
        build(tiny).save(tmp_path / name, **options)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file.keras").read_text() == "mine"


def test_a_zip_that_could_not_be_written_leaves_the_one_before(tiny, tmp_path, monkeypatch):
    """The disk is full in the middle: a process may write no file of 20 KB, and finds out late."""
    monkeypatch.setattr(files, "check_space", lambda folder, size: None)
    gan = build(tiny)
    gan.save(tmp_path / "mine.keras")
    before = (tmp_path / "mine.keras").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError):
            gan.save(tmp_path / "mine.keras")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "mine.keras").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine.keras"]


@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.Adam()])
def test_one_optimizer_is_not_two(tiny, optimizer):
    gan = zoo.GAN("wgan_gp", tiny)
    with pytest.raises(ValueError, match="A GAN trains with two optimizers: compile it with"):
        gan.compile(optimizer)
    assert gan.training_generator is None
    assert gan.generator.trainable


def test_a_schedule_of_one_learning_rate_is_refused_and_not_ignored(tiny, pictures):
    gan = build(tiny)
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    with pytest.raises(
        ValueError, match="A GAN has two learning rates, which no single schedule sets"
    ):
        gan.fit(pictures, steps_per_epoch=1, verbose=0, callbacks=[scheduler])
    rates = (gan.config.generator_learning_rate, float(gan.optimizer.learning_rate))
    assert rates[0] == pytest.approx(rates[1])


def test_fine_tuning_starts_from_the_loaded_weights(tiny, pictures, tmp_path):
    gan = build(tiny)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    gan.save(tmp_path / "mine", zipped=False)
    loaded = zoo.load(tmp_path / "mine")
    loaded.compile()
    for a, b in zip(weights(loaded.generator), weights(loaded.training_generator)):
        np.testing.assert_array_equal(a, b)
    loaded.fit(pictures, epochs=1, verbose=0)
    assert loaded.step == 6, "one pass: 24 images, 4 per step"


def test_training_state_round_trips_through_save_weights(tiny, pictures, tmp_path):
    gan, other = build(tiny), build(tiny)
    gan.fit(pictures, steps_per_epoch=3, verbose=0)
    gan.save_weights(tmp_path / "state.weights.h5")
    other.load_weights(tmp_path / "state.weights.h5")
    assert other.step == 3
    for a, b in zip(gan.optimizer.variables, other.optimizer.variables):
        np.testing.assert_array_equal(np.array(a), np.array(b))
    for network in ("generator", "training_generator", "discriminator"):
        for a, b in zip(weights(getattr(gan, network)), weights(getattr(other, network))):
            np.testing.assert_array_equal(a, b)
    gan.fit(pictures, steps_per_epoch=2, verbose=0)
    other.fit(pictures, steps_per_epoch=2, verbose=0)
    np.testing.assert_array_equal(gan.sample(3, seed=0), other.sample(3, seed=0))


def test_a_config_refused_names_the_key(tiny):
    with pytest.raises(ValueError, match="Unknown hyperparameter 'widht'; did you mean 'width'"):
        zoo.GAN("wgan_gp", {"widht": 3})
    with pytest.raises(ValueError, match="There is no recipe 'wgan-gp'; did you mean wgan_gp"):
        zoo.GAN("wgan-gp")
