"""The choice of a learning rate, or of one of a few trials, from the values of their trainings. Pure.

The best of many noisy values is partly luck. So rates next to each other are averaged, every rate that does as well as
the best counts, and the middle one of them is taken. docs/statistics.md ranks this rule among others.
"""

from dataclasses import dataclass

import numpy as np

# How far rates are averaged: the standard deviation of the weights, in decades. On a grid with four rates a decade each
# neighbour of a rate counts a quarter as much as the rate itself.
NEAR = 0.15
# Shares of dead trainings that differ by less than this count as the same: half a training of ten.
SAME_RISK = 0.05
# A rate at which so many trainings die says how good a constant prediction is, not how good the network is.
MOSTLY_DEAD = 0.5


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes
    ----------
    chosen : int
        The place of the chosen rate or trial.
    as_good : bool array, shape (n_rates,)
        Whether it does as well as the best: that does not beat it by a standard error.
    """

    chosen: int
    as_good: np.ndarray


def choose_rate(rates: np.ndarray, values: np.ndarray, dead: np.ndarray, default: int | None) -> Choice:
    """Choose a learning rate.

    Values are averaged over rates near each other. Rates at which most trainings die are left out, if others are there:
    where a constant prediction beats the network, they would win. As good as the rate with the best mean are all that
    it does not beat by a standard error. Those of them that kill more trainings than others are left out, and the
    middle one of the others is chosen; the lower one of two, because too high a rate does more harm than too low a one.
    The configured rate is chosen instead unless the middle one beats it by a standard error, or the configured one
    kills more, or lies where training may break down: at or above the highest of those as good.

    Parameters
    ----------
    rates : float array, shape (n_rates,)
        Above 0, all different, in any order.
    values : float array, shape (n_rates, n_values)
        Lower is better; finite. A dead training has the value of the best constant prediction.
    dead : bool array, shape (n_rates, n_values)
        Which trainings diverged or got stuck.
    default : int or None
        The place of the configured rate.

    Examples
    --------
    Three rates do equally well, and the middle one is chosen: the best mean, of 0.1, may be luck.

    >>> values = np.array([[9.0, 9.0], [1.0, 3.0], [3.0, 1.0], [2.0, 1.9], [9.0, 9.0]])
    >>> found = choose_rate(np.array([0.0001, 0.001, 0.01, 0.1, 1.0]), values, values > 8.0, None)
    >>> found.chosen, found.as_good.tolist()
    (2, [False, True, True, True, False])
    """
    order = np.argsort(rates)
    near, danger = averaged(rates[order], values[order]), risk(dead[order])
    left = mostly_alive(danger)
    order, near, danger = order[left], near[left], danger[left]
    means, errors = gaps(near)
    as_good = means <= errors
    safe = np.flatnonzero(as_good & (danger <= danger[as_good].min() + SAME_RISK))
    chosen = safe[(len(safe) - 1) // 2]
    for own in np.flatnonzero(order == default):
        is_as_safe = own < safe[-1] and danger[own] <= danger[chosen] + SAME_RISK
        # Not averaged: near a rate at which training breaks down, averages vary too much to tell.
        if is_as_safe and not is_surely_worse(*values[order][[own, chosen]]):
            chosen = own
    return Choice(int(order[chosen]), np.isin(np.arange(len(rates)), order[as_good]))


def mostly_alive(shares: np.ndarray) -> np.ndarray:
    """Return which of these shares of dead trainings are below one half; all of them if none is.

    Examples
    --------
    >>> mostly_alive(np.array([0.0, 0.5, 1.0])).tolist(), mostly_alive(np.array([0.9, 1.0])).tolist()
    ([True, False, False], [True, True])
    """
    alive = shares < MOSTLY_DEAD
    return alive if alive.any() else np.ones(len(shares), bool)


def averaged(rates: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return each rate's values averaged with those of rates near it, training by training.

    Parameters
    ----------
    rates : float array, shape (n_rates,)
    values : float array, shape (n_rates, n_values)

    Examples
    --------
    Rates a decade apart are far from each other, those of a grid with four a decade are not.

    >>> averaged(np.array([0.01, 0.1]), np.array([[0.0], [1.0]])).round(3).tolist()
    [[0.0], [1.0]]
    >>> averaged(np.array([0.1, 0.178, 0.316]), np.array([[0.0], [1.0], [0.0]])).round(2).tolist()
    [[0.2], [0.67], [0.2]]
    """
    distances = np.subtract.outer(np.log10(rates), np.log10(rates))
    weights = np.exp(-((distances / NEAR) ** 2) / 2)
    return weights / weights.sum(axis=1, keepdims=True) @ values


def is_surely_worse(values: np.ndarray, others: np.ndarray) -> bool:
    """Return whether paired values are worse than others in the mean, by a standard error.

    Examples
    --------
    >>> is_surely_worse(np.array([0.0, 2.0]), np.array([0.0, 0.0])), is_surely_worse(np.ones(2), np.array([0.0, 0.1]))
    (False, True)
    """
    differences = values - others
    error = differences.std(ddof=1) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    return bool(differences.mean() > error)


def choose_trial(values: np.ndarray, dead: np.ndarray, default: int | None) -> Choice:
    """Choose one of a few trials in no order: the best mean of those that kill fewest trainings and do as well.

    Those that kill most of them are left out, if others are there. The configured values are chosen instead if they are
    among these.
    """
    left = np.flatnonzero(mostly_alive(dead.mean(axis=1)))
    means, errors = gaps(values[left])
    as_good, danger = means <= errors, dead[left].mean(axis=1)
    safe = as_good & (danger <= danger[as_good].min() + SAME_RISK)
    chosen = left[np.argmin(np.where(safe, means, np.inf))]
    kept = default is not None and default in left[safe]
    return Choice(
        default if default is not None and kept else int(chosen), np.isin(np.arange(len(values)), left[as_good])
    )


def gaps(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much each row's mean is worse than the best one's, and the standard error of this difference.

    Differences are paired by training. Trainings share rows, so the error is somewhat too small; with the correction of
    ``comparison.mean_tests.of_folds`` the rule would be worse (docs/statistics.md).

    Parameters
    ----------
    values : float array, shape (n_rates, n_values)
        Lower is better.

    Examples
    --------
    >>> means, errors = gaps(np.array([[0.0, 0.0], [1.0, 3.0]]))
    >>> means.tolist(), errors.tolist()
    ([0.0, 2.0], [0.0, 1.0])
    """
    differences = values - values[np.argmin(values.mean(axis=1))]
    n = values.shape[1]
    errors = differences.std(axis=1, ddof=1) / n**0.5 if n > 1 else np.zeros(len(values))
    return differences.mean(axis=1), errors


def risk(dead: np.ndarray) -> np.ndarray:
    """Return the share of dead trainings at each rate and its neighbours, which count half as much.

    Parameters
    ----------
    dead : bool array, shape (n_rates, n_values)
        By rate.

    Examples
    --------
    >>> risk(np.array([[False], [False], [True]])).tolist()
    [0.0, 0.25, 0.75]
    """
    shares = dead.mean(axis=1)
    padded = np.concatenate([shares[:1], shares, shares[-1:]])
    return padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4


def edge(rates: np.ndarray, chosen: int) -> str:
    """Return ``low`` or ``high`` if the chosen rate is the lowest or the highest of several, else ''.

    Examples
    --------
    >>> edge(np.array([0.1, 0.01, 1.0]), 2), edge(np.array([0.1, 0.01, 1.0]), 0)
    ('high', '')
    """
    if len(rates) < 2 or rates.min() < rates[chosen] < rates.max():
        return ""
    return "low" if rates[chosen] == rates.min() else "high"


def beyond(rates: np.ndarray, side: str, count: int) -> list[float]:
    """Return rates beyond an end of evenly spaced ones, with the same spacing in their logarithm, the nearest first.

    Examples
    --------
    >>> [round(rate, 6) for rate in beyond(np.array([0.001, 0.01, 0.1]), "high", 2)]
    [1.0, 10.0]
    """
    ordered = np.log10(np.sort(rates))
    step = (ordered[-1] - ordered[0]) / (len(ordered) - 1)
    start, step = (ordered[0], -step) if side == "low" else (ordered[-1], step)
    return [float(10 ** (start + step * (i + 1))) for i in range(count)]
