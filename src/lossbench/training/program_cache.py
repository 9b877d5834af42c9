"""Compiled programs on disk: XLA keeps what a process has compiled, and later ones load it.

The store is ``multirun/.programs``, by TensorFlow's version, the processor, and XLA's flags. The name of a stored
program begins with its checksum, and no stored file ever changes. A process works on a folder of its own, with links to
the programs that are whole; what it has compiled is stored at its end. XLA loads a program only for exactly the same
text (see ``repeatable_names``). The store can be deleted at any time.
"""

import hashlib
import os
import platform
import shutil
import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from lossbench.config.paths import home
from lossbench.ground.files import replace_file
from lossbench.training.xla_flags import all_flags

FLAGS, FLAG = "TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory"
# The programs that are kept, the newest ones; each takes about half a megabyte.
MOST_PROGRAMS = 400
# The bytes that must be free for a folder of programs: a training that cannot store its program would fail.
LEAST_ROOM = 50e6


class ProgramFolder:
    """The folder with the programs of one process, which is made.

    Attributes
    ----------
    environment : dict
        What the process needs in its environment to use the folder; empty if the user has set another one, or if there
        can be none.
    """

    def __init__(self, own: Path):
        self.environment: dict[str, str] = {}
        self._own = own
        given = os.environ.get(FLAGS, "")
        # TensorFlow divides its flags at blanks.
        if FLAG in given or " " in str(own):
            return
        with suppress(OSError):
            if shutil.disk_usage(own.parent).free < LEAST_ROOM:
                return
            own.mkdir()
            _link_stored(own)
            self.environment = {FLAGS: f"{given} {FLAG}={own}".strip()}

    def close(self, *, keep: bool) -> None:
        """Store what is new in the folder, after the process has ended.

        Parameters
        ----------
        keep : bool
            Whether to store what was compiled. Of a process that died by itself nothing is kept, and what it had from
            the store is deleted: a program may be to blame.
        """
        with suppress(OSError):
            for path in self._own.glob("*.pb"):
                if path.is_symlink() and not keep:
                    path.resolve().unlink(missing_ok=True)
                elif keep and not path.is_symlink():
                    content = path.read_bytes()
                    store().mkdir(parents=True, exist_ok=True)
                    replace_file(store() / f"{_checksum(content)}-{path.name}", _writing(content))


def _link_stored(own: Path) -> None:
    """Make a link to each stored program that is whole; delete those that are not, and the oldest of too many."""
    stored = sorted(store().glob("*.pb"), key=lambda path: path.stat().st_mtime, reverse=True)
    for place, path in enumerate(stored):
        checksum, _, name = path.name.partition("-")
        link = own / name
        if place < MOST_PROGRAMS and not link.is_symlink() and checksum == _checksum(path.read_bytes()):
            link.symlink_to(path)
        else:
            path.unlink(missing_ok=True)


def store() -> Path:
    """Return the folder of the programs that this machine's TensorFlow has compiled, with the flags that are set."""
    machine = hashlib.sha256(f"{platform.machine()} {_processor()} {all_flags()}".encode()).hexdigest()[:8]
    return home() / "multirun" / ".programs" / f"tensorflow-{version('tensorflow')}-{machine}"


def _writing(content: bytes) -> Callable[[IO[bytes]], Any]:
    return lambda file: file.write(content)


def _checksum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _processor() -> str:
    """Return what decides which instructions XLA may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return " ".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
