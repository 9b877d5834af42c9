"""Computes all metrics of a split from raw predictions, in float64.

Losses are compared by these metrics, never by their own values. The metrics are our own implementations, which tests
compare with scikit-learn's.
"""

from collections.abc import Callable

import numpy as np

from lossbench.losses.heads import HEADS, NUMBER_TASKS, decide
from lossbench.losses.pairing import Pair
from lossbench.metrics.catalogue import MAIN_METRICS, METRICS
from lossbench.metrics.classification import (
    Scores,
    confusion_matrix,
    of_confusions,
    of_first_classes,
    of_labels,
    of_order,
    of_probabilities,
)
from lossbench.metrics.regression import of_numbers


def evaluate(
    pair: Pair,
    y: np.ndarray,
    raw: np.ndarray,
    *,
    ordered: bool = False,
    in_unit: Callable[[np.ndarray], np.ndarray] = lambda values: values,
) -> Scores:
    """Return all metrics of the task; ``metrics.catalogue`` describes each.

    Parameters
    ----------
    pair : Pair
        The loss and the head, which decide how a raw prediction is interpreted.
    y : array
        Numbers of shape (n_samples, n_outputs), classes of shape (n_samples,), or labels of shape (n_samples,
        n_labels).
    raw : float array, shape (n_samples, n_raw)
        Raw predictions.
    ordered : bool
        Whether the classes have an order.
    in_unit : callable
        Converts numeric targets, and predictions of them, to the unit of the metrics.

    Returns
    -------
    dict
        Metrics without a meaning here are absent: probability metrics if the prediction is no probability, ``roc_auc``
        and ``average_precision`` if outputs cannot be compared between samples or a class does not occur. If any
        prediction is not finite, every metric of numbers is NaN; for classes and labels only the main metric is
        returned, as NaN.
    """
    raw = np.asarray(raw, np.float64)
    if not np.isfinite(raw).all():
        numbers = [name for name, metric in METRICS.items() if pair.task in metric.tasks]
        return dict.fromkeys(numbers if pair.task in NUMBER_TASKS else [MAIN_METRICS[pair.task]], float("nan"))
    if pair.task in NUMBER_TASKS:
        return of_numbers(in_unit(y), in_unit(HEADS[pair.head].activate(raw)[:, : y.shape[1]]))
    decided = decide(raw, pair.head, pair.encoding, pair.task).astype(np.int32)
    return of_labels(y, decided) if pair.task == "multilabel" else _of_classes(pair, y, raw, decided, ordered)


def _of_classes(pair: Pair, y: np.ndarray, raw: np.ndarray, decided: np.ndarray, ordered: bool) -> Scores:
    prediction = HEADS[pair.head].activate(raw)
    n_classes = max(2, raw.shape[1])
    scores = of_confusions(confusion_matrix(y, decided, n_classes), ordered=ordered)
    if pair.head == "tanh":
        # The accuracy that older tutorials printed (docs/metrics.md): the rounded output must equal the target of -1
        # or 1, so outputs that round to 0 count as wrong.
        scores["rounded_accuracy"] = float(np.mean(np.round(prediction[:, 0]) == 2 * y - 1))
    if pair.task == "binary":
        scores |= of_order(y, raw[:, 0] if raw.shape[1] == 1 else raw[:, 1] - raw[:, 0])
    else:
        scores |= of_first_classes(y, raw)
        # On other heads, adding a constant to all outputs of a sample may change neither decision nor loss, so the
        # outputs of different samples have no common scale.
        scores |= of_order(y, prediction) if pair.head == "softmax" else {}
    if pair.probability:
        scores |= of_probabilities(y, prediction[:, -1] if pair.task == "binary" else prediction)
    return scores
