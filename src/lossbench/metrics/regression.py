"""Metrics of predicted numbers, in float64.

They are our own implementations, which tests compare with scikit-learn's; its checks of its arguments take longer than
the arithmetic.
"""

import numpy as np

from lossbench.metrics.catalogue import PINBALL_LEVELS


def of_numbers(y: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Return the metrics of predicted numbers.

    Parameters
    ----------
    y, prediction : float array, shape (n_samples, n_outputs)

    Returns
    -------
    dict
        Each metric is the mean over outputs, except ``rmse`` (the root of the mean over outputs of the squared error)
        and ``largest_absolute_error`` (the largest of any output).
    """
    y = np.asarray(y, np.float64)
    error = y - prediction
    distance = np.abs(error)
    mse = float(np.square(error).mean())
    return {
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(distance.mean()),
        "median_absolute_error": float(np.median(distance, axis=0).mean()),
        "largest_absolute_error": float(distance.max()),
        "r2": _explained(y, np.square(error).mean(axis=0)),
        "explained_variance": _explained(y, error.var(axis=0)),
        **{f"pinball_{level}": pinball(error, level) for level in PINBALL_LEVELS},
    }


def pinball(error: np.ndarray, level: float) -> float:
    """Return the mean pinball loss at a level of errors (target minus prediction)."""
    return float(np.maximum(level * error, (level - 1) * error).mean())


def _explained(y: np.ndarray, unexplained: np.ndarray) -> float:
    """Return the explained share of the targets' variance, mean over outputs; NaN for a single sample.

    Parameters
    ----------
    y : float64 array, shape (n_samples, n_outputs)
    unexplained : float64 array, shape (n_outputs,)
        The variance that the prediction leaves.
    """
    if len(y) < 2:
        return float("nan")
    variance = y.var(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1.0 - unexplained / variance
    # Constant targets have no variance to explain: 1 if there is no error, else 0, as in scikit-learn.
    return float(np.where(variance > 0.0, share, np.where(unexplained > 0.0, 0.0, 1.0)).mean())
