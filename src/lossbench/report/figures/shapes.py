"""The figure of the losses as curves: the value for one sample, and its slope."""

import numpy as np

from lossbench.report import drawing as ink
from lossbench.report.figures.frame import MOST_NAMED, Figure, Frame, Panel, key_panel
from lossbench.results.cells import CellResults


def shape(frame: Frame) -> Figure | None:
    """Draw each loss and its slope: over the error, or for classes over the true class's lead in output."""
    cells = [(r, m, line, frame.shapes[r.cell.name]) for r, m, line in frame.marks() if r.cell.name in frame.shapes]
    if not cells:
        return None
    errors = bool(np.isfinite(cells[0][3]["target"]))
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
        for (result, mark, line, own), y in zip(cells, values, strict=True):
            drawn_as = {"color": mark.colour, "linestyle": line, "marker": mark.marker, "markersize": 4}
            axes.plot(own["x"], y, markevery=20, label=_with_target(frame, result, own), **drawn_as)
        finite = np.concatenate([y[np.isfinite(y)] for y in values])
        low, high = np.quantile(finite, [0.01, 0.99])
        above = 0.06 + (0.09 * len(cells) if name == "loss" and errors and len(cells) <= MOST_NAMED else 0.0)
        axes.set_ylim(low - 0.06 * (high - low), high + above * (high - low))
        axes.axvline(0, color=ink.LINE, linewidth=1.4, zorder=1)
        ink.finish(axes, name, where, "")
        if name == "loss" and len(cells) <= MOST_NAMED:
            axes.legend(loc="upper center" if errors else "upper right", fontsize=ink.SIZE - 1.5)
        panel = f"{figure.name}-{name}"
        labels = ", ".join(frame.label(r) for r, *_ in cells)
        figure.panels.append(Panel(panel, f"The {name} of {labels} over the {where}.", drawn))
    if len(cells) > MOST_NAMED:
        figure.panels.append(key_panel(figure, axes))
    for (result, _, _, own), slope in zip(cells, slopes, strict=True):
        target = float(own["target"])
        figure.rows += [
            [result.cell.name, target, *(float(f"{v:.6g}") for v in row)]
            for row in zip(own["x"], own["loss"], slope, strict=True)
        ]
    return figure


def _with_target(frame: Frame, result: CellResults, own: dict[str, np.ndarray]) -> str:
    target = float(own["target"])
    return frame.label(result) + (f", true value {target:g}" if np.isfinite(target) and target else "")
