"""Trains the yardsticks of a data set on the networks' rows: the work of a Hydra job of their own."""

import json
import logging
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from lossbench.config.settings import plain
from lossbench.ground.at_work import Doing
from lossbench.ground.files import write_text
from lossbench.ground.run_ids import RunId
from lossbench.jobs.evaluate import scores_of
from lossbench.jobs.failed_runs import yardstick_key
from lossbench.jobs.prepare import PreparedCell, PreparedRun, by_split
from lossbench.losses.heads import HEADS, NUMBER_TASKS
from lossbench.planning.yardsticks import Yardsticks
from lossbench.results.part_files import FAILED, FINISHED, RunInfo, write_run
from lossbench.results.provenance import commit
from lossbench.results.yardsticks import yardstick_path

log = logging.getLogger(__name__)

# By model: how one for numbers, and one for classes, is made.
ESTIMATORS = {
    "linear": (Ridge, lambda: LogisticRegression(max_iter=1000)),
    "boosting": (
        lambda: HistGradientBoostingRegressor(random_state=0),
        lambda: HistGradientBoostingClassifier(random_state=0),
    ),
}


def run_yardsticks(
    wanted: Yardsticks,
    folder: Path,
    parts: list[tuple[str, RunId]],
    n_threads: int,
    doing: Doing = nullcontext,
) -> None:
    """Train models on the rows of runs, and write a part file for each as soon as it has been judged.

    A model that fails is written as failed, with its error.

    Parameters
    ----------
    folder : Path
        That of the yardsticks.
    parts : list of (model, RunId)
        The open ones.
    n_threads : int
        The number of models that are trained at the same time, each by one thread: OpenMP's threads wait for each
        other, and on cores that others use too they take ten times as long as one alone.
    doing : callable
        Told which model is trained, by the name of its part file.
    """
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    content = {
        "data": wanted.data,
        "key": wanted.key,
        "settings": {name: plain(getattr(wanted.cell.settings, name)) for name in ("dataset", "corruption", "repeat")},
        "source": commit(),
        "versions": {name: version(name) for name in ("scikit-learn", "numpy")},
    }
    write_text(folder / "yardsticks.json", json.dumps(content, indent=1, sort_keys=True) + "\n")
    prepared = PreparedCell(wanted.cell)
    # Fold by fold, because few prepared folds are held at a time.
    ordered = sorted(parts, key=lambda part: part[1].order)
    with warnings.catch_warnings(), threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
        # A linear model that has not converged after 1000 steps is judged as it is.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for future in [pool.submit(_run, prepared, wanted, folder, *part, doing) for part in ordered]:
            future.result()


def _run(prepared: PreparedCell, wanted: Yardsticks, folder: Path, model: str, run: RunId, doing: Doing) -> None:
    started, path = time.time(), yardstick_path(folder, model, run)
    info = RunInfo(run.seed, yardstick_key(wanted, model, run), FINISHED, started, started)
    info = replace(info, repetition=run.repetition, fold=run.fold)
    arrays: dict[str, np.ndarray] = {}
    try:
        own = prepared.run(run)
        started = time.time()
        # OpenMP's limit belongs to the thread that sets it.
        with threadpool_limits(1), doing(path.stem):
            raw = _raw_predictions(own, model)
        judged = replace(own, splits={name: own.splits[name] for name in raw})
        info = replace(info, started=started, scores=by_split(scores_of(judged, raw)), naive=own.cell.naive)
        arrays = {f"raw/{name}": values for name, values in raw.items()}
    except Exception as error:
        log.exception("%s %s failed", model, run.name)
        text = " ".join("".join(traceback.format_exception_only(error)).split())
        info = replace(info, status=FAILED, error=text)
    try:
        write_run(path, replace(info, ended=time.time()), arrays)
    except OSError:
        # The disk may be full. Without a part file it stays open, and the next start trains it.
        log.exception("%s %s could not be written", model, run.name)


def _raw_predictions(run: PreparedRun, model: str) -> dict[str, np.ndarray]:
    """Return a model's predictions for all splits but the training split, as raw predictions of the cell's head.

    Returns
    -------
    dict
        A float64 array of shape (n_samples, n_raw) for each split.
    """
    pair, train = run.cell.cell.pair, run.splits["train"]
    others = {name: part.x for name, part in run.splits.items() if name != "train"}
    for_numbers, for_classes = ESTIMATORS[model]
    if pair.task in NUMBER_TASKS:
        columns = [for_numbers().fit(train.x, y.astype(np.float64)) for y in train.y.T]
        return {name: np.column_stack([each.predict(x) for each in columns]) for name, x in others.items()}
    invert = HEADS[pair.head].invert
    if pair.task == "multilabel":
        labels = [_fitted(for_classes(), train.x, y) for y in train.y.T]
        return {
            name: invert(np.column_stack([each.predict_proba(x)[:, 1] for each in labels]))
            for name, x in others.items()
        }
    fitted = _fitted(for_classes(), train.x, train.y)
    return {name: invert(_of_classes(fitted, x, run.cell.dataset.n_classes)) for name, x in others.items()}


def _fitted(estimator: BaseEstimator, x: np.ndarray, y: np.ndarray) -> BaseEstimator:
    if len(np.unique(y)) < 2:
        raise ValueError("the training rows have one class only")
    return estimator.fit(x, y)


def _of_classes(fitted: BaseEstimator, x: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the probability of each class, of two that of the second; a class that was not learned has 0."""
    found = np.zeros((len(x), n_classes))
    found[:, fitted.classes_] = fitted.predict_proba(x)
    return found[:, 1:] if n_classes == 2 else found
