"""What can be measured, and what it can be measured against: models and images, opened alike."""

import collections.abc
import pathlib
import typing

import numpy as np
from PIL import Image

from zoo import batching, data, hub, pictures, registry, sampling

SAMPLES = 10_000
_BLOCK = 500  # images read at a time


class Subject(typing.NamedTuple):
    """Images to be measured.

    Attributes:
        name: as the caller wrote it.
        stream: called without arguments; yields uint8 arrays (n, H, W, C), `count` images in all.
        count: number of images.
        shape: (H, W, C).
        seed: of generated images or of the choice among given ones; None where all are taken.
        dataset: source of a model's training images; None for images.
    """

    name: str
    stream: collections.abc.Callable
    count: int
    shape: tuple
    seed: int | None
    dataset: str | None


class Reference(typing.NamedTuple):
    """Real images to compare with.

    Attributes:
        source: the data source, such as "cifar10"; None of `NO_REFERENCE`.
        split: "train" or "test" of a named set; None for a source without splits.
        images: called without arguments; yields uint8 arrays (n, H, W, C).
        name: names a named set's images for files on disk; None for images that may change.
    """

    source: str | None
    split: str | None
    images: collections.abc.Callable
    name: str | None


NO_REFERENCE = Reference(None, None, lambda: iter(()), None)


def open_subject(subject, samples=None, seed=0):
    """Opens what is to be measured.

    Args:
        subject: a `zoo.GAN`; a uint8 array; a data source of `zoo.data`; or text: a published
            model's name, a model's folder, "hf://...", a folder of pictures of one size,
            "folder:DIR", an ".npz" file, or a named set such as "cifar10:train".
        samples: number of images: 10,000 of a model and all of given images by default.
        seed: of a model's images; of the choice where fewer than all given images are taken.

    Returns:
        A `Subject`.

    Raises:
        ValueError, FileNotFoundError: there is no such thing, or not as many images.
    """
    name = subject if isinstance(subject, (str, pathlib.Path)) else None
    opened = subject if name is None else _open(name)
    if hasattr(opened, "sample"):
        return _of_model(
            opened, str(name or opened.name), SAMPLES if samples is None else samples, seed
        )
    if isinstance(opened, data.FolderImages) and opened.shape is None:
        opened = opened.resized(_own_shape(opened))
    try:
        images = data.as_images(opened)
    except ValueError as error:
        raise ValueError(f"{name or type(subject).__name__} cannot be measured: {error}") from error
    return _of_images(images, str(name or "images"), samples, seed)


def _open(name):
    """Text as data source or model."""
    text = str(name)
    source = data_source(text)
    if source is not None:
        return data.load(*filter(None, source))
    folder = pathlib.Path(name).expanduser()
    if text not in registry.list_models() and folder.is_dir():
        if not (folder / "config.json").is_file():
            return data.FolderImages(folder)
        return hub.load(folder)
    model = hub.load(name)
    if not hasattr(model, "sample"):
        raise ValueError(f"{text!r} generates no images that could be measured.")
    return model


def data_source(text):
    """Returns (source, split) where text names images, else None; "cifar10" is its test split."""
    kind, _, rest = text.partition(":")
    if kind in ("folder", "npz") and rest:
        return text, None
    if text.endswith(".npz"):
        return f"npz:{text}", None
    return (kind, data.check_split(rest or "test")) if kind in data.NAMED else None


def _of_model(model, name, samples, seed):
    config = model.config
    latents, labels = sampling.draw(config, samples, seed)

    def stream():
        return sampling.stream(model.generator, latents, labels)

    return Subject(name, stream, samples, config.image_shape, seed, config.dataset)


def _of_images(images, name, samples, seed):
    if samples is not None:
        sampling.check_positive(samples, "samples")
        if samples > len(images):
            raise ValueError(f"{name} holds {len(images):,} images; {samples:,} cannot be taken.")
    chosen = samples is not None and samples < len(images)
    indices = batching.order(len(images), seed, 0, samples) if chosen else np.arange(len(images))
    shape = images[indices[:1]].shape[1:]
    return Subject(
        name,
        lambda: Blocks(images, indices),
        len(indices),
        shape,
        seed if chosen else None,
        None,
    )


class Blocks:
    """Images of a data source, read block by block; `total` is their number.

    Args:
        images: a data source.
        indices: which of its images; all by default.
    """

    def __init__(self, images, indices=None):
        self._images = images
        self._indices = np.arange(len(images)) if indices is None else indices
        self.total = len(self._indices)

    def __iter__(self):
        for start in range(0, self.total, _BLOCK):
            yield self._images[self._indices[start : start + _BLOCK]]


def _own_shape(folder):
    """(H, W, C) of all pictures of a `FolderImages`; resizing some would spoil any metric."""
    sizes, grey = {}, True
    for path in folder.paths:
        try:
            with Image.open(path) as picture:
                sideways = pictures.orientation(picture) in (5, 6, 7, 8)
                sizes.setdefault(picture.size[::-1] if sideways else picture.size, path.name)
                grey = grey and pictures.is_grey(picture)
        except pictures.NO_PICTURE as error:
            raise ValueError(f"{str(path)!r} is not a readable picture: {error}") from error
    if len(sizes) > 1:
        (first, a), (second, b), *_ = sizes.items()
        raise ValueError(
            f"The pictures in {str(folder.folder)!r} must have one size, but {a} is "
            f"{first[0]}x{first[1]} and {b} is {second[0]}x{second[1]} pixels."
        )
    ((width, height),) = sizes
    return height, width, 1 if grey else 3


def open_reference(reference, subjects):
    """Opens the images to compare with.

    They are delivered in the subjects' shape, cropped and resized as for training.

    Args:
        reference: "test" or "train", a split of the named set that the models were trained on; or
            a data source ("cifar10:train", "folder:DIR", "npz:FILE"), a pair (source, split), a
            uint8 array or a source of `zoo.data`.
        subjects: the `Subject`s, of one shape.

    Returns:
        A `Reference`.

    Raises:
        ValueError: the reference is unknown or not one for all.
    """
    shape = one_shape(subjects)
    if not isinstance(reference, (str, pathlib.Path, tuple)):
        images = data.as_images(reference).resized(shape)
        source = images.source if images.source in data.NAMED else "images"
        return Reference(source, None, lambda: Blocks(images), None)
    if reference in data.SPLITS:
        source = _training_source(subjects)
        if source == data.ARRAY:
            raise ValueError(
                "The model was trained on an array: name the images to compare with, such as "
                "--reference folder:DIR."
            )
        if reference == "test" and source not in data.NAMED:
            raise ValueError(
                f"{source!r} has no test split: name the images to compare with, such as "
                "--reference folder:DIR, or train for those of the training."
            )
        reference = source, reference
    elif not isinstance(reference, tuple):
        found = data_source(str(reference))
        if found is None:
            raise ValueError(
                f"There is no reference {str(reference)!r}; accepted are test, train, "
                f"{', '.join(data.NAMED)} (with :train or :test), folder:DIR and npz:FILE."
            )
        reference = found
    source, split = reference
    named = source in data.NAMED
    split = data.check_split(split) if named else None

    def blocks():
        return Blocks(data.load(source, *([split] if named else [])).resized(shape))

    name = f"{source}-{split}" if named else None
    if named and tuple(shape) != data.NAMED[source]:
        name += "-" + "x".join(map(str, shape))
    return Reference(source, split, blocks, name)


def one_shape(subjects):
    """Returns the (H, W, C) of all subjects; `ValueError` where they differ."""
    shapes = {tuple(subject.shape): subject.name for subject in subjects}
    if len(shapes) > 1:
        (first, a), (second, b), *_ = shapes.items()
        raise ValueError(f"Images of {a} are {first} and of {b} {second}: they do not compare.")
    return next(iter(shapes))


def _training_source(subjects):
    sources = sorted({subject.dataset for subject in subjects if subject.dataset is not None})
    if len(sources) != 1:
        trained = f"the models were trained on {' and '.join(sources)}" if sources else "no model"
        raise ValueError(
            f"Name the reference, such as --reference fashion_mnist:test: {trained}"
            + (" is among the images to measure." if not sources else ".")
        )
    return sources[0]
