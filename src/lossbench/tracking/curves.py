"""Curves as MLflow's metrics: of a run, and the mean of a cell with its interval."""

import numpy as np
from mlflow.entities import Metric

from lossbench.comparison import mean_intervals
from lossbench.results.cells import CellResults, curve_matrix
from lossbench.results.part_files import Run


def run_curves(run: Run, moment: int) -> list[Metric]:
    """Return the curves of a run, the last epoch first.

    Parameters
    ----------
    moment : int
        Milliseconds since 1970, the same for every point.
    """
    # Backwards: the store then need not note for each point that it is the latest.
    epochs = run.arrays["epochs"][::-1].tolist()
    return [
        Metric(name, value, moment, epoch)
        for name, curve in run.curves.items()
        for epoch, value in zip(epochs, curve[::-1].tolist(), strict=True)
    ]


def cell_curves(results: CellResults, moment: int) -> list[Metric]:
    """Return the mean of a cell's curves, and the ends of its interval, as curves."""
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
