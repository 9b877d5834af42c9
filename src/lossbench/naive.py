"""The naive predictor: the best constant prediction, which every trained network should beat."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.stats import expectile

from lossbench.heads import ENCODINGS, HEADS, Head
from lossbench.losses.table import LOSSES, Pair
from lossbench.metrics import Scores, evaluate


def _majority(y: np.ndarray) -> np.ndarray:
    """Return the more frequent of two codes, the larger on a tie; of one-hot columns the most frequent class."""
    if y.shape[1] > 1:
        return np.eye(y.shape[1])[y.sum(axis=0).argmax()]
    values, counts = np.unique(y[:, 0], return_counts=True)
    return values[len(values) - 1 - counts[::-1].argmax()].reshape(1)


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
    "majority": _majority,
    "logarithmic_mean": lambda y: np.expm1(np.log1p(np.maximum(y, 0.0)).mean(axis=0)),
    "relative_median": _relative_median,
    "quantile": lambda y, quantile: np.quantile(y, quantile, axis=0, method="inverted_cdf"),
    "expectile": lambda y, level: np.array([expectile(column, alpha=level) for column in y.T]),
}


def constant_raw_prediction(
    pair: Pair, y: np.ndarray, n_classes: int, parameters: dict[str, float], mean_loss: Callable[[np.ndarray], float]
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
    float64 array, shape (1, n_outputs)
    """
    head, loss = HEADS[pair.head], LOSSES[pair.loss]
    encoded = ENCODINGS[pair.encoding].encode(y, n_classes).astype(np.float64)
    if loss.statistic in ("quantile", "expectile"):
        return head.invert(STATISTICS[loss.statistic](encoded, *parameters.values()))[None, :]
    if loss.statistic in STATISTICS:
        return head.invert(STATISTICS[loss.statistic](encoded))[None, :]
    return _search(encoded, head, mean_loss)


def _search(encoded: np.ndarray, head: Head, mean_loss: Callable[[np.ndarray], float]) -> np.ndarray:
    """Return the best constant that a search finds, from the statistics of others and from between the targets."""
    if encoded.shape[1] == 1:
        starts = np.unique(np.quantile(encoded, np.linspace(0, 1, 21)))[:, None]
    else:
        starts = np.eye(encoded.shape[1])
    candidates = [head.invert(p)[None, :] for p in (*starts, encoded.mean(axis=0), np.median(encoded, axis=0))]
    start = min(candidates, key=mean_loss)
    found = minimize(lambda raw: mean_loss(raw[None, :]), start[0], method="Nelder-Mead", options={"maxiter": 200})
    return found.x[None, :] if found.fun <= mean_loss(start) else start


def naive_scores(pair: Pair, y_train: np.ndarray, y: np.ndarray, n_classes: int) -> Scores:
    """Return each metric's value for its best constant prediction, learned on ``y_train`` and judged on ``y``."""
    if n_classes == 0:
        mean = np.broadcast_to(y_train.mean(axis=0, dtype=np.float64), y.shape)
        median = np.broadcast_to(np.median(y_train, axis=0), y.shape)
        return {**evaluate(pair, y, mean), "mae": evaluate(pair, y, median)["mae"]}
    shares = np.bincount(y_train, minlength=n_classes) / len(y_train)
    raw = _raw_of_shares(pair, shares)
    scores = evaluate(pair, y, np.repeat(raw[None, :], len(y), axis=0))
    # The constant that rounds best is the majority's code, not the shares'.
    return {**scores, "rounded_accuracy": scores["accuracy"]} if "rounded_accuracy" in scores else scores


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
