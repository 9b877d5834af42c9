"""Statements about numbers, against SciPy and by simulation."""

import numpy as np
import pytest
from scipy import stats
from support.simulation import most_allowed, share_of_false_tables

from lossbench.comparison import Sample, best_group, compare, mean_interval, mean_intervals, share_interval
from lossbench.comparison.diagnosis import diagnose
from lossbench.comparison.failures import failures_p
from lossbench.comparison.mean_tests import of_folds, of_new_rows, of_runs
from lossbench.comparison.multiple_testing import holm
from lossbench.comparison.power import Needed, detectable_difference, needed
from lossbench.comparison.ranks import rank_losses
from lossbench.comparison.swept import crossings
from lossbench.console.text_tables import mean_and_interval


@pytest.mark.parametrize("n", [2, 5, 30])
def test_the_interval_of_a_mean_equals_scipys(n):
    values = np.random.default_rng(n).normal(size=n)
    interval = mean_interval(values)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert (interval.mean, interval.low, interval.high, interval.n) == pytest.approx((values.mean(), low, high, n))


def test_an_interval_uses_finite_values_only():
    assert mean_interval(np.array([1.0, np.nan, 3.0, np.inf])) == mean_interval(np.array([1.0, 3.0]))
    one = mean_interval(np.array([2.0]))
    assert (one.mean, one.n) == (2.0, 1)
    assert np.isnan(one.half_width)
    assert np.isnan(mean_interval(np.array([])).mean)


def test_mean_intervals_gives_an_interval_for_each_column():
    values = np.random.default_rng(0).normal(size=(6, 3))
    values[4:, 1] = np.nan
    mean, low, high, n = mean_intervals(values)
    for i in range(3):
        one = mean_interval(values[:, i])
        assert (mean[i], low[i], high[i], n[i]) == (one.mean, one.low, one.high, one.n)


def test_an_interval_covers_the_mean_of_normal_data_at_its_level():
    rng = np.random.default_rng(1)
    _, low, high, _ = mean_intervals(rng.normal(size=(10, 4000)))
    # 95 % within four standard errors of the simulation.
    assert abs(np.mean((low <= 0) & (high >= 0)) - 0.95) < 4 * (0.95 * 0.05 / 4000) ** 0.5


def test_the_interval_of_equal_runs_is_zero_and_not_the_rounding_of_their_mean():
    class Results:
        def interval(self, name):
            return mean_interval(np.full(3, 0.9733333333333334))

    assert mean_and_interval(Results(), "test/accuracy") == "0.973 ± 0.000"


# ---- Mean differences.


@pytest.mark.parametrize("n", [2, 6, 30])
def test_without_skewness_the_test_of_runs_is_students(n):
    half = np.abs(np.random.default_rng(n).normal(size=n // 2)) + 0.1
    values = np.concatenate([half, -half]) + 0.3
    found = of_runs(values)
    expected = stats.ttest_1samp(values, 0.0)
    low, high = expected.confidence_interval(0.95)
    assert (found.p, found.interval.low, found.interval.high) == pytest.approx((expected.pvalue, low, high))


@pytest.mark.parametrize("seed", range(20))
def test_an_interval_leaves_0_out_where_p_is_below_5_percent(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    values = rng.exponential(size=n) - 1 + rng.normal(0, 0.2) + 0.5 * rng.integers(-1, 2)
    tests = [of_runs(values), of_folds(values, 0.25), of_new_rows(values, rng.normal(size=50), 50)]
    for found in tests:
        assert (found.p < 0.05) == (found.interval.low > 0 or found.interval.high < 0)
        # Shifted so that an end is 0, p is 5 %.
        if found is tests[0] and n > 2:
            assert of_runs(values - found.interval.high).p == pytest.approx(0.05, rel=1e-6)


def false_findings(draw, n_runs, n_tables=2000):
    rng = np.random.default_rng(n_runs)
    return np.mean([of_runs(draw(rng, n_runs)).p < 0.05 for _ in range(n_tables)])


@pytest.mark.parametrize("n_runs", [10, 30])
@pytest.mark.parametrize(
    ("draw", "most"),
    [
        pytest.param(lambda rng, n: rng.normal(size=n), 0.05, id="normal"),
        pytest.param(lambda rng, n: rng.standard_t(3, size=n), 0.05, id="long tails"),
        pytest.param(lambda rng, n: rng.exponential(size=n) - 1, 0.06, id="skewed"),
        pytest.param(
            lambda rng, n: rng.exponential(size=n) - rng.normal(1, 0.3, size=n), 0.065, id="one of two skewed"
        ),
        pytest.param(lambda rng, n: np.round(1.5 * rng.normal(size=n)), 0.05, id="with ties"),
    ],
)
def test_equal_means_are_found_different_in_one_case_of_twenty(draw, most, n_runs):
    # Three standard errors of the simulation.
    assert false_findings(draw, n_runs) < most + 3 * (0.05 * 0.95 / 2000) ** 0.5


def test_equal_differences_leave_no_doubt():
    assert of_runs(np.zeros(30)).p == of_runs(np.array([])).p == of_runs(np.array([1.0])).p == 1.0
    found = of_runs(np.full(7, 0.1))
    assert (found.p, found.interval.low, found.interval.high) == (0.0, found.interval.mean, found.interval.mean)


def test_folds_count_for_less_than_independent_runs():
    differences = np.random.default_rng(0).normal(1, 1, size=10)
    found, independent = of_folds(differences, 0.25), stats.sem(differences)
    assert found.interval.half_width == pytest.approx(stats.t.ppf(0.975, 9) * independent * (1 + 10 * 0.25) ** 0.5)
    assert found.p == pytest.approx(2 * stats.t.sf(differences.mean() / independent / 3.5**0.5, 9))


def test_new_rows_vary_as_runs_and_as_rows_do():
    rng = np.random.default_rng(0)
    differences, rows = rng.normal(1, 0.1, size=20), rng.normal(1, 2, size=400)
    found = of_new_rows(differences, rows, 400)
    assert found.error**2 == pytest.approx(stats.sem(differences) ** 2 + stats.sem(rows) ** 2)
    assert found.of_rows > 10 * found.of_seeds
    # As many runs as one likes: the rows stay.
    assert of_new_rows(np.tile(differences, 50), rows, 400).error > 0.98 * found.error


def test_the_interval_for_new_rows_holds_the_true_difference():
    rng = np.random.default_rng(0)
    n_seeds, n_rows, truth = 10, 60, 0.3
    held = []
    for _ in range(2000):
        of_row, of_seed = rng.normal(size=n_rows), rng.normal(0, 0.1, size=n_seeds)
        parts = truth + of_row + of_seed[:, None] + rng.normal(0, 0.5, size=(n_seeds, n_rows))
        found = of_new_rows(parts.mean(axis=1), parts.mean(axis=0), n_rows).interval
        held.append(found.low <= truth <= found.high)
    assert 0.935 < np.mean(held) < 0.97


@pytest.mark.parametrize(("a", "b"), [(0, 0), (5, 1), (3, 3), (12, 2)])
def test_the_test_of_failures_equals_scipys_binomial_test(a, b):
    expected = stats.binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
    assert failures_p(a, b) == pytest.approx(expected)


def test_holms_correction_equals_the_values_by_hand():
    assert holm(np.array([0.01, 0.02, 0.03, 0.005])) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1.0, 1.0])
    assert len(holm(np.array([]))) == 0


def test_the_interval_of_a_share_equals_scipys_wilson_interval():
    for count, n in ((0, 30), (1, 30), (15, 30), (30, 30)):
        expected = stats.binomtest(count, n).proportion_ci(method="wilson")
        found = share_interval(count, n)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


# ---- Verdicts.


def sample(values, stuck=()) -> Sample:
    values = np.array(values, np.float64)
    works = np.isfinite(values)
    works[list(stuck)] = False
    return Sample(values, works)


def verdict(baseline, candidate, margin=0.005) -> str:
    return compare(baseline, [candidate], margin=margin, lower_is_better=False)[0].verdict


NOISE = np.random.default_rng(5).normal(0, 0.01, size=30)
BASE = sample(0.85 + NOISE)


def test_identical_runs_are_equivalent():
    (found,) = compare(BASE, [BASE], margin=0.0, lower_is_better=False)
    assert (found.verdict, found.p, found.won) == ("equivalent", 1.0, 0.5)
    assert (found.difference.low, found.difference.high) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        pytest.param(0.85 + NOISE + 0.001, "equivalent", id="inside the margin, although surely not 0"),
        pytest.param(0.84 + NOISE, "worse", id="worse"),
        pytest.param(0.86 + NOISE[::-1] / 2, "better", id="better"),
        pytest.param(0.85 + 2 * NOISE[::-1], "inconclusive", id="varies too much"),
    ],
)
def test_a_comparison_gives_the_expected_verdict(candidate, expected):
    assert verdict(BASE, sample(candidate)) == expected


def test_a_verdict_is_reversed_if_lower_is_better():
    for lower_is_better, expected in ((True, "better"), (False, "worse")):
        (found,) = compare(BASE, [sample(0.8 + NOISE)], margin=0.005, lower_is_better=lower_is_better)
        assert found.verdict == expected
        assert found.won == (1.0 if lower_is_better else 0.0)


def test_few_seeds_give_no_verdict_and_say_how_many_would():
    (found,) = compare(sample(BASE.values[:5]), [sample(BASE.values[:5] - 0.1)], margin=0.005, lower_is_better=False)
    assert (found.verdict, found.needed) == ("too few seeds", Needed(seeds=6))
    (found,) = compare(sample(BASE.values[:9]), [sample(BASE.values[:9] - 0.1)], margin=0.005, lower_is_better=False)
    assert (found.verdict, found.few_seeds) == ("worse", True)


def test_one_stuck_seed_does_not_hide_a_difference():
    values = 0.84 + NOISE[::-1] / 5
    values[7] = 0.5
    (found,) = compare(sample(0.85 + NOISE / 5), [sample(values, stuck=[7])], margin=0.005, lower_is_better=False)
    assert found.verdict == "worse"
    assert found.difference.n == 29
    assert found.difference.mean == pytest.approx(-0.01, abs=0.002)
    assert found.difference_of_all == pytest.approx(-0.0215, abs=0.002)
    assert (found.n_failing, found.by_failures) == (1, "")


def test_a_loss_that_fails_more_often_is_worse_whatever_its_working_runs_reach():
    values = 0.85 + NOISE
    values[:10] = np.nan
    (found,) = compare(BASE, [sample(values)], margin=0.005, lower_is_better=False)
    assert (found.by_value, found.by_failures, found.verdict) == ("equivalent", "worse", "worse")
    better = sample(values + 0.05)
    (found,) = compare(BASE, [better], margin=0.005, lower_is_better=False)
    assert found.conflict
    assert found.verdict == "inconclusive"
    (found,) = compare(BASE, [sample(np.full(30, np.nan))], margin=0.005, lower_is_better=False)
    assert found.verdict == "worse"


def test_the_seeds_needed_suffice_for_a_verdict():
    rng = np.random.default_rng(0)
    differences = rng.normal(0.008, 0.01, size=20)
    differences += 0.008 - differences.mean()
    n = needed(of_runs(differences), margin=0.0).seeds
    deviation = differences.std(ddof=1)
    found = np.mean([of_runs(rng.normal(0.008, deviation, size=n)).p < 0.05 for _ in range(400)])
    assert 0.7 < found < 0.9
    assert needed(of_runs(np.zeros(10)), margin=0.0) == Needed(seeds=6)


def test_where_the_rows_vary_most_more_rows_are_needed():
    rng = np.random.default_rng(0)
    differences, rows = rng.normal(0.01, 0.002, size=30), rng.normal(0.01, 0.3, size=500)
    found = needed(of_new_rows(differences, rows, 500), margin=0.0, n_rows=500)
    assert found.seeds is None
    # (2.8 * 0.3 / 0.01)^2: the usual formula for a power of 80 %.
    assert found.rows == pytest.approx(7056, rel=0.2)


def test_the_detectable_difference_is_found_with_a_power_of_four_fifths():
    rng = np.random.default_rng(1)
    differences = rng.normal(0, 1, size=15)
    size = detectable_difference(of_runs(differences))
    deviation = differences.std(ddof=1)
    found = np.mean([of_runs(rng.normal(size, deviation, size=15)).p < 0.05 for _ in range(600)])
    assert 0.72 < found < 0.88


def test_the_best_group_has_the_losses_that_cannot_be_told_from_the_best():
    rng = np.random.default_rng(2)
    samples = [sample(0.8 + 0.01 * level + NOISE + rng.normal(0, 0.002, 30)) for level in (0, 5, 5, 2)]
    best, group = best_group(samples, lower_is_better=False)
    assert best in (1, 2)
    assert set(group) == {1, 2}
    assert best_group([sample([np.nan] * 8)], lower_is_better=False) == (None, [])


def test_the_best_loss_must_work_reliably():
    values = 0.95 + NOISE
    values[:15] = np.nan
    assert best_group([BASE, sample(values - 0.1)], lower_is_better=False) == (0, [0])
    assert best_group([BASE, sample(0.85 + NOISE * np.where(np.arange(30) < 12, np.nan, 1))], lower_is_better=False)[
        1
    ] == [0]


@pytest.mark.parametrize("n_seeds", [10, 30])
@pytest.mark.parametrize("n_tables", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_false_differences_are_found_in_one_table_of_twenty_at_most(n_tables, n_seeds):
    share = share_of_false_tables(n_tables, n_seeds, 8, rng=np.random.default_rng(n_seeds))
    assert share <= most_allowed(n_tables)


def test_networks_that_agree_on_few_rows_may_differ_on_new_ones():
    same, rows = np.zeros(30), np.zeros(60)
    assert of_new_rows(same, rows, 60).interval.half_width == 0
    assert of_new_rows(same, rows, 60, step=1.0).interval.half_width == pytest.approx(
        stats.t.ppf(0.975, 59) * (0.5 / 59 / 60) ** 0.5
    )
    assert of_new_rows(same, np.zeros(500), 500, step=1.0).interval.half_width < 0.005


@pytest.mark.parametrize(
    ("n_rows", "step", "least", "most"), [(60, 0.0, 0.0, 0.9), (60, 1.0, 0.93, 1), (500, 1.0, 0.93, 1)]
)
def test_the_interval_for_new_rows_holds_where_few_rows_differ(n_rows, step, least, most):
    # As of two losses on moons: one row in twenty differs, in most of them the candidate is wrong.
    rng = np.random.default_rng(0)
    held = []
    for _ in range(500):
        rows = rng.choice([0.0, -0.7, 0.4], size=n_rows, p=[0.95, 0.04, 0.01])
        differences = rows.mean() + rng.normal(0, 0.005, 30)
        interval = of_new_rows(differences, rows, n_rows, step).interval
        held.append(interval.low <= -0.024 <= interval.high)
    assert least <= np.mean(held) <= most


# ---- Over data sets, over a swept number, along the epochs.


def test_ranks_are_tested_from_six_data_sets_on():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(8, 4)) + np.array([0.0, 0.0, 3.0, 3.0])
    found = rank_losses(means, lower_is_better=True)
    assert found.by_dataset[0].tolist() == stats.rankdata(means[0]).tolist()
    assert found.p == pytest.approx(stats.friedmanchisquare(*means.T).pvalue)
    # Demsar's table 5: q is 2.569 for four losses.
    assert found.critical_difference == pytest.approx(2.569 * (4 * 5 / (6 * 8)) ** 0.5, rel=1e-3)
    assert np.isnan(rank_losses(means[:5], lower_is_better=True).p)
    assert rank_losses(np.array([[0.5, np.nan]]), lower_is_better=False).mean.tolist() == [1, 2]


def test_a_crossing_is_reported_where_the_order_changes_significantly():
    rng = np.random.default_rng(0)

    def at(mean):
        return sample(mean + rng.normal(0, 0.001, size=10))

    x = np.array([0.0, 0.2, 0.4])
    tie = at(0.8)
    falling, steady = [at(0.9), tie, at(0.5)], [at(0.7), tie, at(0.7)]
    (found,) = crossings(x, [steady, falling], lower_is_better=False)
    assert (found.first, found.second, found.low, found.high) == (1, 0, 0.0, 0.4)
    assert crossings(x, [steady, [None, None, None]], lower_is_better=False) == []


EPOCHS = np.arange(1, 101)
FALL = np.exp(-EPOCHS / 10)


@pytest.mark.parametrize(
    ("train", "test", "options", "word"),
    [
        pytest.param(FALL, FALL + 0.1, {}, "converged", id="converged"),
        pytest.param(1 - EPOCHS / 200, 1 - EPOCHS / 200, {}, "still improving", id="still improving"),
        pytest.param(FALL, FALL + EPOCHS / 500, {}, "overfitting", id="overfitting"),
        pytest.param(FALL + 0.3 * (EPOCHS % 2), FALL + 0.3, {}, "unstable", id="unstable"),
        pytest.param(FALL, FALL, {"error_share": 0.97}, "underfitting", id="underfitting"),
        pytest.param(FALL, FALL, {"share_diverged": 0.6}, "diverged", id="diverged"),
    ],
)
def test_curves_get_the_expected_diagnosis(train, test, options, word):
    noise = np.random.default_rng(0).normal(0, 1e-4, size=(6, 100))
    found = diagnose(EPOCHS, train + noise, test + noise, **options)
    assert found.word == word, found.text
    if word == "overfitting":
        # The least of exp(-t / 10) + t / 500 is at 10 ln 50 = 39.
        assert abs(found.epoch - 39) <= 2
        assert found.gap == pytest.approx(100 / 500 - (FALL[38] + 39 / 500), rel=0.05)


def test_a_diagnosis_needs_curves():
    nothing = np.empty((0, 0))
    assert diagnose(np.array([], int), nothing, nothing).word == "no curve"


def test_missing_runs_are_not_failures():
    values = 0.85 + NOISE
    missing = np.arange(30) < 12
    gone = Sample(np.where(missing, np.nan, values), ~missing, missing)
    (found,) = compare(BASE, [gone], margin=0.005, lower_is_better=False)
    assert (found.verdict, found.difference.n, found.n_failing, found.failures_p) == ("equivalent", 18, 0, 1.0)
    assert best_group([BASE, gone], lower_is_better=False)[1] in ([0, 1], [1, 0])


def test_an_equal_loss_is_in_the_group_of_the_best_with_few_seeds_too():
    rng = np.random.default_rng(4)

    def group_of(n_seeds):
        common = rng.normal(0, 0.01, n_seeds)
        samples = [sample(0.85 + common + rng.normal(0, 0.01, n_seeds)) for _ in range(8)]
        return best_group(samples, lower_is_better=False)[1]

    left_out = np.mean([len(group_of(10)) < 8 for _ in range(300)])
    assert left_out <= most_allowed(300)


# ---- The population of a statement.


def with_rows(values, n_rows=200, *, of_rows=0.05, seed=0) -> Sample:
    """Return a sample whose rows vary as much as asked for."""
    values = np.asarray(values)
    rows = np.random.default_rng(seed).normal(0, of_rows, n_rows)
    return Sample(values, np.ones(len(values), bool), rows=values[:, None] + (rows - rows.mean()), n_rows=n_rows)


def test_a_difference_on_these_rows_need_not_be_one_on_new_rows():
    base, candidate = with_rows(0.85 + NOISE), with_rows(0.86 + NOISE[::-1] / 5, of_rows=0.5, seed=1)
    (found,) = compare(base, [candidate], margin=0.0, lower_is_better=False)
    assert (found.on_these_rows.verdict, found.verdict) == ("better", "inconclusive")
    assert found.difference.half_width > 5 * found.on_these_rows.difference.half_width
    assert found.difference.mean == found.on_these_rows.difference.mean
    assert found.needed.rows > 200
    assert found.needed.seeds is None


def test_losses_that_are_one_are_equivalent_and_those_that_only_decide_alike_are_not():
    right = np.random.default_rng(0).random((10, 60)) < 0.9

    def decided(predictions):
        return Sample(
            right.mean(axis=1), np.ones(10, bool), rows=right * 1.0, n_rows=60, step=1.0, predictions=predictions
        )

    first = decided([f"a{i}" for i in range(10)])
    (one,) = compare(first, [decided([f"a{i}" for i in range(10)])], margin=0.005, lower_is_better=False)
    assert (one.verdict, one.difference.half_width) == ("equivalent", 0.0)
    (alike,) = compare(first, [decided([f"b{i}" for i in range(10)])], margin=0.005, lower_is_better=False)
    assert (alike.on_these_rows.verdict, alike.verdict) == ("equivalent", "inconclusive")


def test_folds_are_compared_by_their_means_over_seeds():
    rng = np.random.default_rng(0)
    folds = np.repeat(np.arange(10), 3)
    base = rng.normal(size=10)[folds] + rng.normal(0, 0.1, 30)
    candidate = base + 0.5 + rng.normal(0, 0.1, size=10)[folds] + rng.normal(0, 0.1, 30)
    works = np.ones(30, bool)
    # A fold of which no run works is left out.
    works[6:9] = False
    samples = [Sample(values, works, folds=folds, test_per_train=0.25) for values in (base, candidate)]
    (found,) = compare(samples[0], samples[1:], margin=0.0, lower_is_better=False)
    expected = of_folds((candidate - base).reshape(10, 3).mean(axis=1)[np.arange(10) != 2], 0.25)
    assert (found.difference.n, found.on_these_rows) == (9, None)
    assert (found.p, found.difference.mean) == pytest.approx((expected.p, expected.interval.mean))
    assert found.verdict == "better"
