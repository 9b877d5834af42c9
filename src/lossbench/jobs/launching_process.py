"""Ends a job on this machine when the process that launched it has ended, even if that was killed.

Launchers do not: joblib's processes end minutes later, and those of submitit's local jobs train to the end. The next
start of the sweep would then train the same runs beside them.
"""

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lossbench.jobs.worker.supervision import supervisor

# In the environment of jobs that end with the process that launched them: its id.
LAUNCHED_BY = "LOSSBENCH_LAUNCHED_BY"
# Where the system cannot tell that a process ends, it is looked for so often.
POLL_SECONDS = 0.5


@contextmanager
def ending_with_this_process() -> Iterator[None]:
    """Have jobs that are launched inside the block end with this process."""
    os.environ[LAUNCHED_BY] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[LAUNCHED_BY]


def end_with_launching_process() -> None:
    """Have this job, and the worker that trains for it, end when the process that launched it does.

    If it has ended already, so does this one at once. In the process itself, and in a cluster's jobs, nothing happens.
    """
    named = os.environ.get(LAUNCHED_BY, "")
    if named.isdigit() and int(named) != os.getpid() and not _watched:
        _watched.add(int(named))
        threading.Thread(target=_end_after, args=(int(named),), name="end-with-launcher", daemon=True).start()


# The launching process that is waited for. joblib's processes do one job after the other.
_watched: set[int] = set()


def _end_after(process: int) -> None:
    _wait_for_end(process)
    supervisor.end()
    os._exit(1)


def _wait_for_end(process: int) -> None:
    """Wait until a process has ended; a zombie, which nobody has asked for its status, counts as ended."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        _poll_for_end(process)
        return
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    waiting.poll()


def _poll_for_end(process: int) -> None:
    try:
        while True:
            os.kill(process, 0)
            time.sleep(POLL_SECONDS)
    except ProcessLookupError:
        return
