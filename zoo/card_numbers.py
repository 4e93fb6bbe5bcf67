"""Numbers on cards and in tables, for people."""

import pathlib

from zoo import dataset_facts

LABELS = {
    "fid": "FID",
    "kid": "KID",
    "is": "Inception Score",
    "fid_infinity": "FID-infinity",
}
# Protocols whose first seed `zoo verify` measures again, its flag, and the extractor.
VERIFIED = (("test", "", "Inception"), ("quick", " --quick", "the classifier"))


def metrics(metadata):
    """Returns the section of a card with its measured numbers; "" where there are none."""
    rows = metadata.get("metrics")
    if not rows:
        return ""
    lines = "\n".join(map(_line, rows))
    digests = {row["extractor"]: (row["extractor_digest"][:8], row["dtype"]) for row in rows}
    extractors = "; ".join(f"{name} {a} in {b}" for name, (a, b) in sorted(digests.items()))
    address = metadata.get("address", metadata["name"])
    samples = {row["protocol"]: row["samples"] for row in rows}
    folder = f" --checkpoints={pathlib.PurePosixPath(address).parent}" if "/" in address else ""
    again = [
        f"`zoo verify {address}{flag}` measures those of {samples[protocol]:,} samples "
        f"over {extractor} again"
        for protocol, flag, extractor in VERIFIED
        if protocol in samples
    ]
    return f"""
## Metrics

| Metric | Value | Real images | Extractor | Samples | Reference | Seeds |
|---|---|---|---|---|---|---|
{lines}

± is the standard error over the sampling seeds. *Real images* is the same measurement of as many
training images in place of the samples: what a perfect generator would reach. Numbers of different
extractors do not compare. Extractors (sha256 of their weights): {extractors}.
Measured by `zoo measure {metadata["name"]}{folder}`; {", ".join(again)}.
"""


def _line(row):
    split = f" {row['split']}" if row["split"] else ""
    reference = f"{row['reference']}{split}, {row['reference_samples']:,}"
    floor = "" if row["floor"] is None else format_value(row["floor"])
    cells = [
        label(row["name"]),
        format_value(row["value"], row["standard_error"]),
        floor,
        row["extractor"],
        f"{row['samples']:,}",
        reference,
        ", ".join(map(str, row["seeds"])),
    ]
    return f"| {' | '.join(cells)} |"


def title(row):
    """Returns a metric's name with what it was measured on."""
    return f"{label(row['name'])}, {row['extractor']}, {row['samples']:,} samples"


def label(name):
    """Returns a metric's name for people."""
    return LABELS.get(name, name.capitalize())


def format_value(value, standard_error=None):
    """Returns a number for people: four significant digits, and its error where there is one."""
    text = f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return text if standard_error is None else f"{text} ± {standard_error:.2g}"


def classes(metadata):
    """Returns the section of a conditional model's classes; "" where they were not measured."""
    facts = metadata.get("classes")
    if not facts:
        return ""
    names = dataset_facts.of(metadata)["classes"]
    labels = "".join(f" {label} {name} |" for label, name in enumerate(names))
    shares = "".join(f" {share:.0%} |" for share in facts["of_class"])
    return f"""
## Classes

`{facts["classifier"]}` recognises {facts["accuracy"]:.1%} of {facts["count"]:,} samples \
(seed {facts["seed"]}, as many of each class)
as the class they were asked for:

| Class |{labels}
|---|{"---|" * len(facts["of_class"])}
| Recognised |{shares}

![Walks between classes](classes.png)

Each row walks from one class to the next, all rows at one latent.
"""


def neighbours(metadata):
    """Returns the section of the memorisation check; "" where it was not made."""
    facts = metadata.get("neighbours")
    if not facts:
        return ""
    ratio = facts["sample_distance"] / facts["test_distance"]
    space = "pixels" if facts["space"] == "pixels" else f"features of {facts['space']}"
    return f"""
## Nearest training images

![Eight samples above their nearest training images](neighbours.png)

Above, eight samples; below, the training image nearest to each ({space}, Euclidean distance). The
median distance of {facts["count"]:,} samples (seed {facts["seed"]}) to their nearest training \
images is {ratio:.2f} times
that of {facts["count"]:,} test images; copies would have a ratio near 0.
"""
