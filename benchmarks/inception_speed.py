"""Compares the speed of the FID Inception with pytorch-fid 0.3.0's: same images, same weights.

    pip install torch==2.13.0 torchvision==0.28.0 pytorch-fid==0.3.0
    python benchmarks/inception_speed.py [--images=300] [--batch_size=50] [--size=32]

Prints images per second of the best of three rounds, and how far the features of both differ:
pytorch-fid resizes with half-pixel centres, the original graph and the zoo do not. The rounds take
turns, so that a busy machine slows all alike. Needs the weights (`zoo fetch-inception`).
"""

import argparse
import time

import numpy as np
import pytorch_fid.inception
import torch

from zoo.metrics import inception

ROUNDS = 3

# Names of the convolutions: pytorch-fid's block -> (the zoo's, its branches in order).
STEM = {
    "Conv2d_1a_3x3": "conv",
    "Conv2d_2a_3x3": "conv_1",
    "Conv2d_2b_3x3": "conv_2",
    "Conv2d_3b_1x1": "conv_3",
    "Conv2d_4a_3x3": "conv_4",
}
BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
TOWERS = {
    "5": {"branch1x1": "", "branch5x5": "_tower", "branch3x3dbl": "_tower_1"},
    "6a": {"branch3x3": "", "branch3x3dbl": "_tower"},
    "6": {"branch1x1": "", "branch7x7": "_tower", "branch7x7dbl": "_tower_1"},
    "7a": {"branch3x3": "_tower", "branch7x7x3": "_tower_1"},
    "7": {"branch1x1": "", "branch3x3": "_tower", "branch3x3dbl": "_tower_1"},
}


def zoo_name(name):
    """The zoo's name of a convolution of pytorch-fid, such as "Mixed_5b.branch5x5_2"."""
    if name in STEM:
        return STEM[name]
    block, _, branch = name.removeprefix("Mixed_").partition(".")
    index = BLOCKS.index(block)
    prefix = f"mixed_{index}" if index else "mixed"
    if branch == "branch_pool":
        return f"{prefix}_tower_2_conv"
    tower, _, position = branch.partition("_")
    stem = prefix + TOWERS.get(block, TOWERS[block[0]])[tower]
    if position[1:]:  # 2a, 2b, 3a and 3b: the forks of the last blocks
        return f"{stem}_mixed_conv" + ("" if position[1] == "a" else "_1")
    number = int(position or 1) - 1
    return f"{stem}_conv" + (f"_{number}" if number else "")


def pytorch_network(path):
    """pytorch-fid's network with the zoo's stored weights."""
    with np.load(path, allow_pickle=False) as file:
        weights = {name: torch.from_numpy(file[name]) for name in file.files}

    def state(*_, **__):
        names = [name for name, module in network().named_modules() if hasattr(module, "bn")]
        result = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
        for name in names:
            part = {key: weights[f"{zoo_name(name)}.{key}"] for key in PARTS}
            result[f"{name}.conv.weight"] = part["kernel"].permute(3, 2, 0, 1)
            result[f"{name}.bn.weight"] = torch.ones_like(part["beta"])
            result[f"{name}.bn.bias"] = part["beta"]
            result[f"{name}.bn.running_mean"] = part["mean"]
            result[f"{name}.bn.running_var"] = part["variance"]
        return result

    def network():
        return pytorch_fid.inception._inception_v3(num_classes=1008, aux_logits=False, weights=None)

    # In place of the download from GitHub of the same weights.
    pytorch_fid.inception.load_state_dict_from_url = state
    return pytorch_fid.inception.InceptionV3().eval()


PARTS = ("kernel", "beta", "mean", "variance")


def pytorch_extractor(network):
    """Features of uint8 images, as pytorch-fid computes them."""

    def extract(images):
        batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            return network(batch)[0][:, :, 0, 0].numpy()

    return extract


def seconds(extract, images, batch_size):
    """Wall-clock time of all images in batches of one size."""
    start = time.perf_counter()
    for first in range(0, len(images), batch_size):
        extract(images[first : first + batch_size])
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--batch_size", type=int, default=50)
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--threads", type=int, help="of PyTorch; its own choice by default")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    shape = (arguments.images, arguments.size, arguments.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    reference = "pytorch-fid 0.3.0 float32"
    extractors = {reference: pytorch_extractor(pytorch_network(inception.find_weights()))}
    for dtype in inception.DTYPES:
        extractors[f"zoo {dtype}"] = inception.Inception(dtype=dtype)
    first = images[: arguments.batch_size]
    features = {name: extract(first) for name, extract in extractors.items()}  # compiles, too
    times = {name: [] for name in extractors}
    for _ in range(ROUNDS):
        for name, extract in extractors.items():
            times[name].append(seconds(extract, images, arguments.batch_size))
    print(f"{'':28}{'images/s':>10}{'ratio':>8}{'feature error':>15}")
    scale = np.linalg.norm(features[reference])
    for name in extractors:
        rate = arguments.images / min(times[name])
        ratio = min(times[reference]) / min(times[name])
        error = np.linalg.norm(features[name] - features[reference]) / scale
        print(f"{name:28}{rate:10.2f}{ratio:8.2f}{error:15.2%}")


if __name__ == "__main__":
    main()
