"""The test of whether two losses fail equally often."""

from math import comb


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
