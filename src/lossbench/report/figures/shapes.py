"""The figure of the losses as curves: the value for one sample, and its slope."""

from typing import Any

import numpy as np

from lossbench.report import drawing as ink
from lossbench.report.figures.frame import MOST_NAMED, Figure, Frame, Panel, key_panel
from lossbench.results.cells import CellResults


def shape(frame: Frame) -> Figure | None:
    """Draw each loss and its slope: over the error, or for classes over the true class's lead in output."""
    cells = _distinct(frame)
    if not cells:
        return None
    errors = bool(np.isfinite(cells[0][-1]["target"]))
    where = "error (predicted less true)" if errors else "lead of the true class (raw prediction)"
    figure = Figure(
        f"{frame.slug}-shape",
        "The shape of each loss",
        "What one sample costs, and how hard it pulls (the slope), over "
        + (
            "the error, in the unit of the targets. "
            if errors
            else "how far the true class is ahead; below 0 the decision is wrong. "
        )
        + "Losses differ in scale: compare where a curve is flat and where it is steep.",
        ["cell", "target", "x", "loss", "slope"],
    )
    slopes = [np.gradient(own["loss"], own["x"]) for *_, own in cells]
    for name, values in (("loss", [own["loss"] for *_, own in cells]), ("slope", slopes)):
        drawn, axes = ink.panel(4.2, 3.0)
        for (name_of, _, mark, line, own), y in zip(cells, values, strict=True):
            drawn_as = {"color": mark.colour, "linestyle": line, "marker": mark.marker, "markersize": 4}
            axes.plot(own["x"], y, markevery=20, label=_with_target(name_of, own), **drawn_as)
        finite = np.concatenate([y[np.isfinite(y)] for y in values])
        low, high = np.quantile(finite, [0.01, 0.99])
        above = 0.06 + (0.09 * len(cells) if name == "loss" and errors and len(cells) <= MOST_NAMED else 0.0)
        axes.set_ylim(low - 0.06 * (high - low), high + above * (high - low))
        axes.axvline(0, color=ink.LINE, linewidth=1.4, zorder=1)
        ink.finish(axes, name, where, "")
        if name == "loss" and len(cells) <= MOST_NAMED:
            axes.legend(loc="upper center" if errors else "upper right", fontsize=ink.SIZE - 1.5)
        panel = f"{figure.name}-{name}"
        labels = ", ".join(label for label, *_ in cells)
        figure.panels.append(Panel(panel, f"The {name} of {labels} over the {where}.", drawn))
    if len(cells) > MOST_NAMED:
        figure.panels.append(key_panel(figure, axes))
    for (_, result, *_, own), slope in zip(cells, slopes, strict=True):
        target = float(own["target"])
        figure.rows += [
            [result.cell.name, target, *(float(f"{v:.6g}") for v in row)]
            for row in zip(own["x"], own["loss"], slope, strict=True)
        ]
    return figure


def _distinct(frame: Frame) -> list[tuple[str, CellResults, ink.Mark, Any, dict[str, np.ndarray]]]:
    """Return the different curves, each with its label, its first cell and how it is drawn.

    Cells that differ in other settings than the loss have one curve.
    """
    found: dict[tuple[str, bytes], list[Any]] = {}
    for result, mark, line in frame.marks():
        if own := frame.shapes.get(result.cell.name):
            same = found.setdefault((result.cell.loss, own["loss"].tobytes()), [])
            same.append((frame.label(result), result, mark, line, own))
    return [same[0] if len(same) == 1 else (same[0][1].cell.loss, *same[0][1:]) for same in found.values()]


def _with_target(label: str, own: dict[str, np.ndarray]) -> str:
    target = float(own["target"])
    return label + (f", true value {target:g}" if np.isfinite(target) and target else "")
