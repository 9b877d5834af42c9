"""Atomic file writing: a reader finds the old file or the complete new one, never a part of it.

Resuming relies on this: a result file that exists is complete, even after a kill or a power failure.
"""

import errno
import fcntl
import json
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from lossbench.ground.errors import DamagedFileError
from lossbench.ground.machine import host_name, process_start

# What file systems without hard links answer.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    # A file name that is no valid text in the system's encoding has bytes that UTF-8 cannot hold: they are escaped.
    replace_file(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")))


def read_json(path: Path, again: str) -> dict[str, Any]:
    """Return the JSON object in a file.

    Parameters
    ----------
    again : str
        What makes the file again, for the hint of the error.

    Raises
    ------
    DamagedFileError
        If the file is there and has no JSON object.
    FileNotFoundError
        If it is not there.
    """
    try:
        data = path.read_bytes()
        content = json.loads(data.decode("utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedFileError(path, f"it cannot be read ({error.strerror})", again) from None
    except (ValueError, RecursionError):
        raise DamagedFileError(path, "it is no JSON" if data.strip(b"\0 \n") else "it is empty", again) from None
    if not isinstance(content, dict):
        raise DamagedFileError(path, f"it has {type(content).__name__} instead of an object", again)
    return content


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write named arrays to an ``.npz`` file atomically."""
    replace_file(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def shortened(name: str, most: int = 100) -> str:
    """Return a part of a file's name, or its first bytes and 8 digits of the whole one if it has more than ``most``.

    File systems take 255 bytes for a name.
    """
    data = name.encode("utf-8", "backslashreplace")
    if len(data) <= most:
        return name
    return f"{data[: most - 9].decode('utf-8', 'ignore')}-{zlib.crc32(data):08x}"


def set_aside(path: Path) -> Path:
    """Rename a file or folder to the first free name of ``<name>.damaged-1``, ``-2``, …, and return its new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return path.rename(aside)


# What the user keeps from others. The system tells it only when it is set; at the import there is one thread.
UMASK = os.umask(0o077)
os.umask(UMASK)
# The name of a file that is being written: a dot, the file's own name, who writes it, and eight characters
# (.plan.json.node7.4711.k3x9w2qa). It matches no pattern such as *.json.
UNFINISHED = ".*.????????"
WRITTEN_BY = re.compile(r"\..+\.(?P<host>[A-Za-z0-9-]+)\.(?P<process>\d+)\..{8}")


def replace_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Replace a file atomically by the bytes that ``write`` writes to the open binary file that it is given."""
    with _written(path, write) as temporary:
        os.replace(temporary, path)


def publish_file(path: Path, write: Callable[[IO[bytes]], Any]) -> bool:
    """Make a file of what ``write`` writes, atomically, unless there is one; return whether it was made.

    Of any processes that publish one file at once, on any machines, exactly one does.
    """
    with _written(path, write) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            # A server that answers a second time, because its first answer was lost, finds the link that it has made.
            return os.stat(temporary).st_nlink == 2
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            # Of two that come at one moment the later one wins here: FAT, and some servers of Windows.
            if path.exists():
                return False
            os.replace(temporary, path)
    return True


@contextmanager
def _written(path: Path, write: Callable[[IO[bytes]], Any]) -> Iterator[str]:
    """Write to a temporary file, give its path to the block once its bytes are on disk, and remove it afterwards."""
    # In the same folder, because a rename or a link is atomic only within one file system.
    prefix = f".{shortened(path.name)}.{host_name()}.{os.getpid()}."
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix)
    try:
        with os.fdopen(handle, "wb") as file:
            # So that another process does not take it for one that was left; some file systems have no locks.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            write(file)
            file.flush()
            # The bytes must be on disk before the name: a crash could otherwise leave a renamed but empty file.
            os.fsync(file.fileno())
            # mkstemp lets only the owner read.
            os.chmod(temporary, 0o666 & ~UMASK)
            yield temporary
    finally:
        Path(temporary).unlink(missing_ok=True)


def remove_unfinished(folder: Path, is_at_work: Callable[[str], bool] = lambda host: True) -> None:
    """Remove the files that killed processes were writing in a folder and those below it.

    Parameters
    ----------
    is_at_work : callable
        Given the name of another machine (``host_name``), it returns whether a process of it may be writing here.
    """
    for path in folder.rglob(UNFINISHED):
        writer = WRITTEN_BY.fullmatch(path.name)
        with suppress(OSError):
            if writer is not None and writer["host"] != host_name():
                if not is_at_work(writer["host"]):
                    path.unlink()
            elif not _is_being_written(path, writer and int(writer["process"])):
                path.unlink()


def _is_being_written(path: Path, process: int | None) -> bool:
    """Return whether a process of this machine is writing a file: it has locked it; without locks, whether it runs."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return process is None or process_start(process) is not None
    return False
