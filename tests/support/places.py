"""A user's place on a machine: the folder of the results, a home and a folder of temporary files, all of its own."""

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lossbench.ground import quiet_tensorflow  # noqa: F401
from support.commands import Done, run
from support.processes import start


@dataclass(frozen=True)
class Place:
    """Where commands run whose every file is looked at afterwards."""

    folder: Path

    def __post_init__(self) -> None:
        for path in (self.work, self.home, self.temporary):
            path.mkdir(parents=True, exist_ok=True)

    @property
    def work(self) -> Path:
        """The folder that has ``multirun/`` and ``mlruns/``, and the working directory."""
        return self.folder / "work"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "TMPDIR": str(self.temporary)}

    def run(self, *arguments: str, command: str = "lossbench", **more: str) -> Done:
        return run(self.work, *arguments, command=command, **self.environment, **more)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen:
        return start(self.work, *arguments, **self.environment, **more)

    def sweep(self, name: str) -> Path:
        return self.work / "multirun" / name

    def processes(self, words: str = "") -> list[int]:
        """Return all processes that were started here, by other ones too, with these words in their command line."""
        mark = f"LOSSBENCH_HOME={self.work}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                ours = mark in (path / "environ").read_bytes().split(b"\0")
                if ours and words.encode() in (path / "cmdline").read_bytes():
                    found.append(int(path.name))
            except OSError:
                continue
        return found

    def end_all(self) -> None:
        """End what a failed test has left."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
