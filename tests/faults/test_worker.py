"""Cells that take the process down in which they are trained, as a user meets them: the real command, real signals."""

import csv
import io
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from support.commands import run
from support.plans import plan
from support.processes import start, wait_for, workers

from lossbench.console import watcher
from lossbench.console.progress import Terminal
from lossbench.ground.run_ids import RunId
from lossbench.jobs.run_cell import run_cell
from lossbench.planning.plan import read_plan
from lossbench.results.part_files import read_run

MINE = """
import ctypes
import os

import tensorflow as tf


def sound(y_true, y_pred):
    return tf.reduce_mean(tf.square(y_true - y_pred), axis=-1)


def exits(y_true, y_pred):
    if "STAY" not in os.environ:
        print("about to leave")
        os._exit(7)
    return sound(y_true, y_pred)


def crashes(y_true, y_pred):
    ctypes.string_at(0)


def loops(y_true, y_pred):
    while True:
        pass


def stalls(y_true, y_pred):
    error = tf.square(y_true - y_pred)
    mean = tf.stop_gradient(tf.reduce_mean(error))
    if tf.executing_eagerly():
        # Not in the compiled program: the search for the best constant prediction, for one.
        return tf.reduce_mean(error, axis=-1)
    turns = tf.while_loop(lambda i: mean < LIMIT, lambda i: [i + 1], [tf.constant(0)])[0]
    return tf.reduce_mean(error, axis=-1) + 0.0 * tf.stop_gradient(tf.cast(turns, error.dtype))
"""
OPTIONS = ["-m", "dataset=regression", "name=own", "tracking.enabled=false", "report.yardsticks=false"]


def rows(home: Path) -> list[dict[str, str]]:
    with open(home / "multirun" / "own" / "results.csv") as file:
        return list(csv.DictReader(file))


def test_the_other_cells_are_trained_and_a_worker_that_was_killed_once_changes_nothing(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / "mine.py").write_text(MINE)
    functions = "loss.function=mine:sound,mine:exits,mine:crashes"
    process = start(home, *OPTIONS, "seeds=1", "epochs=2000", "loss=custom", functions)
    wait_for(lambda: list(home.glob("multirun/own/*/cell.json")))
    (worker,) = workers(home)
    os.kill(worker, signal.SIGKILL)
    said = process.communicate(timeout=120)[0]

    assert process.returncode == 1, said
    assert [row["status"] for row in rows(home)] == ["finished", "failed", "failed"]
    assert "seed=0: the process ended with status 7 while training seed=0; see the log" in said
    assert "seed=0: the process ended with signal 11 while training seed=0; see the log" in said
    assert not workers(home)

    exited, crashed = (Path(line.split("log: ")[1]).read_text() for line in said.splitlines() if "  log: " in line)
    assert "about to leave" in exited
    assert "Segmentation fault" in crashed
    assert "mine.py" in crashed

    monkeypatch.chdir(home)
    monkeypatch.setenv("LOSSBENCH_HOME", str(home))
    sweep = home / "multirun" / "own"
    cell = read_plan(sweep).cells[0]
    assert "the process ended with signal 9" in (sweep / cell.folder / "lossbench.log").read_text()
    run_cell(cell, tmp_path, [RunId(0)], 1)
    here, there = (read_run(folder / "parts" / "seed=0.npz") for folder in (tmp_path, sweep / cell.folder))
    assert here is not None
    assert there is not None
    assert here.info.scores == there.info.scores
    assert here.arrays.keys() == there.arrays.keys()
    assert all(np.array_equal(values, there.arrays[name]) for name, values in here.arrays.items())


@pytest.mark.parametrize("argv", [["--help"], ["dataset=circles", "plan=true"]])
def test_what_trains_nothing_starts_no_worker(tmp_path, argv):
    probe = "import sys\n"
    probe += "sys.addaudithook(lambda event, args: event == 'subprocess.Popen' and print(args, file=sys.stderr))\n"
    probe += f"sys.argv = ['lossbench', *{argv}]\nfrom lossbench.commands.main import main\nmain()"
    done = run(tmp_path, "-c", probe, command="python")
    assert (done.status, done.err) == (0, "")


def test_a_sweep_that_stands_still_says_so_once_and_names_the_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(watcher, "STILL_SECONDS", 0.2)
    still = plan("dataset=circles", "loss=hinge", "seeds=1")
    (cell,) = still.cells
    said = io.StringIO()
    terminal = Terminal(still, Console(file=said, width=200))
    with watcher.Watcher(still, terminal, {cell.folder: still.runs(cell)}, {}):
        wait_for(lambda: "\n" in said.getvalue())
        # Long enough for a second line.
        time.sleep(0.5)
    assert said.getvalue() == "no training has ended for 0.2 s; timeout=… gives up one that does not end.\n"


@pytest.mark.slow
def test_after_three_runs_the_others_of_the_cell_are_not_tried_and_rerun_failed_tries_all_again(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    options = [*OPTIONS, "seeds=5", "epochs=2", "loss=custom", "loss.function=mine:exits"]
    done = run(tmp_path, *options)
    assert done.status == 1
    reason = "the process ended with status 7"
    errors = [read_run(path).info.error for path in sorted(tmp_path.glob("multirun/own/*/parts/seed=*.npz"))]
    assert errors[:3] == [f"{reason} while training seed={seed}; see the log" for seed in range(3)]
    assert errors[3:] == [f"not tried: {reason}, as with 3 runs before; see the log"] * 2
    again = run(tmp_path, *options, "rerun=failed", STAY="1")
    assert (again.status, again.err) == (0, "")
    assert [row["status"] for row in rows(tmp_path)] == ["finished"] * 5


@pytest.mark.slow
def test_other_launchers_train_the_other_cells_too(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    options = [*OPTIONS, "seeds=1", "epochs=2", "loss=custom", "loss.function=mine:sound,mine:exits", *launcher]
    done = run(tmp_path, *options)
    assert done.status == 1
    assert "the process ended with status 7 while training seed=0; see the log" in done.out
    assert [row["status"] for row in rows(tmp_path)] == ["finished", "failed"]
    assert not workers(tmp_path)


@pytest.mark.slow
def test_a_loss_that_never_returns_is_given_up_after_the_timeout(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    options = [*OPTIONS, "seeds=1", "epochs=2", "loss=custom", "loss.function=mine:loops,mine:sound", "timeout=5"]
    done = run(tmp_path, *options)
    assert done.status == 1
    assert "no end after 5 s (timeout) while the training was prepared and compiled" in done.out
    assert [row["status"] for row in rows(tmp_path)] == ["failed", "finished"]


@pytest.mark.slow
def test_a_run_that_stands_still_is_given_up_and_those_beside_it_are_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    # All rows in one batch, so that the loss of each step and split is one number.
    options = [*OPTIONS, "seeds=4", "epochs=3", "batch_size=1000", "loss=custom"]
    (tmp_path / "mine.py").write_text(MINE)
    own = plan(*options, "loss.function=mine:sound")
    (cell,) = own.cells
    run_cell(cell, tmp_path / "sound", own.runs(cell), 1)
    found = [read_run(tmp_path / "sound" / "parts" / f"seed={seed}.npz") for seed in range(4)]
    lowest = [min(curve.min() for name, curve in each.curves.items() if name.endswith("loss")) for each in found]
    (tmp_path / "mine.py").write_text(f"LIMIT = {np.mean(sorted(lowest)[:2])}\n{MINE}")
    done = run(tmp_path, *options, "loss.function=mine:stalls", "timeout=6")
    assert done.status == 1
    assert f"seed={np.argmin(lowest)}: no end after 6 s (timeout)\n" in done.out
    assert [row["status"] for row in rows(tmp_path)].count("finished") == 3


@pytest.mark.slow
def test_ten_cells_that_fail_alike_end_the_sweep(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    rates = ",".join(f"0.{i:02d}" for i in range(1, 13))
    options = [*OPTIONS, "seeds=1", "epochs=2", "loss=custom", "loss.function=mine:exits"]
    done = run(tmp_path, *options, f"optimizer.learning_rate={rates}")
    assert done.status == 1
    assert "ended early: 10 cells in a row failed for one reason: the process ended with status 7" in done.out
    assert [row["status"] for row in rows(tmp_path)] == ["failed"] * 10 + ["missing"] * 2
