"""Holm's correction of p values where a table has several tests."""

import numpy as np


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
