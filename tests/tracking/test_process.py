"""The process that writes MLflow beside a sweep: what it is told, and that it may end at any moment."""

import os
import signal
import sqlite3
import subprocess
import time

import pytest
from support.commands import run
from support.mlflow_store import mlflow_runs
from support.processes import start, wait_for

from lossbench.planning.plan import read_plan
from lossbench.tracking.process import TrackingProcess


@pytest.fixture
def tracking(tmp_path, monkeypatch) -> TrackingProcess:
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    words = ("dataset=circles", "loss=hinge", "seeds=1", "epochs=1", "name=small", "tracking.enabled=false")
    assert run(tmp_path, *words).status == 0
    # Nobody has the lease to write, so the process ends by itself.
    return TrackingProcess(read_plan(tmp_path / "multirun" / "small"), "no lease")


def ended(process: subprocess.Popen) -> bool:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return process.returncode is not None


def test_one_that_has_ended_is_told_nothing_and_says_why_it_ended(tracking):
    tracking._process.kill()
    assert ended(tracking._process)
    tracking.note_trained()
    assert tracking.finish(interrupted=False).startswith("its process ended with status -9; see ")


def test_one_that_may_not_write_ends_without_an_error(tracking):
    assert ended(tracking._process)
    tracking.note_trained()
    assert tracking.finish(interrupted=False) == ""


def test_after_a_killed_start_with_other_settings_an_earlier_result_is_put_in_order_again(tmp_path):
    words = ("dataset=circles", "loss=hinge", "seeds=1", "name=small", "report.yardsticks=false")
    assert run(tmp_path, *words, "epochs=1").status == 0

    def status() -> str:
        try:
            return next(each["run_status"] for each in mlflow_runs(tmp_path) if each["kind"] == "sweep")
        except sqlite3.OperationalError:
            # It is being written.
            return ""

    assert status() == "FINISHED"
    killed = start(tmp_path, *words, "epochs=1000000")
    wait_for(lambda: status() == "RUNNING")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert run(tmp_path, *words, "epochs=1").status == 0
    assert status() == "FINISHED"
    assert "RUNNING" not in {each["run_status"] for each in mlflow_runs(tmp_path)}
