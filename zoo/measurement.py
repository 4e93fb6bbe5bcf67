"""The numbers of a card: measured by protocol, kept raw in `measurements.json`, then summarised.

The record names the weights it was measured on and carries its own digest. A number that was edited
by hand, or that belongs to other weights, is found by `check`.
"""

import contextlib
import dataclasses
import hashlib
import json
import statistics

from zoo import data, evaluation, files, hub, subjects
from zoo.metrics import collect, extractors
from zoo.metrics.frechet import Statistics

RECORD = "measurements.json"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How the cards' numbers are measured.

    Attributes:
        extractor: "inception" or "classifier".
        split: reference split of the training data's set.
        samples: generated images per seed.
        seeds: of the sampling.
        metrics: as in `zoo.evaluate`.
        pooled: whether the images of all seeds are one sample; else every seed is a measurement,
            and the mean and its standard error are stated.
        floor: whether as many training images are measured in place of the samples: what a perfect
            generator would reach.
    """

    extractor: str
    split: str
    samples: int
    seeds: tuple
    metrics: tuple
    pooled: bool = False
    floor: bool = True


PROTOCOLS = {
    # The smallest of Lucic et al. 2018, "Are GANs Created Equal?" (arXiv:1711.10337).
    "test": Protocol("inception", "test", 10_000, (0, 1, 2), ("fid", "kid", "prdc")),
    # The most common: 50,000 samples, whose first 30,000 are those of "test".
    "train": Protocol(
        "inception", "train", 10_000, (0, 1, 2, 3, 4), ("fid",), pooled=True, floor=False
    ),
    # What `zoo verify --quick` measures again in seconds.
    "quick": Protocol("classifier", "test", 2_000, (0, 1, 2), ("fid", "kid", "prdc", "is")),
}


def measure(folder, protocol, *, dtype="float32", inception=None, progress=True):
    """Measures a published model and adds the numbers to its folder's record.

    Features of finished seeds stay in the cache: interrupted, it goes on with the next one.

    Args:
        folder: of the model.
        protocol: a name of `PROTOCOLS`.
        dtype, inception, progress: as in `zoo.compare`; the classifier is always in float32.

    Returns:
        The record, as it is in the folder's `measurements.json`.

    Raises:
        ValueError: the model was trained on images without a test split, for a missing classifier,
            or where the record so far was edited.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"There is no protocol {protocol!r}; accepted are {', '.join(PROTOCOLS)}.")
    plan = PROTOCOLS[protocol]
    _check_record(folder, read(folder))
    if plan.extractor == "classifier":
        dtype = "float32"
    with unchanged(folder) as weights:
        model = hub.load_folder(folder)
        check_measurable(model.config.dataset)
        extractor = extractors.get(plan.extractor, model.config.dataset, dtype, inception)
        name = f"{folder.name}-{weights[:8]}-seed{{}}-{plan.samples}"
        options = {"extractor": extractor, "progress": progress}
        results = _samples(model, plan, name, options)
        floor = _floor(model, plan, options) if plan.floor else None
    record = read(folder)
    _check_record(folder, record)
    if record.get("weights") != weights:
        record = {"weights": weights, "results": {}}
    record["results"][protocol] = {"samples": results, "floor": floor}
    files.write_json(folder / RECORD, record | {"digest": digest(record)})
    return read(folder)


def check_measurable(dataset):
    """Raises a `ValueError` unless models trained on `dataset` can be measured for a card."""
    if dataset not in data.NAMED:
        raise ValueError(
            f"The cards' protocols compare with a test split, and {dataset!r} has none: "
            "use `zoo evaluate`."
        )


@contextlib.contextmanager
def unchanged(folder):
    """Raises a `ValueError` if other weights are published in `folder` within the block.

    Gives the sha256 of the weights.
    """
    weights = files.sha256(folder / hub.WEIGHTS)
    yield weights
    if files.sha256(folder / hub.WEIGHTS) != weights:
        raise ValueError(f"{folder.name} was published anew while it was measured: measure again.")


def _samples(model, plan, name, options):
    """The measurements of every seed, or the one of all seeds together."""
    if plan.pooled:
        return [_pooled(model, plan, name, **options)]
    what = (model, plan.metrics, plan.samples, plan.split)
    return [
        evaluation.evaluate(*what, seed=seed, cache=name.format(seed), **options)
        for seed in plan.seeds
    ]


def _pooled(model, plan, name, extractor, progress):
    """One measurement of the images of all seeds together."""
    parts = [subjects.open_subject(model, plan.samples, seed) for seed in plan.seeds]
    reference = subjects.open_reference(plan.split, parts)
    label = "reference:" if progress else None
    real = collect.collect(extractor, reference.images, name=reference.name, progress=label)
    pooled = Statistics(extractor.size)
    for part in parts:
        label = f"seed {part.seed}:" if progress else None
        options = {"total": part.count, "progress": label}
        cache = name.format(part.seed)
        pooled.merge(collect.collect(extractor, part.stream, name=cache, **options).statistics)
    values = evaluation.scores(plan.metrics, real, collect.Collected(pooled, None))
    whole = parts[0]._replace(count=pooled.count, seed=list(plan.seeds))
    return evaluation.result(extractor, whole, reference, real, values)


def _floor(model, plan, options):
    """The measurement of as many training images in place of samples."""
    images = data.load(model.config.dataset, "train").resized(model.config.image_shape)
    images = data.ArrayImages(images[: plan.samples])
    reference = subjects.open_reference("train", [subjects.open_subject(model, 1)])
    return evaluation.evaluate(
        images,
        plan.metrics,
        reference=(model.config.dataset, plan.split),
        cache=f"{reference.name}-first-{plan.samples}",
        **options,
    )


def read(folder):
    """Returns the record of a folder; {} where nothing was measured."""
    path = folder / RECORD
    return files.read_json(path) if path.is_file() else {}


def digest(record):
    """Returns the sha256 of a record's content, its own digest left out."""
    content = {key: value for key, value in record.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _check_record(folder, record):
    if record and record.get("digest") != digest(record):
        raise ValueError(f"{folder.name}: {RECORD} was edited after the measurement.")


def summary(record):
    """Returns a card's metrics, one dict for each number, in the order of `PROTOCOLS`.

    `value` is the mean of `values`, one for each seed, and `standard_error` its standard error;
    None where all seeds make one measurement.
    """
    rows = []
    for protocol in PROTOCOLS:
        if protocol not in record.get("results", {}):
            continue
        results = record["results"][protocol]
        first, floor = results["samples"][0], results["floor"]
        pooled = isinstance(first["seed"], list)
        for name in first["metrics"]:
            values = [result["metrics"][name]["value"] for result in results["samples"]]
            several = len(values) > 1
            row = {
                "protocol": protocol,
                "name": name,
                "value": statistics.fmean(values),
                "standard_error": statistics.stdev(values) / len(values) ** 0.5
                if several
                else None,
                "floor": floor["metrics"][name]["value"] if floor else None,
                "values": values,
                "seeds": first["seed"] if pooled else [r["seed"] for r in results["samples"]],
            }
            keys = ("samples", "extractor", "extractor_digest", "dtype", "reference", "split")
            rows.append(row | {key: first[key] for key in (*keys, "reference_samples")})
    return rows


def check(folder, metadata):
    """Raises a `ValueError` unless a card's metrics are those that were measured.

    Args:
        folder: of the model.
        metadata: its `metadata.json`.
    """
    record = read(folder)
    if not record and not metadata.get("metrics"):
        return
    _check_record(folder, record)
    if record.get("weights") != files.sha256(folder / hub.WEIGHTS):
        raise ValueError(f"{folder.name}: {RECORD} was measured on other weights.")
    if summary(record) != metadata.get("metrics"):
        raise ValueError(f"{folder.name}: metadata.json states other numbers than were measured.")
