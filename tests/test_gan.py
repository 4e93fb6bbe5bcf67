"""`zoo.GAN`: the step, the losses, the average."""

import keras
import numpy as np
import pytest
from small import build, weights

import zoo
from zoo import data, layers, losses, penalties, policy, registry
from zoo.config import GANConfig
from zoo.gan import LOGS
from zoo.layers.spectral_norm import layer_matrix
from zoo.model import to_float
from zoo.optimizers import AdversarialOptimizer


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


def test_no_wasserstein_estimate_is_made_of_another_loss(tiny):
    trackers = build(tiny, loss="hinge").trackers
    assert set(LOGS) - {tracker.name for tracker in trackers} == {"wasserstein"}


def test_an_epoch_is_one_pass_by_default(tiny, pictures):
    gan = build(tiny, n_critic=2)
    gan.fit(pictures, verbose=0)
    assert gan.step == 3, "24 images, 4 x 2 per step"


@pytest.mark.parametrize("steps", [0, -1])
def test_an_epoch_without_steps_is_refused(tiny, pictures, steps):
    """Keras would take it for an epoch without an end."""
    with pytest.raises(ValueError, match=f"steps_per_epoch must be at least 1, but is {steps}."):
        build(tiny).fit(pictures, steps_per_epoch=steps, verbose=0)


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


@pytest.mark.parametrize("recipe", registry.list_recipes())
def test_a_setting_of_keras_does_not_turn_the_images_around(recipe):
    """Networks are built for (N, H, W, C), whatever `image_data_format` keras.json asks for."""

    def outputs():
        keras.utils.set_random_seed(0)
        model = registry.build(recipe, {"width": 8, "image_size": 8})
        images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1)).astype(np.uint8)
        return model.sample(2, seed=0) if isinstance(model, zoo.GAN) else model.predict(images)

    expected = outputs()
    keras.config.set_image_data_format("channels_first")
    try:
        np.testing.assert_array_equal(outputs(), expected)
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")


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


def test_the_optimizers_know_trainable_weights_only(tiny):
    """Whatever averages a normalisation of the critic keeps."""
    gan = zoo.GAN("wgan", tiny | {"critic_norm": "batch"})
    gan.compile()
    assert any("moving" in weight.path for weight in gan.discriminator.weights)
    for optimizer, network in (
        (gan.optimizer.generator, gan.training_generator),
        (gan.optimizer.discriminator, gan.discriminator),
    ):
        slots = [v.path.rpartition("/")[2] for v in optimizer.variables[2:]]  # after count and rate
        expected = [w.path.replace("/", "_") + "_velocity" for w in network.trainable_variables]
        assert slots == expected


@pytest.mark.parametrize("penalty", ["gradient_penalty", "r1", "r1_r2"])
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


def test_r1_r2_is_that_of_both(tiny, pictures):
    rates = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
    gan = build(tiny, penalty="r1_r2", penalty_weight=1.0, **rates)
    real, fake = seen(gan, pictures, update=0)
    logs = gan.fit(pictures, steps_per_epoch=1, verbose=0).history
    expected = sum(penalties.r1(gan.discriminator, images) for images in (real, fake))
    np.testing.assert_allclose(logs["penalty"][0], float(expected), rtol=1e-4)


def test_each_penalty_knows_the_labels_of_its_images(pictures):
    config = {"image_size": 8, "width": 4, "discriminator_width": 4, "batch_size": 4, "n_critic": 1}
    config |= {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
    gan = zoo.GAN("cbn_resnet", config | {"penalty": "r1_r2", "penalty_weight": 1.0})
    gan.compile()
    images = data.ArrayImages(pictures, np.arange(24) % 10)
    (batch,) = next(gan.batches(images, 0))
    real, labels, fake_labels = (batch[k][:, 0] for k in ("real", "real_labels", "fake_labels"))
    assert (labels != fake_labels).any()
    chosen = np.eye(10, dtype=np.float32)[fake_labels]
    fake = gan.training_generator([batch["latents"][:, 0], chosen], training=True)
    found = gan.fit(images, steps_per_epoch=1, verbose=0).history["penalty"][0]

    def score(labels):
        return lambda images: gan.discriminator([images, keras.ops.convert_to_tensor(labels)])

    expected = [
        float(penalties.r1(score(labels), to_float(real)) + penalties.r1(score(of), fake))
        for of in (fake_labels, labels)
    ]
    assert expected[0] != pytest.approx(expected[1], rel=1e-3)
    assert found == pytest.approx(expected[0], rel=1e-4)


def test_a_relativistic_generator_is_compared_with_the_last_real_images(tiny, pictures):
    rates = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
    gan = build(tiny, loss="relativistic", penalty_weight=0.0, n_critic=2, **rates)
    real, fake = seen(gan, pictures, update=-1)
    logs = gan.fit(pictures, steps_per_epoch=1, verbose=0).history
    real, fake = (gan.discriminator(images) for images in (real, fake))
    expected = losses.relativistic_generator(fake, real)
    assert abs(float(expected) - np.log(2)) > 1e-5  # it does tell them apart
    np.testing.assert_allclose(logs["g_loss"][0], float(expected), rtol=1e-5)


def seen(gan, pictures, update):
    """Returns what the discriminator sees in one update of the first step: real and fake images."""
    (batch,) = next(gan.batches(data.as_images(pictures), 0))
    fake = gan.training_generator(batch["latents"][:, update], training=True)
    return to_float(batch["real"][:, update]), fake


def test_the_penalty_pulls_to_its_target(tiny, pictures):
    """No gradient of this critic is as long as a hundredth of the longer one."""
    rates = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
    images = np.repeat(pictures[:1], len(pictures), axis=0)
    logs = []
    for target in (1.0, 1000.0):
        gan = build(tiny, penalty_weight=1.0, penalty_target=target, **rates)
        logs.append(gan.fit(images, steps_per_epoch=1, verbose=0).history["penalty"][0])
    assert logs[0] != pytest.approx(1, rel=1e-2)
    assert logs[1] == pytest.approx(1, rel=1e-2)


def test_penalty_sees_the_critic_as_it_is_used(tiny, pictures, monkeypatch):
    """Its pass does not count among those that move batch statistics; no recipe takes both."""
    from recipes.wgan import Config

    monkeypatch.setattr(Config, "__post_init__", GANConfig.__post_init__)
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
    with policy.dtype_policy("mixed_bfloat16"):
        gan = zoo.GAN("wgan_gp", tiny)
    assert gan.discriminator.output.dtype == "float32"
    assert gan.generator.output.dtype == "float32"
    gan.compile()
    for generator in (gan.generator, gan.training_generator):
        assert generator.layers[1].compute_dtype == "bfloat16"
    history = gan.fit(pictures, steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["d_loss"]).all()


def test_float16_is_refused_where_it_would_train_nothing(tiny):
    with policy.dtype_policy("mixed_float16"):
        gan = zoo.GAN("wgan_gp", tiny)
    with pytest.raises(ValueError, match="too small for float16.*: train in mixed_bfloat16"):
        gan.compile()


@pytest.mark.parametrize("recipe", ["wgan_gp", "progan", "sngan"])
def test_float64_trains_and_generates(tiny, pictures, recipe):
    with policy.dtype_policy("float64"):
        gan = zoo.GAN(recipe, tiny)
    assert gan.generator.trainable_weights[0].dtype == "float64"
    history = gan.fit(pictures, steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["d_loss"]).all()
    assert gan.sample(2, seed=0).shape == (2, 8, 8, 1)


def test_accumulated_gradients_move_every_other_step_and_all_steps_count(tiny, pictures):
    gan = build(tiny)
    sgd = [keras.optimizers.SGD(0.1, gradient_accumulation_steps=2) for _ in range(2)]
    gan.compile(AdversarialOptimizer(*sgd))
    moved = []
    for _ in range(4):
        kernels = [
            network.layers[1].kernel for network in (gan.training_generator, gan.discriminator)
        ]
        before = [np.array(kernel) for kernel in kernels]
        gan.fit(pictures, steps_per_epoch=1, verbose=0)
        moved.append([not np.array_equal(*pair) for pair in zip(before, kernels)])
    assert moved == [[False] * 2, [True] * 2] * 2
    assert gan.step == 4


@pytest.mark.parametrize("name", ["loss", "metrics"])
def test_compile_refuses_what_it_would_ignore(tiny, name):
    with pytest.raises(ValueError, match=f"compile takes no {name}: the losses of a GAN are"):
        zoo.GAN("wgan_gp", tiny).compile(**{name: ["mse"]})


def test_labels_of_the_loss_make_the_generator_better(tiny, pictures):
    """Trained on constant images, the generator's mean moves to theirs."""
    gan = build(tiny, generator_learning_rate=2e-3, discriminator_learning_rate=2e-3, ema_decay=0.5)
    bright = np.full_like(pictures, 230)
    before = gan.sample(64, seed=0).mean()
    gan.fit(bright, epochs=1, steps_per_epoch=60, verbose=0)
    assert abs(gan.sample(64, seed=0).mean() - 230) < 0.5 * abs(before - 230)


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


def test_a_config_refused_names_the_key(tiny):
    with pytest.raises(ValueError, match="Unknown hyperparameter 'widht'; did you mean 'width'"):
        zoo.GAN("wgan_gp", {"widht": 3})
    with pytest.raises(ValueError, match="There is no recipe 'wgan-gp'; did you mean wgan_gp"):
        zoo.GAN("wgan-gp")


@pytest.mark.parametrize("name", ["batch_size", "shuffle", "validation_split"])
def test_fit_refuses_what_it_would_ignore(tiny, pictures, name):
    with pytest.raises(
        ValueError, match=f"fit takes no {name}: its batches are made as the config"
    ):
        zoo.GAN("wgan_gp", tiny).fit(pictures, **{name: 1})


def test_fit_refuses_what_makes_batches_itself(tiny):
    class Pictures(keras.utils.PyDataset):
        """Would be read as a whole, by NumPy."""

        def __len__(self):
            return 3

        def __getitem__(self, index):
            raise AssertionError("read")

    for images in (Pictures(), (batch for batch in ())):
        with pytest.raises(ValueError, match="from which the zoo makes its own batches, and not a"):
            zoo.GAN("wgan_gp", tiny).fit(images)


def test_fit_refuses_a_callback_that_would_begin_the_images_anew(tiny, pictures, tmp_path):
    callbacks = [keras.callbacks.BackupAndRestore(tmp_path / "state")]
    with pytest.raises(ValueError, match="BackupAndRestore would go on with the first images"):
        zoo.GAN("wgan_gp", tiny).fit(pictures, callbacks=callbacks)


def test_fit_refuses_labels_and_validation_that_mean_nothing_to_a_gan(tiny, pictures):
    gan = zoo.GAN("wgan_gp", tiny)
    with pytest.raises(ValueError, match="unconditional: it learns no labels, so give none"):
        gan.fit(pictures, np.zeros(24, int))
    with pytest.raises(ValueError, match="no loss to validate: the callback PeriodicFID"):
        gan.fit(pictures, validation_data=pictures)
    assert gan.config.dataset == "fashion_mnist"
    assert not gan.compiled


def test_a_model_knows_what_it_was_last_trained_on(tiny, pictures, tmp_path):
    np.savez(tmp_path / "own.npz", images=pictures)
    gan = zoo.GAN("wgan_gp", tiny)
    for images, source in [
        (zoo.data.load(f"npz:{tmp_path}/own.npz"), f"npz:{tmp_path}/own.npz"),
        (pictures, "array"),
    ]:
        gan.fit(images, steps_per_epoch=1, verbose=0)
        gan.save(tmp_path / "own", zipped=False)
        assert zoo.load(tmp_path / "own").config.dataset == source
    with pytest.raises(ValueError, match="trained on an array: name the images to compare with"):
        zoo.evaluate(tmp_path / "own", samples=30)


def test_an_unconditional_recipe_has_no_classes():
    with pytest.raises(ValueError, match="num_classes must be 0, but is 10"):
        zoo.GAN("wgan_gp", {"num_classes": 10})


def test_steps_of_one_call_are_a_runs_and_not_fits(tiny, pictures):
    """Else an epoch of three steps would take as many as one call of the run's program."""
    gan = zoo.GAN("wgan_gp", tiny | {"steps_per_execution": 8})
    gan.fit(pictures, steps_per_epoch=3, verbose=0)
    assert gan.step == 3
    gan.compile_for_run()
    assert gan.steps_per_execution == 8


@pytest.mark.parametrize("penalty", ["gradient_penalty", "r1", "r1_r2"])
def test_the_penaltys_gradient_moves_the_discriminator(tiny, pictures, penalty):
    """By SGD, in proportion to its weight; a lazy one by its weight times `penalty_every`."""

    def moved(weight, every=1):
        """Returns the discriminator's weights after one step."""
        keras.utils.set_random_seed(0)
        config = {"penalty": penalty, "penalty_every": every} if weight else {}
        gan = zoo.GAN("wgan_gp", tiny | config | {"penalty_weight": weight})
        gan.compile(AdversarialOptimizer(*(keras.optimizers.SGD(rate) for rate in (0.0, 0.1))))
        gan.fit(pictures, steps_per_epoch=1, verbose=0)
        return np.concatenate([w.ravel() for w in weights(gan.discriminator)])

    without = moved(0.0)
    once, thrice, lazy = (moved(*how) - without for how in ((100.0,), (300.0,), (25.0, 4)))
    largest = np.abs(once).max()
    assert largest > 1e-3
    np.testing.assert_allclose(thrice, 3 * once, atol=1e-3 * largest)
    np.testing.assert_allclose(lazy, once, atol=1e-4 * largest)


@pytest.mark.parametrize(
    "setting", [{"penalty": "r1"}, {"penalty_every": 4}, {"penalty_target": 2.0}]
)
def test_a_penalty_without_weight_is_refused_and_not_ignored(setting):
    with pytest.raises(ValueError, match="needs a penalty_weight above 0"):
        zoo.GAN("sngan", setting)


@pytest.mark.parametrize("penalty", ["r1", "r1_r2"])
def test_r1_has_no_target(penalty):
    with pytest.raises(ValueError, match=f"needs the gradient_penalty, not {penalty}"):
        zoo.GAN("wgan_gp", {"penalty": penalty, "penalty_target": 2.0})
