"""Prints the FID of real images against real images, for which reference numbers are known.

    python benchmarks/inception_golden.py [--dataset=cifar10] [--dtype=float32]

CIFAR-10: the first n training images, in the order of the original files, against the 10,000 test
images. Fashion-MNIST: 10,000 training images, the first of TensorFlow Datasets' order, which is
another, against the 10,000 test images.
The right column was measured with an independent implementation; where float32 does not agree to
0.01, this fails.
Needs the weights (`zoo fetch-inception`); takes about ten minutes a set and 10,000 images on two
cores. The test sets' statistics are kept in the cache.
"""

import argparse
import time

import numpy as np
import tensorflow_datasets as tfds

from zoo.metrics import collect, features, frechet, inception

EXPECTED = {
    "cifar10": {2000: 16.22, 4000: 9.11, 5000: 7.81, 8000: 5.86},
    "fashion_mnist": {10000: 2.53},
}


def load_images(dataset, split):
    """All images of a TFDS split, uint8 (N, H, W, C), in the original order where it is known."""
    examples = list(tfds.as_numpy(tfds.load(dataset, split=split)))
    if "id" in examples[0]:
        examples.sort(key=lambda example: example["id"])
    return np.stack([example["image"] for example in examples])


def training_statistics(extractor, images, counts, batch_size=50):
    """Yields (n, statistics of the first n images) for each n of `counts`, in one pass."""
    statistics = frechet.Statistics(extractor.size)
    for batch in features.extract(extractor, images, batch_size):
        statistics.update(batch)
        if statistics.count in counts:
            yield statistics.count, statistics


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dataset", choices=list(EXPECTED), action="append")
    parser.add_argument("--dtype", choices=inception.DTYPES, default="float32")
    arguments = parser.parse_args()
    extractor = inception.Inception(dtype=arguments.dtype)
    print(f"{'set':15}{'n':>7}{'FID':>9}{'expected':>10}   {extractor.name}")
    for dataset in arguments.dataset or EXPECTED:
        expected = EXPECTED[dataset]
        reference = collect.collect(
            extractor, lambda name=dataset: load_images(name, "test"), name=f"{dataset}-test"
        ).statistics
        images = load_images(dataset, "train")[: max(expected)]
        start = time.monotonic()
        for count, statistics in training_statistics(extractor, images, expected):
            fid = frechet.frechet_distance(statistics, reference)
            print(f"{dataset:15}{count:7}{fid:9.3f}{expected[count]:10.2f}", flush=True)
            if arguments.dtype == "float32" and abs(fid - expected[count]) > 0.01:
                raise SystemExit("They differ by more than 0.01.")
        print(f"{len(images) / (time.monotonic() - start):.1f} images/s")


if __name__ == "__main__":
    main()
