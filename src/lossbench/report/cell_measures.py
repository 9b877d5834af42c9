"""Measures of single cells: their metrics, and the diagnosis of their curves (overfitting, underfitting, …)."""

import math

from lossbench.comparison import mean_interval
from lossbench.comparison.diagnosis import Diagnosis, diagnose
from lossbench.findings.tables import Table
from lossbench.metrics.catalogue import lower_is_better
from lossbench.results.cells import CellResults, curve_matrix
from lossbench.results.part_files import DIVERGED


def metrics_of(table: Table) -> list[str]:
    """Return the names of the test metrics that the cells of a data set recorded."""
    names = [name for result in table.results for run in result.runs[:1] for name in run.info.scores]
    return list(dict.fromkeys(name.removeprefix("test/") for name in names if name.startswith("test/")))


def diagnosis(results: CellResults) -> Diagnosis:
    """Return the diagnosis of a cell, from the loss curves of its working runs and its training error."""
    working = results.working
    epochs, train = curve_matrix(working, "train/loss")
    _, test = curve_matrix(working, "test/loss")
    name = f"train/{results.cell.metric}"
    mean, naive = mean_interval(working.working_scores(name)).mean, results.naive.get(name, math.nan)
    lower = lower_is_better(name.removeprefix("train/"))
    # The training error as a share of the best constant's.
    share = mean / naive if lower else (1 - mean) / (1 - naive) if naive < 1 else math.nan
    n = max(1, len(results.runs))
    return diagnose(epochs, train, test, share_diverged=results.count(DIVERGED) / n, error_share=share)
