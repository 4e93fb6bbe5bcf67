"""Measures models and images against real ones: `zoo.evaluate` and the tables of the commands."""

import pathlib

import numpy as np

from zoo import sampling
from zoo import subjects as measurable
from zoo.card_numbers import format_value
from zoo.metrics import collect, extractors, frechet
from zoo.metrics.extrapolation import fid_infinity
from zoo.metrics.inception_score import SPLITS, inception_score
from zoo.metrics.kernel import kernel_distance
from zoo.metrics.precision_recall import precision_recall

# The metrics, and the number of images below which they mean nothing.
METRICS = {"fid": 2, "kid": 20, "prdc": 6, "is": 20, "fid_infinity": 8}
DEFAULT = ("fid", "kid", "prdc")
_FEATURES = {"kid", "prdc", "fid_infinity"}  # metrics that need more than statistics


def evaluate(subject, metrics=DEFAULT, samples=None, reference="test", **options):
    """Measures one model or set of images; see `compare` for all arguments and errors.

    >>> zoo.evaluate("wgan_gp_fmnist", metrics=("fid",))["metrics"]["fid"]["value"]

    Returns:
        A dict of what was measured, `subject`, and how: `extractor`, `extractor_digest`, `dtype`,
        `samples`, `seed`, `reference`, `split` and `reference_samples`. `metrics` is a dict from
        name to {"value", "standard_error"}, the error None where one measurement gives none.
    """
    return compare([subject], metrics, samples, reference, **options)[0]


def compare(
    subjects,
    metrics=DEFAULT,
    samples=None,
    reference="test",
    extractor="inception",
    seed=0,
    *,
    dtype="float32",
    inception=None,
    cache=None,
    progress=True,
):
    """Measures several models or sets of images in the same way.

    Args:
        subjects: each a `zoo.GAN`, images or text; see `zoo.subjects.open_subject`.
        metrics: of "fid", "kid", "prdc" (precision, recall, density and coverage), "is" (Inception
            Score, which needs a classifier) and "fid_infinity"; a sequence, or text with commas.
        samples: images of each; by default 10,000 generated ones or all given ones, and of
            several subjects as many as the smallest has.
        reference: "test" or "train" of the data the models were trained on, or a data source; see
            `zoo.subjects.open_reference`. "is" alone, with a classifier's name, needs none.
        extractor: "inception", "classifier", a published classifier's name, or an
            `zoo.metrics.features.Extractor`.
        seed: of generated images and of random subsets.
        dtype: "float32" or "bfloat16", of the Inception network.
        inception: path of the Inception weights; `$ZOO_INCEPTION` or the cache by default.
        cache: name for the own features on disk of a single subject that will not change.
        progress: whether to report images and time left on stderr.

    Returns:
        A list of dicts, as `evaluate` describes them.

    Raises:
        ValueError, FileNotFoundError: an argument is outside its range, images do not compare, or
            the weights of the extractor are missing.
    """
    metrics = _names(metrics)
    if isinstance(subjects, (str, pathlib.Path)):
        subjects = [subjects]
    if cache and len(subjects) > 1:
        raise ValueError("A name in the cache is that of one subject: measure them one by one.")
    if not subjects:
        raise ValueError("There is nothing to measure: name a model or images.")
    sampling.check_seed(seed)
    opened = _open_alike(subjects, metrics, samples, seed)
    default = isinstance(reference, str) and reference == "test"
    alone = default and set(metrics) == {"is"} and extractor != "classifier"
    target = measurable.NO_REFERENCE if alone else measurable.open_reference(reference, opened)
    if target.name is None and not alone:
        blocks = target.images()
        target = target._replace(images=lambda: blocks)  # opened once
        for metric in metrics:
            _check_enough(blocks.total, metric, METRICS[metric], "of the reference there")
    extractor = extractors.get(extractor, target.source, dtype, inception)
    _check_extractor(extractor, opened[0], metrics)
    real = None
    if set(metrics) - {"is"}:
        keep = bool({"kid", "prdc"} & set(metrics))
        label = "reference:" if progress else None
        real = collect.collect(extractor, target.images, keep, target.name, progress=label)
    results = []
    for subject in opened:
        label = f"{subject.name}:" if progress else None
        values = _measure(extractor, subject, real, metrics, seed, cache, label)
        results.append(result(extractor, subject, target, real, values))
    return results


def _names(metrics):
    """Returns metrics as a list of their names; a `ValueError` for one that is unknown."""
    names = [name.strip() for name in metrics.split(",")] if isinstance(metrics, str) else metrics
    names = list(names)
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        wrong = f"There is no metric {unknown[0]!r}" if unknown else "No metric is named"
        raise ValueError(f"{wrong}; accepted are {', '.join(METRICS)}.")
    return names


def _open_alike(subjects, metrics, samples, seed):
    """Opens subjects of one shape, as many images of each, and enough for the metrics."""
    opened = [measurable.open_subject(subject, samples, seed) for subject in subjects]
    measurable.one_shape(opened)
    smallest = min(subject.count for subject in opened)
    if any(subject.count > smallest for subject in opened):
        opened = [measurable.open_subject(subject, smallest, seed) for subject in subjects]
    for metric in metrics:
        _check_enough(smallest, metric, METRICS[metric])
    return opened


def _check_enough(count, metric, least, where="there"):
    if count < least:
        raise ValueError(f"{metric} needs at least {least} images of each; {where} are {count}.")


def _check_extractor(extractor, subject, metrics):
    """Raises a `ValueError` where an extractor cannot look at the images or give the metrics."""
    shape = getattr(extractor, "shape", subject.shape)
    if tuple(shape) != tuple(subject.shape):
        raise ValueError(
            f"{extractor.name} looks at images of {tuple(shape)}, and those of {subject.name} are "
            f"{tuple(subject.shape)}."
        )
    if "is" in metrics and not hasattr(extractor, "predict"):
        raise ValueError(
            f"The Inception Score needs a classifier's probabilities, which {extractor.name} does "
            "not give: use --extractor classifier."
        )
    if "is" in metrics:
        _check_enough(subject.count, "is", SPLITS * getattr(extractor, "classes", 2))


def _measure(extractor, subject, real, metrics, seed, cache, label):
    """Returns {name: (value, standard error or None)} of one subject."""
    values = {}
    if real is not None:
        keep = bool(_FEATURES & set(metrics))
        options = {"total": subject.count, "progress": label}
        fake = collect.collect(extractor, subject.stream, keep, cache, **options)
        if fake.statistics.count != subject.count:
            raise ValueError(
                f"The cache holds {cache!r} of {fake.statistics.count:,} images, not of "
                f"{subject.count:,}: choose another name."
            )
        values |= scores(metrics, real, fake, seed)
    if "is" in metrics:
        probabilities = np.concatenate([extractor.predict(images) for images in subject.stream()])
        if subject.seed is None:  # given images may be sorted by class, and so each split one class
            probabilities = np.random.default_rng(seed).permutation(probabilities)
        values["is"] = inception_score(probabilities)
    return values


def scores(metrics, real, fake, seed=0):
    """Returns {name: (value, standard error or None)} of those `metrics` that compare features.

    Args:
        metrics: names, as in `compare`.
        real, fake: `zoo.metrics.collect.Collected`, with features where a metric needs them.
        seed: of random subsets.
    """
    values = {}
    if "fid" in metrics:
        values["fid"] = frechet.frechet_distance(fake.statistics, real.statistics), None
    if "fid_infinity" in metrics:
        line = fid_infinity(fake.features, real.statistics, seed=seed)
        values["fid_infinity"] = line.value, None
    if "kid" in metrics:
        values["kid"] = kernel_distance(fake.features, real.features, seed=seed)
    if "prdc" in metrics:
        found = precision_recall(real.features, fake.features)
        values |= {name: (value, None) for name, value in found.items()}
    return values


def result(extractor, subject, reference, real, values):
    """Returns what `evaluate` does: `values` of `scores`, and how they were measured."""
    return {
        "subject": subject.name,
        "samples": subject.count,
        "seed": subject.seed,
        "extractor": extractor.name,
        "extractor_digest": extractor.digest,
        "dtype": getattr(extractor, "dtype", "float32"),
        "reference": reference.source if real else None,
        "split": reference.split if real else None,
        "reference_samples": real.statistics.count if real else None,
        "metrics": {
            name: {"value": value, "standard_error": error}
            for name, (value, error) in values.items()
        },
    }


def table(results):
    """Returns results of `compare` side by side, as text that says how they were measured."""
    rows = [("", *(_short(result["subject"]) for result in results))]
    rows.append(("samples", *(f"{result['samples']:,}" for result in results)))
    seeds = ("all" if result["seed"] is None else str(result["seed"]) for result in results)
    rows.append(("seed", *seeds))
    for name in results[0]["metrics"]:
        rows.append((name, *(format_value(**result["metrics"][name]) for result in results)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        f"{head:{widths[0]}}" + "".join(f"  {cell:>{w}}" for cell, w in zip(cells, widths[1:]))
        for head, *cells in rows
    ]
    return "\n".join([*lines, protocol(results[0])])


def protocol(result):
    """Returns one line that says what a result was measured with and against."""
    digest = result["extractor_digest"][:8]
    line = f"extractor {result['extractor']} ({digest}, {result['dtype']})"
    if result["reference"] is None:
        return line
    split = f" {result['split']}" if result["split"] else ""
    return f"{line}; reference {result['reference']}{split}, {result['reference_samples']:,} images"


def _short(name):
    return name if len(name) <= 24 else f"...{pathlib.PurePath(name).as_posix()[-21:]}"
