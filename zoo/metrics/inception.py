"""The Inception-v3 of 2015-12-05: the feature extractor of every published FID.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision"
(arXiv:1512.00567), in the variant whose weights TensorFlow released in December 2015 and which
Heusel et al. 2017 (arXiv:1706.08500) chose for the FID. It differs from
`keras.applications.InceptionV3` in its weights, its input size and resize, and the last block's
max pooling.
"""

import functools
import hashlib
import os
import pathlib

import keras
import numpy as np
from keras import layers, ops

from zoo import files
from zoo.metrics import features, fetch
from zoo.policy import channels_last

SIZE = 299
FEATURES = 2048
EPSILON = 1e-3  # of the original BatchNorms, which have no scale
DIGEST = "4a11ce9c520f6b28db72317bb2f29a3f0561ad17100d201ea031efde79cec4a5"
DTYPES = ("float32", "bfloat16")


def resize_bilinear(images, size):
    """TensorFlow 1's bilinear resize: corner-aligned at the origin, without antialiasing.

    Output pixel i reads the input at i * input size / output size (no half-pixel centres), and
    beyond the last pixel repeats it. Written with gathers so that all backends agree: their own
    resizes use half-pixel centres, and a matrix product may run in reduced precision on a GPU.

    Args:
        images: float tensor of shape (N, H, W, C), H and W known.
        size: output height and width.

    Returns:
        Tensor of shape (N, size, size, C).
    """
    for axis in (2, 1):  # columns first, as the original: equal to the last bit
        length = images.shape[axis]
        # float32, as the original computed it: the fractions decide which pixels are read.
        positions = np.arange(size, dtype="float32") * np.float32(length / size)
        lower = np.minimum(np.floor(positions).astype("int32"), length - 1)
        upper = np.minimum(lower + 1, length - 1)
        fractions = (positions - lower).reshape([-1 if a == axis else 1 for a in range(4)])
        low = ops.take(images, lower, axis=axis)
        images = low + (ops.take(images, upper, axis=axis) - low) * fractions
    return images


def preprocess(images):
    """The original's input: uint8 (N, H, W, 1 or 3) to float32 (N, 299, 299, 3) in [-1, 1)."""
    images = ops.cast(images, "float32")
    # Grey is repeated after the resize, on a third of the data: the result is the same.
    images = (resize_bilinear(images, SIZE) - 128.0) / 128.0
    return ops.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images


def _convolve(x, name, filters, size, strides=1, padding=None, dtype=None):
    layer = layers.Conv2D(
        filters,
        size,
        strides,
        padding or ("same" if strides == 1 else "valid"),
        activation="relu",
        kernel_initializer="zeros",  # weights are always loaded: random numbers would only cost
        name=name,
        dtype=dtype,
    )
    return layer(x)


def _tower(x, name, conv, *specifications):
    """A chain of convolutions named `<name>_conv`, `<name>_conv_1`, ..."""
    for index, specification in enumerate(specifications):
        suffix = f"_{index}" if index else ""
        x = conv(x, f"{name}_conv{suffix}", *specification)
    return x


def _average_pool(x):
    """3x3 average with stride 1 whose borders count only pixels inside the image."""
    return layers.AveragePooling2D(3, 1, "same", dtype=x.dtype)(x)


def _max_pool(x, strides=2, padding="valid"):
    return layers.MaxPooling2D(3, strides, padding, dtype=x.dtype)(x)


def _concatenate(branches):
    return layers.Concatenate(dtype=branches[0].dtype)(branches)


def _block_35(x, name, conv, pool_filters):
    return _concatenate(
        [
            _tower(x, name, conv, (64, 1)),
            _tower(x, f"{name}_tower", conv, (48, 1), (64, 5)),
            _tower(x, f"{name}_tower_1", conv, (64, 1), (96, 3), (96, 3)),
            _tower(_average_pool(x), f"{name}_tower_2", conv, (pool_filters, 1)),
        ]
    )


def _reduce_35_to_17(x, name, conv):
    return _concatenate(
        [
            _tower(x, name, conv, (384, 3, 2)),
            _tower(x, f"{name}_tower", conv, (64, 1), (96, 3), (96, 3, 2)),
            _max_pool(x),
        ]
    )


def _block_17(x, name, conv, width):
    row, column = (1, 7), (7, 1)
    double = [(width, 1), (width, column), (width, row), (width, column), (192, row)]
    return _concatenate(
        [
            _tower(x, name, conv, (192, 1)),
            _tower(x, f"{name}_tower", conv, (width, 1), (width, row), (192, column)),
            _tower(x, f"{name}_tower_1", conv, *double),
            _tower(_average_pool(x), f"{name}_tower_2", conv, (192, 1)),
        ]
    )


def _reduce_17_to_8(x, name, conv):
    row, column = (1, 7), (7, 1)
    return _concatenate(
        [
            _tower(x, f"{name}_tower", conv, (192, 1), (320, 3, 2)),
            _tower(
                x,
                f"{name}_tower_1",
                conv,
                (192, 1),
                (192, row),
                (192, column),
                (192, 3, 2),
            ),
            _max_pool(x),
        ]
    )


def _block_8(x, name, conv, pool):
    single = conv(x, f"{name}_tower_conv", 384, 1)
    double = conv(conv(x, f"{name}_tower_1_conv", 448, 1), f"{name}_tower_1_conv_1", 384, 3)
    return _concatenate(
        [
            conv(x, f"{name}_conv", 320, 1),
            conv(single, f"{name}_tower_mixed_conv", 384, (1, 3)),
            conv(single, f"{name}_tower_mixed_conv_1", 384, (3, 1)),
            conv(double, f"{name}_tower_1_mixed_conv", 384, (1, 3)),
            conv(double, f"{name}_tower_1_mixed_conv_1", 384, (3, 1)),
            conv(pool(x), f"{name}_tower_2_conv", 192, 1),
        ]
    )


def inception_v3(dtype="float32"):
    """Builds the network without weights.

    Args:
        dtype: "float32" or "bfloat16", what its convolutions compute in.

    Returns:
        A functional `keras.Model` from float32 (N, 299, 299, 3) in [-1, 1) to the float32
        (N, 2048) averages of the last block. Its 94 convolutions hold 21,768,352 parameters:
        each BatchNorm is folded into its convolution's kernel and bias.
    """
    check_dtype(dtype)
    policy = "mixed_bfloat16" if dtype == "bfloat16" else dtype
    conv = functools.partial(_convolve, dtype=policy)
    inputs = keras.Input((SIZE, SIZE, 3), dtype="float32")
    x = conv(inputs, "conv", 32, 3, 2)
    x = conv(x, "conv_1", 32, 3, 1, "valid")
    x = _max_pool(conv(x, "conv_2", 64, 3))
    x = conv(x, "conv_3", 80, 1)
    x = _max_pool(conv(x, "conv_4", 192, 3, 1, "valid"))
    for name, pool_filters in (("mixed", 32), ("mixed_1", 64), ("mixed_2", 64)):
        x = _block_35(x, name, conv, pool_filters)
    x = _reduce_35_to_17(x, "mixed_3", conv)
    for name, width in (
        ("mixed_4", 128),
        ("mixed_5", 160),
        ("mixed_6", 160),
        ("mixed_7", 192),
    ):
        x = _block_17(x, name, conv, width)
    x = _reduce_17_to_8(x, "mixed_8", conv)
    x = _block_8(x, "mixed_9", conv, _average_pool)
    # The released graph pools the last block with a maximum where the paper has an average.
    x = _block_8(x, "mixed_10", conv, functools.partial(_max_pool, strides=1, padding="same"))
    # Averaging in float32 keeps the features' precision in the bfloat16 variant.
    averages = layers.GlobalAveragePooling2D(dtype="float32")(x)
    return keras.Model(inputs, averages, name=fetch.NETWORK)


def fold_batch_norm(kernel, beta, mean, variance):
    """Kernel and bias of the convolution that equals convolution + BatchNorm (no scale).

    With s = 1 / sqrt(variance + 1e-3): kernel * s and beta - mean * s.

    Args:
        kernel: (height, width, input channels, output channels).
        beta, mean, variance: (output channels,).
    """
    scale = 1.0 / np.sqrt(variance.astype("float64") + EPSILON)
    return (kernel * scale).astype("float32"), (beta - mean * scale).astype("float32")


def check_dtype(dtype):
    """Raises a `ValueError` for a precision that the network has not."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be {' or '.join(DTYPES)}, but is {dtype!r}.")


def find_weights(path=None):
    """Path of the stored weights: `path`, else `$ZOO_INCEPTION`, else the cache.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = path or os.environ.get("ZOO_INCEPTION") or files.cache_folder() / fetch.WEIGHTS_NAME
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"The Inception weights are not at {path}: run `zoo fetch-inception` once."
        )
    return path


def load_weights(model, path) -> None:
    """Reads a file of `zoo.metrics.fetch` into `model`, folding the BatchNorms.

    Raises:
        ValueError: the file does not hold exactly the weights of the 2015-12-05 network.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            weights = {name: file[name] for name in file.files}
    except (*files.NO_ARRAYS, AttributeError):
        weights = {}  # not an .npz at all: refused as any other content is
    if digest(weights) != DIGEST:
        raise ValueError(f"{path} is not the FID Inception: run `zoo fetch-inception` again.")
    assign_weights(model, weights)


def digest(weights):
    """sha256 over names and values, independent of the container's bytes."""
    result = hashlib.sha256()
    for name in sorted(weights):
        result.update(f"{name} {weights[name].shape}".encode())
        result.update(np.ascontiguousarray(weights[name], "<f4").tobytes())
    return result.hexdigest()


def assign_weights(model, weights) -> None:
    """Assigns `<layer>.kernel`, `.beta`, `.mean`, `.variance` to the convolutions of `model`."""
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            parts = (weights[f"{layer.name}.{p}"] for p in ("kernel", "beta", "mean", "variance"))
            layer.set_weights(fold_batch_norm(*parts))


class Inception:
    """The FID extractor: uint8 images to 2048 features (see `zoo.metrics.features.Extractor`).

    Args:
        path: weights file; see `find_weights`.
        dtype: "float32", or "bfloat16" which is faster where the hardware has bfloat16 and
            moves the FID slightly: never compare numbers of the two.

    Raises:
        FileNotFoundError, ValueError: the weights are missing or not the expected ones.
    """

    size = FEATURES
    digest = DIGEST

    def __init__(self, path=None, dtype="float32"):
        check_dtype(dtype)
        path = find_weights(path)
        self.dtype = dtype
        self.name = fetch.NETWORK + ("" if dtype == "float32" else "_bfloat16")
        with channels_last():
            self._network = inception_v3(dtype)
        load_weights(self._network, path)
        self._models = {}

    def __call__(self, images):
        """Features, float32 (N, 2048), of uint8 images (N, H, W, 1 or 3), all in one batch.

        Raises:
            ValueError: the images are not uint8 or not of that shape.
        """
        images = features.check_images(images)
        shape = images.shape[1:]
        if shape not in self._models:
            self._models[shape] = self._model(shape)
        return np.asarray(self._models[shape].predict_on_batch(images))

    def _model(self, shape):
        inputs = keras.Input(shape, dtype="uint8")
        model = keras.Model(inputs, self._network(preprocess(inputs)))
        # XLA pays on JAX; on a CPU its convolutions are many times slower than TensorFlow's own.
        model.jit_compile = keras.backend.backend() == "jax"
        return model
