"""The worker as its parent sees it: a process that is started, given orders, listened to and ended."""

import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lossbench.ground.cores import thread_limits
from lossbench.ground.temporary import TemporaryFolder
from lossbench.jobs.worker.tasks import AHEAD, CellTask, Task
from lossbench.training.program_cache import ProgramFolder

# How long the worker is listened to before its parent looks whether it still runs.
POLL_SECONDS = 0.2
# The most bytes of a worker's output that go into a log.
MOST_SAID = 100_000
# Of the worker's environment: how it writes to its terminal.
OUTPUT = {"PYTHONIOENCODING": "utf-8:backslashreplace"}


@dataclass(frozen=True)
class Train:
    """The order to train some parts of a task, ``n_threads`` at a time, and to log from a level on."""

    task: Task
    parts: list[str]
    n_threads: int
    level: int


@dataclass(frozen=True)
class CompileAhead:
    """The order to compile the programs of these cells in a thread, in this order."""

    tasks: list[CellTask]


class DiedError(Exception):
    """The worker has ended by itself; the message says how."""

    def __init__(self, status: int):
        super().__init__(f"signal {-status}" if status < 0 else f"status {status}")
        # Whoever is out of memory, or terminated from outside, need not be to blame.
        self.is_from_outside = -status in (signal.SIGKILL, signal.SIGTERM)
        self.is_signal = status < 0


class Worker:
    """A worker process, started at once; it loads TensorFlow while its parent goes on.

    Attributes
    ----------
    doing : dict
        What it is at work on (the name of a part, or one of ``tasks``'s words), with the moment when it began, in
        seconds of the monotonic clock.
    is_ready : bool
        Whether it has loaded all that it needs.
    compiles_ahead : bool
        Whether it was ordered to.
    """

    def __init__(self) -> None:
        self.doing: dict[str, float] = {}
        self.is_ready = self.compiles_ahead = False
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._n_read = 0
        self._connection, theirs = multiprocessing.Pipe()
        # Of its own, because it ends without tidying up, and TensorFlow writes the Python that it makes of functions.
        self._folder = TemporaryFolder("worker")
        self._programs = ProgramFolder(self._folder.path / "programs")
        own = {**self._programs.environment, "TMPDIR": str(self._folder.path)}
        code = "from lossbench.jobs.worker.inside import main; main()"
        # -P: a user's file in the working directory, such as queue.py, must not be taken for one of Python's own.
        command = [sys.executable, "-P", "-c", code, str(theirs.fileno()), str(os.getpid())]
        # Not forked: threads and TensorFlow do not survive that, and a fresh process can load it beside the planning.
        # A session of its own: Ctrl-C reaches every process of the terminal's group, and a second one must find the
        # worker still writing what the first one let it finish.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env={**os.environ, **thread_limits(), **own, **OUTPUT},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()

    def order(self, order: Train | CompileAhead) -> None:
        """Give an order; the worker trains one task at a time, and compiles ahead meanwhile."""
        if isinstance(order, CompileAhead):
            self.compiles_ahead = True
            self.doing[AHEAD] = time.monotonic()
        # If the worker has died, ``is_done`` says so.
        with suppress(OSError):
            self._connection.send_bytes(pickle.dumps(order))

    def is_done(self) -> bool:
        """Listen for a moment, and return whether what was ordered has been trained; log what the worker logged.

        Raises
        ------
        DiedError
            If the worker has ended.
        """
        if not self._hears():
            if self._process.poll() is None or self._hears(0):
                return False
            raise DiedError(self._process.returncode)
        try:
            kind, content = self._connection.recv()
        except (EOFError, OSError):
            raise DiedError(self._process.wait()) from None
        self._note(kind, content)
        return kind == "done"

    def _hears(self, seconds: float = POLL_SECONDS) -> bool:
        try:
            return self._connection.poll(seconds)
        except OSError:
            return False

    def _note(self, kind: str, content: Any) -> None:
        if kind == "ready":
            self.is_ready = True
        elif kind == "began":
            self.doing[content] = time.monotonic()
        elif kind == "ended":
            self.doing.pop(content, None)
        elif kind == "log":
            logger = logging.getLogger(content.name)
            if logger.isEnabledFor(content.levelno):
                logger.handle(content)

    def said(self) -> str:
        """Return what the worker has written to its terminal since this was asked last: prints, and crashes."""
        n_there = os.fstat(self._output.fileno()).st_size
        first = max(self._n_read, n_there - MOST_SAID)
        self._n_read = n_there
        # The worker's place in the file is the parent's too, so this reads without moving it.
        return os.pread(self._output.fileno(), n_there - first, first).decode(errors="replace").strip()

    def interrupt(self) -> None:
        """Have the worker stop between epochs, and wait until it has; a second interrupt ends it at once."""
        try:
            self._process.send_signal(signal.SIGINT)
            while self._process.poll() is None:
                # Read, so that the worker can end, and dropped: the interrupt may have come in the middle of a message.
                if self._hears():
                    os.read(self._connection.fileno(), MOST_SAID)
        except OSError:
            # It closed the connection, and ends.
            self._process.wait()
        finally:
            self.end()

    def end(self, *, keep: bool = True) -> None:
        """End the worker at once, and keep the programs that it has compiled. All that is finished is on disk."""
        self._process.kill()
        self._process.wait()
        self._connection.close()
        self._output.close()
        self._programs.close(keep=keep)
        self._folder.close()
