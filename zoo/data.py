"""Images to train on and to compare with: named sets, folders of pictures, `.npz` files, arrays.

Images are uint8 of shape (N, H, W, C).
"""

import copy
import pathlib
import warnings
import zipfile

import keras
import numpy as np
from PIL import Image

from zoo import files, pictures

NAMED = {"fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
SPLITS = ("train", "test")
ARRAY = "array"  # source of images that come from nowhere
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


class Images:
    """What all data sources are: `len`, `labels`, `source` and uint8 images by index.

    Attributes:
        labels: int32 (N,), or None.
        class_names: Names of the classes, where their folders have some.
        stray: A picture that lies in no class, beside those that do.
    """

    labels, class_names, stray = None, (), None


class ArrayImages(Images):
    """Images in memory.

    Args:
        images: uint8 array of shape (N, H, W, C), C being 1 or 3, or (N, H, W).
        labels: Integers of shape (N,), or None.
        source: Where they come from, as `load` takes it.

    Raises:
        ValueError: Where type or shape is another.
    """

    def __init__(self, images, labels=None, source=ARRAY):
        images = np.asarray(images)
        if images.ndim == 3 and images.shape[-1] not in (1, 3):  # else one picture, with channels
            images = images[..., None]
        known = images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1] in (1, 3)
        if not known or 0 in images.shape[1:]:
            raise ValueError(
                "Images must be uint8 of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), but are "
                f"{images.dtype} of shape {images.shape}."
            )
        if not len(images):
            raise ValueError("There are no images: the array is empty.")
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
                raise ValueError(
                    f"Labels must be {len(images)} integers, one per image, but are "
                    f"{labels.dtype} of shape {labels.shape}."
                )
            if np.any(labels != labels.astype(np.int32)):
                raise ValueError(f"Labels count classes from 0, but one is {np.abs(labels).max()}.")
            labels = labels.astype(np.int32)
        self.images, self.labels, self.source = images, labels, source

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
        return ArrayImages(resized, self.labels, self.source)


class FolderImages(Images):
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
        self.source = f"folder:{folder}"
        if not self.folder.is_dir():
            raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
        self.paths = sorted(_pictures_below(self.folder))
        if not self.paths:
            raise FileNotFoundError(
                f"There are no pictures ({', '.join(SUFFIXES)}) in the folder {str(folder)!r}."
            )
        folders = [path.relative_to(self.folder).parts[:-1] for path in self.paths]
        loose = [path.name for path, parts in zip(self.paths, folders) if not parts]
        self.class_names = sorted({parts[0] for parts in folders if parts})
        if self.class_names and loose:
            self.stray = loose[0]
        elif self.class_names:
            ranks = [self.class_names.index(parts[0]) for parts in folders]
            self.labels = np.array(ranks, np.int32)

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
        resized = copy.copy(self)
        resized.shape = tuple(shape)
        return resized


def _pictures_below(folder, above=()):
    """Yields the pictures in a folder and its subfolders, linked ones too, but for loops of links.

    What systems keep for themselves, `._0.png`, begins with a dot and is passed over.
    """
    within = (*above, folder.resolve())
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if path.resolve() not in within:
                yield from _pictures_below(path, within)
        elif path.suffix.lower() in SUFFIXES and path.is_file():
            yield path


class Subset(Images):
    """Some images of a data source.

    Args:
        images: The data source.
        indices: Which of its images, integers of shape (n,).
    """

    def __init__(self, images, indices):
        self.images, self.indices, self.source = images, indices, images.source
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
        source: "fashion_mnist" or "cifar10" (through TensorFlow Datasets, or as `zoo export` wrote
            them), "folder:DIR" (pictures; subfolders are classes) or "npz:FILE" (a uint8 array
            `images`, and `labels` if any).
        split: "train" or "test"; only a named set has the latter.

    Returns:
        `ArrayImages` or `FolderImages`: `len`, `labels` and uint8 images by index.

    Raises:
        ValueError: For a source of another form, or content that is not as said here.
        FileNotFoundError: For a missing folder or file.
    """
    source = str(source)
    kind, _, path = source.partition(":")
    if split != "train" and kind in ("folder", "npz"):
        raise ValueError(f"{source!r} has no {split!r} split; all its images are for training.")
    if kind == "folder" and path:
        images = FolderImages(path)
    elif kind == "npz" and path:
        images = _load_npz(path)
    elif source in NAMED:
        images = _load_named(source, split)
    else:
        raise ValueError(
            f"There is no data source {source!r}; accepted are {', '.join(NAMED)}, folder:DIR and "
            "npz:FILE."
        )
    images.source = source
    return images


def _load_npz(path):
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {path!r}.")
    try:
        if not zipfile.is_zipfile(file):  # NumPy would speak of pickles
            raise ValueError("it is none")
        with np.load(file, allow_pickle=False) as arrays:
            if "images" not in arrays:
                raise ValueError(f"it holds {', '.join(arrays) or 'nothing'}")
            return ArrayImages(arrays["images"], arrays.get("labels"))
    except (*files.NO_ARRAYS, OSError) as error:
        raise ValueError(
            f"{path!r} must be an .npz file with a uint8 array `images`: {error}"
        ) from error


def exported(name, split):
    """Returns where the file of a named set lies that other backends than TensorFlow read."""
    return files.cache_folder() / "datasets" / f"{name}-{split}.npz"


def _load_named(name, split):
    backend, file = keras.backend.backend(), exported(name, check_split(split))
    if backend == "tensorflow":
        import tensorflow_datasets as tfds

        examples = tfds.as_numpy(tfds.load(name, split=split, batch_size=-1))
        return ArrayImages(examples["image"], examples["label"])
    if not file.is_file():
        raise ValueError(
            f"Named sets are read with TensorFlow, and this is the {backend} backend: "
            f"`zoo export {name} --split={split}` where TensorFlow is installed writes the file "
            f"{str(file)!r}, which serves all backends."
        )
    images = _load_npz(file)
    if images.labels is None or images.images.shape[1:] != NAMED[name]:
        raise ValueError(f"{str(file)!r} does not hold {name}; remove it and export it again.")
    return images


def check_split(split):
    """Returns the name of a split of the named sets; a `ValueError` for what is none."""
    if split not in SPLITS:
        raise ValueError(f"split must be 'train' or 'test', but is {split!r}.")
    return split


def as_images(x, y=None):
    """Returns `x` if it is a data source of the zoo, else `ArrayImages(x, y)`.

    Raises:
        ValueError: For a source, which has its own labels, and labels; for text; or for what makes
            batches itself, a `tf.data.Dataset` for example.
    """
    if isinstance(x, (str, pathlib.Path)):
        raise ValueError(
            f"Images are an array or a data source, such as zoo.data.load({str(x)!r})."
        )
    if not isinstance(x, Images):
        if not (hasattr(x, "__array__") or isinstance(x, (list, tuple))):
            raise ValueError(
                "Images are an array or a data source, from which the zoo makes its own batches, "
                f"and not a {type(x).__name__}."
            )
        return ArrayImages(x, y)
    if y is not None:
        raise ValueError("Labels go with an array of images; a data source has its own.")
    return x


def check_labelled(images, classes):
    """Raises a `ValueError` unless every image has a label in [0, classes)."""
    if images.labels is None:
        but = f", but {images.stray!r} lies in none" if images.stray else ""
        needs = "it needs labels (class subfolders, or `y`)"
        raise ValueError(f"This model learns classes: {needs}{but}.")
    for label in (images.labels.min(), images.labels.max()):
        if not 0 <= label < classes:
            raise ValueError(f"This model has {classes} classes, but a label is {label}.")


def warn_of_missing_classes(images, classes):
    """Warns where none of the images to learn from is of some of a model's classes."""
    missing = [] if images.labels is None else np.setdiff1d(np.arange(classes), images.labels)
    if len(missing):
        enough = images.labels.max() + 1
        remedy = f"; num_classes={enough} is enough for these images" if enough < classes else ""
        warnings.warn(
            f"The model has {classes} classes (num_classes), and no image is of class "
            f"{', '.join(map(str, missing))}{remedy}.",
            stacklevel=3,
        )
