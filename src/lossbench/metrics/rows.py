"""The part of each test row in a metric: with it, a metric's error on new rows can be told from one test split."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lossbench.losses.heads import HEADS, NUMBER_TASKS, decide
from lossbench.losses.pairing import Pair
from lossbench.metrics.catalogue import PINBALL_LEVELS
from lossbench.metrics.reference_predictors import best_numbers

Contribution = Callable[[np.ndarray], Any]


def _root(squares: np.ndarray) -> np.ndarray:
    """Return the root of a mean to first order in each row (the delta method); 0 where there is no error at all."""
    root = float(np.sqrt(squares.mean()))
    return root + (squares - root**2) / (2 * root) if root > 0 else np.zeros(len(squares))


def _pinball(level: float, errors: np.ndarray) -> np.ndarray:
    # An error is the prediction less the target.
    return np.maximum(-level * errors, (1 - level) * errors).mean(axis=1)


# From errors of shape (n_rows, n_outputs), in the metric's unit.
OF_ERRORS: dict[str, Contribution] = {
    "mse": lambda errors: np.square(errors).mean(axis=1),
    "rmse": lambda errors: _root(np.square(errors).mean(axis=1)),
    "mae": lambda errors: np.abs(errors).mean(axis=1),
    **{f"pinball_{level}": partial(_pinball, level) for level in PINBALL_LEVELS},
}
# From whether each decision is wrong, shape (n_rows, n_labels).
OF_DECISIONS: dict[str, Contribution] = {
    "accuracy": lambda wrong: 1.0 - wrong.any(axis=1),
    "subset_accuracy": lambda wrong: 1.0 - wrong.any(axis=1),
    "hamming_loss": lambda wrong: wrong.mean(axis=1),
}


def has_contributions(metric: str) -> bool:
    """Return whether a metric is a mean over rows, or a smooth function of one."""
    return metric in OF_ERRORS or metric in OF_DECISIONS


def step(metric: str) -> float:
    """Return what a row changes at most when it turns from wrong to right; 0 for a metric of errors in numbers."""
    return 1.0 if metric in OF_DECISIONS else 0.0


def contributions(pair: Pair, metric: str, y: np.ndarray, raw: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return what each row contributes to a metric: values whose mean is the metric.

    Parameters
    ----------
    metric : str
        One that ``has_contributions``.
    y : array
        As ``evaluation.evaluate`` takes it.
    raw : float array, shape (n_rows, n_raw)
        Raw predictions.
    scale : float array, shape (n_outputs,) or ()
        The unit of the targets in units of the metric.

    Returns
    -------
    float array, shape (n_rows,)
    """
    raw = np.asarray(raw, np.float64)
    if pair.task in NUMBER_TASKS:
        return OF_ERRORS[metric]((HEADS[pair.head].activate(raw)[:, : y.shape[1]] - y) * scale)
    wrong = decide(raw, pair.head, pair.encoding, pair.task) != y
    return OF_DECISIONS[metric](wrong.reshape(len(y), -1))


def naive_contributions(task: str, metric: str, y_train: np.ndarray, y: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the same for the naive predictor of numbers (the metric's best constant) or classes (the majority)."""
    if task in NUMBER_TASKS:
        return OF_ERRORS[metric]((best_numbers(metric, y_train) - y) * scale)
    majority = np.bincount(y_train).argmax()
    return OF_DECISIONS[metric]((y != majority).reshape(len(y), -1))
