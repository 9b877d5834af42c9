"""One sweep that several processes work on, of one machine or of several that share its folder.

Each trains the cells that no other has begun (``cell_leases``). One of them is the writer: it prepares the folder, and
at the end writes the table, the report and MLflow. The leases save work; that a run is recorded once follows from the
way its part file is published (``ground.files.publish_file``).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lossbench.ground.errors import MissingEnvironmentError, Problem
from lossbench.ground.leases import Holder, Leases, leases_of
from lossbench.ground.machine import host_name

WRITER = "writer"
# The leases of other processes that share a sweep begin so, which no name of a cell does. Those of cells may be held by
# a cluster's jobs too.
HELPER = "@"
# What the writer's lease says once the folder is prepared: the others may begin.
READY = "ready"
POLL_SECONDS = 0.5


@contextmanager
def sharing(folder: Path) -> Iterator[Leases]:
    """Give the block the leases of a sweep's folder, which is made if it is not there, and give them back at its end.

    Raises
    ------
    MissingEnvironmentError
        If the folder cannot be written.
    """
    leases = leases_of(folder)
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            leases.take(WRITER)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise MissingEnvironmentError(
                Problem(f"{folder} cannot be written: {error.strerror}.", "set LOSSBENCH_HOME to another folder.")
            ) from None
        yield leases
    finally:
        leases.close()


@contextmanager
def joined(leases: Leases) -> Iterator[None]:
    """Have others know during the block that this process, which is not the writer, is at work on the sweep."""
    name = f"{HELPER}{host_name()}-{os.getpid()}"
    leases.take(name)
    try:
        yield
    finally:
        leases.release(name)


def is_of_a_command(name: str) -> bool:
    """Return whether a lease of this name is a command's, and not that of a job."""
    return name == WRITER or name.startswith(HELPER)


def beside(leases: Leases) -> list[Holder]:
    """Return the other commands at work on the sweep, once it is known of each whether it is."""
    leases.settle(is_of_a_command)
    return leases.others(is_of_a_command)


def writer_of(leases: Leases) -> Holder | None:
    """Return the other command that writes the sweep, once it is known whether it does; None if there is none."""
    leases.settle(lambda name: name == WRITER)
    return leases.holder(WRITER)


def wait_until_prepared(leases: Leases) -> Holder | None:
    """Wait until the writer has prepared the sweep's folder, and return it; None if there is no writer any more."""
    while (writer := writer_of(leases)) is not None and writer.state != READY:
        time.sleep(POLL_SECONDS)
    return writer


def is_at_work(folder: Path) -> bool:
    """Return whether another process is at work on a sweep: training, or on this machine writing it to MLflow."""
    return _is_tracked(folder) or bool(leases_of(folder).others())


def _is_tracked(folder: Path) -> bool:
    try:
        with (folder / ".tracking-lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
