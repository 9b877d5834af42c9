"""Commands as processes: how long they take, from outside, and how much memory."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEMORY_PERIOD = 0.1


@dataclass(frozen=True)
class Finished:
    """A process that has ended; memory in bytes, None where /proc does not say."""

    seconds: float
    cpu_seconds: float
    status: int
    output: str
    errors: str
    started: float
    peak_bytes: int | None


def script(name: str) -> list[str]:
    """Return the start of a command that runs one of our scripts."""
    return [sys.executable, str(HERE / name)]


def lossbench(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "lossbench"), *arguments]


def run(command: list[str], folder: Path | str, *, expect: int = 0) -> Finished:
    """Run a command in a folder that is also LOSSBENCH_HOME, and stop if it ends with another status."""
    kept = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    # TensorFlow's messages are not what is measured, and MLflow must not call home.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true", "LOSSBENCH_HOME": str(folder)}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        moment, started, cpu_started = time.time(), time.perf_counter(), cpu_seconds()
        process = subprocess.Popen(command, cwd=folder, env=kept | quiet, stdout=output, stderr=errors)
        memory = Memory(process.pid)
        status = process.wait()
        seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu_started
        peak = memory.stop()
        output.seek(0), errors.seek(0)
        finished = Finished(seconds, cpu, status, output.read(), errors.read(), moment, peak)
    if status != expect:
        tail = "\n".join((finished.errors or finished.output).splitlines()[-15:])
        raise SystemExit(f"error: {' '.join(command)} ended with status {status}:\n{tail}")
    return finished


def cpu_seconds() -> float:
    """Return what processes that have ended, and theirs, took of all processors."""
    times = os.times()
    return times.children_user + times.children_system


class Memory:
    """The most resident memory of a process and its descendants together, looked at ten times a second.

    Pages that several of them share are counted for each.
    """

    def __init__(self, pid: int):
        self.pid, self.peak = pid, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int | None:
        self._ended.set()
        self._thread.join()
        return self.peak or None

    def _watch(self) -> None:
        while not self._ended.wait(MEMORY_PERIOD):
            self.peak = max(self.peak, resident_bytes(self.pid))


def resident_bytes(pid: int) -> int:
    """Return what a process and its descendants hold; 0 where it cannot be read."""
    process = Path("/proc") / str(pid)
    try:
        own = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        children = [int(child) for task in (process / "task").iterdir() for child in _children(task)]
    except (OSError, IndexError):
        return 0
    return own + sum(map(resident_bytes, children))


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []
