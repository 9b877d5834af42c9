"""Statements about numbers, against SciPy and by simulation."""

import numpy as np
import pytest
from scipy import stats

from lossbench.comparison import mean_interval, mean_intervals
from lossbench.terminal import mean_and_interval


@pytest.mark.parametrize("n", [2, 5, 30])
def test_interval_is_scipys(n):
    values = np.random.default_rng(n).normal(size=n)
    interval = mean_interval(values)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert (interval.mean, interval.low, interval.high, interval.n) == pytest.approx((values.mean(), low, high, n))


def test_only_finite_values_count():
    assert mean_interval(np.array([1.0, np.nan, 3.0, np.inf])) == mean_interval(np.array([1.0, 3.0]))
    one = mean_interval(np.array([2.0]))
    assert (one.mean, one.n) == (2.0, 1)
    assert np.isnan(one.half_width)
    assert np.isnan(mean_interval(np.array([])).mean)


def test_columns_are_intervals_of_their_own():
    values = np.random.default_rng(0).normal(size=(6, 3))
    values[4:, 1] = np.nan
    mean, low, high, n = mean_intervals(values)
    for i in range(3):
        one = mean_interval(values[:, i])
        assert (mean[i], low[i], high[i], n[i]) == (one.mean, one.low, one.high, one.n)


def test_coverage_on_normal_data():
    rng = np.random.default_rng(1)
    _, low, high, _ = mean_intervals(rng.normal(size=(10, 4000)))
    # 95 % within four standard errors of the simulation.
    assert abs(np.mean((low <= 0) & (high >= 0)) - 0.95) < 4 * (0.95 * 0.05 / 4000) ** 0.5


def test_the_interval_of_equal_runs_is_zero_and_not_the_rounding_of_their_mean():
    class Results:
        def scores(self, name):
            return np.full(3, 0.9733333333333334)

    assert mean_and_interval(Results(), "test/accuracy") == "0.973 ± 0.000"
