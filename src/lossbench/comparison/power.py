"""The power of a comparison: which difference it would find, and how many seeds or test rows a verdict needs."""

from collections.abc import Callable
from dataclasses import dataclass

from scipy.special import stdtrit

from lossbench.comparison.mean_tests import Tested

POWER = 0.8
# Fewer seeds give no verdict: so few cannot show how skewed their differences are.
LEAST_SEEDS = 6
MOST_SEEDS, MOST_ROWS = 100_000, 100_000_000
MOST_TIMES = 10


def detectable_difference(tested: Tested, n_tests: int = 1, level: float = 0.05) -> float:
    """Return the true difference that as many runs, varying as these, would find in four tables of five.

    Parameters
    ----------
    tested : Tested
        A mean difference; the result is in its unit.
    n_tests : int
        Comparisons of the table, for which its p values are corrected.

    Returns
    -------
    float
        NaN for fewer than two runs.
    """
    if tested.interval.n < 2:
        return float("nan")
    return float(_detectable(tested.error, tested.freedom, level / n_tests))


def _detectable(error: float, freedom: float, level: float) -> float:
    return error * (stdtrit(freedom, 1 - level / 2) + stdtrit(freedom, POWER))


@dataclass(frozen=True)
class Needed:
    """How many seeds or folds in all, or how many rows, would do for a verdict; both, where neither alone would.

    Both are None where nothing practical would do, or nothing can be said.
    """

    seeds: int | None = None
    rows: int | None = None

    def said(self, seeds: str = "seeds", rows: str = "test rows") -> str:
        """Return the same in words, ``about 70 seeds and 900 test rows``; '' where nothing would do."""
        parts = [f"{n} {noun}" for n, noun in ((self.seeds, seeds), (self.rows, rows)) if n]
        return f"about {' and '.join(parts)}" if parts else ""


def needed(
    tested: Tested,
    margin: float,
    n_tests: int = 1,
    level: float = 0.05,
    *,
    n_rows: int = 0,
    least: int = LEAST_SEEDS,
    in_folds: bool = False,
) -> Needed:
    """Return what would do for a verdict if the true difference is the one seen: more of what varies most.

    Enough to find that difference in four tables of five if it is larger than the margin, or to have the interval
    inside the margin if it is smaller.

    Parameters
    ----------
    n_rows : int
        The test rows, where the statement is about new ones; the rows of the sample, where it is about another one.
    least : int
        The least number of seeds or folds for a verdict.
    in_folds : bool
        Whether runs are those of folds. More repetitions reduce a part of the variance only, so more rows are named
        where ``MOST_TIMES`` as many folds would not do; with more rows, folds differ less too.
    """
    n = tested.interval.n
    if n < least:
        return Needed(seeds=least)

    def enough(times_seeds: float, times_rows: float) -> bool:
        error = (tested.of_seeds / times_seeds + tested.of_rows / times_rows) ** 0.5
        # The degrees of freedom grow with what is increased; with both parts in the error, with the lesser.
        grown = min(times_seeds, times_rows) if tested.of_rows else times_seeds
        freedom, mean = max(1.0, tested.freedom * grown), abs(tested.interval.mean)
        inside = mean + stdtrit(freedom, 0.975) * error <= margin
        return inside or (mean > 0 and _detectable(error, freedom, level / n_tests) <= mean)

    if in_folds:
        folds = _least(lambda k: enough(k / n, 1.0), n, MOST_TIMES * n)
        if folds is not None or not n_rows:
            return Needed(seeds=folds)
        return Needed(rows=_least(lambda k: enough(k / n_rows, k / n_rows), n_rows, MOST_ROWS))
    seeds = _least(lambda k: enough(k / n, 1.0), LEAST_SEEDS, MOST_SEEDS)
    rows = _least(lambda k: enough(1.0, k / n_rows), n_rows, MOST_ROWS) if n_rows else None
    # Where either would do, the one that has the larger part in the error needs the smaller change.
    if rows is not None and (seeds is None or tested.of_rows > tested.of_seeds):
        return Needed(rows=rows)
    if seeds is not None or not n_rows:
        return Needed(seeds=seeds)
    both = _least(lambda k: enough(k / n, k / n), LEAST_SEEDS, MOST_SEEDS)
    return Needed() if both is None else Needed(both, round(both / n * n_rows))


def _least(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the least number that is enough, by halves; None if the greatest is not."""
    if not enough(most):
        return None
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle + 1, most)
    return most
