"""Differences between two losses over the same seeds: their p values, and what these seeds could have seen."""

from math import comb

import numpy as np
from scipy.special import stdtrit

# Up to this many differences all 2^n signs are counted; above, signs are drawn.
EXACT_UP_TO = 30
N_DRAWN = 99_999
# Drawn signs come in blocks of about this many numbers.
BLOCK = 2_000_000
POWER = 0.8
MOST_SEEDS = 100_000


def sign_flip_p(differences: np.ndarray) -> float:
    """Return the two-sided p value of paired differences under the hypothesis that each could as well be its negative.

    If two losses do equally well, it is chance which of the two had the better run with a seed. The p value is the
    share of all 2^n choices of signs whose sum is at least as far from 0 as the sum observed.

    Parameters
    ----------
    differences : float array, shape (n_seeds,)
        Finite. Differences of 0 stay 0 and carry no evidence.

    Returns
    -------
    float
        Exact up to 30 seeds; above, from 99,999 signs drawn with a fixed seed, with the observed one counted in.
        1 where there are no differences, or they are all 0.

    References
    ----------
    Fisher (1935), The Design of Experiments, section 21

    Examples
    --------
    Of the 8 choices of signs, two are as far from 0 as +1 +2 +3 is:

    >>> sign_flip_p(np.array([1.0, 2.0, 3.0]))
    0.25
    """
    sizes = np.abs(differences[differences != 0.0]).astype(np.float64)
    if not len(sizes):
        return 1.0
    # Sums that are equal in exact arithmetic must count as equal.
    threshold = abs(float(differences.sum())) - 1e-9 * float(sizes.sum())
    if len(sizes) <= EXACT_UP_TO:
        return _exact_p(sizes, threshold)
    return _drawn_p(sizes, threshold)


def _signed_sums(sizes: np.ndarray) -> np.ndarray:
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return np.sort(sums)


def _exact_p(sizes: np.ndarray, threshold: float) -> float:
    """Count by halves: a sum is one of the first half's and one of the second's, 2^(n/2) each and sorted."""
    first, second = _signed_sums(sizes[: len(sizes) // 2]), _signed_sums(sizes[len(sizes) // 2 :])
    above = len(second) * len(first) - int(np.searchsorted(second, threshold - first, side="left").sum())
    # The other tail is as large: with any choice of signs goes its opposite.
    return min(1.0, 2 * above / 2 ** len(sizes)) if threshold > 0 else 1.0


def _drawn_p(sizes: np.ndarray, threshold: float) -> float:
    rng = np.random.default_rng(0)
    n_extreme, n_left = 0, N_DRAWN
    while n_left:
        n = min(n_left, max(1, BLOCK // len(sizes)))
        bits = np.frombuffer(rng.bytes(-(-n * len(sizes) // 8)), np.uint8)
        # As floats: the product is then a library's.
        signs = np.unpackbits(bits, count=n * len(sizes)).reshape(n, len(sizes)).astype(np.float64)
        sums = 2.0 * (signs @ sizes) - sizes.sum()
        n_extreme += int((np.abs(sums) >= threshold).sum())
        n_left -= n
    return (1 + n_extreme) / (1 + N_DRAWN)


def failures_p(n_only_first: int, n_only_second: int) -> float:
    """Return the exact two-sided p value that two losses fail equally often (McNemar's test).

    Parameters
    ----------
    n_only_first, n_only_second : int
        Seeds with which only the one failed, and only the other.

    Examples
    --------
    >>> failures_p(6, 0)
    0.03125
    """
    n, least = n_only_first + n_only_second, min(n_only_first, n_only_second)
    return min(1.0, 2 * sum(comb(n, k) for k in range(least + 1)) / 2**n)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p values corrected for there being several: below 0.05, at most one table in twenty has a false one.

    Parameters
    ----------
    p : float array, shape (n_tests,)
        Without NaN.

    References
    ----------
    Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty(len(p))
    result[order] = np.minimum(corrected, 1.0)
    return result


def least_seeds(n_tests: int, level: float = 0.05) -> int:
    """Return the fewest seeds with which the smallest p value, corrected for ``n_tests``, can be below ``level``.

    Examples
    --------
    >>> [least_seeds(n) for n in (1, 2, 10)]
    [6, 7, 9]
    """
    n = 6
    while n_tests * 2.0 ** (1 - n) >= level:
        n += 1
    return n


def detectable_difference(differences: np.ndarray, n_tests: int = 1, level: float = 0.05) -> float:
    """Return the true difference that as many seeds, varying as these, would find in four tables of five.

    Parameters
    ----------
    differences : float array, shape (n_seeds,)
        Finite; in the metric's unit, as the result.
    n_tests : int
        Comparisons of the table, for which its p values are corrected.

    Returns
    -------
    float
        NaN for fewer than two seeds.
    """
    n = len(differences)
    if n < 2:
        return float("nan")
    return float(_detectable(float(np.std(differences, ddof=1)), n, level / n_tests))


def _detectable(deviation: float, n: int, level: float) -> float:
    return deviation / n**0.5 * (stdtrit(n - 1, 1 - level / 2) + stdtrit(n - 1, POWER))


def seeds_needed(differences: np.ndarray, margin: float, n_tests: int = 1, level: float = 0.05) -> int | None:
    """Return how many seeds would do for a verdict, if the true difference is the one seen.

    Enough to find that difference in four tables of five if it is larger than the margin, or to have the interval
    inside the margin if it is smaller.

    Returns
    -------
    int or None
        None where 100,000 would not do, or nothing can be said.
    """
    if len(differences) < 2:
        return None
    deviation, mean = float(np.std(differences, ddof=1)), abs(float(np.mean(differences)))

    def enough(n: int) -> bool:
        inside = mean + stdtrit(n - 1, 0.975) * deviation / n**0.5 <= margin
        return inside or (mean > 0 and _detectable(deviation, n, level / n_tests) <= mean)

    least, most = least_seeds(n_tests, level), MOST_SEEDS
    if not enough(most):
        return None
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle + 1, most)
    return most
