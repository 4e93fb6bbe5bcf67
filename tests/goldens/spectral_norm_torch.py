"""Makes `spectral_norm_torch.npz`: what PyTorch's spectral normalisation computes.

For every layer type, one training forward of `torch.nn.utils.parametrizations.spectral_norm`
from a given kernel and `u`, in double precision, and the gradient of `sum(cotangent * y)` with
respect to the raw kernel. Kernels, inputs and outputs are stored in the layout of Keras. Inputs
and cotangents are small, so that no sum is large: float32 then agrees to an absolute 1e-6.

    python tests/goldens/spectral_norm_torch.py
"""

import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrizations

PATH = pathlib.Path(__file__).with_suffix(".npz")
SCALE = 1 / 8  # exact in binary
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def channels_last(array):
    return np.moveaxis(array, 1, -1)


def spatial_first(kernel):
    """(a, b, *space) -> (*space, b, a): from (out, in) or, transposed, from (in, out)."""
    return np.transpose(kernel, (*range(2, kernel.ndim), 1, 0))


def depthwise(kernel):
    """(3 * 2, 1, *space) -> (*space, 3, 2)."""
    return np.moveaxis(kernel[:, 0], 0, -1).reshape(*kernel.shape[2:], 3, 2)


def cases(generator):
    def images(channels, rank):
        size = 3 if rank == 3 else 4
        return gaussian(2, channels, *(size,) * rank)

    def gaussian(*shape):
        return SCALE * torch.randn(*shape, generator=generator).double()

    vectors = gaussian(4, 7)
    yield "Dense", nn.Linear(7, 5, bias=False), 0, vectors, np.transpose, np.asarray
    words = torch.tensor([[0, 3], [5, 5], [2, 1]])
    yield "Embedding", nn.Embedding(6, 4), 1, words, np.asarray, np.asarray
    for rank, kind in CONVOLUTIONS.items():
        layer = kind(2, 4, 3, bias=False)
        yield f"Conv{rank}D", layer, 0, images(2, rank), spatial_first, channels_last
    for rank, kind in TRANSPOSED.items():
        layer = kind(2, 4, 3, stride=2, bias=False)
        yield f"Conv{rank}DTranspose", layer, 1, images(2, rank), spatial_first, channels_last
    for rank in (1, 2):
        layer = CONVOLUTIONS[rank](3, 6, 3, groups=3, bias=False)
        yield f"DepthwiseConv{rank}D", layer, 0, images(3, rank), depthwise, channels_last


def run(layer, dim, x, generator):
    """One training forward and backward; returns arrays in PyTorch's layout."""
    layer = parametrizations.spectral_norm(layer.double(), n_power_iterations=1, dim=dim)
    parametrization = layer.parametrizations.weight
    kernel = parametrization.original
    matrix = kernel.detach().transpose(0, dim).flatten(1)
    u = torch.randn(len(matrix), generator=generator).double()
    with torch.no_grad():
        parametrization[0]._u.copy_(nn.functional.normalize(u, dim=0))
        parametrization[0]._v.copy_(nn.functional.normalize(matrix.T @ u, dim=0))
    layer.train()
    y = layer(x)
    cotangent = SCALE * torch.randn(*y.shape, generator=generator).double()
    (y * cotangent).sum().backward()
    moved_u, v = parametrization[0]._u, parametrization[0]._v
    return {
        "kernel": kernel.detach().numpy(),
        "gradient": kernel.grad.numpy(),
        "u": u.numpy(),
        "moved_u": moved_u.numpy(),
        "sigma": (moved_u @ matrix @ v).numpy(),
        "y": y.detach().numpy(),
        "cotangent": cotangent.numpy(),
    }


def main():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    arrays = {}
    for name, layer, dim, x, kernel_layout, image_layout in cases(generator):
        result = run(layer, dim, x, generator)
        for key in ("kernel", "gradient"):
            result[key] = kernel_layout(result[key])
        for key in ("y", "cotangent"):
            result[key] = image_layout(result[key])
        result["x"] = image_layout(x.numpy())
        for key, array in result.items():
            dtype = "int32" if array.dtype.kind == "i" else "float32"
            arrays[f"{name}/{key}"] = np.ascontiguousarray(array, dtype)
    np.savez_compressed(PATH, **arrays)
    print(
        f"{PATH.name}: {len(arrays)} arrays, {PATH.stat().st_size} bytes, torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
