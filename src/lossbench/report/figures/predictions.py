"""The figures of predictions: decision boundaries, predictions against targets, and calibration."""

import numpy as np

from lossbench.findings.number_formats import number
from lossbench.losses.heads import HEADS, NUMBER_TASKS, decide
from lossbench.report import drawing as ink
from lossbench.report.figures.frame import MOST_NAMED, Figure, Frame, Panel, key_panel, slug
from lossbench.results.cells import CellResults
from lossbench.results.part_files import Run

N_BINS = 10
# The most samples that are drawn; more would show no more, and make the page ten times as large.
MOST_SAMPLES = 500


def boundaries(frame: Frame) -> Figure | None:
    """Draw the decision boundaries of all runs and the test samples, for data with two features."""
    if "x/test" not in frame.arrays or frame.table.results[0].cell.task not in ("binary", "multiclass"):
        return None
    cells = [r for r in frame.table.results if any("grid/raw" in run.arrays for run in r.working.runs)]
    figure = Figure(
        f"{frame.slug}-boundaries",
        "Decision boundaries",
        "The line is where half of the working runs decide for a class; in the lighter band around it they "
        "disagree (more than one in twenty). Points are the test samples: circles class 0, squares class 1, "
        "triangles class 2.",
        ["cell", "x0", "x1", *(f"share_{k}" for k in range(frame.n_classes))],
    )
    for result in cells[: frame.most_panels]:
        _boundary(frame, figure, result)
    return figure if figure.panels else None


def _boundary(frame: Frame, figure: Figure, result: CellResults) -> None:
    runs = [run for run in result.working.runs if "grid/raw" in run.arrays]
    pair = result.cell.pair
    decided = np.stack([decide(run.arrays["grid/raw"], pair.head, pair.encoding, pair.task) for run in runs]).astype(
        int
    )
    first, second = runs[0].arrays["grid/x0"], runs[0].arrays["grid/x1"]
    n_classes = frame.n_classes
    shares = np.stack([(decided == k).mean(axis=0) for k in range(n_classes)], axis=1)
    grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    # The CSV file has every third point of the grid, which is enough for a table.
    figure.rows += [[result.cell.name, *np.round([*x, *s], 4)] for x, s in zip(grid[::3], shares[::3], strict=True)]
    drawn, axes = ink.panel(3.6, 3.2)
    for k in range(n_classes):
        share = shares[:, k].reshape(len(first), len(second)).T
        colour = ink.CLASSES[k % len(ink.CLASSES)]
        for low, alpha in ((0.05, 0.10), (0.95, 0.14)):
            if share.max() > low:
                axes.contourf(first, second, share, levels=[low, 1.01], colors=[colour], alpha=alpha)
        if share.min() < 0.5 < share.max():
            axes.contour(first, second, share, levels=[0.5], colors=[ink.INK], linewidths=0.9)
    for k in range(n_classes):
        x = frame.arrays["x/test"][frame.arrays["y/test"] == k]
        x = x[:: -(-len(frame.arrays["x/test"]) // MOST_SAMPLES)]
        axes.plot(*x.T, "os^Dv"[k % 5], color=ink.CLASSES[k % len(ink.CLASSES)], markersize=2.4, mew=0, alpha=0.85)
    ink.finish(axes, frame.label(result), "first feature", "second feature")
    axes.set_xlim(first[0], first[-1])
    axes.set_ylim(second[0], second[-1])
    axes.grid(False)
    name = f"{figure.name}-{slug(frame.label(result))}"
    split = float((shares.max(axis=1) < 0.95).mean())
    description = (
        f"Decision boundary of {frame.label(result)} on {frame.table.data}, {len(runs)} runs; "
        f"they disagree on {100 * split:.0f} % of the plane."
    )
    figure.panels.append(Panel(name, description, drawn))


def predicted(frame: Frame) -> Figure | None:
    """Draw predictions over targets, for the typical run of each loss."""
    if frame.table.results[0].cell.task not in NUMBER_TASKS:
        return None
    figure = Figure(
        f"{frame.slug}-predicted",
        "Predicted against true",
        f"The test samples of each loss's run in the middle by {frame.metric}; on the line a prediction is right.",
        ["cell", "seed", "true", "predicted"],
    )
    found: list[tuple[CellResults, ink.Mark, Run, np.ndarray, np.ndarray]] = []
    for result, mark, _ in frame.marks():
        run = frame.typical(result)
        true = None if run is None else result.test_targets(run)
        if run is not None and true is not None and "raw/test" in run.arrays and len(found) < frame.most_panels:
            predicted = HEADS[result.cell.head].activate(run.arrays["raw/test"].astype(np.float64))
            predicted = result.in_unit(predicted[:, : true.shape[1]], run)
            found.append((result, mark, run, true[:, 0].astype(np.float64), predicted[:, 0]))
    if not found:
        return None
    low, high = min(true.min() for *_, true, _ in found), max(true.max() for *_, true, _ in found)
    room = 0.08 * (high - low)
    for result, mark, run, true, predicted in found:
        drawn, axes = ink.panel(3.6, 3.2)
        axes.plot([low - room, high + room], [low - room, high + room], color=ink.QUIET, linewidth=0.9, zorder=1)
        kept = slice(None, None, -(-len(true) // MOST_SAMPLES))
        axes.plot(true[kept], predicted[kept], "o", color=mark.colour, markersize=2.8, alpha=0.5, mew=0)
        axes.set_xlim(low - room, high + room)
        axes.set_ylim(low - room, high + room)
        ink.finish(axes, frame.label(result), "true", "predicted")
        rows = np.stack([true, predicted], axis=1)
        figure.rows += [[result.cell.name, run.info.id.short, *(float(f"{v:.6g}") for v in row)] for row in rows]
        outside = float(((predicted < low - room) | (predicted > high + room)).mean())
        score = number(run.info.scores[f"test/{frame.metric}"])
        description = f"{frame.label(result)}, {run.info.id.name}: {frame.metric} {score}" + (
            f"; {100 * outside:.0f} % of the predictions lie outside the panel." if outside else "."
        )
        name = f"{figure.name}-{slug(frame.label(result))}"
        figure.panels.append(Panel(name, description, drawn))
    return figure


def calibration(frame: Frame) -> Figure | None:
    """Draw reliability diagrams: accuracy over predicted probability, for losses whose heads give probabilities."""
    cells = [(r, m, line) for r, m, line in frame.marks() if _probabilities(r)]
    if not cells:
        return None
    figure = Figure(
        f"{frame.slug}-calibration",
        "Calibration",
        "The share of right decisions over the probability given to them, all working runs together, in ten bins. "
        "Below the line a network is surer than it is right. ECE: the mean distance to the line, in points.",
        ["cell", "bin_low", "bin_high", "samples", "mean_probability", "share_right", "ece"],
    )
    drawn, axes = ink.panel(4.2, 3.0)
    histogram, beside = ink.panel(4.2, 3.0)
    axes.plot([0, 1], [0, 1], color=ink.QUIET, linewidth=0.9, zorder=1)
    said = []
    for result, mark, line in cells:
        sure, right = _confidence(result)
        bins = np.clip((sure * N_BINS).astype(int), 0, N_BINS - 1)
        counts = np.bincount(bins, minlength=N_BINS)
        there = counts > 0
        means = np.bincount(bins, sure, N_BINS)[there] / counts[there]
        shares = np.bincount(bins, right, N_BINS)[there] / counts[there]
        error = float((np.abs(means - shares) * counts[there]).sum() / counts.sum())
        label = f"{frame.label(result)}: ECE {100 * error:.1f}"
        axes.plot(means, shares, color=mark.colour, linestyle=line, marker=mark.marker, markersize=4, label=label)
        beside.stairs(counts / counts.sum(), np.linspace(0, 1, N_BINS + 1), color=mark.colour, linestyle=line, lw=1.5)
        edges = np.flatnonzero(there) / N_BINS
        for low, n, mean, share in zip(edges, counts[there], means, shares, strict=True):
            figure.rows.append([result.cell.name, low, low + 1 / N_BINS, n, mean, share, error])
        said.append(label)
    low = 0.0 if frame.n_classes > 2 else 0.48
    axes.set_xlim(low, 1.01)
    axes.set_ylim(low, 1.01)
    beside.set_xlim(low, 1.01)
    beside.set_ylim(bottom=0)
    ink.finish(axes, "how often they are right", "probability of the decision", "share right")
    ink.finish(beside, "how sure they are", "probability of the decision", "share of samples")
    if len(cells) <= MOST_NAMED:
        axes.legend(loc="lower right" if low == 0 else "upper left", fontsize=ink.SIZE - 1)
    description = f"Calibration on {frame.table.data}. " + "; ".join(said) + "."
    figure.panels.append(Panel(figure.name, description, drawn))
    name = f"{figure.name}-confidence"
    figure.panels.append(Panel(name, "How sure the runs are of their decisions.", histogram))
    if len(cells) > MOST_NAMED:
        figure.panels.append(key_panel(figure, axes))
    return figure


def _probabilities(result: CellResults) -> bool:
    runs = result.working.runs
    if result.cell.task not in ("binary", "multiclass") or not runs or result.test_targets(runs[0]) is None:
        return False
    return any("test/log_loss" in r.info.scores and "raw/test" in r.arrays for r in runs)


def _confidence(result: CellResults) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted probability and the correctness of each decision, over the test samples of working runs."""
    runs = result.working.runs
    p = HEADS[result.cell.head].activate(np.concatenate([run.arrays["raw/test"] for run in runs]).astype(np.float64))
    if p.shape[-1] == 1:
        p = np.concatenate([1 - p, p], axis=-1)
    right = p.argmax(axis=-1) == np.concatenate([result.test_targets(run) for run in runs])
    return p.max(axis=-1), right.astype(np.float64)
