"""Is a mean difference 0? A p value and the interval that agrees with it, for each way in which values may depend.

The values are differences of a metric, candidate less baseline, in the metric's unit. A test belongs to a population:
more trainings on these rows (``of_runs``), new rows to predict (``of_new_rows``), another sample of the same size
(``of_folds``).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from lossbench.comparison.intervals import Interval, mean_interval

COVERAGE = 0.95
# Below this skewness Hall's transformation is Student's t to the last digits, and its inverse divides by 0.
NO_SKEWNESS = 1e-9


@dataclass(frozen=True)
class Tested:
    """A mean difference with its 95 % interval, and the two-sided p value of the hypothesis that it is 0.

    The interval leaves 0 out if and only if p is below 0.05.

    Attributes
    ----------
    interval : Interval
        Its ``n`` counts runs, or folds.
    p : float
    freedom : float
        Degrees of freedom of t.
    of_seeds, of_rows : float
        Parts of the variance of the mean: more runs make the first smaller, more test rows the second.
    """

    interval: Interval
    p: float
    freedom: float = 1.0
    of_seeds: float = 0.0
    of_rows: float = 0.0

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return (self.of_seeds + self.of_rows) ** 0.5


def of_runs(differences: np.ndarray) -> Tested:
    """Test the mean of independent differences, which may be skewed.

    Student's t is wrong where differences are skewed: with exponential ones and 10 runs it finds a difference in 10 %
    of cases that have none. Hall's transformation of t removes the skewness that the sample shows; with long symmetric
    tails it sees skewness that is not there. So p is the larger of the two p values, and the interval holds both
    intervals.

    Parameters
    ----------
    differences : float array, shape (n_runs,)
        Finite.

    Returns
    -------
    Tested
        For a single difference p is 1 and the interval has NaN ends; for equal differences p is 0, or 1 if they are 0.

    References
    ----------
    Hall (1992), On the Removal of Skewness by Transformation, https://www.jstor.org/stable/2345980

    Examples
    --------
    >>> found = of_runs(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> round(found.p, 4), round(found.interval.low, 3), round(found.interval.high, 3)
    (0.0305, 0.446, 4.554)
    """
    n = len(differences)
    if n == 0:
        return Tested(Interval(np.nan, np.nan, np.nan, 0), 1.0)
    mean, deviation = float(np.mean(differences)), float(np.std(differences))
    if n == 1:
        return Tested(Interval(mean, np.nan, np.nan, 1), 1.0)
    # Equal differences have a deviation of rounding errors only.
    if deviation <= 1e-12 * float(np.max(np.abs(differences), initial=1e-300)):
        return Tested(Interval(mean, mean, mean, n), 0.0 if mean else 1.0, n - 1)
    skewness = float(np.mean((differences - mean) ** 3)) / deviation**3
    scale = deviation * (n / (n - 1)) ** 0.5
    statistics = [n**0.5 * transformed for transformed in (mean / scale, _hall(mean / scale, skewness, n))]
    quantile = float(stdtrit(n - 1, 0.5 + COVERAGE / 2)) / n**0.5
    ends = [mean - scale * end for q in (-quantile, quantile) for end in (q, _hall_inverse(q, skewness, n))]
    p = min(1.0, 2 * float(stdtr(n - 1, -min(map(abs, statistics)))))
    return Tested(Interval(mean, min(ends), max(ends), n), p, n - 1, scale**2 / n)


def _hall(ratio: float, skewness: float, n: int) -> float:
    """Return Hall's monotone transformation of mean / deviation."""
    return ratio + skewness * ratio**2 / 3 + skewness**2 * ratio**3 / 27 + skewness / (6 * n)


def _hall_inverse(value: float, skewness: float, n: int) -> float:
    if abs(skewness) < NO_SKEWNESS:
        return value
    return 3 / skewness * (float(np.cbrt(1 + skewness * (value - skewness / (6 * n)))) - 1)


def fold_means(values: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the mean of the values of each fold that has any.

    Parameters
    ----------
    values : float array, shape (n_runs,)
    folds : int array, shape (n_runs,)
        The fold of each run.
    """
    return np.array([values[folds == fold].mean() for fold in np.unique(folds)])


def mean_of_runs(values: np.ndarray, folds: np.ndarray | None = None, test_per_train: float = 0.0) -> Interval:
    """Return the mean of the finite values with its 95 % interval; ``n`` counts these values.

    The interval is Student's t, or over the means of folds the corrected one (see ``of_folds``).

    Parameters
    ----------
    values : float array, shape (n_runs,)
    folds : int array, shape (n_runs,), optional
        The fold of each run.
    test_per_train : float
        As in ``of_folds``.
    """
    finite = np.isfinite(values)
    if folds is None or not finite.any():
        return mean_interval(values)
    return replace(of_folds(fold_means(values[finite], folds[finite]), test_per_train).interval, n=int(finite.sum()))


def of_folds(differences: np.ndarray, test_per_train: float) -> Tested:
    """Test the mean difference of folds by the corrected resampled t.

    Folds share most of their training rows, so their differences vary less than those of independent samples. The
    variance of the mean is taken as (1 / n_folds + n_test / n_train) S^2 instead of S^2 / n_folds.

    Parameters
    ----------
    differences : float array, shape (n_folds,)
        Of each fold, its seeds averaged; finite.
    test_per_train : float
        Test rows of a fold for each of its training rows: 0.25 for five folds.

    References
    ----------
    Nadeau and Bengio (2003), Inference for the Generalization Error, doi:10.1023/A:1024068626366; Bouckaert and Frank
    (2004), Evaluating the Replicability of Significance Tests, doi:10.1007/978-3-540-24775-3_3

    Examples
    --------
    Ten folds of which each judges one row in five: the standard error is 0.592 S instead of 0.316 S.

    >>> found = of_folds(np.arange(10.0), 0.25)
    >>> round(float(found.interval.half_width / (np.std(np.arange(10.0), ddof=1) * stdtrit(9, 0.975))), 3)
    0.592
    """
    n = len(differences)
    if n < 2:
        return of_runs(differences)
    variance = float(np.var(differences, ddof=1))
    return _t_test(float(np.mean(differences)), variance / n, variance * test_per_train, n - 1, n)


def of_new_rows(differences: np.ndarray, rows: np.ndarray, n_rows: int, step: float = 0.0) -> Tested:
    """Test the mean difference on new rows, of networks that are trained on the same training rows.

    Its variance is that of the runs over their number, and that of the test rows over theirs.

    Where a row is right or wrong, two good networks may differ in 2 of 60 test rows or in none. The variance of these
    rows says little of rows that were not drawn; the interval would hold the truth in 75 to 85 % of cases. So two rows
    are added to it that change by half a step, one in either direction. Agresti and Min add twice as much; for rows
    averaged over runs this is enough (docs/statistics.md).

    Parameters
    ----------
    differences : float array, shape (n_runs,)
        Finite.
    rows : float array, shape (n_shown,)
        What each test row contributes to the difference, averaged over runs: their mean is the difference. Of very
        many rows, some.
    n_rows : int
        All test rows.
    step : float
        What a row changes when it turns from wrong to right: 1 for accuracy, 0 for errors of numbers.

    References
    ----------
    Agresti and Min (2005), Simple Improved Confidence Intervals for Comparing Matched Proportions, Statistics
    in Medicine 24, 729-740

    Examples
    --------
    Two networks that agree on all of 60 rows may still differ by 0.024 on new ones.

    >>> round(of_new_rows(np.zeros(10), np.zeros(60), 60, step=1.0).interval.half_width, 3)
    0.024
    """
    n = len(differences)
    if n < 2 or n_rows < 2:
        return of_runs(differences[:1])
    squares = float(np.sum((rows - np.mean(rows)) ** 2)) + 2 * (step / 2) ** 2
    of_seeds, of_rows = float(np.var(differences, ddof=1)) / n, squares / (len(rows) - 1) / n_rows
    total = of_seeds + of_rows
    # Welch and Satterthwaite.
    freedom = total**2 / (of_seeds**2 / (n - 1) + of_rows**2 / (n_rows - 1)) if total > 0 else n - 1
    return _t_test(float(np.mean(differences)), of_seeds, of_rows, freedom, n)


def _t_test(mean: float, of_seeds: float, of_rows: float, freedom: float, n: int) -> Tested:
    error = (of_seeds + of_rows) ** 0.5
    if error <= 1e-12 * abs(mean):
        return Tested(Interval(mean, mean, mean, n), 0.0 if mean else 1.0, freedom)
    half = float(stdtrit(freedom, 0.5 + COVERAGE / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error))
    return Tested(Interval(mean, mean - half, mean + half, n), p, freedom, of_seeds, of_rows)
