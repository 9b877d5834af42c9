"""How well a trained network does: scikit-learn's metrics, in float64, from raw predictions.

Losses are never compared by their own values; these are what they are compared by.
"""

import numpy as np
from sklearn import config_context
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from lossbench.heads import HEADS, decide
from lossbench.losses.table import LOSSES, Pair

Scores = dict[str, float]


def gives_probability(pair: Pair) -> bool:
    """Say whether the prediction estimates a probability: a proper loss on a head whose range is that of one."""
    return LOSSES[pair.loss].probability and pair.head in ("sigmoid", "softmax")


def evaluate(pair: Pair, y: np.ndarray, raw: np.ndarray) -> Scores:
    """Return all metrics of the task.

    Parameters
    ----------
    pair : Pair
        The loss and the head: how a raw prediction is read.
    y : array
        Regression: values of shape (n_samples, n_outputs); classification: classes of shape (n_samples,).
    raw : float array, shape (n_samples, n_outputs)
        Raw predictions.

    Returns
    -------
    dict
        Regression: ``mse``, ``rmse`` (of all outputs together), ``mae``, ``r2``. Classification: ``accuracy`` by
        the head's own rule; ``rounded_accuracy`` for tanh; ``log_loss`` in nats and ``brier`` where the prediction
        is a probability; ``roc_auc`` where it is a score and ``y`` has every class. NaN where a prediction is not
        finite.
    """
    raw = np.asarray(raw, np.float64)
    if not np.isfinite(raw).all():
        names = ("mse", "rmse", "mae", "r2") if pair.task == "regression" else ("accuracy",)
        return dict.fromkeys(names, float("nan"))
    # Everything given here has been checked: scikit-learn's own checks cost more than its arithmetic.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        if pair.task == "regression":
            return _regression(np.asarray(y, np.float64), HEADS[pair.head].activate(raw))
        return _classification(pair, y, raw)


def _regression(y: np.ndarray, prediction: np.ndarray) -> Scores:
    mse = float(mean_squared_error(y, prediction))
    return {
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(mean_absolute_error(y, prediction)),
        "r2": float(r2_score(y, prediction)) if len(y) > 1 else float("nan"),
    }


def _classification(pair: Pair, y: np.ndarray, raw: np.ndarray) -> Scores:
    prediction = HEADS[pair.head].activate(raw)
    decided = decide(raw, pair.head, pair.encoding).astype(np.int32)
    scores = {"accuracy": float(accuracy_score(y, decided))}
    if pair.head == "tanh":
        # What texts of the day printed: the rounded output must equal the target, so a 0 is always wrong.
        scores["rounded_accuracy"] = float(np.mean(np.round(prediction[:, 0]) == 2 * y - 1))
    binary = pair.task == "binary"
    classes = np.arange(2 if binary else raw.shape[1])
    if gives_probability(pair):
        scores["log_loss"] = float(log_loss(y, prediction[:, 0] if binary else prediction, labels=classes))
        scores["brier"] = _brier(y, prediction, classes)
    if len(np.unique(y)) == len(classes):
        if binary:
            scores["roc_auc"] = float(roc_auc_score(y, raw[:, 0]))
        elif pair.head == "softmax":
            scores["roc_auc"] = float(roc_auc_score(y, prediction, multi_class="ovr", labels=classes))
    return scores


def _brier(y: np.ndarray, probability: np.ndarray, classes: np.ndarray) -> float:
    if probability.shape[1] == 1:
        return float(brier_score_loss(y, probability[:, 0], labels=classes))
    return float(brier_score_loss(y, probability, labels=classes, scale_by_half=False))
