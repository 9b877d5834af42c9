"""What follows from the trials of a study, and what is said of it."""

import pytest
from support.plans import plan

from lossbench.config.search_space import LEARNING_RATE
from lossbench.planning.plan import Cell
from lossbench.tuning.conclusion import added_rates, conclude, racers
from lossbench.tuning.study_files import Trial

NAMES = ["1.1", "1.2"]


def cell(*argv: str) -> Cell:
    return plan("tune=learning_rate", "dataset=circles", *argv).cells[0]


def trial(number: int, rate: float, values: list[float | None], dead: bool = False, **others: float) -> Trial:
    there = [value for value in values if value is not None]
    return Trial(
        number=number,
        parameters={LEARNING_RATE: rate, **others},
        status="failed" if dead else "finished",
        value=sum(there) / len(there) if there else None,
        values=dict(zip(NAMES, values, strict=True)),
        reason="2 of 2 diverged" if dead else "",
        started=float(number),
        ended=number + 1.0,
        dead=NAMES if dead else [],
    )


# Accuracy: higher is better.
PEAK = [trial(i, rate, [v, v]) for i, (rate, v) in enumerate([(0.001, 0.6), (0.01, 0.8), (0.1, 0.9), (1.0, 0.5)])]


def test_the_outcome_says_what_was_chosen_from_what():
    found = conclude(cell(), PEAK, NAMES, 500)
    assert (found.number, found.learning_rate, found.value) == (2, 0.1, 0.9)
    assert (found.default, found.kept, found.rule) == (0.01, False, "range")
    assert found.tolerance == (0.1, 0.1)
    assert found.points == (
        (0.001, 0.6, 0.0, False),
        (0.01, 0.8, 0.0, False),
        (0.1, 0.9, 0.0, True),
        (1.0, 0.5, 0.0, False),
    )
    assert (found.started, found.ended, found.n_failed) == (0.0, 4.0, 0)
    assert (found.warning, found.problem) == ("", "")


def test_the_configured_rate_is_kept_if_nothing_is_clearly_better():
    flat = [trial(0, 0.001, [0.8, 0.9]), trial(1, 0.01, [0.9, 0.8]), trial(2, 0.1, [0.86, 0.86])]
    found = conclude(cell(), flat, NAMES, 50)
    assert (found.learning_rate, found.kept, found.tolerance) == (0.01, True, (0.001, 0.1))
    # Nothing was chosen, so it is no guess.
    assert found.warning == ""


def test_few_rows_are_a_warning():
    assert conclude(cell(), PEAK, NAMES, 99).warning == (
        "only 99 rows judge a learning rate: its choice is little more than a guess"
    )
    assert conclude(cell(), PEAK, NAMES, 100).warning == ""


def test_a_study_whose_trials_all_failed_reports_the_problem():
    outcome = conclude(cell(), [trial(i, 0.5 + i, [0.5, 0.5], dead=True) for i in range(2)], NAMES, 500)
    assert (outcome.parameters, outcome.n_failed, outcome.tolerance) == ({}, 2, ())
    assert outcome.problem == "no learning rate in [0.0001, 1.5] trains; widen the range (tune.low, tune.high)"


def test_folds_without_a_value_are_left_out():
    trials = [trial(0, 0.001, [0.6, None]), trial(1, 0.01, [0.8, None])]
    assert conclude(cell("tune.metric=roc_auc"), trials, NAMES, 500).learning_rate == 0.01
    nothing = [trial(i, rate, [None, None]) for i, rate in enumerate((0.001, 0.01))]
    assert conclude(cell("tune.metric=roc_auc"), nothing, NAMES, 500).parameters == {}


@pytest.mark.parametrize(
    ("values", "added", "edge"),
    [
        pytest.param([0.9, 0.8, 0.7], [1e-5, 1e-6, 1e-7, 1e-8], "low", id="low"),
        pytest.param([0.7, 0.8, 0.9], [0.1, 1.0, 10.0, 100.0], "high", id="high"),
        pytest.param([0.7, 0.9, 0.8], [], "", id="inside"),
    ],
)
def test_rates_are_added_beyond_the_end_at_which_the_choice_lies(values, added, edge):
    its = cell("tune.trials=3", "tune.low=1e-4", "tune.high=1e-2")
    trials = [trial(i, 10.0 ** (i - 4), [v, v]) for i, v in enumerate(values)]
    assert added_rates(its, trials, [NAMES]) == pytest.approx(added)
    assert conclude(its, trials, NAMES, 500).edge == edge


def test_widened_ranges_are_said_and_their_end_is_an_edge_again():
    its = cell("tune.trials=2", "tune.low=1e-3", "tune.high=1e-2")
    trials = [trial(i, rate, [v, v]) for i, (rate, v) in enumerate([(0.001, 0.6), (0.01, 0.7), (0.1, 0.8)])]
    found = conclude(its, trials, NAMES, 500)
    assert (found.low, found.high, found.widened, found.edge) == (0.001, 0.1, "high", "high")
    assert found.warning == "learning rate 0.1 lies at the edge of [0.001, 0.1]; widen it with tune.high=…"


def test_the_five_best_race_and_the_configured_values_with_them():
    its = cell("tune.space={optimizer.momentum: [0.0,0.9]}")
    trials = [trial(i, 0.02 + i, [0.9 - 0.01 * i] * 2, **{"optimizer.momentum": 0.5}) for i in range(7)]
    trials.append(trial(7, 0.01, [0.1, 0.1], **{"optimizer.momentum": 0.9}))
    assert [each.number for each in racers(its, trials, NAMES)] == [0, 1, 2, 3, 4, 7]
    assert [each.number for each in racers(its, trials[:7], NAMES)] == [0, 1, 2, 3, 4]
    assert racers(its, [trial(0, 0.1, [0.5, 0.5], dead=True)], NAMES) == []
