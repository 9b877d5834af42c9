"""Results on disk: a part file for each run, complete or absent; and the tables made from them.

A cell's folder holds ``cell.json`` (what it is), ``data.npz`` (the targets it was judged on) and ``parts/``.
Everything that is shown, tracked or reported is read from here; nothing needs a second training.
"""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.ground.files import replace_file

FINISHED, DIVERGED, FAILED = "finished", "diverged", "failed"


@dataclass(frozen=True)
class RunInfo:
    """What is said of a run in words and single numbers; its arrays stand beside it in the part file.

    Attributes
    ----------
    status : str
        ``finished``, ``diverged`` (its loss stopped being finite) or ``failed`` (an error).
    stuck : bool
        Whether it ended no better than the best constant prediction.
    diverged_epoch : int
        0 unless diverged.
    selected_epoch : int
        Of the best epoch, where it was asked for; else 0.
    started, ended : float
        Seconds since 1970.
    scores, naive : dict
        ``train/accuracy``, … of the run, and of the best constant prediction.
    error : str
        Of a failed run.
    tuned : dict
        What a study chose, by the settings' keys: these values were used instead of the cell's.
    study : str
        The study that chose them.
    """

    seed: int
    key: str
    status: str
    started: float
    ended: float
    stuck: bool = False
    diverged_epoch: int = 0
    selected_epoch: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    naive: dict[str, float] = field(default_factory=dict)
    error: str = ""
    tuned: dict[str, Any] = field(default_factory=dict)
    study: str = ""

    @property
    def works(self) -> bool:
        """Whether it neither failed nor diverged, and is not stuck."""
        return self.status == FINISHED and not self.stuck


@dataclass(frozen=True)
class Run:
    """A run as it lies on disk."""

    info: RunInfo
    path: Path

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """``epochs``; ``curve/train/loss``, …; ``weight/0``, …; ``raw/test``, …; for 2-D data ``grid/raw``."""
        with np.load(self.path, allow_pickle=False) as part:
            return {name: part[name] for name in part.files if name != "info"}

    def forget(self) -> None:
        """Let go of the arrays; they are read again when they are asked for."""
        self.__dict__.pop("arrays", None)

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """The curves by name, each of the shape of ``arrays['epochs']``."""
        prefix = "curve/"
        return {name.removeprefix(prefix): a for name, a in self.arrays.items() if name.startswith(prefix)}


def part_path(folder: Path, seed: int) -> Path:
    """Return where the run of a seed lies in its cell's folder."""
    return folder / "parts" / f"seed={seed}.npz"


def write_part(folder: Path, info: RunInfo, arrays: dict[str, np.ndarray]) -> None:
    """Write a run so that it is on disk as a whole or not at all."""
    path = part_path(folder, info.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = np.array(json.dumps(asdict(info)))

    def write(file):
        np.savez(file, info=text, **arrays)  # type: ignore[arg-type]

    replace_file(path, write)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half written in a cell's folder."""
    for path in (
        *folder.glob(".*.npz.*"),
        *folder.glob(".*.json.*"),
        *folder.glob("parts/.seed=*"),
        *folder.glob("study/.*"),
    ):
        path.unlink(missing_ok=True)


def read_run(path: Path) -> Run | None:
    """Return the run in a part file; None where there is none or it cannot be read."""
    try:
        # Opened here: NumPy would leave a torn file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
            return Run(RunInfo(**json.loads(str(part["info"]))), path)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def read_runs(folder: Path, seeds: list[int]) -> dict[int, Run]:
    """Return the runs of a cell's folder that are there, by seed, in the order asked for."""
    runs = ((seed, read_run(part_path(folder, seed))) for seed in seeds)
    return {seed: run for seed, run in runs if run is not None}


def seeds_on_disk(folder: Path) -> list[int]:
    """Return the seeds of all parts in a cell's folder, in order."""
    names = (path.stem.removeprefix("seed=") for path in (folder / "parts").glob("seed=*.npz"))
    return sorted(int(name) for name in names if name.isdigit())
