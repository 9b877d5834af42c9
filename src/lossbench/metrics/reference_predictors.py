"""Reference predictors: the floor and the ceiling of each metric.

The naive predictor is the best constant prediction; a network must do better. The ceiling is the score of the best
prediction that a generator allows, given what it leaves to chance; no network can do better, but for luck.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from lossbench.losses.heads import ENCODINGS, HEADS, NUMBER_TASKS, Head
from lossbench.losses.pairing import Pair
from lossbench.metrics.catalogue import CALIBRATED, METRICS, PINBALL_LEVELS, lower_is_better
from lossbench.metrics.classification import (
    Scores,
    confusion_matrix,
    of_confusions,
    of_first_classes,
    of_order,
    of_probabilities,
)
from lossbench.metrics.evaluation import evaluate
from lossbench.metrics.regression import of_numbers


def _majority(y: np.ndarray) -> np.ndarray:
    """Return the more frequent of the two codes in each column; the larger one on a tie."""
    return np.where(y.mean(axis=0) >= (y.min() + y.max()) / 2, y.max(), y.min())


def _most_frequent(y: np.ndarray) -> np.ndarray:
    """Return the one-hot code of the most frequent class."""
    return np.eye(y.shape[1])[y.sum(axis=0).argmax()]


def _majority_class(y: np.ndarray) -> np.ndarray:
    """Return the code of the class of more than half of the samples, one-hot; 0 for each class where there is none."""
    return (y.mean(axis=0) > 0.5).astype(float)


def _mean_direction(y: np.ndarray) -> np.ndarray:
    """Return the mean of the targets after scaling each to length 1."""
    return (y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)).mean(axis=0)


def _relative_median(y: np.ndarray) -> np.ndarray:
    """Return the median of each column weighted by 1 / abs(y), which minimises the mean relative error."""
    order = np.argsort(y, axis=0)
    ordered = np.take_along_axis(y, order, axis=0)
    weights = 1.0 / np.maximum(np.abs(ordered), 1e-7)
    share = np.cumsum(weights, axis=0) / weights.sum(axis=0)
    return np.take_along_axis(ordered, (share >= 0.5).argmax(axis=0)[None, :], axis=0)[0]


def _expectiles(y: np.ndarray, level: float) -> np.ndarray:
    # Imported here: it takes half a second, and one loss needs it.
    from scipy.stats import expectile

    return np.array([expectile(column, alpha=level) for column in y.T])


# The statistic that a loss estimates: the constant that minimises its mean over encoded targets of shape (n_samples,
# n_outputs), as a function of the targets and the loss's parameters. For the other losses no formula is known, and
# ``_search`` finds the constant.
STATISTICS: dict[str, Callable[..., np.ndarray]] = {
    "mean": lambda y: y.mean(axis=0),
    "median": lambda y: np.median(y, axis=0),
    "mean_and_variance": lambda y: np.concatenate([y.mean(axis=0), y.var(axis=0)]),
    "mean_direction": _mean_direction,
    "majority": _majority,
    "majority_class": _majority_class,
    "logarithmic_mean": lambda y: np.expm1(np.log1p(np.maximum(y, 0.0)).mean(axis=0)),
    "relative_median": _relative_median,
    "quantile": lambda y, quantile: np.quantile(y, quantile, axis=0, method="inverted_cdf"),
    "expectile": _expectiles,
}


def constant_raw_prediction(
    pair: Pair, y: np.ndarray, n_classes: int, parameters: dict[str, Any], mean_loss: Callable[[np.ndarray], float]
) -> np.ndarray:
    """Return the constant raw prediction that minimises a loss.

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
        Returns the mean loss of a constant raw prediction of shape (1, n_outputs); called only if the loss has no
        statistic with a formula.

    Returns
    -------
    float64 array, shape (1, n_raw)
    """
    head = HEADS[pair.head]
    encoded = ENCODINGS[pair.encoding].encode(y, n_classes).astype(np.float64)
    if pair.statistic == "median" and head.sums_to_one:
        # Outputs that sum to 1: the absolute errors are twice what the true class's output lacks of 1.
        return head.invert(_most_frequent(encoded))[None, :]
    if pair.statistic in STATISTICS:
        given = parameters.values() if pair.statistic in ("quantile", "expectile") else ()
        return head.invert(STATISTICS[pair.statistic](encoded, *given))[None, :]
    return _search(encoded, head, mean_loss)


def _search(encoded: np.ndarray, head: Head, mean_loss: Callable[[np.ndarray], float]) -> np.ndarray:
    """Return the best constant raw prediction found by a search.

    The search starts from the best of these: quantiles of the targets, their mean, their median, each single class.
    """
    quantiles = np.quantile(encoded, np.linspace(0, 1, 21), axis=0)
    starts = np.unique(np.concatenate([quantiles, np.eye(encoded.shape[1])]), axis=0)
    candidates = [head.invert(p)[None, :] for p in (*starts, encoded.mean(axis=0), np.median(encoded, axis=0))]
    start = min(candidates, key=mean_loss)
    # Imported here: it takes a fifth of a second, and few losses need it.
    from scipy.optimize import minimize

    found = minimize(lambda raw: mean_loss(raw[None, :]), start[0], method="Nelder-Mead", options={"maxiter": 200})
    return found.x[None, :] if found.fun <= mean_loss(start) else start


def naive_scores(pair: Pair, y_train: np.ndarray, y: np.ndarray, n_classes: int, *, ordered: bool = False) -> Scores:
    """Return each metric of its best constant prediction.

    The constant is chosen on ``y_train`` and scored on ``y``. Each metric has a best constant of its own: the median
    for ``mae``, the mean for ``rmse``.
    """
    if pair.task in NUMBER_TASKS:
        return _naive_numbers(y_train, y)
    if pair.task == "multilabel":
        return _naive_labels(pair, y_train, y)
    raw = _raw_of_shares(pair, _shares(y_train, n_classes))
    scores = evaluate(pair, y, np.repeat(raw[None, :], len(y), axis=0), ordered=ordered)
    if "class_mae" in scores:
        scores["class_mae"] = float(np.abs(y - np.median(y_train)).mean())
    # The class shares may round to 0, which is always wrong; here the best constant is the majority's code.
    return {**scores, "rounded_accuracy": scores["accuracy"]} if "rounded_accuracy" in scores else scores


def _shares(y: np.ndarray, n_classes: int) -> np.ndarray:
    return np.bincount(y, minlength=n_classes) / len(y)


def naive_calibrated_scores(y_train: np.ndarray, y: np.ndarray, n_classes: int) -> Scores:
    """Return the calibrated metrics of the best constant, the class shares of the training split, for any loss."""
    shares = np.repeat(_shares(y_train, n_classes)[None, :], len(y), axis=0)
    found = of_probabilities(y, shares[:, 1] if n_classes == 2 else shares)
    return {f"{CALIBRATED}{name}": value for name, value in found.items()}


# The best constant of those metrics of numbers for which it is not the mean, from targets (n_samples, n_outputs).
_BEST_NUMBERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mae": lambda y: np.median(y, axis=0),
    "median_absolute_error": lambda y: _middle_of_shortest_half(y),
    "largest_absolute_error": lambda y: (y.min(axis=0) + y.max(axis=0)) / 2,
} | {
    f"pinball_{level}": lambda y, level=level: np.quantile(y, level, axis=0, method="inverted_cdf")
    for level in PINBALL_LEVELS
}


def best_numbers(metric: str, y: np.ndarray) -> np.ndarray:
    """Return the constant, shape (n_outputs,), with which a metric of numbers is best for targets (n, n_outputs)."""
    return _BEST_NUMBERS.get(metric, lambda values: values.mean(axis=0))(y)


def _middle_of_shortest_half(y: np.ndarray) -> np.ndarray:
    """Return the middle of the shortest interval that holds more than half of each column.

    It minimises the median absolute error.
    """
    ordered = np.sort(y, axis=0)
    others = len(y) // 2
    first = (ordered[others:] - ordered[: len(y) - others]).argmin(axis=0)
    columns = np.arange(y.shape[1])
    return (ordered[first, columns] + ordered[first + others, columns]) / 2


def _naive_numbers(y_train: np.ndarray, y: np.ndarray) -> Scores:
    y_train = y_train.astype(np.float64)
    scores = of_numbers(y, np.broadcast_to(y_train.mean(axis=0), y.shape))
    best = {name: np.broadcast_to(constant(y_train), y.shape) for name, constant in _BEST_NUMBERS.items()}
    return scores | {name: of_numbers(y, constant)[name] for name, constant in best.items()}


def _naive_labels(pair: Pair, y_train: np.ndarray, y: np.ndarray) -> Scores:
    def of_constant(labels: np.ndarray) -> Scores:
        code = ENCODINGS[pair.encoding].encode(labels[None, :], 2)
        return evaluate(pair, y, np.repeat(HEADS[pair.head].invert(code), len(y), axis=0))

    # Predicting every label misses none (recall 1), which gives a constant its best f1.
    majority, yes = (y_train.mean(axis=0) >= 0.5).astype(int), np.ones(y.shape[1], int)
    return of_constant(majority) | {"f1": of_constant(yes)["f1"]}


def ceiling_scores(task: str, y: np.ndarray, optimum: dict[str, np.ndarray], *, ordered: bool = False) -> Scores:
    """Return each metric of the best predictions that the generator allows.

    They are scored on the same rows as the runs, so that the luck of these rows affects both alike. Metrics whose best
    prediction is not known are absent.

    Parameters
    ----------
    optimum : dict
        The best predictions, as in ``datasets.loading.Part``.
    ordered : bool
        Whether the classes have an order.
    """
    if "probability" in optimum:
        return _ceiling_of_classes(task, y, np.asarray(optimum["probability"], np.float64), ordered)
    scores: Scores = {}
    if "mean" in optimum:
        of_mean = of_numbers(y, optimum["mean"])
        scores |= {name: of_mean[name] for name in ("mse", "rmse", "r2", "explained_variance")}
    if "median" in optimum:
        scores["mae"] = of_numbers(y, optimum["median"])["mae"]
    return scores


def _ceiling_of_classes(task: str, y: np.ndarray, probability: np.ndarray, ordered: bool) -> Scores:
    n_classes = probability.shape[1]

    def of_decisions(decided: np.ndarray) -> Scores:
        return of_confusions(confusion_matrix(y, decided, n_classes), ordered=ordered)

    given = probability[:, 1] if task == "binary" else probability
    scores = {
        "accuracy": of_decisions(probability.argmax(axis=1))["accuracy"],
        # Every class counts the same, so the best decision divides the probability by the class's frequency.
        "balanced_accuracy": of_decisions((probability / probability.mean(axis=0)).argmax(axis=1))["balanced_accuracy"],
        **of_order(y, given),
        **of_probabilities(y, given),
    }
    if task == "multiclass":
        scores |= of_first_classes(y, probability)
    if ordered:
        scores["class_mae"] = of_decisions((probability.cumsum(axis=1) >= 0.5).argmax(axis=1))["class_mae"]
    return scores


def _raw_of_shares(pair: Pair, shares: np.ndarray) -> np.ndarray:
    if len(shares) > 2 or pair.encoding in ("one_hot", "integer"):
        return HEADS[pair.head].invert(shares)
    prediction = 2 * shares[1] - 1 if pair.encoding == "signed" else shares[1]
    return HEADS[pair.head].invert(np.array([prediction]))


def is_stuck(metric: str, score: float, naive_score: float, loss: float, naive_loss: Callable[[], float]) -> bool:
    """Return whether a run is stuck: no better than the best constant by its main metric and by its own loss.

    ``naive_loss`` may need a search, so it is called only if the main metric says stuck. The comparison allows a
    difference of a millionth (a share of an error that has a unit): a network that has learned the best constant
    differs from it by rounding.
    """
    tolerance = 1e-6 * (abs(naive_score) if METRICS[metric].unit_power else 1.0)
    lower = lower_is_better(metric)
    worse_score = score >= naive_score - tolerance if lower else score <= naive_score + tolerance
    return bool(worse_score and loss >= (least := naive_loss()) - 1e-6 * max(1.0, abs(least)))
