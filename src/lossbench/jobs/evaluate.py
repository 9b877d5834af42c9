"""Evaluates a trained run: its metrics, whether it is stuck, and the content of its part file.

The metrics are our own (``lossbench.metrics``), computed in float64 from raw predictions.
"""

import math
import time

import numpy as np

from lossbench.datasets.corruption import kept_rows
from lossbench.jobs.failed_runs import run_key
from lossbench.jobs.prepare import PreparedRun, by_split
from lossbench.metrics.calibration import calibrated_scores
from lossbench.metrics.classification import Scores
from lossbench.metrics.evaluation import evaluate
from lossbench.metrics.reference_predictors import is_stuck, naive_scores
from lossbench.results.part_files import DIVERGED, FINISHED, RunInfo
from lossbench.training.specification import Trained
from lossbench.training.trainers import PREDICT


def evaluated(run: PreparedRun, trained: Trained, started: float) -> tuple[RunInfo, dict[str, np.ndarray]]:
    """Return the scalar results and the arrays of a trained run, for its part file (see ``results.part_files``).

    Parameters
    ----------
    started : float
        When the run was started, in seconds since 1970.
    """
    prepared, cell = run.cell, run.cell.cell
    raw = _raw_predictions(run, trained)
    scores = by_split(scores_of(run, raw))
    own, scaling = cell.settings.repeat.has_own_rows, prepared.dataset.target_scaling
    # Classes have no other score than NaN where a prediction is not finite.
    score, loss = scores.get(f"train/{cell.metric}", math.nan), float(trained.curves["train/loss"][-1])
    info = RunInfo(
        seed=run.id.seed,
        key=run_key(cell, run.id),
        status=DIVERGED if trained.diverged_epoch else FINISHED,
        started=started,
        ended=time.time(),
        stuck=not trained.diverged_epoch and ended_stuck(run, score, loss),
        diverged_epoch=trained.diverged_epoch,
        selected_epoch=trained.selected_epoch,
        scores=scores,
        naive=prepared.naive,
        ceiling=prepared.ceiling if own else {},
        tuned=prepared.tuned,
        study=prepared.outcome.study if prepared.outcome else "",
        repetition=run.id.repetition,
        fold=run.id.fold,
        target_scaling=scaling.to_json() if own and scaling else None,
        extremes=_extremes(run) if trained.diverged_epoch else None,
    )
    return info, _arrays(run, trained, raw)


def _extremes(run: PreparedRun) -> dict[str, float]:
    """Return the greatest magnitudes of the features and the targets that a run was trained on."""
    train = run.splits["train"]
    return {"x": float(np.abs(train.x).max()), "y": float(np.abs(train.y).max())}


def _arrays(run: PreparedRun, trained: Trained, raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a run: curves, weights, raw predictions, and targets that are not those of all runs."""
    prepared, settings = run.cell, run.cell.cell.settings
    arrays = {"epochs": trained.epochs}
    arrays |= {f"curve/{name}": curve for name, curve in prepared.curves(trained).items()}
    arrays |= {f"weight/{i}": weight for i, weight in enumerate(trained.weights)}
    arrays |= {f"raw/{name}": values for name, values in raw.items() if name in run.splits}
    if settings.is_corrupted:
        clean, n_classes = prepared.dataset.splits["train"], prepared.dataset.n_classes
        rows = kept_rows(settings.corruption, clean.y, n_classes, run.id.training_seed)
        arrays |= {"train/y": run.splits["train"].y, "train/rows": rows.astype(np.int32)}
    if settings.repeat.has_own_rows and "test" in run.splits:
        arrays["test/y"] = run.splits["test"].y
    if prepared.dataset.test_rows is not None and "test" in run.splits:
        arrays["test/rows"] = prepared.dataset.test_rows.astype(np.int32)
    if prepared.grid is not None:
        arrays |= {"grid/raw": raw["grid"], "grid/x0": prepared.grid[0], "grid/x1": prepared.grid[1]}
    return arrays


def ended_stuck(run: PreparedRun, score: float, loss: float) -> bool:
    """Return whether a run is stuck: no better than the best constant prediction for its own training targets.

    Parameters
    ----------
    score, loss : float
        The run's main metric and its own loss on the training split after the last epoch.
    """
    prepared, train = run.cell, run.splits["train"]
    metric = prepared.cell.metric
    if not prepared.cell.settings.is_corrupted:
        naive = prepared.naive[f"train/{metric}"]
        return is_stuck(metric, score, naive, loss, lambda: prepared.naive_loss)
    # A corrupted training split differs by seed, and so does its best constant.
    y = prepared.dataset.in_unit(train.y)
    naive = naive_scores(prepared.cell.pair, y, y, prepared.dataset.n_classes, ordered=prepared.dataset.ordered)[metric]
    return is_stuck(metric, score, naive, loss, lambda: prepared.naive_loss_on(train.y))


def scores_of(run: PreparedRun, raw: dict[str, np.ndarray]) -> dict[str, Scores]:
    """Return the metrics of a run on each split."""
    pair, dataset, splits = run.cell.cell.pair, run.cell.dataset, run.splits
    scores = {
        name: evaluate(pair, part.y, raw[name], ordered=dataset.ordered, in_unit=dataset.in_unit)
        for name, part in splits.items()
    }
    if run.cell.calibrates and "test" in splits:
        validation, test = splits["validation"], splits["test"]
        scores["test"] |= calibrated_scores(pair, validation.y, raw["validation"], test.y, raw["test"])
    return scores


def _raw_predictions(run: PreparedRun, trained: Trained) -> dict[str, np.ndarray]:
    """Return the raw predictions on every split and on the decision grid."""
    prepared = run.cell
    inputs = {name: part.x for name, part in run.splits.items()}
    if prepared.grid is not None:
        first, second = np.meshgrid(*prepared.grid, indexing="ij")
        inputs["grid"] = np.stack([first.ravel(), second.ravel()], axis=1)
    predict = PREDICT[prepared.cell.settings.trainer]
    # One call for all inputs, because every call of the compiled program pads its last batch to full size.
    together = predict(prepared.structure, trained.weights, np.concatenate(list(inputs.values())))
    edges = np.cumsum([len(x) for x in inputs.values()])[:-1]
    return dict(zip(inputs, np.split(together, edges), strict=True))
