"""The training curves of a card."""

import math

from zoo import files

WIDTH, HEIGHT = 4.0, 2.6  # of a panel, in inches


def save_curves(path, rows):
    """Draws a run's history: losses in one panel, scores in another, other numbers in their own.

    Args:
        path: the picture to write.
        rows: dicts as of `history.csv`, with `step`; a cell may be missing or empty.

    Raises:
        ValueError: matplotlib is not installed.
    """
    Figure = import_figure()
    panels = {}
    for name in dict.fromkeys(key for row in rows for key in row):
        if name not in ("step", "minutes"):
            panels.setdefault(panel(name), []).append(name)
    columns = min(len(panels), 3)
    lines = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for ax in axes[len(panels) :]:
        ax.remove()
    for ax, (title, names) in zip(axes, panels.items()):
        for name in names:
            points = [(int(row["step"]), float(row[name])) for row in rows if _stated(row, name)]
            ax.plot(*zip(*points), label=name, linewidth=1, marker="." if len(points) < 5 else "")
        ax.set_title(title, fontsize=9)
        ax.set_xlabel("step", fontsize=8)
        ax.tick_params(labelsize=7)
        ax.grid(alpha=0.3)
        if len(names) > 1:
            ax.legend(fontsize=7)
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png", metadata={"Software": None})


def import_figure():
    """Returns matplotlib's `Figure`, or says in a `ValueError` how to install it."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError("Plots need matplotlib: pip install 'keras-gan-zoo[plot]'.") from error
    return Figure


def panel(name):
    """Returns the title of the panel that a column of the history belongs to."""
    if "loss" in name or name == "penalty":
        return "losses"
    if name.endswith("score") or name == "wasserstein":
        return "scores"
    return name.removeprefix("val_")


def _stated(row, name):
    return row.get(name) not in (None, "")
