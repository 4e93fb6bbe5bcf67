"""Compares the normalisations: `python -m recipes.classifier.compare --workdir=runs/comparison`.

Every normalisation is trained with several seeds on the training split and measured on the test
split, as in Wu & He 2018, section 4.1, at the size of this recipe.
"""

import dataclasses
import pathlib
import statistics

import keras

from recipes.classifier import NORMS, Config
from recipes.classifier.train import train
from zoo import cli, curves, data, files, labelled, registry
from zoo.config import hyperparameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison(Config):
    """A `Config` of every run but for its norm and seed, and how many runs there are."""

    norm: str = hyperparameter("all", "Normalisations to compare.", choices=("all", *NORMS))
    seed: int = hyperparameter(0, "Of the first run of each; the next count up.", minimum=0)
    seeds: int = hyperparameter(3, "Runs of each normalisation.", minimum=1)
    steps: int = 3_000


def compare(comparison, workdir):
    """Trains and measures what is not finished in `workdir`, and writes the comparison there.

    A run lives in `workdir/<norm>_<seed>`. After each, `comparison.csv` (every run),
    `comparison.md` (mean and standard deviation) and `comparison.png` are written anew.

    Returns:
        The rows of `comparison.csv`: dicts of norm, seed and test_accuracy.

    Raises:
        ValueError: If Matplotlib is missing, or there are no test images of the same classes.
    """
    curves.import_figure()  # before the hours of work, not after
    learnt = data.load(comparison.dataset).class_names
    images = labelled.test_images(comparison, learnt)
    data.check_labelled(images, comparison.num_classes)
    planned = configs(comparison)
    for config in {config.norm: config for config in planned}.values():
        registry.build("classifier", config)  # where it cannot be, it says so now
    workdir, rows = pathlib.Path(workdir), []
    for config in planned:
        rows.append(run(config, images, workdir / f"{config.norm}_{config.seed}"))
        write(rows, workdir)
    return rows


def configs(comparison):
    """Returns the `Config` of every run, the seeds of one norm after those of another."""
    values = comparison.to_dict()
    norms = NORMS if comparison.norm == "all" else (comparison.norm,)
    seeds = range(comparison.seed, comparison.seed + values.pop("seeds"))
    return [
        Config.from_dict(values | {"norm": norm, "seed": seed}) for norm in norms for seed in seeds
    ]


def run(config, images, workdir):
    """Trains one classifier and measures it on `images`, unless `workdir` holds its result.

    Returns:
        Its row of the comparison.
    """
    path = workdir / "result.json"
    if path.is_file():
        result = files.read_json(path)
        if result["config"] == config.to_dict():
            return result["row"]
    keras.utils.clear_session()
    model = train(config, workdir)
    row = {
        "norm": config.norm,
        "seed": config.seed,
        "test_accuracy": round(model.evaluate(images)["accuracy"], 5),
    }
    files.write_json(path, {"config": config.to_dict(), "row": row})
    return row


def summarise(rows):
    """Returns {norm: (mean, standard deviation, runs)} of the test accuracy, in order.

    The standard deviation is the sample's, with n - 1; of one run it is 0.
    """
    accuracies = {}
    for row in rows:
        accuracies.setdefault(row["norm"], []).append(row["test_accuracy"])
    return {
        norm: (
            statistics.fmean(values),
            statistics.stdev(values) if len(values) > 1 else 0.0,
            len(values),
        )
        for norm, values in accuracies.items()
    }


def write(rows, workdir):
    """Writes `comparison.csv`, `comparison.md` and `comparison.png`."""
    files.write_csv(workdir / "comparison.csv", rows)
    summary = summarise(rows)
    lines = ["| norm | test accuracy, % | runs |", "|---|---|---|"]
    for norm, (mean, deviation, runs) in summary.items():
        lines.append(f"| {norm} | {100 * mean:.2f} ± {100 * deviation:.2f} | {runs} |")
    files.write_text(workdir / "comparison.md", "\n".join(lines) + "\n")
    plot(summary, workdir / "comparison.png")


def plot(summary, path):
    """Draws the mean test accuracy of every norm with its standard deviation as error bar."""
    means = [100 * mean for mean, _, _ in summary.values()]
    deviations = [100 * deviation for _, deviation, _ in summary.values()]
    figure = curves.import_figure()(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(list(summary), means, deviations, fmt="o", capsize=4)
    axes.set_xlabel("normalisation")
    axes.set_ylabel("test accuracy, %")
    axes.grid(axis="y", alpha=0.3)
    axes.margins(x=0.15)
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


if __name__ == "__main__":
    cli.run(compare, Comparison, end="the comparison is in {}", made="comparison.md")
