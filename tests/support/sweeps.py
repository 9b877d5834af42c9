"""A sweep that a command has run."""

import json
from dataclasses import dataclass
from pathlib import Path

from lossbench.ground import quiet_tensorflow  # noqa: F401
from support.commands import Done


@dataclass(frozen=True)
class Sweep:
    """A finished sweep."""

    home: Path
    name: str
    done: Done

    @property
    def folder(self) -> Path:
        return self.home / "multirun" / self.name

    @property
    def plan(self) -> dict:
        return json.loads((self.folder / "plan.json").read_text())


def table(home: Path, name: str) -> bytes:
    """Return a sweep's ``results.csv``, which has no times and no hosts."""
    return (home / "multirun" / name / "results.csv").read_bytes()
