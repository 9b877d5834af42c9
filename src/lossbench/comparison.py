"""From the numbers of runs to statements about them: pure functions on arrays."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % Student-t interval.

    It says how well these seeds determine the mean, not how far single runs lie from it.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """What stands behind the ±; NaN for fewer than two values."""
        return (self.high - self.low) / 2


def mean_interval(values: np.ndarray) -> Interval:
    """Return the mean of the finite values and its interval.

    Parameters
    ----------
    values : float array, shape (n_runs,)

    Returns
    -------
    Interval
        With NaN for what cannot be said: the mean of no value, the interval of fewer than two.
    """
    mean, low, high, n = mean_intervals(np.asarray(values, np.float64)[:, None])
    return Interval(float(mean[0]), float(low[0]), float(high[0]), int(n[0]))


def mean_intervals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, low, high and number of the finite values of each column; see ``mean_interval``.

    Parameters
    ----------
    values : float array, shape (n_runs, n_columns)

    Returns
    -------
    four arrays, shape (n_columns,)
    """
    finite = np.isfinite(values)
    n = finite.sum(axis=0)
    kept = np.where(finite, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = kept.sum(axis=0) / n
        variance = (np.where(finite, values - mean, 0.0) ** 2).sum(axis=0) / (n - 1)
        half = stdtrit(np.maximum(n - 1, 1), 0.975) * np.sqrt(variance / n)
    half = np.where(n > 1, half, np.nan)
    return mean, mean - half, mean + half, n
