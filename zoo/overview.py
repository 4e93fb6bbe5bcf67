"""The table of models in the project's README, made from `metadata.json` as the cards are."""

from zoo import card_numbers, dataset_facts
from zoo.metrics import fetch

BEGIN = "<!-- The table of models is made by `zoo cards`; do not edit. -->"
END = "<!-- The end of the table. -->"
HEAD = """| Model | Recipe | Trained on | Parameters | Measured | Samples |
|---|---|---|---|---|---|"""


def with_models(text, cards):
    """Returns a README's text with the table of models between its two marks.

    Args:
        text: Of the README; without both marks it is returned as it is.
        cards: The `metadata` of every model.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        return text
    rows = "\n".join(map(_row, cards))
    return f"{before}{begin}\n\n{HEAD}\n{rows}\n\n{end}{after}"


def _row(metadata):
    name, recipe = metadata["name"], metadata["recipe"]
    network = next(iter(metadata["parameters"]))  # what is sampled from, or classifies
    picture = ""
    if "samples.png" in metadata["files"]:
        source = f"checkpoints/{name}/samples.png"
        picture = f'<img src="{source}" width="160" alt="64 samples of {name}">'
    cells = [
        f"[`{name}`](checkpoints/{name}/README.md)",
        f"[`{recipe}`](recipes/{recipe}/README.md)",
        dataset_facts.of(metadata)["title"],
        f"{network} {metadata['parameters'][network]:,}",
        "<br>".join(_measured(metadata)),
        picture,
    ]
    return f"| {' | '.join(cells)} |"


def _measured(metadata):
    """Yields the numbers of a row: accuracy, or every FID, and how many classes are recognised."""
    metrics = metadata.get("metrics") or ()
    if "test_accuracy" in metrics:
        yield f"{metrics['test_accuracy']:.2%} of the test images"
        return
    for row in metrics:
        if row["name"] == "fid":
            value = card_numbers.format_value(row["value"], row["standard_error"])
            over = "" if row["extractor"] == fetch.NETWORK else f" over {row['extractor']}"
            yield f"FID{over} {value} ({row['samples']:,} samples, {row['split']})"
    if "classes" in metadata:
        yield f"{metadata['classes']['accuracy']:.1%} recognised as their class"
