"""Numbers of single cells: which metrics they have, and what their curves say."""

import math

from lossbench.comparison import mean_interval
from lossbench.comparison.diagnosis import Diagnosis, diagnose
from lossbench.findings.tables import Table
from lossbench.metrics.catalogue import MAIN_METRICS, lower_is_better
from lossbench.results.cells import CellResults, curve_matrix
from lossbench.results.part_files import DIVERGED


def metrics_of(table: Table) -> list[str]:
    """Return the metrics of the test split that a data set's cells have."""
    names = [name for result in table.results for run in result.runs[:1] for name in run.info.scores]
    return list(dict.fromkeys(name.removeprefix("test/") for name in names if name.startswith("test/")))


def diagnosis(results: CellResults) -> Diagnosis:
    """Return what the curves of a cell say."""
    working = results.working
    epochs, train = curve_matrix(working, "train/loss")
    _, test = curve_matrix(working, "test/loss")
    name = f"train/{MAIN_METRICS[results.cell.task]}"
    mean, naive = mean_interval(working.working_scores(name)).mean, results.naive.get(name, math.nan)
    lower = lower_is_better(name.removeprefix("train/"))
    share = mean / naive if lower else (1 - mean) / (1 - naive) if naive < 1 else math.nan
    n = max(1, len(results.runs))
    return diagnose(epochs, train, test, share_diverged=results.count(DIVERGED) / n, error_share=share)
