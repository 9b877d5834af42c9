"""Temporary folders that do not outlive their process: what a killed one has left, the next one removes."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX, LOCK = "lossbench-", ".lossbench-lock"


class TemporaryFolder:
    """A new folder among the system's temporary files, until it is closed.

    Parameters
    ----------
    kind : str
        Part of its name.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, kind: str):
        remove_left_folders()
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-"))
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
def own_temporary_files(kind: str) -> Iterator[None]:
    """Have all temporary files of this process made in a folder of its own, which is deleted at the end."""
    folder, before = TemporaryFolder(kind), tempfile.tempdir
    tempfile.tempdir = str(folder.path)
    try:
        yield
    finally:
        tempfile.tempdir = before
        folder.close()


def remove_left_folders() -> None:
    """Remove the temporary folders of processes that have ended without closing them."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # One that is locked is in use, and one without a lock has just been made; others' cannot be opened.
        with suppress(OSError), (path / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
