"""What a cell's loss curves say, in a word: whether it converged, overfits, or has more to gain."""

from dataclasses import dataclass

import numpy as np

from lossbench.comparison.intervals import mean_interval

CONVERGED, IMPROVING, OVERFITTING = "converged", "still improving", "overfitting"
UNDERFITTING, UNSTABLE, DIVERGED, NONE = "underfitting", "unstable", "diverged", "no curve"
# Of the way from the first to the least mean loss: what a curve must do to be said to do it.
STILL_FALLING, RISEN, JUMPING = 0.01, 0.02, 0.1
# An error above this share of the best constant's has learned next to nothing.
HARDLY_BETTER = 0.9


@dataclass(frozen=True)
class Diagnosis:
    """A word for the curves of a cell.

    Attributes
    ----------
    word : str
    epoch : int
        From which on it overfits; else 0.
    gap : float
        By how much the test loss rose from then to the end; else NaN.
    text : str
        The word with what it rests on.
    """

    word: str
    text: str
    epoch: int = 0
    gap: float = float("nan")


def diagnose(
    epochs: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    *,
    share_diverged: float = 0.0,
    error_share: float = 0.0,
) -> Diagnosis:
    """Return what the curves of a cell's own loss say.

    The first that holds of: diverged (half of the runs), underfitting (the error on the training split is above 0.9
    of the best constant's), overfitting (the test loss rose by more than 2 % of its way down, and its 95 % interval
    over seeds says that it rose), unstable (in its second half the typical run's train loss jumps by more than 10 %
    of its way down), still improving (over the last tenth of the epochs the train loss fell by more than 1 % of
    its way), else converged.

    Parameters
    ----------
    epochs : int array, shape (n_points,)
    train, test : float array, shape (n_runs, n_points)
        The own loss of each working run; NaN after a run's end.
    share_diverged : float
        Of the cell's runs.
    error_share : float
        The mean error on the training split over that of the best constant prediction.
    """
    if share_diverged >= 0.5:
        return Diagnosis(DIVERGED, f"diverged: {share_diverged:.0%} of the runs")
    kept = np.isfinite(train).all(axis=1) & np.isfinite(test).all(axis=1)
    train, test = train[kept], test[kept]
    if len(epochs) < 3 or not len(train):
        return Diagnosis(NONE, "too few points for a word")
    if error_share > HARDLY_BETTER:
        return Diagnosis(UNDERFITTING, "underfitting: hardly better than the best constant on the training split")
    found = _overfitting(epochs, test)
    if found is not None:
        return found
    way = _way(train.mean(axis=0))
    half = train[:, len(epochs) // 2 :]
    jump = float(np.median(np.quantile(np.abs(np.diff(half, axis=1)), 0.9, axis=1))) / way if half.shape[1] > 1 else 0.0
    if jump > JUMPING:
        return Diagnosis(UNSTABLE, f"unstable: steps of {jump:.0%} of the way down, in the second half")
    last = max(1, len(epochs) // 10)
    fall = mean_interval(train[:, -1 - last] - train[:, -1])
    if fall.mean > STILL_FALLING * way and (fall.n < 2 or fall.low > 0):
        return Diagnosis(IMPROVING, f"still improving: {fall.mean / way:.0%} of the way in the last tenth")
    return Diagnosis(CONVERGED, "converged")


def _way(mean: np.ndarray) -> float:
    """Return how far a mean curve came down."""
    return max(float(mean[0] - mean.min()), 1e-12)


def _overfitting(epochs: np.ndarray, test: np.ndarray) -> Diagnosis | None:
    mean = test.mean(axis=0)
    # A single point that is low by chance is not where it began: the mean of five.
    width = min(5, len(epochs))
    smooth = np.convolve(np.pad(mean, width // 2, mode="edge"), np.ones(width) / width, mode="valid")[: len(mean)]
    least = int(smooth.argmin())
    if least >= len(epochs) - 2:
        return None
    rise = mean_interval(test[:, -1] - test[:, least])
    if rise.mean <= RISEN * _way(mean) or (rise.n > 1 and not rise.low > 0):
        return None
    epoch = int(epochs[least])
    text = f"overfitting from epoch {epoch}: test loss rose by {rise.mean:.2g}"
    return Diagnosis(OVERFITTING, text, epoch, rise.mean)
