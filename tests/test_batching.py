"""The batches of a run, which depend on (seed, step) alone."""

import itertools

import numpy as np
import pytest

from recipes.cbn_resnet import Config
from zoo import batching, data
from zoo.config import GANConfig


def config(**values):
    kind = Config if values.get("num_classes") else GANConfig
    return kind(**{"image_size": 8, "batch_size": 4, "latent_size": 3} | values)


def take(generator, n):
    return [batch for (batch,) in itertools.islice(generator, n)]


def level(images):
    """Which of the `pictures` fixture's images these are."""
    return images[..., 0, 0, 0] // 10


def test_every_pass_is_a_permutation_of_its_own():
    order = batching.order(length=24, seed=5, start=0, count=72).reshape(3, 24)
    for indices in order:
        assert sorted(indices) == list(range(24))
    assert not np.array_equal(order[0], order[1])
    np.testing.assert_array_equal(batching.order(24, 5, 30, 11), order.reshape(-1)[30:41])


def test_order_of_a_small_set_spans_many_passes():
    indices = batching.order(length=3, seed=0, start=1, count=20)
    assert sorted(np.bincount(indices)) == [6, 7, 7], "six passes and two of the first one"


@pytest.mark.parametrize("size", [0, 1, 3])
def test_prefetch_changes_nothing_and_works_ahead(size):
    made = []

    def numbers():
        for number in itertools.count():
            made.append(number)
            yield number

    prefetched = batching.prefetch(numbers(), size)
    assert [next(prefetched) for _ in range(5)] == [0, 1, 2, 3, 4]
    prefetched.close()
    assert made == list(range(5 + size))


def test_prefetch_raises_what_making_a_batch_raised():
    with pytest.raises(ValueError, match="not a readable picture"):
        next(batching.prefetch(fail(), 2))


def fail():
    raise ValueError("'a.png' is not a readable picture")
    yield


def test_batches_are_fresh_and_resume_at_any_step(pictures):
    images = data.ArrayImages(pictures)
    first = take(batching.batches(images, config(n_critic=2)), 6)
    assert [b["real"].shape for b in first] == [(4, 2, 8, 8, 1)] * 6
    assert first[0]["latents"].shape == (4, 3, 3)
    assert first[0]["mix"].shape == (4, 2)
    seen = np.concatenate([level(b["real"]).ravel() for b in first])
    assert sorted(seen[:24]) == list(range(24)), "one pass shows every image once"
    resumed = take(batching.batches(images, config(n_critic=2), first_step=4), 2)
    for a, b in zip(first[4:], resumed):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


def test_latents_are_normal_and_mix_uniform(pictures):
    batches = take(batching.batches(data.ArrayImages(pictures), config(latent_size=64)), 200)
    latents = np.concatenate([b["latents"].ravel() for b in batches])
    mix = np.concatenate([b["mix"].ravel() for b in batches])
    assert abs(latents.mean()) < 0.01
    assert abs(latents.std() - 1) < 0.01
    assert mix.min() >= 0
    assert mix.max() <= 1
    assert abs(mix.mean() - 0.5) < 0.03
    assert abs(mix.std() - 12**-0.5) < 0.02
    assert len(np.unique(latents)) > 0.99 * latents.size, "no latent is used twice"


def test_labels_go_with_their_images(pictures):
    images = data.ArrayImages(pictures, np.arange(24) % 3)
    for batch in take(batching.batches(images, config(num_classes=3, n_critic=2)), 4):
        np.testing.assert_array_equal(batch["real_labels"], level(batch["real"]) % 3)
        assert batch["fake_labels"].shape == (4, 3)


def test_labels_of_generated_images_are_uniform(pictures):
    images = data.ArrayImages(pictures, np.arange(24) % 3)
    batches = take(batching.batches(images, config(num_classes=3, n_critic=2)), 200)
    labels = np.concatenate([batch["fake_labels"].ravel() for batch in batches])
    shares = np.bincount(labels, minlength=3) / labels.size
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)


def test_labels_of_generated_images_are_as_frequent_as_those_of_real_ones(pictures):
    """Else the discriminator is best at telling which class is the rarer."""
    images = data.ArrayImages(pictures, np.arange(24) // 18)
    batches = take(batching.batches(images, config(num_classes=2, n_critic=2)), 200)
    labels = np.concatenate([batch["fake_labels"].ravel() for batch in batches])
    assert labels.dtype == np.int32
    error = np.sqrt(0.25 * 0.75 / labels.size)
    assert abs(labels.mean() - 0.25) < 3 * error


def test_conditional_needs_fitting_labels(pictures):
    with pytest.raises(ValueError, match="it needs labels"):
        take(batching.batches(data.ArrayImages(pictures), config(num_classes=3)), 1)
    images = data.ArrayImages(pictures, np.arange(24))
    with pytest.raises(ValueError, match="has 3 classes, but a label is 23"):
        take(batching.batches(images, config(num_classes=3)), 1)
