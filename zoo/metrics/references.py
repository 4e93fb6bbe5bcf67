"""Statistics of real images that come along, so that nobody computes them again.

Those of the named sets' test images over Inception, and of both splits over the set's classifier.
`python -m zoo.metrics.references` makes the files.
"""

import pathlib

import h5py
import numpy as np

from zoo import files
from zoo.metrics import frechet

FOLDER = pathlib.Path(__file__).parent / "reference_statistics"


def file_name(extractor, images):
    """Names a file: "classifier_fmnist-0972cfe1-fashion_mnist-test" of "fashion_mnist-test"."""
    return f"{extractor.name}-{extractor.digest[:8]}-{images}"


def find(name):
    """Returns the `Statistics` of a file that comes along, by its `file_name`, or None."""
    path = FOLDER / f"{name}.h5"
    return load(path) if path.is_file() else None


def save(statistics, path) -> None:
    """Writes `Statistics`, at half of single precision's size.

    A covariance is symmetric, and its rounding to single precision moves an FID by less than 1e-6:
    one triangle of it is kept. Sorted by significance, its bytes compress.
    """
    rows, columns = np.triu_indices(len(statistics.mean))
    triangle = statistics.covariance[rows, columns].astype("float32")
    with files.atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file["count"], file["mean"] = statistics.count, statistics.mean
        file.create_dataset(
            "covariance", data=triangle, compression="gzip", compression_opts=9, shuffle=True
        )


def load(path):
    """Reads a file of `save`."""
    with h5py.File(path) as file:
        count, mean, triangle = file["count"][()], file["mean"][()], file["covariance"][()]
    covariance = np.zeros((len(mean), len(mean)))
    rows, columns = np.triu_indices(len(mean))
    covariance[rows, columns] = covariance[columns, rows] = triangle
    return frechet.Statistics.of_moments(count, mean, covariance)


def main():
    """Computes and writes the statistics of every named set, from what the cache holds of them."""
    from zoo import data
    from zoo.metrics import collect, extractors

    FOLDER.mkdir(exist_ok=True)
    wanted = [("inception", dataset, "test") for dataset in data.NAMED]
    for classifier, dataset in extractors.classifiers().items():
        wanted += [(classifier, dataset, split) for split in ("test", "train")]
    for extractor, dataset, split in wanted:
        extractor = extractors.get(extractor)
        name = file_name(extractor, f"{dataset}-{split}")
        if find(name) is None:
            images = data.load(dataset, split).images
            found = collect.collect(
                extractor, lambda images=images: images, name=f"{dataset}-{split}"
            )
            save(found.statistics, FOLDER / f"{name}.h5")
        print(f"{name}.h5", flush=True)


if __name__ == "__main__":
    main()
