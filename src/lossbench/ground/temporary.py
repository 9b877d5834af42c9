"""Temporary folders that do not outlive their process: what a killed one has left, the next one removes."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"


class TemporaryFolder:
    """A new folder among the system's temporary files, until it is closed.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, prefix: str):
        _remove_left(prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        # The system frees the lock when the process ends, even if it is killed.
        self._lock = open(self.path / f"{LOCK}-new", "wb")  # noqa: SIM115
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Under its name only once it is held: another process would take it for one that was left.
        (self.path / f"{LOCK}-new").rename(self.path / LOCK)

    def close(self) -> None:
        """Delete the folder."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def own_temporary_files(prefix: str) -> Iterator[None]:
    """Have all temporary files of this process made in a folder of its own, which is deleted at the end."""
    folder, before = TemporaryFolder(prefix), tempfile.tempdir
    tempfile.tempdir = str(folder.path)
    try:
        yield
    finally:
        tempfile.tempdir = before
        folder.close()


def _remove_left(prefix: str) -> None:
    """Remove the folders of processes that have ended."""
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # One that is locked is in use, and one without a lock has just been made; others' cannot be opened.
        with suppress(OSError), open(path / LOCK, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
