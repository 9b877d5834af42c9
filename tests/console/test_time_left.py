"""The time left, on sweeps whose times are known: as they were worked at, one after the other or several at a time."""

import pytest

from lossbench.console.stages import RUNS, TRIALS, YARDSTICKS, Stage
from lossbench.console.time_left import BESIDE, FIRST, seconds_left, union

COMPILING = 2.0
# Of a training of size 1; the first of a stage takes longer.
PACE, AT_FIRST = 0.01, 0.2


def worked(stages: list[Stage], *, real: dict[int, float] | None = None, at_a_time: int = 1) -> list[tuple]:
    """Work at stages, and return at 100 moments the moment and the time that was estimated to be left.

    Parameters
    ----------
    real : dict
        What a training takes really in comparison to its size, by the place of its stage.
    """
    ended, lanes, ahead, known = [], [0.0] * at_a_time, 0.0, set()
    for place, stage in enumerate(stages):
        lane = lanes.index(min(lanes))
        new = set(stage.programs) - known
        known |= new
        needed = COMPILING * (len(new) + (FIRST - 1.0 if new and not place else 0.0))
        begin = lanes[lane] + max(0.05, needed - ahead)
        moment = begin + AT_FIRST
        for each in range(stage.n_left):
            began = begin if each == 0 else moment
            moment += PACE * stage.size * (real or {}).get(place, 1.0)
            ended.append((moment, stage, began))
        ahead = max(0.0, ahead - needed) + BESIDE * (moment - begin)
        lanes[lane] = moment
    found = []
    for place, (moment, stage, began) in enumerate(sorted(ended, key=lambda each: each[0]), 1):
        stage.note(began, moment)
        if len(found) * len(ended) < 100 * place:
            found.append((moment, seconds_left(stages, 0.0, moment)))
    return [*found, (moment, seconds_left(stages, 0.0, moment))]


def cells(n: int, n_runs: int, *, n_trials: int = 0, n_programs: int | None = None) -> list[Stage]:
    stages = []
    for cell in range(n):
        program = cell if n_programs is None else cell % n_programs
        if n_trials:
            stages.append(Stage(TRIALS, "a", 8.0, ((TRIALS, program),), n_trials))
        stages.append(Stage(RUNS, "a", 1.0, ((RUNS, program),), n_runs))
    return stages


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param(cells(9, 30), id="compiling takes most"),
        pytest.param(cells(9, 3000), id="training takes most"),
        pytest.param(cells(6, 300, n_programs=2), id="programs are shared"),
        pytest.param(cells(4, 90, n_trials=100), id="tuned"),
        pytest.param(cells(1, 2000), id="one cell"),
        pytest.param([*cells(3, 200), Stage(YARDSTICKS, "a", 5.0, (), 20)], id="with yardsticks"),
        pytest.param([*cells(3, 300), Stage(RUNS, "b", 4.0, ("b",), 300)], id="another data set"),
    ],
)
def test_it_is_right_within_a_quarter_after_the_first_tenth(stages):
    found = worked(stages)
    end = found[-1][0]
    for moment, left in found[len(found) // 10 :]:
        # What is left is shown in whole seconds.
        assert left == pytest.approx(end - moment, rel=0.25, abs=1.0), moment
    assert found[-1][1] == 0.0


def test_cells_that_are_trained_at_the_same_time_share_the_time():
    found = worked(cells(8, 400), at_a_time=2)
    end = found[-1][0]
    for moment, left in found:
        # At the end one of the two has nothing to do.
        if 0.4 * end < moment < 0.8 * end:
            assert left == pytest.approx(end - moment, rel=0.4, abs=1.0), moment
    assert end < 0.7 * worked(cells(8, 400))[-1][0]


def test_a_size_that_misleads_is_corrected_by_the_first_trainings():
    stages = [*cells(2, 200), Stage(RUNS, "b", 1.0, ("b",), 2000)]
    found = worked(stages, real={2: 5.0})
    end = found[-1][0]
    for moment, left in found[30:]:
        assert left == pytest.approx(end - moment, rel=0.25, abs=1.0), moment


def test_nothing_is_said_before_a_training_has_ended():
    stages = cells(2, 10)
    assert seconds_left(stages, 0.0, 5.0) is None
    stages[0].note(5.0, 5.1)
    assert seconds_left(stages, 0.0, 5.1) > 0.0


def test_time_that_passes_until_the_next_training_ends_is_counted_but_not_without_end():
    stages = cells(2, 10)
    for place in range(10):
        stages[0].note(3.0 + place, 4.0 + place)
    at_once, later, late = (seconds_left(stages, 0.0, 13.0 + passed) for passed in (0.0, 1.0, 1000.0))
    assert later == pytest.approx(at_once - 1.0)
    assert 5.0 < late < at_once


def test_spans_that_overlap_count_once():
    assert union([]) == 0.0
    assert union([(5.0, 6.0), (0.0, 4.0), (1.0, 2.0), (3.0, 5.5)]) == 6.0
