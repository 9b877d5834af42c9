"""What holds when runs are written into MLflow's SQLite database: under kills, beside other writers, and again."""

import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy.exc import OperationalError
from support.commands import environment
from support.mlflow_store import mlflow_runs, seed_runs
from support.untrained import untrained_sweep, write_run, write_runs

from lossbench.config.mlflow_environment import SETTINGS
from lossbench.config.paths import default_store
from lossbench.tracking import direct_writer
from lossbench.tracking.tracker import Tracker

TESTS = Path(__file__).parents[1]
N_SEEDS = 2
# Two cells.
N_RUNS = 2 * N_SEEDS


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    """A folder with an MLflow database without runs. Creating its schema takes 2 s."""
    home = tmp_path_factory.mktemp("empty")
    MlflowClient(f"sqlite:///{home}/mlflow.db").search_experiments()
    return home / "mlflow.db"


@pytest.fixture
def home(empty, tmp_path, monkeypatch) -> Path:
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(empty.read_bytes())
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(params=["directly", "through the client"])
def way(request, monkeypatch) -> str:
    if request.param != "directly":
        # To a store with an unknown schema all runs go through the client.
        monkeypatch.setattr(direct_writer, "KNOWN_SCHEMAS", set())
    return request.param


def write(plan, found) -> None:
    tracker = Tracker(plan, default_store())
    tracker.add_runs(found)
    tracker.close()


def active(home: Path) -> dict[str, str]:
    """Return the ids of all seeds' runs that are not deleted, by key; a key that is there twice is an error."""
    runs = [run for run in mlflow_runs(home) if run["kind"] == "run" and run["stage"] == "active"]
    assert len({run["run_key"] for run in runs}) == len(runs)
    return {run["run_key"]: run["id"] for run in runs}


# ---- Again.


@pytest.mark.usefixtures("way")
def test_writing_the_same_runs_again_changes_nothing(home):
    plan = untrained_sweep(N_SEEDS)
    found = write_runs(plan)
    write(plan, found)
    before, ids = seed_runs(home), active(home)
    assert len(ids) == N_RUNS
    write(plan, found)
    assert (seed_runs(home), active(home)) == (before, ids)


@pytest.mark.usefixtures("way")
def test_a_run_that_the_user_deleted_stays_deleted(home):
    plan = untrained_sweep(N_SEEDS)
    found = write_runs(plan)
    write(plan, found)
    key, run_id = next(iter(active(home).items()))
    MlflowClient(default_store()).delete_run(run_id)
    write(plan, found)
    assert len(active(home)) == N_RUNS - 1
    assert key not in active(home)


@pytest.mark.usefixtures("way")
def test_a_run_that_was_trained_again_replaces_its_mlflow_run_once(home):
    plan = untrained_sweep(N_SEEDS)
    found = write_runs(plan)
    write(plan, found)
    before = active(home)
    found[0] = write_run(plan, plan.cells[0], 0, started=5000.0)
    key = found[0][1].info.key
    for _ in range(3):
        write(plan, found)
        after = active(home)
        assert len(seed_runs(home)) == N_RUNS + 1
        assert {k for k in after if after[k] != before[k]} == {key}
    # A user who deletes the new one wants neither.
    MlflowClient(default_store()).delete_run(after[key])
    write(plan, found)
    assert key not in active(home)


def test_a_run_that_the_client_left_unfinished_is_completed(home, monkeypatch):
    plan = untrained_sweep(N_SEEDS)
    found = write_runs(plan)
    with monkeypatch.context() as patch:
        patch.setattr(direct_writer, "KNOWN_SCHEMAS", set())
        write(plan, found)
    whole, ids = seed_runs(home), active(home)
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db")) as db, db:
        db.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE name LIKE '%seed=0'")
        db.execute("DELETE FROM metrics WHERE key = 'train/loss' AND step > 3")
        db.execute("UPDATE latest_metrics SET step = 3, value = 9 WHERE key = 'train/loss'")
        db.execute("DELETE FROM latest_metrics WHERE key = 'final/test/accuracy'")
        db.execute("DELETE FROM params WHERE key = 'seed'")
    write(plan, found)
    of_seed_0 = [run for run in whole if run[0].endswith("-0")]
    assert [run for run in seed_runs(home) if run[0].endswith("-0")] == of_seed_0
    assert active(home) == ids


# ---- Kills.


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_before_any_statement_leaves_all_or_nothing_and_the_next_start_continues(tmp_path, step):
    command = [sys.executable, "-m", "support.killed_writer", str(tmp_path), str(N_SEEDS), str(step)]
    own = environment(tmp_path, PYTHONPATH=str(TESTS), **SETTINGS)
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert [kill["killed"] for kill in kills] == [True] * (len(kills) - 1) + [False]
    # The runs are written by five statements each.
    assert len(kills) * step > 5 * N_RUNS
    whole = kills[-1]["left"]
    assert len({key for key, *_ in whole}) == len(whole) == N_RUNS
    for kill in kills:
        assert all(run in whole for run in kill["left"]), kill["at"]
        assert kill["after"] == whole, kill["at"]


# ---- Other writers and readers.


@contextmanager
def held(home: Path, seconds: float):
    """Hold the database for some time, as another process that writes, and return while it does."""
    program = "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
    program += "db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); time.sleep(float(sys.argv[2])); "
    program += "db.execute('COMMIT'); db.close()"
    command = [sys.executable, "-c", program, str(home / "mlruns" / "mlflow.db"), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def opened(plan, found) -> Tracker:
    """Return a tracker that has made the cells' runs already, which the client writes."""
    tracker = Tracker(plan, default_store())
    for own, run in found:
        tracker._prepare(own, run)
    return tracker


@pytest.mark.parametrize("busy_seconds", [20, pytest.param(0.1, id="longer than one statement waits")])
def test_a_database_that_another_process_holds_is_waited_for(home, monkeypatch, busy_seconds):
    monkeypatch.setattr(direct_writer, "BUSY_SECONDS", busy_seconds)
    plan = untrained_sweep(N_SEEDS)
    found = write_runs(plan)
    tracker = opened(plan, found)
    with held(home, 1.0) as process:
        tracker.add_runs(found)
        assert process.wait() == 0
    tracker.close()
    assert len(active(home)) == N_RUNS


def test_a_database_that_is_held_for_too_long_is_an_error_and_the_runs_can_be_written_later(home, monkeypatch):
    monkeypatch.setattr(direct_writer, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(direct_writer, "PATIENCE_SECONDS", 0.3)
    plan = untrained_sweep(N_SEEDS)
    found = write_runs(plan)
    tracker = opened(plan, found)
    with held(home, 600) as process:
        with pytest.raises(OperationalError, match="database is locked"):
            tracker.add_runs(found)
        process.kill()
    assert not active(home)
    tracker.add_runs(found)
    tracker.close()
    assert len(active(home)) == N_RUNS


def test_an_experiment_that_the_user_deletes_meanwhile_gets_no_runs(home):
    plan = untrained_sweep(N_SEEDS)
    found = write_runs(plan)
    tracker = opened(plan, found)
    tracker.client.delete_experiment(tracker.experiment_id)
    with pytest.raises(RuntimeError, match="was deleted"):
        tracker.add_runs(found)
    assert not seed_runs(home)


def test_two_sweeps_and_a_reader_share_a_store(home):
    plans = [replace(untrained_sweep(20), name=name) for name in ("one", "two")]
    found = [write_runs(plan) for plan in plans]
    trackers = [opened(plan, runs) for plan, runs in zip(plans, found, strict=True)]
    reader = MlflowClient(default_store())
    experiments = [tracker.experiment_id for tracker in trackers]

    def write_one_by_one(tracker: Tracker, runs: list) -> None:
        for run in runs:
            tracker.add_runs([run])

    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(write_one_by_one, *both) for both in zip(trackers, found, strict=True)]
        n_seen = [0]
        while not all(task.done() for task in tasks):
            seen = reader.search_runs(experiments, "tags.kind = 'run'")
            # A reader never sees a part of a run.
            assert {(len(run.data.metrics), run.info.status) for run in seen} <= {(8, "FINISHED")}
            n_seen.append(len(seen))
        for task in tasks:
            task.result()
    for tracker in trackers:
        tracker.close()
    assert n_seen == sorted(n_seen)
    keys = [run["run_key"] for run in mlflow_runs(home) if run["kind"] == "run"]
    assert len(keys) == 2 * len(set(keys)) == 80
