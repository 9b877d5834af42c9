"""Curves as MLflow metrics: of a single run, and of a cell (the mean and the ends of its interval)."""

from typing import Any

import numpy as np
from mlflow.entities import Metric

from lossbench.comparison import mean_intervals
from lossbench.results.cells import CellResults, curve_matrix
from lossbench.results.part_files import Run

# The points of a curve that MLflow's charts ask for. They cannot show more, and the part files have all.
MOST_POINTS = 320


def run_curves(run: Run, moment: int) -> list[Metric]:
    """Return the curves of a run as metrics, the last epoch first; none of a failed run.

    Parameters
    ----------
    moment : int
        The time of every point, in milliseconds since 1970.
    """
    # Last epoch first: MLflow's store keeps the latest value of a metric, and so updates it once, not at every point.
    return [
        Metric(name, value, moment, epoch)
        for name, curve in run.curves.items()
        for epoch, value in zip(_thinned(run.arrays["epochs"])[::-1], _thinned(curve)[::-1], strict=True)
    ]


def cell_curves(results: CellResults, moment: int) -> list[Metric]:
    """Return the mean over a cell's runs of each curve, and the ends of its interval, as metrics."""
    metrics = []
    names = dict.fromkeys(name for run in results.runs for name in run.curves)
    for name in names:
        epochs, matrix = curve_matrix(results, name)
        mean, low, high, _ = mean_intervals(matrix)
        for suffix, values in (("", mean), ("_low", low), ("_high", high)):
            known = np.isfinite(values)
            points = zip(_thinned(epochs[known]), _thinned(values[known]), strict=True)
            metrics += [Metric(name + suffix, value, moment, epoch) for epoch, value in points]
    return metrics


def _thinned(values: np.ndarray) -> list[Any]:
    """Return the first value, the last one, and between them as many at equal distances as MLflow's charts draw."""
    n = len(values)
    return values[np.linspace(0, n - 1, MOST_POINTS).round().astype(int) if n > MOST_POINTS else slice(n)].tolist()
