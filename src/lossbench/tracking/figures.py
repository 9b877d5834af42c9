"""The figures in MLflow, drawn from results alone.

They are made without pyplot, whose global state is not safe in threads.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from lossbench.comparison import mean_intervals
from lossbench.results.cells import CellResults, curve_matrix
from lossbench.tuning.study_files import FINISHED, Outcome, Trial

# Okabe and Ito's palette, safe for colour-blind readers, and markers for print without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A800")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# In a sweep of more cells they get no picture each, which would take longer than all else that is written of them;
# MLflow's charts have their curves. Nor do more cells of a data set get one in common: nobody could tell them apart.
MOST_DRAWN, MOST_TOGETHER = 100, 40


def cell_figure(results: CellResults, metric: str) -> Figure:
    """Draw a cell: a thin test curve for each run, and the mean and 95 % interval of train and test."""
    figure, panels = _two_panels(3.6, between=0.2)
    for axes, value in zip(panels, ("loss", metric), strict=True):
        epochs, matrix = curve_matrix(results, f"test/{value}")
        # In one go: this is drawn for each cell of a sweep, and a line of its own for each run takes longer.
        curves = [np.column_stack([epochs, curve]) for curve in matrix]
        axes.add_collection(LineCollection(curves, colors="0.8", linewidths=0.5, zorder=1))
        axes.autoscale_view()
        _band(axes, results, f"train/{value}", COLOURS[1], "train", "--")
        _band(axes, results, f"test/{value}", COLOURS[0], "test", "-")
        _finish(axes, value)
    figure.suptitle(f"{results.cell.name}: {len(results.runs)} runs, mean with 95 % interval; thin: test, each run")
    return figure


def dataset_figure(dataset: str, results: list[CellResults], metric: str) -> Figure:
    """Draw the main metric of a data set's cells: mean and 95 % interval, on train and on test."""
    figure, panels = _two_panels(4.2, between=0.08, sharey=True)
    for axes, split in zip(panels, ("train", "test"), strict=True):
        for i, result in enumerate(results):
            colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
            _band(axes, result, f"{split}/{metric}", colour, result.cell.label, "-", marker)
        _finish(axes, f"{split} {metric}")
    panels[1].legend().remove()
    figure.suptitle(f"{dataset}: mean over seeds with 95 % interval")
    return figure


def study_figure(name: str, trials: list[Trial], outcome: Outcome, *, lower_is_better: bool) -> Figure:
    """Draw a study: the metric of each trial over its learning rate, with the best trial and the tolerance marked."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for trial in trials:
        seeds = [value for value in trial.values.values() if value is not None]
        axes.plot([trial.learning_rate] * len(seeds), seeds, ".", color="0.75", markersize=4, zorder=1)
    working = [trial for trial in trials if trial.status == FINISHED]
    values = [trial.value for trial in working if trial.value is not None]
    axes.plot([trial.learning_rate for trial in working], values, "o", color=COLOURS[0], label="mean", zorder=2)
    failed = [trial.learning_rate for trial in trials if trial.status != FINISHED]
    if failed:
        # In coordinates of the axes: crosses at the lower edge, whatever the scale of the metric.
        heights, at_edge = [0.02] * len(failed), axes.get_xaxis_transform()
        axes.plot(failed, heights, "x", color=COLOURS[1], transform=at_edge, label="failed", zorder=2)
    if outcome.value is not None:
        label = f"chosen: {outcome.learning_rate:.3g}"
        axes.plot(outcome.learning_rate, outcome.value, "*", color=COLOURS[1], markersize=16, label=label, zorder=3)
        axes.axvspan(*outcome.tolerance, color=COLOURS[0], alpha=0.12, label=outcome.as_good)
    axes.set_xscale("log")
    axes.set_xlim(outcome.low / 1.2, outcome.high * 1.2)
    if lower_is_better and min(values, default=0.0) > 0.0:
        axes.set_yscale("log")
    _finish(axes, f"validation {outcome.metric}")
    axes.set_xlabel("learning rate")
    figure.suptitle(f"{name}: {outcome.n_trials} trials")
    return figure


def _two_panels(height: float, *, between: float, sharey: bool = False) -> tuple[Figure, np.ndarray]:
    """Return a figure of this height in inches and its two panels, with the space between them as a share of a panel.

    The margins are fixed: to find some by itself, Matplotlib measures every label, half of the drawing time.
    """
    figure = Figure(figsize=(9, height))
    margins = {"left": 0.09, "right": 0.985, "bottom": 0.5 / height, "top": 1 - 0.4 / height, "wspace": between}
    return figure, figure.subplots(1, 2, sharey=sharey, gridspec_kw=margins)


def _band(
    axes: Axes, results: CellResults, name: str, colour: str, label: str, line: str, marker: str | None = None
) -> None:
    epochs, matrix = curve_matrix(results, name)
    if not len(epochs):
        return
    mean, low, high, _ = mean_intervals(matrix)
    every = max(1, len(epochs) // 8)
    axes.plot(epochs, mean, color=colour, linestyle=line, label=label, marker=marker, markevery=every, markersize=4)
    axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)


def _finish(axes: Axes, label: str) -> None:
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize="small")
