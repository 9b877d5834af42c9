"""The metrics of predicted numbers: scikit-learn's, in float64, without its checks, which cost more than they do."""

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
        Means over outputs, but for ``rmse`` (the root of all outputs' mean squared error) and
        ``largest_absolute_error`` (of any output).
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
    """Return the mean pinball loss of errors (target less prediction) at a level."""
    return float(np.maximum(level * error, (level - 1) * error).mean())


def _explained(y: np.ndarray, unexplained: np.ndarray) -> float:
    """Return the share of the targets' variance that is explained, mean over outputs; one sample has none."""
    if len(y) < 2:
        return float("nan")
    variance = y.var(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1.0 - unexplained / variance
    # Targets that do not vary: explained if there is no error.
    return float(np.where(variance > 0.0, share, np.where(unexplained > 0.0, 0.0, 1.0)).mean())
