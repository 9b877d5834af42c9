"""A trained run judged: its metrics, whether it is stuck, and all of it that is written to its part."""

import time

import numpy as np

from lossbench.config.search_space import is_corrupted
from lossbench.datasets.corruption import kept_rows
from lossbench.datasets.loading import Part
from lossbench.jobs.prepared import PreparedCell, by_split
from lossbench.metrics.calibration import calibrated_scores
from lossbench.metrics.catalogue import MAIN_METRICS
from lossbench.metrics.classification import Scores
from lossbench.metrics.evaluation import evaluate
from lossbench.metrics.reference_predictors import is_stuck, naive_scores
from lossbench.planning.plan import Cell
from lossbench.results.part_files import DIVERGED, FINISHED, RunInfo
from lossbench.training.specification import Trained
from lossbench.training.trainers import PREDICT


def judged(
    prepared: PreparedCell, seed: int, splits: dict[str, Part], trained: Trained, started: float
) -> tuple[RunInfo, dict[str, np.ndarray]]:
    """Return what is said of a run, and its arrays (see ``results.runs.Run``).

    Parameters
    ----------
    splits : dict
        As the run got them.
    started : float
        Seconds since 1970.
    """
    cell = prepared.cell
    raw = _raw_predictions(prepared, splits, trained)
    scores = by_split(_scores(prepared, splits, raw))
    score, loss = scores[f"train/{MAIN_METRICS[cell.task]}"], float(trained.curves["train/loss"][-1])
    stuck = not trained.diverged_epoch and _is_stuck(prepared, splits["train"], score, loss)
    arrays = {"epochs": trained.epochs}
    arrays |= {f"curve/{name}": curve for name, curve in prepared.curves(trained).items()}
    arrays |= {f"weight/{i}": weight for i, weight in enumerate(trained.weights)}
    arrays |= {f"raw/{name}": values for name, values in raw.items() if name in splits}
    if is_corrupted(cell.settings):
        clean, n_classes = prepared.dataset.splits["train"], prepared.dataset.n_classes
        rows = kept_rows(cell.settings["corruption"], clean.y, n_classes, seed)
        arrays |= {"train/y": splits["train"].y, "train/rows": rows.astype(np.int32)}
    if prepared.grid is not None:
        arrays |= {"grid/raw": raw["grid"], "grid/x0": prepared.grid[0], "grid/x1": prepared.grid[1]}
    info = RunInfo(
        seed=seed,
        key=run_key(cell, seed),
        status=DIVERGED if trained.diverged_epoch else FINISHED,
        started=started,
        ended=time.time(),
        stuck=stuck,
        diverged_epoch=trained.diverged_epoch,
        selected_epoch=trained.selected_epoch,
        scores=scores,
        naive=prepared.naive,
        tuned=prepared.outcome.parameters if prepared.outcome else {},
        study=prepared.outcome.study if prepared.outcome else "",
    )
    return info, arrays


def _is_stuck(prepared: PreparedCell, train: Part, score: float, loss: float) -> bool:
    """Say whether a run is stuck: no better than the best constant for the targets that it was given."""
    metric = MAIN_METRICS[prepared.cell.task]
    if not is_corrupted(prepared.cell.settings):
        naive = prepared.naive[f"train/{metric}"]
        return is_stuck(metric, score, naive, loss, lambda: prepared.naive_loss)
    y = prepared.dataset.in_unit(train.y)
    naive = naive_scores(prepared.cell.pair, y, y, prepared.dataset.n_classes)[metric]
    return is_stuck(metric, score, naive, loss, lambda: prepared.naive_loss_on(train.y))


def _scores(prepared: PreparedCell, splits: dict[str, Part], raw: dict[str, np.ndarray]) -> dict[str, Scores]:
    """Return a run's metrics for each split."""
    pair, dataset = prepared.cell.pair, prepared.dataset
    scores = {
        name: evaluate(pair, part.y, raw[name], ordered=dataset.ordered, in_unit=dataset.in_unit)
        for name, part in splits.items()
    }
    if prepared.calibrates:
        validation, test = splits["validation"], splits["test"]
        scores["test"] |= calibrated_scores(pair, validation.y, raw["validation"], test.y, raw["test"])
    return scores


def _raw_predictions(prepared: PreparedCell, splits: dict[str, Part], trained: Trained) -> dict[str, np.ndarray]:
    """Return the raw predictions of every split and of the decision grid."""
    inputs = {name: part.x for name, part in splits.items()}
    if prepared.grid is not None:
        first, second = np.meshgrid(*prepared.grid, indexing="ij")
        inputs["grid"] = np.stack([first.ravel(), second.ravel()], axis=1)
    predict = PREDICT[prepared.cell.settings["trainer"]]
    together = predict(prepared.structure, trained.weights, np.concatenate(list(inputs.values())))
    edges = np.cumsum([len(x) for x in inputs.values()])[:-1]
    return dict(zip(inputs, np.split(together, edges), strict=True))


def run_key(cell: Cell, seed: int) -> str:
    """Return what identifies a run wherever it is recorded."""
    return f"{cell.key[:16]}-{seed}"
