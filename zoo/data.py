"""Images to train on and to compare with: named sets, folders of pictures, `.npz` files, arrays.

Images are uint8 of shape (N, H, W, C). The batches of a run depend on (seed, step) alone, so they
are the same on every backend and a resumed run goes on with the next unseen ones.
"""

import collections
import concurrent.futures
import functools
import itertools
import pathlib
import warnings
import zipfile
import zlib

import keras
import numpy as np
from PIL import Image

from zoo import pictures

NAMED = {"fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


class ArrayImages:
    """Images in memory.

    Args:
        images: uint8 array of shape (N, H, W, C), C being 1 or 3, or (N, H, W).
        labels: Integers of shape (N,), or None.

    Raises:
        ValueError: Where type or shape is another.
    """

    def __init__(self, images, labels=None):
        images = np.asarray(images)
        if images.ndim == 3:
            images = images[..., None]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise ValueError(
                "Images must be uint8 of shape (N, H, W, 1) or (N, H, W, 3), but are "
                f"{images.dtype} of shape {images.shape}."
            )
        if not len(images):
            raise ValueError("There are no images to train on: the array is empty.")
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
                raise ValueError(
                    f"Labels must be {len(images)} integers, one per image, but are "
                    f"{labels.dtype} of shape {labels.shape}."
                )
            labels = labels.astype(np.int32)
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, indices):
        """Returns the uint8 images (n, H, W, C) of an array of n indices."""
        return self.images[indices]

    def resized(self, shape):
        """Returns these images as (height, width, channels), resampled and recoloured as needed."""
        if self.images.shape[1:] == tuple(shape):
            return self
        opened = (Image.fromarray(x.squeeze(-1) if x.shape[-1] == 1 else x) for x in self.images)
        resized = np.stack([pictures.to_array(picture, shape) for picture in opened])
        return ArrayImages(resized, self.labels)


class FolderImages:
    """A folder of pictures, read from disk batch by batch: it may be larger than memory.

    Pictures in subfolders are labelled by the alphabetical rank of their subfolder. Other files are
    passed over, and all whose name or folder begins with a dot.

    Args:
        folder: The folder; pictures are png, jpg, bmp, gif or webp.
        shape: (height, width, channels) to deliver; needed before images are read.

    Raises:
        FileNotFoundError: If there is no such folder or no picture in it.
    """

    def __init__(self, folder, shape=None):
        self.folder, self.shape = pathlib.Path(folder).expanduser(), shape
        if not self.folder.is_dir():
            raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
        paths = (p for p in self.folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        self.paths = sorted(p for p in paths if not _is_hidden(p.relative_to(self.folder)))
        if not self.paths:
            raise FileNotFoundError(
                f"There are no pictures ({', '.join(SUFFIXES)}) in the folder {str(folder)!r}."
            )
        classes = [path.relative_to(self.folder).parts[0] for path in self.paths]
        self.class_names = sorted({c for c, p in zip(classes, self.paths) if c != p.name})
        self.labels = None
        if self.class_names and all((self.folder / c).is_dir() for c in classes):
            self.labels = np.array([self.class_names.index(c) for c in classes], np.int32)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, indices):
        """Returns the uint8 images (n, H, W, C) of an array of n indices."""
        if self.shape is None:
            raise ValueError("Say the shape first: images.resized((height, width, channels)).")
        return np.stack([self._read(self.paths[i]) for i in indices])

    def _read(self, path):
        try:
            with Image.open(path) as picture:
                return pictures.to_array(picture, self.shape)
        except pictures.NO_PICTURE as error:
            raise ValueError(f"{str(path)!r} is not a readable picture: {error}") from error

    def resized(self, shape):
        """Returns the same pictures, delivered as (height, width, channels)."""
        return FolderImages(self.folder, tuple(shape))


def _is_hidden(path):
    """Whether a relative path is one of those that systems keep for themselves, `._0.png`."""
    return any(part.startswith(".") for part in path.parts)


class Subset:
    """Some images of a data source.

    Args:
        images: The data source.
        indices: Which of its images, integers of shape (n,).
    """

    def __init__(self, images, indices):
        self.images, self.indices = images, indices
        self.labels = None if images.labels is None else images.labels[indices]

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, indices):
        """Returns the uint8 images (n, H, W, C) of an array of n indices."""
        return self.images[self.indices[indices]]

    def resized(self, shape):
        """Returns the same images, delivered as (height, width, channels)."""
        return Subset(self.images.resized(shape), self.indices)


def split(images, fraction, seed):
    """Divides images at random, by `seed` alone.

    Args:
        images: A data source.
        fraction: Size of the second part, in [0, 1).
        seed: Of the draw.

    Returns:
        Two `Subset`s, the second of round(fraction * N) images.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"The fraction must lie in [0, 1), but is {fraction!r}.")
    indices = np.random.default_rng([seed, 2]).permutation(len(images))
    count = round(fraction * len(images))
    if count == len(images):
        raise ValueError(f"A fraction of {fraction} of {count} images leaves none to train on.")
    return Subset(images, np.sort(indices[count:])), Subset(images, np.sort(indices[:count]))


def load(source, split="train"):
    """Opens images by name.

    Args:
        source: "fashion_mnist" or "cifar10" (through TensorFlow Datasets), "folder:DIR" (pictures;
            subfolders are classes) or "npz:FILE" (a uint8 array `images`, and `labels` if any).
        split: "train" or "test" of a named set.

    Returns:
        `ArrayImages` or `FolderImages`: `len`, `labels` and uint8 images by index.

    Raises:
        ValueError: For a source of another form, or content that is not as said here.
        FileNotFoundError: For a missing folder or file.
    """
    kind, _, path = str(source).partition(":")
    if kind == "folder" and path:
        return FolderImages(path)
    if kind == "npz" and path:
        return _load_npz(path)
    if source in NAMED:
        return _load_named(source, split)
    raise ValueError(
        f"There is no data source {source!r}; accepted are {', '.join(NAMED)}, folder:DIR and "
        "npz:FILE."
    )


def _load_npz(path):
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {path!r}.")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if "images" not in arrays:
                raise ValueError(f"it holds {', '.join(arrays) or 'nothing'}")
            return ArrayImages(arrays["images"], arrays.get("labels"))
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path!r} must be an .npz file with a uint8 array `images`: {error}"
        ) from error


def _load_named(name, split):
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"Named sets are read with TensorFlow, and this is the {keras.backend.backend()} "
            f"backend: write {name} to a file once with `zoo export {name} {name}-{split}.npz "
            f"--split {split}` where TensorFlow is installed, and use npz:{name}-{split}.npz."
        )
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', but is {split!r}.")
    import tensorflow_datasets as tfds

    examples = tfds.as_numpy(tfds.load(name, split=split, batch_size=-1))
    return ArrayImages(examples["image"], examples["label"])


def as_images(x, y=None):
    """Returns `x` if it is a data source of the zoo, else `ArrayImages(x, y)`.

    Raises:
        ValueError: For a source, which has its own labels, and labels.
    """
    if isinstance(x, (ArrayImages, FolderImages, Subset)):
        if y is not None:
            raise ValueError("Labels go with an array of images; a data source has its own.")
        return x
    return ArrayImages(x, y)


def order(length, seed, start, count):
    """Returns the `count` image indices from position `start` of an endless shuffled order.

    Every pass over the images is a permutation of its own, drawn from (seed, pass).
    """
    passes = range(start // length, (start + count - 1) // length + 1)
    indices = np.concatenate([_permutation(length, seed, number) for number in passes])
    offset = start - passes[0] * length
    return indices[offset : offset + count]


@functools.lru_cache(maxsize=4)
def _permutation(length, seed, number):
    return np.random.default_rng([seed, 0, number]).permutation(length)


def check_labelled(images, classes):
    """Raises a `ValueError` unless every image has a label in [0, classes)."""
    if images.labels is None:
        raise ValueError("This model learns classes: it needs labels (class subfolders, or `y`).")
    for label in (images.labels.min(), images.labels.max()):
        if not 0 <= label < classes:
            raise ValueError(f"This model has {classes} classes, but a label is {label}.")


def warn_of_missing_classes(images, classes):
    """Warns where none of the images to learn from is of some of a model's classes."""
    missing = [] if images.labels is None else np.setdiff1d(np.arange(classes), images.labels)
    if len(missing):
        warnings.warn(
            f"The model has {classes} classes (num_classes), and no image is of class "
            f"{', '.join(map(str, missing))}.",
            stacklevel=3,
        )


def batches(images, config, first_step=0):
    """Yields the batch of every GAN step from `first_step` on, endlessly.

    Args:
        images: A data source with the model's image shape.
        config: The model's `GANConfig`.
        first_step: Number of the first step.

    Yields:
        1-tuples of a dict; N is the batch size, n the discriminator updates per step:
        real: uint8 (N, n, H, W, C).
        latents: float32 (N, n + 1, latent_size); the last is the generator update's.
        mix: float32 (N, n), uniform in [0, 1]: where the gradient penalty is taken.
        real_labels, fake_labels: int32 (N, n) and (N, n + 1); conditional models only.

    Raises:
        ValueError: If a conditional model is given images without labels, or too many classes.
    """
    size, updates, classes = config.batch_size, config.n_critic, config.num_classes
    if classes:
        check_labelled(images, classes)
    for step in itertools.count(first_step):
        indices = order(len(images), config.seed, step * size * updates, size * updates)
        rng = np.random.default_rng([config.seed, 1, step])
        latents = rng.standard_normal((size, updates + 1, config.latent_size), np.float32)
        batch = {
            "real": images[indices].reshape(size, updates, *config.image_shape),
            "latents": latents,
            "mix": rng.random((size, updates), np.float32),
        }
        if classes:
            batch["real_labels"] = images.labels[indices].reshape(size, updates)
            batch["fake_labels"] = rng.integers(classes, size=(size, updates + 1), dtype=np.int32)
        yield (batch,)


def prefetch(batches, size):
    """Yields the same batches, made in a thread up to `size` ahead of their use; 0 makes none."""
    if not size:
        yield from batches
        return
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        ahead = collections.deque(thread.submit(next, batches) for _ in range(size))
        while True:
            ahead.append(thread.submit(next, batches))
            yield ahead.popleft().result()
