"""A machine that runs out of disk, memory or file handles: one line with a way out, and the same command continues."""

import subprocess
from pathlib import Path

import pytest
from support.commands import BIN, Done, run
from support.disks import mounted
from support.memory import limited_memory

from lossbench.ground.shortages import problem_of_shortage, shortage
from lossbench.results.part_files import FINISHED, read_run

SMALL = "-m dataset=circles loss=bce,hinge seeds=4 epochs=3 tracking.enabled=false name=small"


def limited(home: Path, limit: str, words: str = SMALL) -> Done:
    """Run a sweep in a shell with a limit of the system's (``ulimit``)."""
    return run(home, "-c", f"ulimit {limit} && '{BIN / 'lossbench'}' {words}", command="/bin/bash")


@pytest.fixture
def small_disk(tmp_path):
    """A disk with room for some runs only."""
    disk = tmp_path / "disk"
    with mounted(disk, megabytes=1):
        yield disk


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(28, "No space left on device", "/data/x.npz"), "disk"),
        (MemoryError(), "memory"),
        (OSError(24, "Too many open files"), "file handles"),
        (ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"), "memory"),
    ],
)
def test_what_has_run_out_is_recognised_also_as_a_cause(error, what):
    outer = RuntimeError("the jobs could not run")
    outer.__cause__ = error
    problem = problem_of_shortage(outer)
    assert problem.message.startswith(f"out of {what}")
    assert problem.hint.endswith("what is finished stays, and the same command continues.")


def test_other_errors_are_not_taken_for_a_shortage():
    assert shortage("ValueError: shapes (3,) and (2,)") is None
    assert problem_of_shortage(RuntimeError("no")) is None


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        pytest.param("-v 1500000", "memory", id="memory"),
        pytest.param("-n 9", "file handles", id="file-handles"),
    ],
)
def test_a_limit_of_the_system_is_one_line_with_a_way_out(tmp_path, limit, what):
    words = SMALL if what == "memory" else SMALL.replace("tracking.enabled=false ", "")
    done = limited(tmp_path, limit, words)
    assert done.status == 3
    first, second = done.err.splitlines()
    assert first.startswith(f"error: out of {what}")
    assert second.endswith("the same command continues.")


def in_memory(home: Path, megabytes: int, words: str) -> Done:
    """Run a sweep with so much memory; what it takes more of is killed by the system."""
    with limited_memory(megabytes) as group:
        return run(home, "-c", f"echo $$ > {group} && '{BIN / 'lossbench'}' {words}", command="/bin/bash")


@pytest.mark.slow
def test_two_gigabytes_are_enough_for_the_tutorial(tmp_path):
    done = in_memory(tmp_path, 2000, "experiment=tutorial")
    assert (done.status, done.err) == (0, "")
    assert "MLflow could not be written" not in done.out
    assert len((tmp_path / "multirun" / "tutorial" / "results.csv").read_text(encoding="utf-8").splitlines()) == 271


@pytest.mark.slow
def test_a_worker_that_is_killed_for_want_of_memory_loses_nothing(tmp_path):
    done = in_memory(tmp_path, 400, SMALL)
    assert done.status in (1, 3)
    assert "Traceback" not in done.out + done.err
    if done.status == 3:
        first, second = done.err.splitlines()
        assert first.startswith("error: out of memory (the process that trains ended at its start with signal 9: ")
        assert second.endswith("the same command continues.")
    before = {path: path.read_bytes() for path in finished_parts(tmp_path)}
    again = run(tmp_path, *SMALL.split(), "rerun=failed")
    assert (again.status, again.err) == (0, "")
    assert {path: path.read_bytes() for path in before} == before
    assert len(finished_parts(tmp_path)) == 8


def finished_parts(home: Path) -> list[Path]:
    found = home.glob("multirun/small/*/parts/seed=*.npz")
    return [path for path in found if (run := read_run(path)) is not None and run.info.status == FINISHED]


@pytest.mark.slow
def test_64_file_handles_are_enough(tmp_path):
    done = limited(tmp_path, "-n 64", SMALL.replace("tracking.enabled=false ", ""))
    assert (done.status, done.err) == (0, "")
    assert "MLflow could not be written" not in done.out


def test_a_full_disk_is_one_line_and_the_same_command_continues(small_disk):
    words = SMALL.replace("seeds=4 epochs=3", "seeds=20 epochs=50").split()
    done = run(small_disk, *words)
    assert done.status == 3
    assert done.err.splitlines()[0].startswith("error: out of disk")
    assert len(done.err.splitlines()) == 2
    assert "Traceback" not in done.out
    before = {path: path.read_bytes() for path in small_disk.glob("multirun/small/*/parts/seed=*")}
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    again = run(small_disk, *words)
    assert (again.status, again.err) == (0, "")
    assert f"{len(before)} finished" in again.out.splitlines()[0]
    assert len(list(small_disk.glob("multirun/small/*/parts/seed=*.npz"))) == 40
    assert " failed" not in again.out
