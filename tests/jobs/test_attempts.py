"""What of a task is tried again and what has failed, for each way in which a worker can be lost."""

import signal
import time

import pytest
from support.plans import plan

from lossbench.jobs.worker.attempts import Attempts
from lossbench.jobs.worker.process import DiedError
from lossbench.jobs.worker.tasks import AHEAD, PREPARATION, STUDY, CellTask, YardsticksTask
from lossbench.planning.yardsticks import yardsticks
from lossbench.results.part_files import FAILED, read_run

KILLED, CRASHED, LEFT = DiedError(-signal.SIGKILL), DiedError(-signal.SIGSEGV), DiedError(7)


@pytest.fixture
def cell_task(tmp_path):
    def make(*argv: str) -> CellTask:
        made = plan("dataset=circles", "loss=hinge", *argv)
        return CellTask(made.cells[0], tmp_path, made.runs(made.cells[0]))

    return make


def errors(task) -> dict[str, str]:
    """Return the error of each part that was written as failed."""
    found = {part: read_run(path) for part, path in task.paths.items()}
    assert all(run.info.status == FAILED for run in found.values() if run)
    return {part: run.info.error for part, run in found.items() if run}


def died(attempts: Attempts, error: DiedError, *others: str) -> None:
    attempts.died(error, dict.fromkeys([*attempts.next, *others], 0.0))


def test_only_a_run_that_was_alone_is_to_blame(cell_task):
    task = cell_task("seeds=3")
    attempts = Attempts(task, None)
    died(attempts, CRASHED)
    assert errors(task) == {}
    assert attempts.next == ["seed=0"]
    died(attempts, CRASHED)
    assert errors(task) == {"seed=0": "the process ended with signal 11 while training seed=0; see the log"}
    attempts.ended()
    assert attempts.next == ["seed=2"]


@pytest.mark.parametrize("error", [KILLED, DiedError(-signal.SIGTERM)])
def test_after_a_signal_from_outside_a_run_has_a_second_try(cell_task, error):
    task = cell_task("seeds=1")
    attempts = Attempts(task, None)
    died(attempts, error)
    assert (errors(task), attempts.next) == ({}, ["seed=0"])
    died(attempts, error)
    assert errors(task).keys() == {"seed=0"}
    assert not attempts.left


def test_a_run_is_not_to_blame_for_what_was_compiled_beside_it(cell_task):
    task = cell_task("seeds=1")
    attempts = Attempts(task, None)
    died(attempts, CRASHED, AHEAD)
    assert errors(task) == {}
    died(attempts, CRASHED)
    assert errors(task).keys() == {"seed=0"}


def test_after_three_runs_that_died_alike_the_others_are_not_tried(cell_task):
    task = cell_task("seeds=6")
    attempts = Attempts(task, None)
    for error in (LEFT, LEFT, CRASHED, LEFT, LEFT):
        died(attempts, error)
    assert not attempts.left
    reason = "the process ended with status 7"
    assert errors(task)["seed=1"] == "the process ended with signal 11 while training seed=1; see the log"
    assert [errors(task)[f"seed={seed}"] for seed in (4, 5)] == [
        f"not tried: {reason}, as with 3 runs before; see the log"
    ] * 2


def test_a_study_in_which_the_process_dies_twice_fails_its_cell(cell_task):
    task = cell_task("seeds=2", "tune=learning_rate")
    attempts = Attempts(task, None)
    for n_failed in (0, 2):
        attempts.died(CRASHED, {STUDY: 0.0, f"{STUDY}: trial 0, training 0": 0.0})
        assert len(errors(task)) == n_failed
    assert set(errors(task).values()) == {
        "the process ended with signal 11 while searching the learning rate; see the log"
    }


def test_a_run_that_is_late_fails_and_those_beside_it_stay_open(cell_task):
    task = cell_task("seeds=3")
    attempts, now = Attempts(task, 5.0), time.monotonic()
    doing = {"seed=0": now - 6, "seed=1": now - 4, AHEAD: now - 60, STUDY: now - 60}
    assert attempts.late(doing) == ["seed=0"]
    attempts.stood_still(["seed=0"], doing)
    assert errors(task) == {"seed=0": "no end after 5 s (timeout)"}
    assert attempts.next == ["seed=1", "seed=2"]
    assert Attempts(task, None).late(doing) == []


@pytest.mark.parametrize(
    ("late", "said"),
    [
        (PREPARATION, "no end after 5 s (timeout) while the training was prepared and compiled"),
        (f"{STUDY}: trial 3, training 1", "no end after 5 s (timeout) of a training while searching the learning rate"),
    ],
)
def test_what_all_runs_need_fails_all_if_it_is_late(cell_task, late, said):
    task = cell_task("seeds=2")
    attempts = Attempts(task, 5.0)
    attempts.stood_still([late], {late: 0.0, AHEAD: 0.0} if late == PREPARATION else {late: 0.0})
    # A preparation is slowed down by what is compiled beside it.
    assert len(errors(task)) == (0 if late == PREPARATION else 2)
    attempts.stood_still([late], {late: 0.0})
    assert set(errors(task).values()) == {said}


def test_yardsticks_are_tried_in_the_same_way(tmp_path):
    made = plan("dataset=circles", "loss=hinge", "seeds=1")
    (wanted,) = yardsticks(made)
    task = YardsticksTask(wanted, tmp_path, wanted.parts)
    attempts = Attempts(task, None)
    assert attempts.next == ["linear,seed=0", "boosting,seed=0"]
    died(attempts, CRASHED)
    died(attempts, CRASHED)
    assert errors(task) == {
        "linear,seed=0": "the process ended with signal 11 while training linear,seed=0; see the log"
    }
    assert attempts.next == ["boosting,seed=0"]
