"""Losses over several data sets: mean ranks, and Friedman's and Nemenyi's tests of them from six data sets on."""

from dataclasses import dataclass

import numpy as np

# With fewer the test below says next to nothing.
LEAST_DATASETS = 6


@dataclass(frozen=True)
class Ranks:
    """How losses rank over data sets; 1 is best.

    Attributes
    ----------
    mean : float array, shape (n_losses,)
    by_dataset : float array, shape (n_datasets, n_losses)
        Equal ones share the mean of their ranks.
    p : float
        Friedman's test that all losses rank alike; NaN below six data sets.
    critical_difference : float
        Mean ranks that differ by less are not told apart (Nemenyi, 5 %); NaN below six data sets.
    """

    mean: np.ndarray
    by_dataset: np.ndarray
    p: float
    critical_difference: float


def rank_losses(means: np.ndarray, *, lower_is_better: bool) -> Ranks:
    """Rank losses on each data set and over all of them.

    Parameters
    ----------
    means : float array, shape (n_datasets, n_losses)
        A metric's mean; NaN (nothing but failures) ranks last.

    References
    ----------
    Demsar (2006), Statistical Comparisons of Classifiers over Multiple Data Sets, https://jmlr.org/papers/v7/demsar06a.html
    """
    # Half a second, and only where there are several data sets.
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    values = np.where(np.isfinite(means), means if lower_is_better else -means, np.inf)
    by_dataset = rankdata(values, axis=1)
    n_datasets, n_losses = by_dataset.shape
    p = critical = float("nan")
    if n_datasets >= LEAST_DATASETS and n_losses >= 2:
        quantile = studentized_range.ppf(0.95, n_losses, np.inf) / 2**0.5
        critical = float(quantile * (n_losses * (n_losses + 1) / (6 * n_datasets)) ** 0.5)
        if n_losses >= 3:
            with np.errstate(invalid="ignore", divide="ignore"):
                p = float(friedmanchisquare(*by_dataset.T).pvalue)
    return Ranks(by_dataset.mean(axis=0), by_dataset, p, critical)


def rank_groups(mean_ranks: np.ndarray, critical_difference: float) -> list[list[int]]:
    """Return the largest groups of losses whose mean ranks differ by less than the critical difference.

    Examples
    --------
    >>> rank_groups(np.array([1.0, 1.5, 3.0, 3.2]), 1.0)
    [[0, 1], [2, 3]]
    """
    order = np.argsort(mean_ranks, kind="stable")
    groups: list[list[int]] = []
    for place, i in enumerate(order):
        group = [int(j) for j in order[place:] if mean_ranks[j] - mean_ranks[i] < critical_difference]
        if len(group) > 1 and not any(set(group) <= set(other) for other in groups):
            groups.append(group)
    return groups
