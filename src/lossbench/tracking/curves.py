"""Curves as MLflow metrics: of a single run, and of a cell (the mean and the ends of its interval)."""

import numpy as np
from mlflow.entities import Metric

from lossbench.comparison import mean_intervals
from lossbench.results.cells import CellResults, curve_matrix
from lossbench.results.part_files import Run


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
        for epoch, value in zip(run.arrays["epochs"][::-1].tolist(), curve[::-1].tolist(), strict=True)
    ]


def cell_curves(results: CellResults, moment: int) -> list[Metric]:
    """Return the mean over a cell's runs of each curve, and the ends of its interval, as metrics."""
    metrics = []
    names = dict.fromkeys(name for run in results.runs for name in run.curves)
    for name in names:
        epochs, matrix = curve_matrix(results, name)
        mean, low, high, _ = mean_intervals(matrix)
        for suffix, values in (("", mean), ("_low", low), ("_high", high)):
            metrics += [
                Metric(name + suffix, float(value), moment, int(epoch))
                for epoch, value in zip(epochs, values, strict=True)
                if np.isfinite(value)
            ]
    return metrics
