"""Differentiable augmentation of what a discriminator sees, for small sets of images.

Real and generated images are changed alike, and the gradient flows back through the change: the
discriminator cannot learn a small set by heart, and the generator does not learn the changes
(Zhao, Liu, Lin, Zhu, Han: *Differentiable Augmentation for Data-Efficient GAN Training*, 2020,
arXiv:2006.10738, Section 3.2). What is random comes in as numbers, so that all is a pure function.
"""

from keras import ops

NUMBERS = 7  # per image: 3 of color, 2 of translation, 2 of cutout


def augment(images, policy, numbers):
    """Applies the augmentations of `policy`, in their order.

    Args:
        images: float32 images (N, H, W, C) in [-1, 1].
        policy: Names of augmentations, separated by commas, such as "color,translation,cutout";
            empty for none.
        numbers: float32 (N, `NUMBERS`), uniform in [0, 1); unused where there is no policy.

    Returns:
        Float32 images of the same shape, not all in [-1, 1] after `color`.
    """
    for name in filter(None, policy.split(",")):
        function, part = AUGMENTATIONS[name]
        images = function(images, numbers[:, part])
    return images


def color(images, numbers):
    """Adds up to +-0.5, then multiplies differences by up to 2 and by 0.5 to 1.5.

    The first factor is of a pixel's differences from its grey, the second of the image's from its
    mean.

    Args:
        images: (N, H, W, C).
        numbers: (N, 3): brightness, saturation, contrast.
    """
    images, numbers = _tensors(images, numbers)
    brightness, saturation, contrast = (numbers[:, i, None, None, None] for i in range(3))
    images = images + brightness - 0.5
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + 2.0 * saturation * (images - grey)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (contrast + 0.5) * (images - mean)


def translation(images, numbers):
    """Moves images by whole pixels, at most an eighth of their size; mid-grey (0) comes in.

    Args:
        images: (N, H, W, C).
        numbers: (N, 2): down and right.
    """
    images, numbers = _tensors(images, numbers)
    _, height, width, _ = images.shape
    down, right = _moves(numbers[:, 0], height), _moves(numbers[:, 1], width)
    return ops.einsum("nij,njkc,nlk->nilc", down, images, right)


def cutout(images, numbers):
    """Sets a square of half the size, partly outside perhaps, to mid-grey (0).

    Args:
        images: (N, H, W, C).
        numbers: (N, 2): where its middle is, down and right.
    """
    images, numbers = _tensors(images, numbers)
    _, height, width, _ = images.shape
    rows, columns = _covered(numbers[:, 0], height), _covered(numbers[:, 1], width)
    return images * (1.0 - rows[:, :, None, None] * columns[:, None, :, None])


AUGMENTATIONS = {
    "color": (color, slice(0, 3)),
    "translation": (translation, slice(3, 5)),
    "cutout": (cutout, slice(5, 7)),
}


def _tensors(*arrays):
    return [ops.cast(array, "float32") for array in arrays]


def _moves(numbers, size):
    """Returns matrices (N, size, size) that move what they multiply by an eighth at most."""
    most = int(size / 8 + 0.5)
    moves = ops.floor(numbers * (2 * most + 1)) - most
    position = ops.arange(size, dtype="float32")
    source = position[None, :, None] - moves[:, None, None]
    return ops.cast(source == position[None, None, :], "float32")


def _covered(numbers, size):
    """Returns (N, size): 1 where an interval of half the size, with its middle inside, is."""
    length = int(size / 2 + 0.5)
    # With an even length a middle lies between two pixels, of which there is one more.
    start = ops.floor(numbers * (size + 1 - length % 2)) - length // 2
    position = ops.arange(size, dtype="float32") - start[:, None]
    return ops.cast(ops.logical_and(position >= 0, position < length), "float32")
