"""Does a card hold? Its files, its picture and its numbers, made again and compared."""

import re
import typing

import numpy as np

from zoo import (
    __version__,
    card_text,
    cards,
    data,
    evaluation,
    files,
    grids,
    hub,
    labelled,
    measurement,
    recognition,
)
from zoo.card_numbers import format_value
from zoo.metrics import extractors

STANDARD_ERRORS = 3  # by which a number measured again may differ from the stated one
ROUNDING = 0.005  # and, relative to it, by what other hardware rounds differently
RECOGNISED = 0.01  # by which a share of samples recognised may differ: ten of a thousand
GREY_LEVELS = 2  # by which a pixel drawn again may differ from the published picture


class Check(typing.NamedTuple):
    """One claim of a card: what it is of, whether it holds, and what was found."""

    name: str
    holds: bool
    found: str


def verify(name, quick=False, *, inception=None, progress=True):
    """Checks a model's card, claim by claim.

    Args:
        name: as for `zoo.load`.
        quick: whether to measure 2,000 samples with the classifier, not 10,000 with Inception.
        inception, progress: as in `zoo.compare`.

    Yields:
        A `Check` for each claim; numbers that are not stated do not hold, but for models of data
        without a test split, which have none. Where a file is not the published one, nothing else
        is read.

    Raises:
        ValueError, FileNotFoundError: there is no such model, it has no card, or the weights of the
            extractor are missing.
    """
    folder, digests = hub.locate(name)
    stated = hub.stated_digests(folder)
    if not stated:  # Keras writes a metadata.json too
        raise FileNotFoundError(f"{str(folder)!r} has no card: only published models have one.")
    metadata = files.read_json(folder / "metadata.json")
    yield (check := _files(folder, digests | stated))
    if not check.holds:
        return
    if absent := card_text.absent(metadata):
        yield Check("card", False, f"metadata.json lacks {', '.join(absent)}")
        return
    yield _card(folder, metadata)
    model = hub.load_folder(folder)
    if model.kind == "Classifier":
        yield _accuracy(model, metadata)
        return
    yield _picture(folder, model)
    yield _record(folder, metadata)
    if metadata["dataset"] not in data.NAMED and not metadata.get("metrics"):
        return  # without a test split there is nothing to state
    if (
        "classes" in metadata
        or model.config.num_classes
        and extractors.has_classifier(model.config)
    ):
        yield _classes(model, metadata)
    protocol = "quick" if quick else "test"
    rows = [row for row in metadata.get("metrics", ()) if row["protocol"] == protocol]
    if not rows:
        yield Check(protocol, False, "the card states no number of this protocol")
        return
    plan = measurement.PROTOCOLS[protocol]
    again = evaluation.evaluate(
        model,
        plan.metrics,
        plan.samples,
        plan.split,
        extractor=plan.extractor,
        seed=plan.seeds[0],
        dtype=rows[0]["dtype"],
        inception=inception,
        progress=progress,
    )
    for row in rows:
        yield compare(row, again)


def _files(folder, digests):
    try:
        hub.check_digests(folder, digests)
    except (ValueError, FileNotFoundError) as error:
        return Check("files", False, str(error))
    return Check("files", True, f"{len(digests)} files have the stated sha256")


def _accuracy(model, metadata):
    """The accuracy of a classifier's card, measured again on all test images."""
    stated = metadata["metrics"]["test_accuracy"]
    names = metadata.get("class_names", ())
    found = model.evaluate(labelled.test_images(model.config, names))["accuracy"]
    text = f"{found:.2%} measured, {stated:.2%} stated"
    return Check("accuracy", bool(abs(found - stated) <= ROUNDING * stated), text)


def _classes(model, metadata):
    """The share of samples recognised as their class, of the stated seed, counted again."""
    if "classes" not in metadata:
        return Check("classes", False, "the card does not state how many samples are recognised")
    stated = metadata["classes"]
    again = recognition.accuracy(model, stated["seed"])
    for key in ("classifier", "digest"):
        if stated.get(key) != again[key]:
            text = f"counted with {key} {again[key]}, stated with {stated.get(key)}"
            return Check("classes", False, text)
    found = again["accuracy"]
    text = f"{found:.1%} recognised, {stated['accuracy']:.1%} stated"
    return Check("classes", bool(abs(found - stated["accuracy"]) <= RECOGNISED), text)


def _picture(folder, model):
    """The grid of the card, drawn again."""
    if not (folder / "samples.png").is_file():
        return Check("samples", False, "there is no samples.png")
    published = grids.read_picture(folder / "samples.png").astype(int)
    drawn = grids.grid(cards.showcase(model), model.config.num_classes or None)
    if drawn.shape != published.shape:
        return Check("samples", False, f"samples.png is {published.shape}, not {drawn.shape}")
    difference = np.abs(drawn - published).max()
    found = f"drawn again, pixels differ by {difference} of 255 at most"
    return Check("samples", bool(difference <= GREY_LEVELS), found)


def _record(folder, metadata):
    try:
        measurement.check(folder, metadata)
    except ValueError as error:
        return Check("record", False, str(error))
    count = len(metadata.get("metrics", ()))
    return Check("record", True, f"{count} stated numbers are those of {measurement.RECORD}")


def _card(folder, metadata):
    """What people read is made of the facts that are checked here."""
    written = metadata.get("versions", {}).get("zoo")
    if written != __version__:
        return Check("card", True, f"not compared: version {written} of the zoo wrote it")
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    address = re.search(r'zoo\.load\("(.+?)"', text)
    own = {} if not address or address[1] == metadata["name"] else {"address": address[1]}
    holds = text == card_text.card(metadata | own)
    found = "is that of metadata.json" if holds else "says other things than metadata.json"
    return Check("card", holds, f"README.md {found}")


def compare(row, result):
    """Compares a stated number with one measured again.

    Args:
        row: of `measurement.summary`.
        result: of `zoo.evaluate`, with the first of the row's seeds.

    Returns:
        A `Check`, which holds where both agree to 3 standard errors, and where extractor and
        reference are the same.
    """
    stated, found = row["values"][0], result["metrics"][row["name"]]["value"]
    tolerance = max(STANDARD_ERRORS * row["standard_error"], ROUNDING * abs(stated))
    for key in ("extractor", "extractor_digest", "samples", "reference", "split"):
        if row[key] != result[key]:
            text = f"measured with {key} {result[key]}, stated with {row[key]}"
            return Check(row["name"], False, text)
    text = f"{found:.5g} measured, {stated:.5g} stated for seed {result['seed']}"
    mean = format_value(row["value"], row["standard_error"])
    text += f" (all seeds {mean}), tolerance {tolerance:.2g}"
    return Check(row["name"], bool(abs(found - stated) <= tolerance), text)
