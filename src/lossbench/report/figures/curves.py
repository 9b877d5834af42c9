"""The figures of curves over epochs."""

from typing import Any

import numpy as np

from lossbench.findings.number_formats import number
from lossbench.report import drawing as ink
from lossbench.report.figures.frame import Figure, Frame, Panel, slug
from lossbench.results.cells import CellResults, curve_matrix

# The most points of a curve that are drawn: a panel is 300 pixels wide.
MOST_POINTS = 240


def curves(frame: Frame) -> Figure | None:
    """Draw the main metric over the epochs, with a panel for each loss and the same axes in all of them."""
    cells = [r for r in frame.table.results if any("epochs" in run.arrays for run in r.working.runs)]
    cells = cells[: frame.most_panels]
    if not cells:
        return None
    figure = Figure(
        f"{frame.slug}-curves",
        "Curves",
        f"{frame.metric} after each epoch, mean over the working runs; the band holds the middle 90 % of them. "
        "Dashed: train. The other losses' test means stand behind in grey. All panels have the same axes."
        + frame.lines_across(),
        ["cell", "split", "epoch", "mean", "low_5_percent", "high_95_percent"],
    )
    curves = {r.cell.name: {s: _curve(frame, r, f"{s}/{frame.metric}") for s in ("train", "test")} for r in cells}
    limits = _limits(frame, curves)
    for result, mark, _ in frame.marks():
        if result.cell.name not in curves:
            continue
        drawn, axes = ink.panel(3.6, 2.5)
        for other, own in curves.items():
            if other != result.cell.name:
                axes.plot(own["test"][0], own["test"][1], color=ink.LINE, linewidth=1.0, zorder=1)
        for split, line, alpha in (("train", (0, (4, 2)), 0.0), ("test", "-", 0.22)):
            epochs, mean, low, high = curves[result.cell.name][split]
            axes.plot(epochs, mean, color=mark.colour, linestyle=line, linewidth=1.1 if alpha == 0 else 1.7)
            if alpha:
                axes.fill_between(epochs, low, high, color=mark.colour, alpha=alpha, linewidth=0)
            figure.rows += [[result.cell.name, split, *row] for row in zip(epochs, mean, low, high, strict=True)]
        axes.set_ylim(*limits)
        ink.finish(axes, frame.label(result), "epoch", frame.metric)
        frame.draw_references(axes, vertical=False)
        last = curves[result.cell.name]
        description = (
            f"{frame.metric} of {frame.label(result)} on {frame.table.data} over {int(last['test'][0][-1])} epochs: "
            f"test {number(last['test'][1][-1])}, train {number(last['train'][1][-1])} at the end."
        )
        name = f"{figure.name}-{slug(frame.label(result))}"
        figure.panels.append(Panel(name, description, drawn))
    return figure


def _curve(frame: Frame, result: CellResults, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    epochs, matrix = curve_matrix(result.working, name)
    kept = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), MOST_POINTS)).astype(int))
    low, high = np.quantile(matrix[:, kept], [0.05, 0.95], axis=0)
    return epochs[kept], matrix[:, kept].mean(axis=0), low, high


def _limits(frame: Frame, curves: dict[str, dict[str, Any]]) -> tuple[float, float]:
    """Return limits for the main metric; an error is cut off a little above that of the best constant."""
    low, high = _late(frame, curves)
    if frame.table.lower_is_better and np.isfinite(frame.naive):
        high = min(high, max(1.3 * frame.naive, low + 0.1 * frame.naive))
    return low, high


def _late(frame: Frame, curves: dict[str, dict[str, Any]]) -> tuple[float, float]:
    """Return limits that show every curve except for its first 3 % of epochs, which may be far off."""
    ends = []
    for own in curves.values():
        for epochs, mean, low, high in own.values():
            late = epochs >= epochs[0] + 0.03 * (epochs[-1] - epochs[0])
            # Where runs stopped early, no band ends with the others.
            ends += [*mean[late], *low[-1:], *high[-1:]]
    there = np.array(ends)[np.isfinite(ends)]
    low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 1.0)
    room = 0.05 * (high - low) or 0.01
    return low - room, high + room


def own_losses(frame: Frame) -> Figure | None:
    """Draw the own value of each loss over the epochs: it shows convergence, and compares no losses."""
    cells = [(r, m) for r, m, _ in frame.marks() if any("epochs" in run.arrays for run in r.working.runs)]
    if not cells:
        return None
    figure = Figure(
        f"{frame.slug}-own-losses",
        "Each loss by its own value",
        "Train (dashed) and test, mean over the working runs; the band holds the middle 90 % of them. Every panel "
        "has its own scale, which starts after the first steps: losses are not compared by their own values.",
        ["cell", "split", "epoch", "mean", "low_5_percent", "high_95_percent"],
        folded=True,
    )
    for result, mark in cells[: frame.most_panels]:
        drawn, axes = ink.panel(3.6, 2.5)
        curves = {split: _curve(frame, result, f"{split}/loss") for split in ("train", "test")}
        for split, line in (("train", (0, (4, 2))), ("test", "-")):
            epochs, mean, low, high = curves[split]
            axes.plot(epochs, mean, color=mark.colour, linestyle=line, linewidth=1.1 if split == "train" else 1.7)
            figure.rows += [[result.cell.name, split, *row] for row in zip(epochs, mean, low, high, strict=True)]
        axes.fill_between(*(curves["test"][i] for i in (0, 2, 3)), color=mark.colour, alpha=0.22, linewidth=0)
        axes.set_ylim(*_late(frame, {result.cell.name: curves}))
        ink.finish(axes, frame.label(result), "epoch", "loss")
        name = f"{figure.name}-{slug(frame.label(result))}"
        ends = {split: number(float(curve[1][-1])) for split, curve in curves.items()}
        description = f"Own loss of {frame.label(result)}: train {ends['train']}, test {ends['test']} at the end."
        figure.panels.append(Panel(name, description, drawn))
    return figure
