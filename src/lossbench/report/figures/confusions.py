"""The figure of confusion matrices."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lossbench.config.settings import OwnSettings
from lossbench.losses.heads import decide
from lossbench.metrics.classification import confusion_matrix
from lossbench.report import drawing as ink
from lossbench.report.figures.frame import Figure, Frame, Panel, slug
from lossbench.results.cells import CellResults

# A matrix of more than ``MOST_CLASSES`` is not drawn; up to ``FEW_CLASSES`` there is room for a decimal.
MOST_CLASSES, FEW_CLASSES = 12, 4
# The opacity of a share of 1, on which letters are still readable.
DARKEST = 0.5
LONGEST_NAME = 9


def confusions(frame: Frame) -> Figure | None:
    """Draw confusion matrices: for each true class, the shares of samples that are assigned to each class."""
    if frame.table.results[0].cell.task not in ("binary", "multiclass"):
        return None
    if frame.n_classes > MOST_CLASSES:
        return None
    names = _class_names(frame)
    figure = Figure(
        f"{frame.slug}-confusion",
        "Confusion",
        "Of each true class (row), the share that is decided for each class, in percent; mean over the working runs, "
        "test split.",
        ["cell", "true", *(f"decided_{name}" for name in names)],
    )
    for result, mark, _ in frame.marks():
        shares = _shares(result, len(names))
        if shares is None or len(figure.panels) == frame.most_panels:
            continue
        figure.rows += [[result.cell.name, name, *np.round(row, 6)] for name, row in zip(names, shares, strict=True)]
        figure.panels.append(_panel(frame, figure, result, mark, names, shares))
    return figure if figure.panels else None


def _class_names(frame: Frame) -> list[str]:
    settings = frame.table.results[0].cell.settings.dataset
    return settings.facts.labels if isinstance(settings, OwnSettings) else [str(k) for k in range(frame.n_classes)]


def _shares(result: CellResults, n_classes: int) -> np.ndarray | None:
    """Return the mean confusion matrix of a cell's working runs, whose rows sum to 1; None if no run works."""
    counts = np.zeros((n_classes, n_classes))
    for run in result.working.runs:
        y = result.test_targets(run)
        if y is not None and "raw/test" in run.arrays:
            pair = result.cell.pair
            decided = decide(run.arrays["raw/test"], pair.head, pair.encoding, pair.task).astype(int)
            counts += confusion_matrix(y, decided, n_classes)
    if not counts.any():
        return None
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _panel(
    frame: Frame, figure: Figure, result: CellResults, mark: ink.Mark, names: list[str], shares: np.ndarray
) -> Panel:
    n_classes = len(names)
    side = 2.4 if n_classes <= FEW_CLASSES else 3.4
    short = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
    left = 0.5 + 0.075 * max(map(len, short))
    # Wide enough for the name of the loss in the title.
    drawn, axes = ink.panel(max(side, 3.2) + left - 0.5, side, left=left)
    for i, j in np.ndindex(shares.shape):
        axes.add_patch(Rectangle((j, i), 1, 1, facecolor=mark.colour, alpha=DARKEST * shares[i, j], linewidth=0))
        text = f"{100 * shares[i, j]:.{1 if n_classes <= FEW_CLASSES else 0}f}"
        axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=ink.INK)
    ink.finish(axes, frame.label(result), "decided", "true")
    axes.grid(False)
    _name_classes(axes, short)
    off = shares - np.diag(shares.diagonal())
    true, decided = np.unravel_index(off.argmax(), off.shape)
    said = "every sample is right"
    if off.max() > 0:
        worst = f"{names[int(true)]} is taken for {names[int(decided)]}"
        said = f"most often {worst}, in {100 * off.max():.1f} % of its samples"
    description = f"Confusion of {frame.label(result)} on {frame.table.data}; {said}."
    name = f"{figure.name}-{slug(frame.label(result))}"
    return Panel(name, description, drawn)


def _name_classes(axes: Axes, names: list[str]) -> None:
    places = np.arange(len(names)) + 0.5
    axes.set_xlim(0, len(names))
    axes.set_ylim(len(names), 0)
    # Below, long names would overlap; they are shortened there and stand in full at the side.
    below = names if max(map(len, names)) <= 2 or len(names) <= FEW_CLASSES else [name[:2] for name in names]
    axes.set_xticks(places, below)
    axes.set_yticks(places, names)
