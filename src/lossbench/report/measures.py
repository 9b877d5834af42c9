"""Numbers of single cells: means, what their curves say, and what others published for them."""

import math
from typing import Any

import numpy as np

from lossbench.answer import number
from lossbench.comparison import mean_interval
from lossbench.comparison.diagnosis import Diagnosis, diagnose
from lossbench.metrics.table import MAIN_METRICS, lower_is_better
from lossbench.plan import Plan
from lossbench.plots import curve_matrix
from lossbench.results import DIVERGED, FINISHED, CellResults
from lossbench.samples import Table


def metrics_of(table: Table) -> list[str]:
    """Return the metrics of the test split that a data set's cells have."""
    names = [name for result in table.results for run in result.runs[:1] for name in run.info.scores]
    return list(dict.fromkeys(name.removeprefix("test/") for name in names if name.startswith("test/")))


def mean_text(results: CellResults, name: str) -> str:
    """Write a final metric's mean over the working runs, with its interval."""
    interval = mean_interval(results.working_scores(name))
    if interval.n == 0:
        return "–"
    return number(interval.mean) + (f" ± {number(interval.half_width)}" if interval.n > 1 else "")


def diagnosis(results: CellResults) -> Diagnosis:
    """Return what the curves of a cell say."""
    working = CellResults(results.cell, [r for r in results.runs if r.info.status == FINISHED and not r.info.stuck])
    epochs, train = curve_matrix(working, "train/loss")
    _, test = curve_matrix(working, "test/loss")
    name = f"train/{MAIN_METRICS[results.cell.task]}"
    mean, naive = mean_interval(working.working_scores(name)).mean, results.naive.get(name, math.nan)
    lower = lower_is_better(name.removeprefix("train/"))
    share = mean / naive if lower else (1 - mean) / (1 - naive) if naive < 1 else math.nan
    n = max(1, len(results.runs))
    return diagnose(epochs, train, test, share_diverged=results.count(DIVERGED) / n, error_share=share)


def published(plan: Plan, results: list[CellResults]) -> list[dict[str, Any]]:
    """Return each published value with our mean and range, and the share of our runs below it."""
    rows = []
    for entry in plan.published:
        found = [r for r in results if (r.cell.dataset, r.cell.loss) == (entry["dataset"], entry["loss"])]
        for split in ("train", "test") if found else ():
            values = found[0].scores(f"{split}/{entry['metric']}")
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            # Published with three decimals: ours are rounded alike before they are compared.
            low, high = round(float(values.min()), 3), round(float(values.max()), 3)
            rows.append(
                {
                    "data": entry["dataset"],
                    "metric": entry["metric"],
                    "label": found[0].cell.label,
                    "split": split,
                    "published": entry[split],
                    "mean": float(values.mean()),
                    "low": low,
                    "high": high,
                    "below": float((values < entry[split]).mean()),
                    "inside": low <= entry[split] <= high,
                }
            )
    return rows
