"""The floor and the ceiling of each metric: the best constant prediction, and the best that a generator allows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.stats import expectile

from lossbench.heads import ENCODINGS, HEADS, NUMBER_TASKS, Head
from lossbench.losses.table import Pair
from lossbench.metrics.evaluate import Scores, evaluate, of_numbers, of_probabilities


def _majority(y: np.ndarray) -> np.ndarray:
    """Return the more frequent of two codes of each column, the larger on a tie."""
    return np.where(y.mean(axis=0) >= (y.min() + y.max()) / 2, y.max(), y.min())


def _most_frequent(y: np.ndarray) -> np.ndarray:
    """Return the code of the most frequent class, one-hot."""
    return np.eye(y.shape[1])[y.sum(axis=0).argmax()]


def _mean_direction(y: np.ndarray) -> np.ndarray:
    """Return the mean of the targets, each brought to length 1."""
    return (y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)).mean(axis=0)


def _relative_median(y: np.ndarray) -> np.ndarray:
    """Return the median of each column with weights 1 / |y|: the constant of least relative error."""
    order = np.argsort(y, axis=0)
    ordered = np.take_along_axis(y, order, axis=0)
    weights = 1.0 / np.maximum(np.abs(ordered), 1e-7)
    share = np.cumsum(weights, axis=0) / weights.sum(axis=0)
    return np.take_along_axis(ordered, (share >= 0.5).argmax(axis=0)[None, :], axis=0)[0]


# What a loss estimates: the constant that minimises its mean over encoded targets of shape (n_samples, n_outputs),
# given the loss's parameters. Losses whose statistic is not here have none with a formula.
STATISTICS: dict[str, Callable[..., np.ndarray]] = {
    "mean": lambda y: y.mean(axis=0),
    "median": lambda y: np.median(y, axis=0),
    "mean_and_variance": lambda y: np.concatenate([y.mean(axis=0), y.var(axis=0)]),
    "mean_direction": _mean_direction,
    "majority": _majority,
    "logarithmic_mean": lambda y: np.expm1(np.log1p(np.maximum(y, 0.0)).mean(axis=0)),
    "relative_median": _relative_median,
    "quantile": lambda y, quantile: np.quantile(y, quantile, axis=0, method="inverted_cdf"),
    "expectile": lambda y, level: np.array([expectile(column, alpha=level) for column in y.T]),
}


def constant_raw_prediction(
    pair: Pair, y: np.ndarray, n_classes: int, parameters: dict[str, Any], mean_loss: Callable[[np.ndarray], float]
) -> np.ndarray:
    """Return the constant raw prediction that is best for a loss.

    Parameters
    ----------
    pair : Pair
        The loss and its head.
    y : array
        Targets of the training split, as in ``datasets.loading.Part``.
    n_classes : int
        0 for regression.
    parameters : dict
        The loss's parameters.
    mean_loss : callable
        Of a constant raw prediction of shape (1, n_outputs); asked where the statistic has no formula.

    Returns
    -------
    float64 array, shape (1, n_raw)
    """
    head = HEADS[pair.head]
    encoded = ENCODINGS[pair.encoding].encode(y, n_classes).astype(np.float64)
    if pair.statistic == "majority" and pair.encoding == "one_hot":
        return head.invert(_most_frequent(encoded))[None, :]
    if pair.statistic in STATISTICS:
        given = parameters.values() if pair.statistic in ("quantile", "expectile") else ()
        return head.invert(STATISTICS[pair.statistic](encoded, *given))[None, :]
    return _search(encoded, head, mean_loss)


def _search(encoded: np.ndarray, head: Head, mean_loss: Callable[[np.ndarray], float]) -> np.ndarray:
    """Return the best constant that a search finds, from the statistics of others and from between the targets."""
    quantiles = np.quantile(encoded, np.linspace(0, 1, 21), axis=0)
    starts = np.unique(np.concatenate([quantiles, np.eye(encoded.shape[1])]), axis=0)
    candidates = [head.invert(p)[None, :] for p in (*starts, encoded.mean(axis=0), np.median(encoded, axis=0))]
    start = min(candidates, key=mean_loss)
    found = minimize(lambda raw: mean_loss(raw[None, :]), start[0], method="Nelder-Mead", options={"maxiter": 200})
    return found.x[None, :] if found.fun <= mean_loss(start) else start


def naive_scores(pair: Pair, y_train: np.ndarray, y: np.ndarray, n_classes: int) -> Scores:
    """Return each metric's value for its best constant prediction, learned on ``y_train`` and judged on ``y``."""
    if pair.task in NUMBER_TASKS:
        mean = np.broadcast_to(y_train.mean(axis=0, dtype=np.float64), y.shape)
        median = np.broadcast_to(np.median(y_train, axis=0), y.shape)
        return {**of_numbers(y, mean), "mae": of_numbers(y, median)["mae"]}
    if pair.task == "multilabel":
        return _naive_labels(pair, y_train, y)
    shares = np.bincount(y_train, minlength=n_classes) / len(y_train)
    raw = _raw_of_shares(pair, shares)
    scores = evaluate(pair, y, np.repeat(raw[None, :], len(y), axis=0))
    # The constant that rounds best is the majority's code, not the shares'.
    return {**scores, "rounded_accuracy": scores["accuracy"]} if "rounded_accuracy" in scores else scores


def _naive_labels(pair: Pair, y_train: np.ndarray, y: np.ndarray) -> Scores:
    def of_constant(labels: np.ndarray) -> Scores:
        code = ENCODINGS[pair.encoding].encode(labels[None, :], 2)
        return evaluate(pair, y, np.repeat(HEADS[pair.head].invert(code), len(y), axis=0))

    # Saying yes to every label is never wrong about one that is there: the constant of best f1.
    majority, yes = (y_train.mean(axis=0) >= 0.5).astype(int), np.ones(y.shape[1], int)
    return of_constant(majority) | {"f1": of_constant(yes)["f1"]}


def ceiling_scores(task: str, y: np.ndarray, optimum: dict[str, np.ndarray]) -> Scores:
    """Return each metric's value for the best predictions that the data's generator allows.

    On the same rows as the runs, so that chance in these rows is in both. What is not known is absent.

    Parameters
    ----------
    optimum : dict
        As in ``datasets.loading.Part``.
    """
    if "probability" in optimum:
        probability = optimum["probability"]
        given = probability[:, 1] if task == "binary" else probability
        return {"accuracy": float(np.mean(probability.argmax(axis=1) == y)), **of_probabilities(y, given)}
    scores: Scores = {}
    if "mean" in optimum:
        scores |= {name: value for name, value in of_numbers(y, optimum["mean"]).items() if name != "mae"}
    if "median" in optimum:
        scores["mae"] = of_numbers(y, optimum["median"])["mae"]
    return scores


def _raw_of_shares(pair: Pair, shares: np.ndarray) -> np.ndarray:
    if len(shares) > 2 or pair.encoding in ("one_hot", "integer"):
        return HEADS[pair.head].invert(shares)
    prediction = 2 * shares[1] - 1 if pair.encoding == "signed" else shares[1]
    return HEADS[pair.head].invert(np.array([prediction]))


def is_stuck(metric: str, score: float, naive_score: float, loss: float, naive_loss: float) -> bool:
    """Say whether a run ended no better than the best constant, both by its main metric and by its own loss.

    A millionth is allowed: a network that gives a constant reaches the best one but for rounding.
    """
    worse_score = score >= naive_score * (1 - 1e-6) if metric == "rmse" else score <= naive_score * (1 + 1e-6)
    return bool(worse_score and loss >= naive_loss - 1e-6 * max(1.0, abs(naive_loss)))
