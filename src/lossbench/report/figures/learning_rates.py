"""The figure of the learning rates that studies tried, all losses of a data set in one panel."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from lossbench.findings.number_formats import number
from lossbench.report import drawing as ink
from lossbench.report.figures.frame import MOST_NAMED, Figure, Frame, Panel, TriedRates, key_panel
from lossbench.results.cells import CellResults


def learning_rates(frame: Frame) -> Figure | None:
    """Draw the metric of each tuned loss over the learning rate: what was measured, the curve, and what was chosen."""
    cells = [(r, mark, frame.tried[r.cell.name]) for r, mark, _ in frame.marks() if r.cell.name in frame.tried]
    values = np.array([value for *_, tried in cells for _, value, *_ in tried.points])
    if not np.isfinite(values).any():
        return None
    metric = cells[0][2].metric
    figure = Figure(
        f"{frame.slug}-learning-rates",
        "Learning rates",
        f"{metric} on the rows that trainings left out, for each learning rate tried: points are means over folds with "
        "their standard error. Filled points do as well as the best; the largest was chosen. The dotted line is the "
        "configured rate. Where two losses have no filled point at one rate, no single rate suits both.",
        ["cell", "learning_rate", f"validation/{metric}", "standard_error", "as_good", "chosen"],
    )
    drawn, axes = ink.panel(7.0, 4.2)
    drawn_before: dict[int, int] = {}
    for place, (result, mark, tried) in enumerate(cells):
        # Beside each other, so that the bars of several losses at one rate can be told apart.
        shift = 10 ** (0.02 * (place - (len(cells) - 1) / 2))
        same = drawn_before[mark.number] = drawn_before.get(mark.number, -1) + 1
        _draw(axes, tried, mark, ink.LINES[same % len(ink.LINES)], shift, frame.label(result))
        figure.rows += _rows(result, tried)
    for default in dict.fromkeys(tried.default for *_, tried in cells if tried.default is not None):
        axes.axvline(default, color=ink.QUIET, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.06 * (high - low) or 0.01
    axes.set_ylim(low - room, high + room)
    axes.set_xscale("log")
    # Matplotlib would write powers as formulas, which the page does not typeset.
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    ink.finish(axes, "", "learning rate", f"{metric} on folds")
    if len(cells) <= MOST_NAMED:
        axes.legend(loc="best", fontsize=ink.SIZE - 1)
    said = "; ".join(f"{frame.label(result)} {_said(tried)}" for result, _, tried in cells)
    figure.panels.append(Panel(figure.name, f"Learning rates chosen: {said}.", drawn))
    if len(cells) > MOST_NAMED:
        figure.panels.append(key_panel(figure, axes))
    return figure


def _draw(axes: Axes, tried: TriedRates, mark: ink.Mark, line: Any, shift: float, label: str) -> None:
    rates, values, errors, good = np.array(tried.points, float).T
    x, good, chosen = rates * shift, good.astype(bool), rates == tried.chosen
    axes.vlines(x, values - errors, values + errors, colors=mark.colour, linewidth=0.8, alpha=0.6)
    axes.plot(x, values, color=mark.colour, marker=mark.marker, mfc=ink.PAPER, ms=3, lw=1.1, ls=line, label=label)
    axes.plot(x[good], values[good], mark.marker, color=mark.colour, markersize=5.5)
    axes.plot(x[chosen], values[chosen], mark.marker, color=mark.colour, ms=11, mec=ink.PAPER, mew=1.2, zorder=5)


def _rows(result: CellResults, tried: TriedRates) -> list[list[Any]]:
    return [[result.cell.name, *point, point[0] == tried.chosen] for point in tried.points]


def _said(tried: TriedRates) -> str:
    if not np.isfinite(tried.chosen):
        return f"none of {len(tried.points)}"
    value = next(value for rate, value, *_ in tried.points if rate == tried.chosen)
    return f"{tried.chosen:.3g} with {number(value)}"
