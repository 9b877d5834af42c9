"""Cells with results that were never trained."""

import math
from pathlib import Path

import numpy as np

from lossbench.config.settings import TrackingSettings, report_settings
from lossbench.planning.plan import Cell, Plan
from lossbench.results.cells import CellResults
from lossbench.results.part_files import DIVERGED, FINISHED, Run, RunInfo
from support.settings import cell_with, dataset_settings, report_defaults

NOISE = np.random.default_rng(5).normal(0, 0.01, size=30)


def cell(
    loss: str,
    *,
    dataset: str = "circles",
    head: str = "sigmoid",
    swept: dict | None = None,
    outside=False,
    metric: str | None = None,
) -> Cell:
    unscaled = {"x": "none", "y": "none", "fitted_on": "train", "metrics": "original"}
    settings = cell_with(
        dataset=dataset_settings(dataset, standardize=unscaled),
        head={"name": head, "encoding": "auto"},
        loss={"name": loss},
        metric=metric,
    )
    name = "/".join([dataset, loss, head, *(f"{key}={value}" for key, value in (swept or {}).items())])
    return Cell(
        name=name,
        dataset=dataset,
        loss=loss,
        key=f"key of {name}",
        settings=settings,
        swept=swept or {},
        overrides=[],
        outside_domain=outside,
    )


def cell_results(own: Cell, values, *, stuck=(), missing=()) -> CellResults:
    metric = f"test/{own.metric}"
    runs = []
    for seed, value in enumerate(values):
        if seed in missing:
            continue
        diverged = not math.isfinite(value)
        info = RunInfo(
            seed,
            f"{own.key}-{seed}",
            DIVERGED if diverged else FINISHED,
            0.0,
            1.0,
            stuck=seed in stuck,
            diverged_epoch=int(diverged),
            scores={metric: float(value)},
            naive={metric: 0.5},
        )
        runs.append(Run(info, Path("no/such/part.npz")))
        runs[-1].__dict__["arrays"] = {}
    return CellResults(own, runs)


def classified(own: Cell, right: np.ndarray, *, share_of_ones: float = 0.5) -> CellResults:
    """Return results of two classes from which rows each run decides right, with the predictions behind them.

    Parameters
    ----------
    right : bool array, shape (n_runs, n_rows)
    share_of_ones : float
        Of the targets, in the training and the test split.
    """
    n = right.shape[1]
    y = (np.arange(n) < share_of_ones * n).astype(np.int32)
    found = cell_results(own, right.mean(axis=1))
    found.__dict__["targets"] = {"train": y, "test": y}
    for run, is_right in zip(found.runs, right, strict=True):
        run.__dict__["arrays"] = {"raw/test": np.where(is_right == (y == 1), 1.0, -1.0)[:, None]}
        run.info.naive["test/accuracy"] = max(y.mean(), 1 - y.mean())
    return found


def sweep(*results: CellResults, n_seeds: int = 30, **report) -> Plan:
    cells = [result.cell for result in results]
    return Plan(
        name="test",
        experiment=None,
        command="lossbench",
        cells=cells,
        seeds={"seeds": list(range(n_seeds)), "samples": list(range(n_seeds))},
        tracking=TrackingSettings(enabled=False, uri=None, models="none"),
        report=report_settings(report_defaults() | report),
    )
