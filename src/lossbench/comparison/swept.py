"""A metric over a number that was swept (noise, delta, learning rate), and where the order of losses changes."""

import itertools
from dataclasses import dataclass

import numpy as np

from lossbench.comparison.intervals import mean_interval
from lossbench.comparison.verdict import Sample


@dataclass(frozen=True)
class Crossing:
    """Where one loss is surely better at one value, and surely worse at another.

    Attributes
    ----------
    first, second : int
        The places of the two losses; at ``low`` the first one is better.
    low, high : float
        The values between which the order changes.
    """

    first: int
    second: int
    low: float
    high: float


def crossings(x: np.ndarray, samples: list[list[Sample | None]], *, lower_is_better: bool) -> list[Crossing]:
    """Return where the order of two losses changes along a swept number.

    A change counts if on both sides the 95 % interval of the paired difference leaves 0 out.

    Parameters
    ----------
    x : float array, shape (n_values,)
        In order.
    samples : list (n_losses) of lists (n_values)
        None where a loss has no cell.
    """
    found = []
    for i in range(len(samples)):
        for j in range(i + 1, len(samples)):
            signs = [_sign(a, b, lower_is_better) for a, b in zip(samples[i], samples[j], strict=True)]
            known = [(float(value), sign) for value, sign in zip(x, signs, strict=True) if sign]
            for (low, before), (high, after) in itertools.pairwise(known):
                if before != after:
                    found.append(Crossing(*((i, j) if before > 0 else (j, i)), low, high))
    return found


def _sign(first: Sample | None, second: Sample | None, lower_is_better: bool) -> int:
    """Return 1 if the first is surely better, -1 if the second is, else 0."""
    if first is None or second is None:
        return 0
    difference = mean_interval(second.working - first.working)
    if difference.low > 0:
        return 1 if lower_is_better else -1
    if difference.high < 0:
        return -1 if lower_is_better else 1
    return 0
