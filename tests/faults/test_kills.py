"""Sweeps that are killed or disturbed at any moment, again and again, end as if nothing had happened."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.faults import amount
from support.invariants import check, records
from support.places import Place
from support.processes import wait_for

COMMAND = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=60", "seeds=40", "report.yardsticks=false", "name=cut"]
JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
# A cluster's jobs as processes of this machine: one for each of the two cells.
CLUSTER = ["hydra/launcher=slurm", "hydra.launcher.cluster=local", "hydra.launcher.cells_per_job=1"]
SEED = 2024


def kill_alone(place: Place, pid: int) -> None:
    """Kill a process alone, as the system does for want of memory."""
    os.kill(pid, signal.SIGKILL)


def kill_all(place: Place, pid: int) -> None:
    """Kill a process with its children, as a terminal does."""
    os.killpg(pid, signal.SIGKILL)


def kill_a_job(place: Place, pid: int) -> None:
    """Kill a job alone, as a node that fails does; all, if there is none yet or any more."""
    jobs = place.processes("submitit.core._submit")
    if jobs:
        os.kill(jobs[0], signal.SIGKILL)
    else:
        kill_all(place, pid)


# With joblib the processes that it has just started, which are not ours yet, end only with all of them. A sweep of jobs
# takes longer than one of a process.
LAUNCHERS = [
    pytest.param([], 1.0, amount(8, 40), [kill_alone, kill_all], id="basic"),
    pytest.param(JOBLIB, 1.0, amount(4, 40), [kill_all], id="joblib"),
    pytest.param(CLUSTER, 1.5, amount(2, 40), [kill_alone, kill_all, kill_a_job], id="cluster"),
]


@dataclass(frozen=True)
class Whole:
    """An uninterrupted sweep, and the seconds that it took."""

    table: Path
    seconds: float


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Whole:
    place = Place(tmp_path_factory.mktemp("whole"))
    began = time.monotonic()
    done = place.run(*COMMAND)
    seconds = time.monotonic() - began
    assert (done.status, done.err) == (0, "")
    check(place, "cut")
    return Whole(place.sweep("cut") / "results.csv", seconds)


@pytest.mark.parametrize(("launcher", "longer", "n_kills", "kills"), LAUNCHERS)
def test_a_sweep_that_is_killed_at_random_moments_ends_as_if_nothing_had_happened(
    tmp_path, whole, launcher, longer, n_kills, kills
):
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    killed = 0
    while killed < n_kills:
        place = Place(tmp_path / f"after-{killed}-kills")
        latest = longer * whole.seconds
        plan = [(chance.choice(kills), chance.uniform(0.1, latest)) for _ in range(n_kills - killed)]
        killed += killed_until_done(place, launcher, plan)
        check(place, "cut", whole=whole.table)


def killed_until_done(place: Place, launcher: list[str], kills: list[tuple[Callable, float]]) -> int:
    """Start a sweep and kill it, until it ends by itself or there are no more kills; return how often it was killed.

    Parameters
    ----------
    kills : list
        How each kill is sent, and after how many seconds: up to those of the whole sweep, so that they come in every
        part of it.
    """
    there: dict[Path, str] = {}
    for killed, (send, seconds) in enumerate(kills):
        process = place.start(*COMMAND, *launcher)
        time.sleep(seconds)
        if process.poll() is not None:
            said = process.communicate()[0]
            assert process.returncode == 0, said
            return killed
        print(f"{send.__name__} after {seconds:.2f} s, with {len(there)} runs there")
        send(place, process.pid)
        process.communicate(timeout=120)
        found = records(place)
        assert {path: found[path] for path in there} == there
        there = found
    done = place.run(*COMMAND, *launcher)
    assert (done.status, done.err) == (0, ""), done.out
    return len(kills)


@pytest.mark.parametrize("launcher", [pytest.param([], id="basic"), pytest.param(JOBLIB, id="joblib")])
def test_what_a_killed_sweep_had_started_ends_with_it(tmp_path, launcher):
    place = Place(tmp_path)
    process = place.start(*COMMAND, "epochs=4000", *launcher)
    try:
        wait_for(lambda: records(place))
        process.kill()
        process.communicate(timeout=30)
        wait_for(lambda: not place.processes(), 5)
    finally:
        place.end_all()


# ---- Other signals, and other processes.


def interrupt_twice(place: Place, pid: int) -> None:
    os.killpg(pid, signal.SIGINT)
    time.sleep(0.2)
    os.killpg(pid, signal.SIGINT)


def hang_up(place: Place, pid: int) -> None:
    os.killpg(pid, signal.SIGHUP)


def stop_for_a_while(place: Place, pid: int) -> None:
    """Stop all processes, as a laptop that is closed does, and let them go on."""
    processes = place.processes()
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for each in processes:
            os.kill(each, number)
        time.sleep(2)


def kill_the_writer(place: Place, pid: int) -> None:
    wait_for((place.work / "mlruns" / "mlflow.db").exists)
    (writer,) = place.processes("--follow")
    os.kill(writer, signal.SIGKILL)


def kill_the_writer_at_the_store(place: Place, pid: int) -> None:
    """Kill the process that writes MLflow while it makes the tables of a new store."""
    wait_for(lambda: [path for path in (place.work / "mlruns").glob("*mlflow.db*") if path.stat().st_size])
    (writer,) = place.processes("--follow")
    os.kill(writer, signal.SIGKILL)


def kill_in_the_report(place: Place, pid: int) -> None:
    wait_for(lambda: (place.sweep("cut") / "results.csv").exists())
    os.killpg(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("disturb", "statuses", "said"),
    [
        pytest.param(interrupt_twice, {130}, "", id="interrupted-twice"),
        pytest.param(hang_up, {-signal.SIGHUP}, "", id="terminal-closed", marks=pytest.mark.slow),
        pytest.param(stop_for_a_while, {0}, "browse them in MLflow", id="stopped-and-continued"),
        pytest.param(kill_the_writer, {0}, "MLflow could not be written", id="writer-killed", marks=pytest.mark.slow),
        pytest.param(kill_the_writer_at_the_store, {0}, "MLflow could not be written", id="writer-killed-at-the-store"),
        pytest.param(kill_in_the_report, {-signal.SIGKILL}, "", id="killed-in-the-report"),
    ],
)
def test_a_disturbed_sweep_ends_as_if_nothing_had_happened(tmp_path, whole, disturb, statuses, said):
    place = Place(tmp_path)
    process = place.start(*COMMAND)
    wait_for(lambda: records(place))
    disturb(place, process.pid)
    out = process.communicate(timeout=120)[0]
    assert process.returncode in statuses, out
    assert said in out
    assert "Traceback" not in out
    there = records(place)
    done = place.run(*COMMAND)
    assert (done.status, done.err) == (0, "")
    found = records(place)
    assert {path: found[path] for path in there} == there
    check(place, "cut", whole=whole.table)


def test_a_worker_that_is_killed_leaves_nothing(tmp_path):
    """Keras's own trainer: TensorFlow writes the Python that it makes of functions to temporary files."""
    place = Place(tmp_path)
    words = ["dataset=circles", "loss=bce", "trainer=fit", "seeds=2", "epochs=20", "name=fit"]
    process = place.start(*words, "tracking.enabled=false", "report.yardsticks=false")
    wait_for(lambda: list(place.temporary.rglob("__autograph_generated_file*")))
    (worker,) = place.processes("jobs.worker.inside")
    os.kill(worker, signal.SIGKILL)
    out = process.communicate(timeout=120)[0]
    assert process.returncode == 0, out
    check(place, "fit", tracked=False)
