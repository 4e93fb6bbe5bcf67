"""ProGAN: how it grows, fades, and what its stages share."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from recipes.progan import Config, model
from recipes.progan.train import train

SMALL = {"width": 4, "max_width": 8, "latent_size": 6, "batch_size": 4, "stage_steps": 2}


@pytest.fixture
def gan():
    """A model of 28x28 images in a frame of 32x32: stages 4, 8, 16 and 32."""
    return zoo.GAN("progan", SMALL)


def grow(network, progress):
    network.get_layer("growing").progress.assign(progress)


def images(n=3, size=28):
    return np.random.default_rng(0).uniform(-1, 1, (n, size, size, 1)).astype(np.float32)


def numpy(x):
    return ops.convert_to_numpy(x)


def test_the_schedule_fades_and_stays():
    config = Config(image_size=28, stage_steps=100)
    expected = {0: 0, 100: 0, 125: 0.25, 200: 1, 300: 1, 350: 1.5, 400: 2, 500: 2, 600: 3, 9999: 3}
    for step, progress in expected.items():
        assert float(model.schedule(config, step)) == pytest.approx(progress, abs=1e-6)


@pytest.mark.parametrize(("size", "last"), [(4, 0), (8, 1), (20, 3), (28, 3), (32, 3), (64, 4)])
def test_doublings(size, last):
    assert model.last_stage(Config(image_size=size)) == last


def test_shrinking_undoes_enlarging():
    small = images(size=4)
    large = model.enlarge(small, 8)
    assert large.shape == (3, 32, 32, 1)
    np.testing.assert_allclose(numpy(model.shrink(large, 8)), small, atol=1e-6)
    np.testing.assert_allclose(
        numpy(model.shrink(images(size=32), 32))[:, 0, 0], images(size=32).mean((1, 2)), atol=1e-6
    )


@pytest.mark.parametrize(("stage", "size"), list(enumerate([4, 8, 16, 32])))
def test_a_stage_makes_images_of_its_resolution(gan, stage, size):
    grow(gan.generator, stage)
    latents = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    made = numpy(gan.generator(latents))
    assert made.shape == (2, 28, 28, 1)
    framed = np.pad(made, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    blocks = framed.reshape(2, size, 32 // size, size, 32 // size).mean((2, 4))
    np.testing.assert_allclose(
        framed[..., 0], blocks.repeat(32 // size, 1).repeat(32 // size, 2), atol=1e-5
    )
    assert np.unique(made[0]).size > size  # not one flat colour


def test_a_clipped_output_is_the_linear_one_between_black_and_white(gan):
    clipped = zoo.GAN("progan", SMALL | {"output": "clipped"})
    clipped.set_weights([3 * weight for weight in gan.get_weights()])
    gan.set_weights(clipped.get_weights())
    latents = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    linear, found = numpy(gan.generator(latents)), numpy(clipped.generator(latents))
    assert np.abs(linear).max() > 1
    np.testing.assert_array_equal(found, linear.clip(-1, 1))


def test_a_fade_is_linear_between_two_stages(gan):
    latents = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    made = {}
    for progress in (1.0, 1.25, 2.0):
        grow(gan.generator, progress)
        made[progress] = numpy(gan.generator(latents))
    np.testing.assert_allclose(made[1.25], 0.75 * made[1.0] + 0.25 * made[2.0], atol=1e-5)


def test_a_new_stage_fades_into_the_discriminator_from_nothing(gan):
    scores = {}
    for progress in (1.0, 1.0001, 2.0):
        grow(gan.discriminator, progress)
        scores[progress] = numpy(gan.discriminator(images()))
    np.testing.assert_allclose(scores[1.0], scores[1.0001], atol=1e-3)
    assert np.abs(scores[1.0] - scores[2.0]).max() > 1e-3


def test_a_coarse_discriminator_sees_coarse_pixels_only():
    gan = zoo.GAN("progan", SMALL | {"image_size": 32})
    grow(gan.discriminator, 1)
    fine = images(size=32)
    coarse = numpy(model.enlarge(model.shrink(fine, 4), 4))
    np.testing.assert_allclose(
        numpy(gan.discriminator(fine)), numpy(gan.discriminator(coarse)), atol=1e-5
    )


def test_real_images_fade_as_generated_ones():
    gan = zoo.GAN("progan", SMALL | {"image_size": 32})
    real = images(size=32)
    for progress, factor, alpha in [(0, 8, None), (1.5, 4, 0.5), (2, 4, 1), (2.25, 2, 0.25)]:
        grow(gan.discriminator, progress)
        expected = real
        if alpha is not None:
            # The resolution that fades in has pixels half as wide as `factor`.
            blocks = real.reshape(3, 32 // factor, factor, 32 // factor, factor).mean((2, 4))
            coarse = blocks.repeat(factor, 1).repeat(factor, 2)[..., None]
            expected = (1 - alpha) * coarse + alpha * real
        np.testing.assert_allclose(numpy(model.prepare_real(gan, real)), expected, atol=1e-5)


def test_training_grows_all_networks_and_fine_tuning_keeps_them_grown(pictures, tmp_path):
    gan = zoo.GAN("progan", SMALL | {"image_size": 8})
    gan.fit(pictures, steps_per_epoch=4, verbose=0)
    networks = (gan.generator, gan.training_generator, gan.discriminator)
    assert [float(n.get_layer("growing").progress.value) for n in networks] == [0.5] * 3

    grow(gan.generator, 1)
    grow(gan.discriminator, 1)
    gan.save(tmp_path / "model", zipped=False)
    loaded = zoo.load(tmp_path / "model")
    loaded.fit(pictures, steps_per_epoch=1, verbose=0)  # fine-tuning starts its steps at 0
    assert float(loaded.generator.get_layer("growing").progress.value) == 1


def test_a_run_too_short_to_grow_is_told(tmp_path):
    config = Config.from_dict(SMALL | {"dataset": f"npz:{tmp_path / 'none.npz'}", "image_size": 8})
    message = (
        "^3 steps end before the networks have grown to full size, which takes 4: more --steps"
    )
    with pytest.warns(UserWarning, match=message), pytest.raises(FileNotFoundError):
        train(dataclasses.replace(config, steps=3), tmp_path / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(FileNotFoundError):
            train(dataclasses.replace(config, steps=4), tmp_path / "run")


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_network_is_saved_by_itself_as_any_of_keras(gan, network, tmp_path):
    network = getattr(gan, network)
    grow(network, 2.5)
    network.save(tmp_path / "network.keras")
    inputs = np.random.default_rng(0).normal(size=(2, *network.input_shape[1:])).astype("float32")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(numpy(loaded(inputs)), numpy(network(inputs)))


def test_a_stage_that_is_on_trains_and_the_old_way_out_stops(pictures):
    """All stages are in one traced step; only the one that is on has gradients."""
    gan = zoo.GAN("progan", SMALL | {"image_size": 8})
    gan.compile()
    growing = gan.training_generator.get_layer("growing")
    for network in (gan.training_generator, gan.discriminator):
        grow(network, 1)
    before = [[numpy(w) for w in layer.trainable_weights] for layer in growing.to_image]
    gan.fit(pictures, steps_per_epoch=1, verbose=0)
    after = [[numpy(w) for w in layer.trainable_weights] for layer in growing.to_image]
    moved = [any((a != b).any() for a, b in zip(*pair)) for pair in zip(before, after)]
    assert moved == [False, True]


def test_only_the_direction_of_a_latent_matters(gan):
    latents = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    np.testing.assert_allclose(
        numpy(gan.generator(latents)), numpy(gan.generator(0.5 * latents)), atol=1e-5
    )
    with pytest.raises(ValueError, match="truncation, which makes them shorter, would change"):
        gan.sample(2, truncation=0.5)


def test_the_loss_of_the_discriminator_has_the_drift_term(pictures):
    """The first loss, with and without it, differs by weight times mean square."""
    logs = {}
    for weight in (0.0, 0.5):
        config = SMALL | {"image_size": 8, "drift_weight": weight, "batch_size": 1}
        gan = zoo.GAN("progan", config)
        for variable in gan.weights:
            variable.assign(ops.ones_like(variable) * 0.1)
        logs[weight] = gan.fit(pictures, steps_per_epoch=1, verbose=0).history
    score = logs[0.0]["real_score"][0]
    difference = logs[0.5]["d_loss"][0] - logs[0.0]["d_loss"][0]
    assert difference == pytest.approx(0.5 * score**2, rel=1e-4)
    assert score**2 > 1e-4


def test_every_weight_but_the_ways_to_images_is_shared_by_stages(gan):
    growing = gan.generator.get_layer("growing")
    kinds = [type(layer) for block in growing.blocks for layer in block.layers]
    assert kinds.count(zoo.layers.EqualizedConv2D) == 4
    assert [type(layer) for layer in growing.to_image] == [zoo.layers.EqualizedConv2D] * 4
    assert kinds.count(zoo.layers.EqualizedUpsampleConv2D) == 3
    assert kinds.count(zoo.layers.EqualizedDense) == 1
    assert kinds.count(keras.layers.Conv2D) == 0


def test_a_discriminator_of_its_own_widths():
    """Kernels and biases counted by hand: 6, 12, 16 and 16 channels from 32x32 to 4x4 pixels."""
    widths = {"discriminator_width": 6, "max_discriminator_width": 16}
    gan, wide = zoo.GAN("progan", SMALL), zoo.GAN("progan", SMALL | widths)
    assert wide.generator.count_params() == gan.generator.count_params()

    channels = [6, 12, 16, 16]
    from_images = sum(2 * c for c in channels)
    convolutions = [(6, 6), (6, 12), (12, 12), (12, 16), (16, 16), (16, 16)]
    convolutions.append((16 + 1, 16))  # after the minibatch standard deviation
    blocks = sum(9 * before * after + after for before, after in convolutions)
    dense = 16 * 16 * 16 + 16 + 16 + 1
    progress = 1
    expected = from_images + blocks + dense + progress
    assert wide.discriminator.count_params() == expected
    assert Config(**SMALL, **widths).widths == (4, 6)
    assert Config(**SMALL).widths == (4, 4)


def test_a_bound_below_the_width_is_refused():
    with pytest.raises(ValueError, match="A bound of 2 channels is below the width, 4"):
        zoo.GAN("progan", SMALL | {"max_width": 2})
    with pytest.raises(ValueError, match="A bound of 2 channels is below the width, 4"):
        zoo.GAN("progan", SMALL | {"max_discriminator_width": 2})
