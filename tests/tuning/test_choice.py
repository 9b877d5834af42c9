"""The rule that chooses a learning rate: pure functions on arrays."""

import numpy as np
import pytest

from lossbench.tuning.choice import beyond, choose_rate, choose_trial, edge, gaps, risk

RATES = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
# By rate, the mean and how far two folds lie apart; the best is 0.1, to a standard error as good as 0.001 and 0.01.
VALUES = np.array([[9.0, 9.0], [1.0, 3.0], [3.0, 1.0], [2.0, 1.9], [9.0, 9.0]])
NONE = np.zeros(VALUES.shape, bool)


def dead_at(place: int) -> np.ndarray:
    found = NONE.copy()
    found[place] = True
    return found


@pytest.mark.parametrize(
    ("default", "chosen"),
    [
        pytest.param(None, 2, id="the middle of three"),
        pytest.param(1, 1, id="the configured one is as good"),
        pytest.param(3, 2, id="the configured one is the highest as good"),
        pytest.param(0, 2, id="the configured one is worse"),
        pytest.param(4, 2, id="the configured one is worse, and higher"),
    ],
)
def test_the_middle_of_those_as_good_unless_the_configured_rate_is_one(default, chosen):
    found = choose_rate(RATES, VALUES, NONE, default)
    assert found.chosen == chosen
    assert found.as_good.tolist() == [False, True, True, True, False]


def test_the_order_in_which_rates_were_tried_does_not_matter():
    order = np.array([3, 0, 4, 2, 1])
    found = choose_rate(RATES[order], VALUES[order], NONE, None)
    assert RATES[order][found.chosen] == 1e-2
    assert sorted(RATES[order][found.as_good]) == [1e-3, 1e-2, 1e-1]


def test_the_lower_of_two_middle_ones_is_chosen():
    values = np.array([[1.0, 2.0], [2.0, 1.0], [9.0, 9.0]])
    assert choose_rate(RATES[:3], values, NONE[:3], None).chosen == 0


@pytest.mark.parametrize("default", [None, 1, 2])
def test_a_rate_that_kills_trainings_is_not_chosen_if_a_safer_one_does_as_well(default):
    # 0.01 does as well as others by its mean, and kills; 0.001 and 0.1 are beside it.
    assert choose_rate(RATES, VALUES, dead_at(2), default).chosen in (1, 3)


def test_a_rate_beside_one_that_kills_is_not_chosen_if_a_safer_one_does_as_well():
    # 1.0 kills; its neighbour 0.1 has the best mean.
    values = np.array([[9.0, 9.0], [9.0, 9.0], [2.0, 2.1], [2.0, 1.9], [9.0, 9.0]])
    assert choose_rate(RATES, values, dead_at(4), None).chosen == 2


def test_a_rate_that_is_surely_better_is_chosen_though_its_neighbour_kills():
    values = np.array([[9.0, 9.0], [5.0, 5.1], [4.0, 4.1], [1.0, 1.1], [9.0, 9.0]])
    assert choose_rate(RATES, values, dead_at(4), 2).chosen == 3


@pytest.mark.parametrize(
    "choose",
    [
        lambda values, dead: choose_rate(RATES, values, dead, None),
        lambda values, dead: choose_trial(values, dead, None),
    ],
)
def test_a_rate_that_kills_most_trainings_is_not_chosen_though_a_constant_prediction_beats_the_network(choose):
    values = np.array([[1.0, 1.1], [1.0, 1.1], [3.0, 3.1], [2.0, 2.1], [1.0, 1.1]])
    found = choose(values, dead_at(0) | dead_at(1) | dead_at(4))
    assert found.chosen == 3
    assert not found.as_good[[0, 1, 4]].any()


def test_a_loss_times_a_constant_chooses_the_same_training():
    rng = np.random.default_rng(0)
    for _ in range(50):
        # Ten times the loss sees the same trainings one place lower; what lies beyond is dead.
        values = np.vstack([np.full((2, 10), 9.0), rng.normal(1.0, 0.3, (3, 10)), np.full((2, 10), 9.0)])
        rates, none = np.logspace(-5, 1, 7), np.zeros((6, 10), bool)
        one = choose_rate(rates[:6], values[:6], none, None)
        other = choose_rate(rates[:6], values[1:], none, None)
        assert one.chosen == other.chosen + 1


def test_one_value_for_each_rate_has_no_error_and_the_best_is_chosen():
    found = choose_rate(RATES, VALUES[:, :1], NONE[:, :1], 2)
    assert (found.chosen, found.as_good.sum()) == (1, 1)


def test_an_only_rate_is_chosen():
    assert choose_rate(RATES[:1], VALUES[:1], NONE[:1], None).chosen == 0


def test_gaps_are_paired_by_training():
    # One fold is hard for all rates: that says nothing of their difference.
    means, errors = gaps(np.array([[1.0, 5.0], [2.0, 6.0], [4.0, 6.0]]))
    assert means.tolist() == [0.0, 1.0, 2.0]
    assert errors.tolist() == [0.0, 0.0, 1.0]


def test_risk_counts_neighbours_half_as_much_and_repeats_the_ends():
    shares = np.array([[True, True], [True, False], [False, False], [False, False]])
    assert risk(shares).tolist() == [0.875, 0.5, 0.125, 0.0]


@pytest.mark.parametrize(
    ("default", "dead", "chosen"),
    [
        pytest.param(None, None, 2, id="the best mean"),
        pytest.param(1, None, 1, id="the configured one is as good"),
        pytest.param(0, None, 2, id="the configured one is worse"),
        pytest.param(1, 1, 2, id="the configured one kills"),
        pytest.param(None, 2, 0, id="the best kills, and none other is as good"),
    ],
)
def test_a_race_is_won_by_the_best_unless_the_configured_trial_is_as_good(default, dead, chosen):
    values = np.array([[5.0, 5.0], [1.0, 3.0], [2.0, 1.9]])
    if dead == 2:
        values[[0, 1]] = [[2.0, 2.0], [5.0, 5.0]]
    flags = NONE[:3].copy()
    if dead is not None:
        flags[dead] = True
    assert choose_trial(values, flags, default).chosen == chosen


def test_the_edge_is_the_lowest_or_highest_rate_of_several():
    assert [edge(RATES, place) for place in range(5)] == ["low", "", "", "", "high"]
    assert edge(RATES[:1], 0) == ""


def test_rates_beyond_an_end_have_the_same_spacing():
    assert beyond(RATES[::-1], "low", 2) == pytest.approx([1e-5, 1e-6])
    assert beyond(RATES, "high", 1) == pytest.approx([10.0])
