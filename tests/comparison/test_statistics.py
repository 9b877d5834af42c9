"""Statistics at their edges: the fewest seeds, equal values, the least and the greatest answer."""

import numpy as np
import pytest
from scipy import stats

from lossbench.comparison import (
    Sample,
    best_group,
    compare,
    compare_pairs,
    mean_interval,
    mean_intervals,
    share_interval,
)
from lossbench.comparison.diagnosis import diagnose
from lossbench.comparison.failures import failures_p
from lossbench.comparison.mean_tests import of_folds, of_new_rows, of_runs
from lossbench.comparison.multiple_testing import holm
from lossbench.comparison.power import Needed, detectable_difference, needed
from lossbench.comparison.ranks import rank_groups, rank_losses
from lossbench.comparison.swept import crossings

NOISE = np.random.default_rng(5).normal(0, 0.01, size=30)


def sample(values, stuck=(), missing=None) -> Sample:
    values = np.array(values, np.float64)
    works = np.isfinite(values)
    works[list(stuck)] = False
    return Sample(values, works, missing)


def compared(baseline, candidate, *, margin=0.005, lower_is_better=False, **more):
    return compare(baseline, [candidate], margin=margin, lower_is_better=lower_is_better, **more)[0]


# ---- Intervals.


def test_two_values_have_an_interval():
    # With one degree of freedom the 97.5 % point of Student's t is 12.7062.
    found = mean_interval(np.array([1.0, 3.0]))
    assert (found.mean, found.n) == (2.0, 2)
    assert found.half_width == pytest.approx(12.7062, abs=1e-4)
    assert (found.high - found.mean, found.mean - found.low) == pytest.approx((found.half_width, found.half_width))


@pytest.mark.parametrize("values", [[], [np.nan], [np.nan, np.inf]])
def test_the_mean_of_no_value_is_not_a_number(values):
    found = mean_interval(np.array(values))
    assert np.isnan([found.mean, found.low, found.high]).all()
    assert found.n == 0


def test_one_value_has_a_mean_and_no_interval():
    mean, low, high, n = mean_intervals(np.array([[2.0, 1.0], [np.nan, 3.0]]))
    assert mean.tolist() == [2.0, 2.0]
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()
    assert n.tolist() == [1, 2]


def test_a_share_of_no_run_is_not_a_number():
    found = share_interval(0, 0)
    assert np.isnan([found.mean, found.low, found.high]).all()
    assert found.n == 0


# Of 16 in 16 the formula's upper end is above 1 by rounding.
@pytest.mark.parametrize("n", [1, 2, 5, 16, 1000])
def test_a_share_lies_in_its_interval_and_that_between_0_and_1(n):
    for count in range(n + 1) if n < 20 else (0, 1, 500, 999, 1000):
        found = share_interval(count, n)
        expected = stats.binomtest(count, n).proportion_ci(method="wilson")
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
        assert 0.0 <= found.low <= found.mean <= found.high <= 1.0
        assert (found.mean, found.n) == (count / n, n)
    assert share_interval(0, n).low == 0.0
    assert share_interval(n, n).high == 1.0


# ---- Paired tests.


def test_one_difference_says_nothing():
    for found in (
        of_runs(np.array([1.0])),
        of_folds(np.array([1.0]), 0.25),
        of_new_rows(np.array([1.0]), np.array([0.5, 1.5]), 2),
        of_new_rows(np.array([1.0, 2.0]), np.array([1.5]), 1),
    ):
        assert (found.p, found.interval.mean, found.interval.n) == (1.0, 1.0, 1)
        assert np.isnan(found.interval.low)
    assert of_new_rows(np.array([]), np.array([]), 100).interval.n == 0


def test_skewness_moves_the_interval_to_the_long_tail():
    values = np.array([1.0, 1.1, 1.2, 1.3, 1.4, 5.0])
    found, students = of_runs(values), mean_interval(values)
    assert found.interval.high > students.high
    assert found.interval.low == pytest.approx(students.low)
    turned = of_runs(-values)
    assert (turned.interval.low, turned.interval.high) == pytest.approx((-found.interval.high, -found.interval.low))
    assert turned.p == pytest.approx(found.p)


def test_halls_transformation_by_hand():
    values = np.array([0.0, 0.0, 0.0, 2.0, 3.0])
    mean, n = 1.0, 5
    moments = [np.mean((values - mean) ** k) for k in (2, 3)]
    skewness, ratio = moments[1] / moments[0] ** 1.5, mean / np.std(values, ddof=1)
    hall = ratio + skewness * ratio**2 / 3 + skewness**2 * ratio**3 / 27 + skewness / (6 * n)
    smaller = min(ratio, hall)
    assert of_runs(values).p == pytest.approx(2 * stats.t.sf(n**0.5 * smaller, n - 1))


def test_parts_of_the_variance_are_kept_apart():
    differences = np.array([1.0, 2.0, 3.0])
    assert (of_runs(differences).of_seeds, of_runs(differences).of_rows) == pytest.approx((1 / 3, 0.0))
    folds = of_folds(differences, 0.5)
    assert (folds.of_seeds, folds.of_rows, folds.freedom) == pytest.approx((1 / 3, 0.5, 2))
    rows = of_new_rows(differences, np.array([0.0, 4.0]), 8)
    assert (rows.of_seeds, rows.of_rows) == pytest.approx((1 / 3, 1.0))
    assert rows.freedom == pytest.approx((4 / 3) ** 2 / ((1 / 3) ** 2 / 2 + 1.0 / 7))
    assert rows.error == pytest.approx((4 / 3) ** 0.5)


def test_failures_of_neither_are_no_evidence():
    assert failures_p(0, 0) == failures_p(1, 1) == failures_p(1, 0) == 1.0
    assert failures_p(0, 6) == failures_p(6, 0) == 2 * 0.5**6
    assert failures_p(1, 6) == 2 * (1 + 7) * 0.5**7


def test_correction_keeps_the_order_and_stays_below_1():
    assert holm(np.array([0.04])).tolist() == [0.04]
    assert holm(np.array([0.5, 0.01, 0.9])).tolist() == [1.0, 0.03, 1.0]
    assert holm(np.array([0.02, 0.02])).tolist() == [0.04, 0.04]


# ---- How many seeds.


@pytest.mark.parametrize("n_tests", [1, 4])
def test_the_detectable_difference_by_the_formula(n_tests):
    differences = np.random.default_rng(1).normal(0, 1, size=15)
    t = stats.t(14)
    expected = differences.std(ddof=1) / 15**0.5 * (t.ppf(1 - 0.05 / n_tests / 2) + t.ppf(0.8))
    tested = of_runs(differences)
    assert detectable_difference(tested, n_tests) == pytest.approx(expected)
    assert detectable_difference(tested) == pytest.approx(detectable_difference(tested, 1, 0.05))


def test_two_seeds_have_a_detectable_difference_and_one_has_none():
    assert detectable_difference(of_runs(np.array([0.0, 1.0]))) > 1.0
    assert np.isnan(detectable_difference(of_runs(np.array([1.0]))))
    # Below six seeds there is no verdict, so six are the first thing that is needed.
    for values in ([1.0], [1.0, 1.1], [1.0] * 5):
        assert needed(of_runs(np.array(values)), margin=0.1) == Needed(seeds=6)


@pytest.mark.parametrize("n_tests", [1, 10])
def test_the_seeds_needed_are_the_fewest_that_do(n_tests):
    shape = np.random.default_rng(0).normal(size=20)
    shape = (shape - shape.mean()) / shape.std(ddof=1)
    differences = 0.5 + shape

    def detectable(n):
        t = stats.t(n - 1)
        return (t.ppf(1 - 0.05 / n_tests / 2) + t.ppf(0.8)) / n**0.5

    def scaled(n):
        # The degrees of freedom are taken to grow as the seeds do.
        t = stats.t(19 * n / 20)
        return (t.ppf(1 - 0.05 / n_tests / 2) + t.ppf(0.8)) / n**0.5

    n = needed(of_runs(differences), margin=0.0, n_tests=n_tests).seeds
    assert scaled(n) <= 0.5 < scaled(n - 1)
    assert detectable(n) == pytest.approx(scaled(n), rel=0.01)
    # A small difference needs an interval inside the margin instead.
    n = needed(of_runs(0.01 + shape), margin=0.2, n_tests=n_tests).seeds
    half = [stats.t.ppf(0.975, 19 * m / 20) / m**0.5 for m in (n, n - 1)]
    assert 0.01 + half[0] <= 0.2 < 0.01 + half[1]


def test_a_difference_that_is_none_needs_more_seeds_than_there_are():
    shape = np.array([-1.0, 1.0] * 10)
    assert needed(of_runs(shape), margin=0.0) == Needed()
    assert needed(of_runs(shape + 1e-4), margin=0.0) == Needed()
    assert Needed().said() == ""
    # Of nothing but zeros a few do.
    assert needed(of_runs(np.zeros(10)), margin=0.0, n_tests=10) == Needed(seeds=6)


def test_both_are_named_where_neither_seeds_nor_rows_alone_would_do():
    differences, rows = np.array([-0.9, 1.1] * 10), np.array([-2.9, 3.1] * 50)
    found = needed(of_new_rows(differences, rows, 100), margin=0.0, n_rows=100)
    assert found.seeds is not None
    assert found.rows == round(found.seeds / 20 * 100)
    assert found.said("samples") == f"about {found.seeds} samples and {found.rows} test rows"


# ---- Verdicts.


def test_verdicts_begin_with_six_seeds_and_are_safe_with_ten():
    base, lower = 0.85 + NOISE, 0.75 + NOISE[::-1] / 5
    for n, verdict, few in ((5, "too few seeds", True), (6, "worse", True), (9, "worse", True), (10, "worse", False)):
        found = compared(sample(base[:n]), sample(lower[:n]))
        assert (found.verdict, found.few_seeds) == (verdict, few)
    assert compared(sample(base[:5]), sample(lower[:5]), n_tests=10).needed == Needed(seeds=6)
    # From six on it is what the differences say.
    six = compared(sample(base[:6]), sample(lower[:6]))
    assert six.needed == needed(of_runs(lower[:6] - base[:6]), 0.005)


def test_a_difference_of_just_the_margin_does_not_matter():
    base = sample(np.linspace(1.0, 2.0, 8))
    for size in (0.25, -0.25):
        assert compared(base, sample(base.values + size), margin=0.25).verdict == "equivalent"
        assert compared(base, sample(base.values + size), margin=0.24).verdict in ("better", "worse")


def test_equal_seeds_are_won_by_half():
    base = sample(np.arange(8.0))
    better = base.values + np.array([1, 1, 1, 0, 0, -1, -1, -1]) / 4
    assert compared(base, sample(better)).won == 0.5
    assert compared(base, sample(base.values + np.array([1, 1, 1, 1, 0, 0, 0, 0]))).won == 0.75
    assert compared(base, sample(base.values + np.array([1, 1, 1, 1, 0, 0, 0, 0])), lower_is_better=True).won == 0.25


def test_nothing_but_failures_has_no_numbers():
    found = compared(sample(0.85 + NOISE[:8]), sample([np.nan] * 8))
    assert np.isnan([found.won, found.difference.mean, found.difference_of_all, found.detectable]).all()
    assert (found.p, found.n_failing, found.n_baseline_failing) == (1.0, 8, 0)
    assert (found.by_value, found.verdict) == ("too few seeds", "worse")


def test_runs_that_are_not_there_are_no_failures():
    missing = np.arange(30) < 10
    values = np.where(missing, np.nan, 0.85 + NOISE)
    there = compared(sample(0.85 + NOISE), sample(values, missing=missing))
    assert (there.n_failing, there.by_failures, there.failures_p) == (0, "", 1.0)
    # Nor is a failure of the one counted where the other has no run.
    stuck = sample(0.85 + NOISE, stuck=range(12))
    found = compared(stuck, sample(values, missing=missing))
    assert (found.n_baseline_failing, found.n_failing) == (2, 0)
    turned = compared(sample(values, missing=missing), stuck)
    assert (turned.n_baseline_failing, turned.n_failing) == (0, 2)


def test_fewer_failures_are_better():
    often, never = sample(0.85 + NOISE, stuck=range(12)), sample(0.85 + NOISE)
    assert compared(often, never).by_failures == compared(often, never).verdict == "better"
    assert compared(never, often).by_failures == "worse"


def test_failures_are_tested_from_six_on_and_corrected_with_the_table():
    base = sample(0.85 + NOISE)
    for n, verdict in ((5, ""), (6, ""), (7, "worse")):
        found = compared(base, sample(0.85 + NOISE, stuck=range(n)))
        assert found.by_failures == verdict
    # With 5 there is no test, with 6 its p value is one of two: 0.03125 twice.
    assert compared(base, sample(0.85 + NOISE, stuck=range(5))).failures_p_corrected == 1.0
    assert compared(base, sample(0.85 + NOISE, stuck=range(6))).failures_p_corrected == 2 * 2 * 0.5**6


def test_a_table_has_a_margin_for_each_pair():
    base, near = sample(0.85 + NOISE), sample(0.852 + NOISE)
    found = compare_pairs([(base, near), (base, near)], margins=[0.005, 0.001], lower_is_better=False)
    assert [one.verdict for one in found] == ["equivalent", "better"]
    assert [one.margin for one in found] == [0.005, 0.001]
    assert found[0].p_corrected == 2 * found[0].p
    assert compare_pairs([], margins=[], lower_is_better=False) == []
    with pytest.raises(ValueError, match="zip"):
        compare_pairs([(base, near)], margins=[0.1, 0.2], lower_is_better=False)


# ---- The best.


def test_the_best_of_one_is_itself():
    assert best_group([sample(0.85 + NOISE)], lower_is_better=False) == (0, [0])


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_the_group_is_in_the_order_of_means(lower_is_better):
    sign = -1 if lower_is_better else 1
    rng = np.random.default_rng(1)
    samples = [sample(sign * (1.0 + size) + rng.normal(0, 0.1, 12)) for size in (0.01, 0.0, 0.03, -1.0)]
    means = [sign * one.values.mean() for one in samples[:3]]
    best, group = best_group(samples, lower_is_better=lower_is_better)
    assert group == [int(i) for i in np.argsort(means)[::-1]]
    assert best == group[0]


def test_what_has_no_value_is_in_no_group():
    empty = sample([np.nan] * 30)
    assert best_group([empty, sample(0.85 + NOISE)], lower_is_better=False) == (1, [1])
    assert best_group([empty, empty], lower_is_better=True) == (None, [])


@pytest.mark.parametrize("n_others", [1, 11])
def test_a_better_mean_that_often_fails_is_not_the_best(n_others):
    # One working run is no mean to speak of, however many losses there are to correct for.
    n = 11
    rng = np.random.default_rng(0)
    failing = sample(np.where(np.arange(n) < 10, np.nan, 0.95))
    others = [sample(0.85 + rng.normal(0, 0.01, n)) for _ in range(n_others)]
    best, group = best_group([failing, *others], lower_is_better=False)
    means = [one.values.mean() for one in others]
    assert best == 1 + int(np.argmax(means))
    assert (0 in group, group[0]) == (False, best)
    assert sorted(group) == list(range(1, n_others + 1))


def test_only_the_pairs_that_there_are_count():
    # Eight seeds, a p value of 4 / 256: below 0.05 in a table of three pairs, and of no more.
    best = np.linspace(2.0, 3.0, 8)
    second, third = best - np.array([-1, 2, 3, 4, 5, 6, 7, 8]) / 100, best - 1.0
    assert best_group([sample(second), sample(best), sample(third)], lower_is_better=False) == (1, [1])


def test_the_pairs_of_a_table_are_corrected_together():
    best, behind = np.linspace(2.0, 3.0, 10), np.array([-2, -1, 0, 2, 3, 4, 5, 6, 7, 8]) / 100
    others = [sample(best - behind), sample(best - behind[::-1]), sample(best - np.roll(behind, 3))]
    # Below 0.05 in a table of two, and not among the six pairs of four.
    assert 0.05 / 6 < of_runs(-behind).p < 0.05
    assert best_group([sample(best), others[0]], lower_is_better=False) == (0, [0])
    assert sorted(best_group([sample(best), *others], lower_is_better=False)[1]) == [0, 1, 2, 3]


# ---- Ranks.


def test_groups_are_the_largest_and_no_part_of_another():
    assert rank_groups(np.array([1.0, 1.4, 1.8, 3.0]), 1.0) == [[0, 1, 2]]
    assert rank_groups(np.array([1.0, 1.8, 2.4]), 1.0) == [[0, 1], [1, 2]]
    # At the critical difference they are told apart.
    assert rank_groups(np.array([2.0, 1.0]), 1.0) == []
    assert rank_groups(np.array([3.0, 1.5, 1.0]), 1.0) == [[2, 1]]


def test_six_data_sets_and_two_losses_have_a_critical_difference_and_three_a_test():
    means = np.random.default_rng(0).normal(size=(6, 4))
    two = rank_losses(means[:, :2], lower_is_better=True)
    # Demsar's table 5: q is 1.960 for two losses.
    assert two.critical_difference == pytest.approx(1.960 * (2 * 3 / (6 * 6)) ** 0.5, rel=1e-3)
    assert np.isnan(two.p)
    three = rank_losses(means[:, :3], lower_is_better=False)
    assert three.p == pytest.approx(stats.friedmanchisquare(*means[:, :3].T).pvalue)
    assert three.critical_difference == pytest.approx(2.343 * (3 * 4 / (6 * 6)) ** 0.5, rel=1e-3)
    one = rank_losses(means[:, :1], lower_is_better=True)
    assert np.isnan([one.critical_difference, one.p]).all()
    assert np.isnan(rank_losses(means[:5], lower_is_better=True).critical_difference)


def test_ranks_are_means_over_data_sets_and_equal_ones_share():
    found = rank_losses(np.array([[0.9, 0.5, 0.5], [0.1, np.nan, 0.3]]), lower_is_better=False)
    assert found.by_dataset.tolist() == [[1.0, 2.5, 2.5], [2.0, 3.0, 1.0]]
    assert found.mean.tolist() == [1.5, 2.75, 1.75]


# ---- Crossings.

X = np.array([1.0, 2.0, 3.0, 4.0])


def at(mean: float, seed: int) -> Sample:
    return sample(mean + np.random.default_rng(seed).normal(0, 0.01, size=8))


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_crossings_name_the_one_that_is_better_before(lower_is_better):
    steady, falling, far = ([at(mean, i) for i, mean in enumerate(means)] for means in ([1] * 4, [2, 2, 0, 0], [9] * 4))
    found = crossings(X, [steady, falling, far], lower_is_better=lower_is_better)
    order = (0, 1) if lower_is_better else (1, 0)
    assert [(c.first, c.second, c.low, c.high) for c in found] == [(*order, 2.0, 3.0)]


def test_each_change_is_a_crossing_and_gaps_are_none():
    steady, weaving = [at(1, i) for i in range(4)], [at(mean, 10 + i) for i, mean in enumerate([0, 2, 0, 2])]
    found = crossings(X, [steady, weaving], lower_is_better=False)
    assert [(c.first, c.low, c.high) for c in found] == [(0, 1.0, 2.0), (1, 2.0, 3.0), (0, 3.0, 4.0)]
    weaving[1] = None
    assert [(c.low, c.high) for c in crossings(X, [weaving, steady], lower_is_better=False)] == [(3.0, 4.0)]
    # Equal ones are not better; nothing has an order with itself.
    assert crossings(X, [steady, steady], lower_is_better=False) == []
    for x, samples in ((X, [steady, steady[:3]]), (X[:3], [steady, steady])):
        with pytest.raises(ValueError, match="zip"):
            crossings(x, samples, lower_is_better=False)


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_what_these_seeds_do_not_tell_is_no_crossing(lower_is_better):
    zigzag = np.array([0.3, -0.2] * 4)
    steady, unclear = [sample(np.ones(8))] * 3, [sample(2 + zigzag), None, sample(2 + zigzag)]
    for sign in (1, -1):
        unclear[1] = sample(1 + sign * zigzag)
        for samples in ([steady, unclear], [unclear, steady]):
            assert crossings(X[:3], samples, lower_is_better=lower_is_better) == []


# ---- Curves.

EPOCHS = np.arange(1, 101)
FALL = np.exp(-EPOCHS / 10)


def word(train, test, epochs=EPOCHS, n_runs=8, noise=0.001, **options):
    jitter = np.random.default_rng(0).normal(0, noise, (n_runs, 1))
    return diagnose(epochs, train + jitter, test + jitter, **options)


@pytest.mark.parametrize(("share", "expected"), [(0.49, "converged"), (0.5, "diverged"), (1.0, "diverged")])
def test_half_of_the_runs_make_a_loss_diverge(share, expected):
    assert word(FALL, FALL, share_diverged=share).word == expected


@pytest.mark.parametrize(("share", "expected"), [(0.9, "converged"), (0.91, "underfitting")])
def test_hardly_better_than_the_constant_is_underfitting(share, expected):
    assert word(FALL, FALL, error_share=share).word == expected


def test_three_points_say_something_and_two_do_not():
    fall = np.array([1.0, 0.5, 0.0])
    assert word(fall[:2], fall[:2], EPOCHS[:2]).word == "no curve"
    assert word(fall, fall, EPOCHS[:3]).word != "no curve"
    assert diagnose(EPOCHS, np.full((2, 100), np.nan), np.ones((2, 100))).word == "no curve"


def test_runs_with_gaps_are_left_out():
    falling = (FALL + 0.2 * (1 - EPOCHS / 100))[None]
    whole, broken = np.repeat(falling, 2, 0), np.where(EPOCHS < 90, -100.0 * EPOCHS, np.nan)[None]
    alone = diagnose(EPOCHS, whole, whole)
    assert alone.word == "still improving"
    three = np.concatenate([whole, falling])
    assert diagnose(EPOCHS, np.concatenate([whole, broken]), three) == alone
    assert diagnose(EPOCHS, three, np.concatenate([whole, broken])) == alone


@pytest.mark.parametrize(
    ("train", "test"),
    [
        pytest.param(FALL, FALL, id="converged"),
        pytest.param(FALL, FALL + EPOCHS / 500, id="overfitting"),
        pytest.param(FALL + 0.2 * (EPOCHS % 2), FALL, id="unstable"),
        pytest.param(FALL + 0.2 * (1 - EPOCHS / 100), FALL, id="still improving"),
    ],
)
def test_the_word_depends_on_neither_the_unit_nor_the_level_of_a_loss(train, test, request):
    for unit in (1e-3, 1.0, 1e3):
        for level in (0.0, 1.0, -10.0):
            made = diagnose(EPOCHS, unit * (train + level)[None], unit * (test + level)[None])
            assert made.word == request.node.callspec.id


def test_overfitting_is_said_from_the_least_test_loss_on():
    valley = np.abs(EPOCHS - 40) / 40
    found = word(FALL, valley)
    assert (found.word, found.epoch) == ("overfitting", 40)
    assert found.gap == pytest.approx(1.5, abs=0.1)
    assert found.text == f"overfitting from epoch 40: test loss rose by {found.gap:.2g}"
    # The mean of five points says where it is least: behind a valley that is three times as steep before as after.
    steep = np.where(EPOCHS < 40, 3 * (40 - EPOCHS), EPOCHS - 40) / 120
    assert word(FALL, steep).epoch == 41
    # By 2 % of the way down or less it is none.
    slight = np.maximum(1 - EPOCHS / 40, 0.0)
    for rise, expected in ((0.03, "overfitting"), (0.02, "converged"), (0.01, "converged")):
        curve = slight + rise * np.maximum(EPOCHS - 60, 0) / 40
        curve[0] = 1.0
        assert diagnose(EPOCHS, FALL[None], curve[None]).word == expected


def test_a_rise_that_seeds_do_not_share_is_chance():
    rng = np.random.default_rng(0)
    rises = rng.normal(0.1, 1.0, (8, 1)) * np.maximum(EPOCHS - 50, 0) / 50
    assert diagnose(EPOCHS, np.repeat(FALL[None], 8, 0), FALL + rises).word == "converged"
    # Of a single run nobody can say what is chance.
    assert diagnose(EPOCHS, FALL[None], (FALL + 0.3 * np.maximum(EPOCHS - 50, 0) / 50)[None]).word == "overfitting"


def test_a_rise_at_the_last_point_alone_is_none():
    late = 1 - EPOCHS / 100
    late[-1] = late[-2] + 0.025
    assert word(FALL, late).word == "converged"


def test_what_is_not_overfitting_has_no_epoch():
    found = word(FALL, FALL)
    assert (found.epoch, found.text) == (0, "converged")
    assert np.isnan(found.gap)


@pytest.mark.parametrize(("height", "expected"), [(0.05, "converged"), (0.2, "unstable")])
def test_jumps_of_a_tenth_of_the_way_are_unstable(height, expected):
    zigzag = FALL + height * (EPOCHS % 2)
    assert word(zigzag, FALL).word == expected
    # In the first half they are the beginning.
    assert word(FALL + height * (EPOCHS % 2) * (EPOCHS < 50), FALL).word == "converged"


@pytest.mark.parametrize(("slope", "expected"), [(0.2, "still improving"), (0.02, "converged")])
def test_a_loss_that_falls_to_the_end_has_more_to_gain(slope, expected):
    falling = FALL + slope * (1 - EPOCHS / 100)
    found = word(falling, falling)
    assert found.word == expected
    assert word(falling, falling, n_runs=1).word == expected
    if expected == "still improving":
        assert found.text == "still improving: 2% of the way in the last tenth"
