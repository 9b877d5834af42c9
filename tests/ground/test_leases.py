"""Leases on a folder: one process has each, and it is free again when that process ends, or stops changing it."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest
from support.processes import wait_for

from lossbench.ground.errors import UsageError
from lossbench.ground.leases import FOLDER, SECONDS, SIZE, Leases, is_held, leases_of

HOLD = """
import sys, time
from pathlib import Path
from lossbench.ground.errors import UsageError
from lossbench.ground.leases import Leases
leases = Leases(Path(sys.argv[1]))
assert leases.take("writer", "ready")
time.sleep(60)
"""


@pytest.fixture
def another(tmp_path, monkeypatch):
    """Another process that holds a lease, which expires after a second without a change."""
    monkeypatch.setenv(SECONDS, "1")
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)])
    # Its file is there a moment before it says whose it is.
    wait_for(lambda: (found := Leases(tmp_path).holder("writer")) and found.state == "ready")
    yield process
    process.kill()
    process.wait()


def files(folder) -> list[str]:
    return sorted(path.name for path in (folder / FOLDER).glob("*"))


def test_one_of_many_that_want_a_lease_at_once_has_it(tmp_path):
    several = [Leases(tmp_path) for _ in range(16)]
    with ThreadPoolExecutor(len(several)) as pool:
        got = list(pool.map(lambda each: each.take("cell=0.5"), several))
    assert sum(got) == 1
    (holder,) = [each for each, is_its in zip(several, got, strict=True) if is_its]
    assert holder.holds("cell=0.5")
    assert holder.take("cell=0.5")
    assert (holder.taken, holder.refused) == ({"cell=0.5"}, set())
    assert {tuple(each.refused) for each in several if each is not holder} == {("cell=0.5",)}
    holder.release("cell=0.5")
    assert several[got.index(False)].take("cell=0.5")


def test_a_lease_that_is_changed_stays_and_tells_whose_it_is(tmp_path, another):
    mine = Leases(tmp_path)
    for _ in range(12):
        assert not mine.take("writer")
        time.sleep(0.15)
    (holder,) = mine.others()
    assert (holder.process, holder.state, holder.is_here) == (another.pid, "ready", True)
    assert str(holder).endswith(f"(process {another.pid}, since {holder.since})")


def test_a_process_that_was_killed_holds_nothing(tmp_path, another, monkeypatch):
    # Of a process of this machine nobody waits for the expiry.
    monkeypatch.setenv(SECONDS, "1000")
    mine = Leases(tmp_path)
    assert mine.holder("writer")
    another.kill()
    # Nobody has asked for its status yet.
    wait_for(lambda: mine.holder("writer") is None, 5)
    another.wait()
    assert mine.take("writer")
    assert files(tmp_path) == ["writer.2"]
    mine.close()
    assert not (tmp_path / FOLDER).exists()


def test_who_was_stopped_beyond_the_expiry_has_lost_it_and_changes_nothing(tmp_path, another):
    mine = Leases(tmp_path)
    token = mine.holder("writer").token
    another.send_signal(signal.SIGSTOP)
    wait_for(lambda: mine.take("writer"), 5)
    assert not is_held(tmp_path, "writer", token)
    another.send_signal(signal.SIGCONT)
    time.sleep(1)
    assert mine.holds("writer")
    assert files(tmp_path) == ["writer.2"]


def test_of_another_machine_only_its_changes_tell_whether_it_is_at_work(tmp_path, another):
    """Its process ids and its clock mean nothing here."""
    here = Leases(tmp_path).holder("writer")
    (tmp_path / FOLDER).mkdir(exist_ok=True)
    path, far = tmp_path / FOLDER / "cell.1", replace(here, machine="another", process=1, seconds=1.5, token="far")

    def change(beat: int) -> None:
        path.write_bytes(json.dumps({**asdict(far), "beat": beat}).encode().ljust(SIZE))

    change(1)
    os.utime(path, (0, 0))
    mine = Leases(tmp_path)
    assert not mine.take("cell")
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        settled = pool.submit(mine.settle)
        time.sleep(0.5)
        assert not settled.done()
        change(2)
        settled.result(timeout=5)
    assert time.monotonic() - began < 1.5
    assert not mine.take("cell")
    mine.settle()
    wait_for(lambda: mine.take("cell"), 5)
    # A process that has not seen it before waits until it knows.
    change(3)
    fresh = Leases(tmp_path)
    path.rename(tmp_path / FOLDER / "other.1")
    assert fresh.holder("other")
    fresh.settle(lambda name: name == "writer")
    assert fresh.holder("other")
    fresh.settle(lambda name: name == "other")
    assert fresh.holder("other") is None


def test_a_lease_that_says_nothing_yet_is_held_for_a_moment(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "cell.1").touch()
    mine = Leases(tmp_path)
    assert not mine.take("cell")
    # Its process was killed before it wrote.
    wait_for(lambda: mine.take("cell"), 20)


def test_a_folder_has_the_same_leases_whatever_it_is_called(tmp_path):
    assert leases_of(tmp_path / "a" / ".." / "b") is leases_of(tmp_path / "b")


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan"])
def test_the_seconds_are_a_number_above_0(tmp_path, monkeypatch, text):
    monkeypatch.setenv(SECONDS, text)
    with pytest.raises(UsageError, match=rf"LOSSBENCH_LEASE_SECONDS must be a number above 0; got '{text}'"):
        Leases(tmp_path).take("writer")
    assert files(tmp_path) == []
