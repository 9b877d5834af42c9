"""Metrics of predicted classes, of scores and of probabilities, in float64.

They are our own implementations; tests compare them with scikit-learn's. scikit-learn's checks of its arguments take
much longer than the arithmetic on some hundred samples, and every run needs these metrics for every split. All metrics
of predicted classes come from one confusion matrix, all metrics of an order from one sort for each class.
"""

import numpy as np

from lossbench.metrics.catalogue import TOP_COUNTS

Scores = dict[str, float]
# The number of equally large groups of the calibration error.
CALIBRATION_GROUPS = 15


def confusion_matrix(y: np.ndarray, decided: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the confusion matrix as float64: rows are true classes, columns predicted classes."""
    counts = np.bincount(y * n_classes + decided, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.float64)


def of_confusions(confusions: np.ndarray, *, ordered: bool = False) -> Scores:
    """Return the metrics of predicted classes.

    Parameters
    ----------
    confusions : float64 array, shape (n_classes, n_classes)
        See ``confusion_matrix``.
    ordered : bool
        Whether the classes have an order; adds the metrics that weight a confusion by its distance.
    """
    right, true, decided = confusions.diagonal(), confusions.sum(axis=1), confusions.sum(axis=0)
    n = confusions.sum()
    occurs, named = true > 0, true + decided > 0
    # The Matthews correlation of several classes, from the counts of the matrix.
    covariance = right.sum() * n - true @ decided
    spread = (n**2 - true @ true) * (n**2 - decided @ decided)
    scores = {
        "accuracy": right.sum() / n,
        "balanced_accuracy": (right[occurs] / true[occurs]).mean(),
        "f1": (2 * right[named] / (true + decided)[named]).mean(),
        "matthews": covariance / spread**0.5 if spread > 0 else 0.0,
    }
    if ordered:
        classes = np.arange(len(confusions))
        distance = np.abs(classes[:, None] - classes[None, :])
        by_chance = (distance**2 * np.outer(true, decided)).sum() / n
        scores["class_mae"] = (distance * confusions).sum() / n
        if by_chance > 0:
            scores["quadratic_kappa"] = 1.0 - (distance**2 * confusions).sum() / by_chance
    return {name: float(value) for name, value in scores.items()}


def of_order(y: np.ndarray, score: np.ndarray) -> Scores:
    """Return the metrics that depend on the order of the scores only; empty if a class does not occur.

    Parameters
    ----------
    y : int array, shape (n_samples,)
    score : float array, shape (n_samples,) or (n_samples, n_classes)
        The score of class 1, or of each class. With several classes, each is compared with all others (one versus
        rest), and the result is the mean.
    """
    columns = [(y == 1, score)] if score.ndim == 1 else [(y == k, score[:, k]) for k in range(score.shape[1])]
    if not all(0 < is_class.sum() < len(y) for is_class, _ in columns):
        return {}
    both = np.mean([_areas(is_class, values) for is_class, values in columns], axis=0)
    return {"roc_auc": float(both[0]), "average_precision": float(both[1])}


def _areas(is_class: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Return the area under the ROC curve and the average precision of one class against the rest."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    # Samples with equal scores form one point of each curve: their order must not count.
    last_of_equals = np.append(ordered[1:] != ordered[:-1], True)
    hits = np.cumsum(is_class[order])[last_of_equals]
    named = np.flatnonzero(last_of_equals) + 1
    n_class = hits[-1]
    gained = np.diff(hits, prepend=0)
    # Pairs with equal scores count half: that is the area of the trapezoid between two points of the ROC curve.
    missed = len(score) - n_class
    above = np.diff(named - hits, prepend=0) * (hits - gained / 2)
    return above.sum() / (n_class * missed), (gained * hits / named).sum() / n_class


def of_first_classes(y: np.ndarray, score: np.ndarray) -> Scores:
    """Return the top-k accuracy for each k of ``TOP_COUNTS`` below the number of classes.

    Of equal scores the class with the higher number ranks first, as in scikit-learn.
    """
    n_classes = score.shape[1]
    own = score[np.arange(len(y)), y][:, None]
    later = np.arange(n_classes)[None, :] > y[:, None]
    before = ((score > own) | ((score == own) & later)).sum(axis=1)
    return {f"top_{k}_accuracy": float((before < k).mean()) for k in TOP_COUNTS if n_classes > k}


def of_probabilities(y: np.ndarray, probability: np.ndarray) -> Scores:
    """Return the metrics of predicted probabilities of class 1, shape (n,), or of each class, shape (n, n_classes)."""
    single = probability.ndim == 1
    each = np.stack([1.0 - probability, probability], axis=1) if single else np.asarray(probability, np.float64)
    own = each[np.arange(len(y)), y]
    # As in scikit-learn: a true class with probability 0 costs 36 nats instead of infinity.
    edge = np.finfo(np.float64).eps
    squares = np.square(each).sum(axis=1) - 2 * own + 1
    return {
        "log_loss": float(-np.log(np.clip(own, edge, 1 - edge)).mean()),
        "brier": float(squares.mean()) / (2 if single else 1),
        "calibration_error": calibration_error(each.argmax(axis=1) == y, each.max(axis=1)),
    }


def calibration_error(right: np.ndarray, confidence: np.ndarray) -> float:
    """Return the expected calibration error: the mean distance between confidence and accuracy over groups.

    The samples are sorted by confidence and divided into groups of equal size. Samples with equal confidence share a
    group, so that the result does not depend on the order of the samples.

    Parameters
    ----------
    right : bool array, shape (n_samples,)
        Whether the predicted class is the true one.
    confidence : float array, shape (n_samples,)
        The probability of the predicted class.

    References
    ----------
    Nguyen and O'Connor (2015), Posterior Calibration and Exploratory Analysis, doi:10.18653/v1/D15-1182
    """
    n = len(right)
    edges = np.sort(confidence)[np.arange(1, CALIBRATION_GROUPS) * n // CALIBRATION_GROUPS]
    group = np.searchsorted(edges, confidence, side="right")
    return float(np.abs(np.bincount(group, right - confidence)).sum() / n)


def of_labels(y: np.ndarray, decided: np.ndarray) -> Scores:
    """Return the multilabel metrics; both arrays are 0 or 1 and of shape (n_samples, n_labels)."""
    wrong = y != decided
    hits, named = (y * decided).sum(axis=0), y.sum(axis=0) + decided.sum(axis=0)
    return {
        "subset_accuracy": float(1.0 - wrong.any(axis=1).mean()),
        "hamming_loss": float(wrong.mean()),
        "f1": float((2 * hits / np.maximum(named, 1)).mean()),
    }
