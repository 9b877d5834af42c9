"""Calibration: turns the scores of any classifier into probabilities, in the same way for every loss.

The calibration is fitted on the validation split. Several classes get temperature scaling, which changes no decision;
two classes get Platt scaling, a scale and a shift of the score. Both maximise the likelihood, a convex problem with one
or two unknowns.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, softmax

from lossbench.losses.pairing import Pair
from lossbench.metrics.catalogue import CALIBRATED
from lossbench.metrics.classification import Scores, of_probabilities

# The least inverse temperature. It stays above 0, because temperature scaling must not change decisions.
LEAST_SLOPE = 1e-4
# Newton's method ends when its next step is expected to lower the mean log loss by less than about TOLERANCE. Usually
# it needs about ten steps.
TOLERANCE, MOST_STEPS = 1e-12, 100

# Returns the value, the gradient and the Hessian at a point.
Objective = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]


def calibrated_scores(
    pair: Pair, y_validation: np.ndarray, raw_validation: np.ndarray, y: np.ndarray, raw: np.ndarray
) -> Scores:
    """Return the probability metrics of calibrated predictions, named ``calibrated/log_loss`` and so on.

    Parameters
    ----------
    pair : Pair
        The loss and its head; the task is binary or multiclass.
    y_validation, raw_validation : arrays, shape (n_validation,) and (n_validation, n_raw)
        The classes and raw predictions that the calibration is fitted on.
    y, raw : arrays, shape (n_samples,) and (n_samples, n_raw)
        The classes and raw predictions that are calibrated and scored.

    Returns
    -------
    dict
        Empty if any raw prediction is not finite.
    """
    if not (np.isfinite(raw_validation).all() and np.isfinite(raw).all()):
        return {}
    calibrate = fit_calibration(y_validation, _scores(pair, raw_validation))
    found = of_probabilities(y, calibrate(_scores(pair, raw)))
    return {f"{CALIBRATED}{name}": value for name, value in found.items()}


def _scores(pair: Pair, raw: np.ndarray) -> np.ndarray:
    """Return the score of class 1, shape (n,), or of each of several classes, shape (n, n_classes)."""
    raw = np.asarray(raw, np.float64)
    if pair.task == "binary":
        return raw[:, 0] if raw.shape[1] == 1 else raw[:, 1] - raw[:, 0]
    return raw


def fit_calibration(y: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a calibration by maximum likelihood and return it as a function from scores to probabilities.

    Parameters
    ----------
    y : int array, shape (n_samples,)
    score : float64 array, shape (n_samples,) or (n_samples, n_classes)
        One-dimensional for two classes, calibrated as ``expit(scale * score + shift)``; two-dimensional for several,
        calibrated as ``softmax(score / temperature)``.

    Notes
    -----
    The fit adds one virtual sample, which belongs to all classes in equal parts and is spread evenly over all scores.
    Without it, classes that the scores separate perfectly would get probabilities of 0 and 1, and one error on other
    data would dominate the log loss. Platt smooths the targets for the same reason.

    References
    ----------
    Platt (1999), Probabilistic Outputs for Support Vector Machines; Guo et al. (2017), On Calibration of Modern
    Neural Networks, arXiv:1706.04599
    """
    return _platt(y, score) if score.ndim == 1 else _temperature(y, score)


def _temperature(y: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    n = len(score)
    centered = score - score.mean(axis=1, keepdims=True)
    unit = centered.std() or 1.0
    z = centered / unit
    # The virtual sample adds 0: the mean of the centered scores over the classes.
    aimed = z[np.arange(n), y].sum() / (n + 1)

    def objective(slope: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        scaled = slope[0] * z
        largest = scaled.max(axis=1, keepdims=True)
        power = np.exp(scaled - largest)
        total = power.sum(axis=1, keepdims=True)
        p = power / total
        mean = (p * z).sum(axis=1)
        variance = (p * z**2).sum(axis=1) - mean**2
        value = (largest + np.log(total)).mean() - slope[0] * aimed
        return value, np.array([mean.mean() - aimed]), np.array([[variance.mean()]])

    slope = max(float(_newton(objective, np.ones(1))[0]), LEAST_SLOPE) / unit
    return lambda new: softmax(slope * new, axis=1)


def _platt(y: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    # Standardized scores keep the Hessian well conditioned, whatever the scale of the raw predictions.
    n, middle = len(score), score.mean()
    unit = score.std() or 1.0
    z = np.stack([(score - middle) / unit, np.ones(n)], axis=1)
    # One virtual sample of half a class each, spread over n rows.
    target = (y + 0.5 / n) / (1 + 1 / n)

    def objective(unknown: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        logit = z @ unknown
        p = expit(logit)
        value = (np.logaddexp(0.0, logit) - target * logit).mean()
        return value, z.T @ (p - target) / n, (z * (p * (1 - p))[:, None]).T @ z / n

    scale, shift = _newton(objective, np.array([1.0, 0.0]))
    return lambda new: expit(scale * (new - middle) / unit + shift)


def _newton(objective: Objective, start: np.ndarray) -> np.ndarray:
    """Return the minimiser of a convex function; a step that does not lower the function enough is halved."""
    point = start
    value, gradient, curvature = objective(point)
    for _ in range(MOST_STEPS):
        # The small multiple of the identity keeps the Hessian invertible where the function is flat.
        step = np.linalg.solve(curvature + 1e-12 * np.eye(len(point)), gradient)
        expected = gradient @ step
        if expected < TOLERANCE:
            break
        size = 1.0
        while (found := objective(point - size * step))[0] > value - 1e-4 * size * expected and size > 1e-9:
            size /= 2
        point, (value, gradient, curvature) = point - size * step, found
    return point
