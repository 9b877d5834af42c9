"""How well a trained network does: scikit-learn's metrics, in float64, from raw predictions.

Losses are never compared by their own values; these are what they are compared by.
"""

import numpy as np
from sklearn import config_context
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    hamming_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from lossbench.heads import HEADS, NUMBER_TASKS, decide
from lossbench.losses.table import Pair
from lossbench.metrics.table import MAIN_METRICS

Scores = dict[str, float]


def evaluate(pair: Pair, y: np.ndarray, raw: np.ndarray) -> Scores:
    """Return all metrics of the task.

    Parameters
    ----------
    pair : Pair
        The loss and the head: how a raw prediction is read.
    y : array
        Numbers of shape (n_samples, n_outputs), classes of shape (n_samples,), or labels of shape (n_samples,
        n_labels).
    raw : float array, shape (n_samples, n_raw)
        Raw predictions.

    Returns
    -------
    dict
        Numbers: ``mse``, ``rmse`` (of all outputs together), ``mae``, ``r2``. Classes: ``accuracy`` by the head's
        own rule; ``rounded_accuracy`` for tanh; ``log_loss`` in nats and ``brier`` where the prediction is a
        probability; ``roc_auc`` where it is a score and ``y`` has every class. Several labels: ``subset_accuracy``,
        ``hamming_loss``, ``f1`` (mean over labels). NaN where a prediction is not finite.
    """
    raw = np.asarray(raw, np.float64)
    if not np.isfinite(raw).all():
        names = ("mse", "rmse", "mae", "r2") if pair.task in NUMBER_TASKS else (MAIN_METRICS[pair.task],)
        return dict.fromkeys(names, float("nan"))
    # Everything given here has been checked: scikit-learn's own checks cost more than its arithmetic.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        if pair.task in NUMBER_TASKS:
            return of_numbers(y, HEADS[pair.head].activate(raw)[:, : y.shape[1]])
        decided = decide(raw, pair.head, pair.encoding, pair.task).astype(np.int32)
        return _of_labels(y, decided) if pair.task == "multilabel" else _of_classes(pair, y, raw, decided)


def of_numbers(y: np.ndarray, prediction: np.ndarray) -> Scores:
    """Return the metrics of predicted numbers; both of shape (n_samples, n_outputs)."""
    y = np.asarray(y, np.float64)
    mse = float(mean_squared_error(y, prediction))
    return {
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(mean_absolute_error(y, prediction)),
        "r2": float(r2_score(y, prediction)) if len(y) > 1 else float("nan"),
    }


def _of_labels(y: np.ndarray, decided: np.ndarray) -> Scores:
    return {
        "subset_accuracy": float(accuracy_score(y, decided)),
        "hamming_loss": float(hamming_loss(y, decided)),
        "f1": float(f1_score(y, decided, average="macro", zero_division=0.0)),
    }


def _of_classes(pair: Pair, y: np.ndarray, raw: np.ndarray, decided: np.ndarray) -> Scores:
    prediction = HEADS[pair.head].activate(raw)
    scores = {"accuracy": float(accuracy_score(y, decided))}
    if pair.head == "tanh":
        # What texts of the day printed: the rounded output must equal the target, so a 0 is always wrong.
        scores["rounded_accuracy"] = float(np.mean(np.round(prediction[:, 0]) == 2 * y - 1))
    if pair.task == "binary":
        if pair.probability:
            scores |= of_probabilities(y, prediction[:, -1])
        if len(np.unique(y)) == 2:
            scores["roc_auc"] = float(roc_auc_score(y, raw[:, 0] if raw.shape[1] == 1 else raw[:, 1] - raw[:, 0]))
        return scores
    if pair.probability:
        scores |= of_probabilities(y, prediction)
    classes = np.arange(raw.shape[1])
    if pair.head == "softmax" and len(np.unique(y)) == len(classes):
        scores["roc_auc"] = float(roc_auc_score(y, prediction, multi_class="ovr", labels=classes))
    return scores


def of_probabilities(y: np.ndarray, probability: np.ndarray) -> Scores:
    """Return the metrics of predicted probabilities: of class 1, shape (n,), or of each class, (n, n_classes)."""
    single = probability.ndim == 1
    classes = np.arange(2 if single else probability.shape[1])
    several = {} if single else {"scale_by_half": False}
    return {
        "log_loss": float(log_loss(y, probability, labels=classes)),
        "brier": float(brier_score_loss(y, probability, labels=classes, **several)),
    }
