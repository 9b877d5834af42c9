"""The naive predictor: the best constant prediction, which every trained network should beat."""

import numpy as np

from lossbench.heads import ENCODINGS, HEADS
from lossbench.losses.table import LOSSES, Pair
from lossbench.metrics import Scores, evaluate


def _majority(y: np.ndarray) -> np.ndarray:
    """Return the more frequent of two codes, the larger on a tie; of one-hot columns the most frequent class."""
    if y.shape[1] > 1:
        return np.eye(y.shape[1])[y.sum(axis=0).argmax()]
    values, counts = np.unique(y[:, 0], return_counts=True)
    return values[len(values) - 1 - counts[::-1].argmax()].reshape(1)


# What a loss estimates: the constant that minimises its mean over encoded targets of shape (n_samples, n_outputs).
STATISTICS = {
    "mean": lambda y: y.mean(axis=0),
    "median": lambda y: np.median(y, axis=0),
    "majority": _majority,
    "logarithmic_mean": lambda y: np.expm1(np.log1p(np.maximum(y, 0.0)).mean(axis=0)),
}


def constant_raw_prediction(pair: Pair, y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the constant raw prediction that is best for a loss.

    Parameters
    ----------
    pair : Pair
        The loss and its head.
    y : array
        Targets of the training split, as in ``datasets.loading.Part``.
    n_classes : int
        0 for regression.

    Returns
    -------
    float64 array, shape (1, n_outputs)
    """
    encoded = ENCODINGS[pair.encoding].encode(y, n_classes).astype(np.float64)
    best = STATISTICS[LOSSES[pair.loss].statistic](encoded)
    return HEADS[pair.head].invert(best)[None, :]


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
