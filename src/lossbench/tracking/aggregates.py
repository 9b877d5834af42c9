"""Aggregates of the runs of a cell or of a sweep, as MLflow metrics."""

import numpy as np
from mlflow.entities import Metric

from lossbench.results.cells import CellResults
from lossbench.results.part_files import DIVERGED, FAILED
from lossbench.tracking.finished_run import milliseconds


def aggregates(results: CellResults) -> dict[str, float]:
    """Return a cell's numbers of runs by status, and each final metric's mean, median, deviation and interval."""
    values: dict[str, float] = {
        "runs": len(results.runs),
        "diverged": results.count(DIVERGED),
        "failed": results.count(FAILED),
        "stuck": results.n_stuck,
    }
    for name in dict.fromkeys(name for run in results.runs for name in run.info.scores):
        scores = results.working_scores(name)
        interval = results.interval(name)
        finite = scores[np.isfinite(scores)]
        values[f"final/{name}"] = interval.mean
        if interval.n > 1:
            values[f"final/{name}_median"] = float(np.median(finite))
            values[f"final/{name}_std"] = float(finite.std(ddof=1))
            values[f"final/{name}_low"], values[f"final/{name}_high"] = interval.low, interval.high
    # The UI shows every digit of a metric; six are more than the seeds determine.
    return {name: float(f"{value:.6g}") for name, value in values.items() if np.isfinite(value)}


def counts(results: list[CellResults]) -> list[Metric]:
    """Return the metrics of the sweep's MLflow run: the numbers of cells, of runs, and of runs by status."""
    runs = [run for result in results for run in result.runs]
    moment = milliseconds(max((run.info.ended for run in runs), default=0.0))
    found = {status: sum(run.info.status == status for run in runs) for status in (DIVERGED, FAILED)}
    found |= {"cells": len(results), "runs": len(runs), "stuck": sum(run.info.stuck for run in runs)}
    return [Metric(name, count, moment, len(runs)) for name, count in found.items()]
