"""The process that writes MLflow beside a sweep: what it is told, and that it may end at any moment."""

import subprocess
import time

import pytest
from support.commands import run

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
