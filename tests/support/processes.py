"""Sweeps in the background: started, waited for until files are there, and killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from support.commands import BIN, environment

PARTS, TRIALS = "multirun/*/*/parts/*seed=*.npz", "multirun/*/*/study/**/trial=*.json"


def start(home: Path, *arguments: str, **more: str) -> subprocess.Popen:
    """Start a sweep in a session of its own, as a terminal does, so that its children can be signalled with it."""
    return subprocess.Popen(
        [BIN / "lossbench", *arguments],
        env=environment(home, **more),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def workers(home: Path) -> list[int]:
    """Return the processes that train for a sweep that was started in this folder."""
    return processes_of(home, b"jobs.worker.inside")


def processes_of(home: Path, named: bytes = b"") -> list[int]:
    """Return the processes that work in this folder, and in whose command something is named."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if named in (path / "cmdline").read_bytes() and (path / "cwd").readlink() == home:
                found.append(int(path.name))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_files(home: Path, pattern: str, n_files: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(home.glob(pattern))) < n_files:
        assert time.monotonic() < deadline, f"fewer than {n_files} of {pattern}"
        time.sleep(0.005)


def kill(process: subprocess.Popen) -> None:
    """Kill a sweep and its children, and wait for its end and that of its worker, which ends with it."""
    home = Path(f"/proc/{process.pid}/cwd").readlink()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    wait_for(lambda: not workers(home), 5)


def kill_after(process: subprocess.Popen, home: Path, pattern: str, n_files: int) -> None:
    """Kill a sweep as soon as so many files are there."""
    wait_for_files(home, pattern, n_files)
    assert process.poll() is None, "it ended before it was killed"
    kill(process)
