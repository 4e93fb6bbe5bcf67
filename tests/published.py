"""A model that tests publish, what it is measured with, and how its files are forged."""

from extractors_for_tests import Quarters

from zoo import files, measurement

NAME = "tiny_fmnist"
EXTRACTOR = Quarters()
PROTOCOLS = {
    "test": measurement.Protocol(EXTRACTOR, "test", 60, (0, 1, 2), ("fid", "kid")),
    "train": measurement.Protocol(
        EXTRACTOR, "train", 50, (0, 1, 2, 3), ("fid",), pooled=True, floor=False
    ),
    "quick": measurement.Protocol(EXTRACTOR, "test", 40, (0, 1), ("fid", "is")),
}


def edit(path, change):
    """Changes the value that a JSON file holds."""
    value = files.read_json(path)
    change(value)
    files.write_json(path, value)


def row_of(metadata, protocol, name):
    """Returns the one row of a card's numbers with this protocol and name."""
    (row,) = (r for r in metadata["metrics"] if (r["protocol"], r["name"]) == (protocol, name))
    return row
