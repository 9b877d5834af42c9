"""Part files: one ``.npz`` for each run, with its metrics, curves, weights and predictions.

A cell's folder holds ``cell.json`` (its settings and reference values), ``data.npz`` (the targets of each split) and
``parts/``. The terminal, the report and MLflow read these files, so none of them ever needs a second training.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.ground.errors import DamagedFileError
from lossbench.ground.files import publish_file
from lossbench.ground.run_ids import RunId, read_run_id
from lossbench.ground.shortages import shortage

# The bytes of an array that is kept when it has been read alone.
SMALL = 16_000
FINISHED, DIVERGED, FAILED = "finished", "diverged", "failed"


@dataclass(frozen=True)
class RunInfo:
    """The scalar results of a run and its status; the part file holds the run's arrays beside it.

    Attributes
    ----------
    status : str
        ``finished``, ``diverged`` (its loss stopped being finite) or ``failed`` (an error).
    stuck : bool
        Whether it ended no better than the best constant prediction.
    diverged_epoch : int
        0 unless diverged.
    selected_epoch : int
        The epoch whose weights were kept, with ``select=best``; else 0.
    started, ended : float
        Seconds since 1970.
    scores, naive : dict
        Final metrics by ``split/metric`` (``train/accuracy``): of the run, and of the best constant prediction.
    ceiling : dict
        The best metrics that the generator allows, of a run with a sample of its own; else ``cell.json`` has them.
    error : str
        The error that ended a failed run; else ''.
    tuned : dict
        The values that a study chose, by the settings' keys; the run was trained with them instead of the cell's own.
    study : str
        The name of the study that chose ``tuned``; '' for an untuned cell.
    repetition, fold : int or None
        Of a cross-validation; see ``ground.run_ids``.
    target_scaling : dict or None
        Of a run with training rows of its own: ``center`` and ``scale`` of its targets; else ``cell.json`` has them.
    extremes : dict or None
        Of a diverged run: the greatest magnitudes of features (``x``) and targets (``y``) that it was trained on.
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
    ceiling: dict[str, float] = field(default_factory=dict)
    error: str = ""
    tuned: dict[str, Any] = field(default_factory=dict)
    study: str = ""
    repetition: int | None = None
    fold: int | None = None
    target_scaling: dict[str, list[float]] | None = None
    extremes: dict[str, float] | None = None

    @property
    def id(self) -> RunId:
        """The run's identity within its cell."""
        return RunId(self.seed, self.repetition, self.fold)

    @property
    def lacked_room(self) -> bool:
        """Whether it failed for want of room on the machine, not because of its loss; it is run again unasked."""
        return self.status == FAILED and shortage(self.error) is not None

    @property
    def works(self) -> bool:
        """Whether the run neither failed nor diverged nor is stuck."""
        return self.status == FINISHED and not self.stuck


@dataclass(frozen=True)
class Run:
    """A run on disk: its scalar results, and its arrays, which are read from the part file when first used."""

    info: RunInfo
    path: Path

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name: ``epochs``, ``curve/train/loss``, ``weight/0``, ``raw/test``, ``grid/raw`` (2-D data)."""
        with self._opened() as part:
            return {name: part[name] for name in part.files if name != "info"}

    def array(self, name: str) -> np.ndarray | None:
        """Return one array without reading the others; None if the run has none of this name."""
        if "arrays" in self.__dict__:
            return self.arrays.get(name)
        if name in self._small:
            return self._small[name]
        with self._opened() as part:
            found = part[name] if name in part.files else None
        if found is None or found.nbytes <= SMALL:
            self._small[name] = found
        return found

    @cached_property
    def _small(self) -> dict[str, np.ndarray | None]:
        """Small arrays that were read alone: to open the file takes longer than to read them."""
        return {}

    @contextmanager
    def _opened(self) -> Iterator[np.lib.npyio.NpzFile]:
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as part:
                yield part
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            again = "delete it: the command of the sweep, given again, trains this run anew."
            raise DamagedFileError(self.path, f"it cannot be read ({type(error).__name__})", again) from None

    def forget(self) -> None:
        """Free the memory of the arrays; they are read from disk again when next used."""
        self.__dict__.pop("arrays", None)

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """The curves by name (``test/accuracy``), each with one value for each of ``arrays['epochs']``."""
        prefix = "curve/"
        return {name.removeprefix(prefix): a for name, a in self.arrays.items() if name.startswith(prefix)}


def part_path(folder: Path, run: RunId) -> Path:
    """Return the path of a run's part file in its cell's folder."""
    return folder / "parts" / f"{run.name}.npz"


def write_part(folder: Path, info: RunInfo, arrays: dict[str, np.ndarray]) -> bool:
    """Write a run's part file as ``write_run`` does."""
    return write_run(part_path(folder, info.id), info, arrays)


def write_run(path: Path, info: RunInfo, arrays: dict[str, np.ndarray]) -> bool:
    """Write a part file of any name, unless it is there; return whether it was written.

    A kill in the middle leaves no part file rather than half of one. A run that another process has recorded meanwhile
    stays as it is, and this one is thrown away: both have the same numbers, and every run is recorded once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # What a run does not have is not named.
    content = {name: value for name, value in asdict(info).items() if value is not None}
    text = np.array(json.dumps(content))

    def write(file):
        np.savez(file, info=text, **arrays)  # type: ignore[arg-type]

    return publish_file(path, write)


def read_run(path: Path) -> Run | None:
    """Return the run in a part file; None if the file is missing or cannot be read, so that the run is done again."""
    try:
        # Opened here: NumPy would leave a torn file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
            return Run(RunInfo(**json.loads(str(part["info"]))), path)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def read_runs(folder: Path, ids: list[RunId]) -> dict[RunId, Run]:
    """Return those of the runs that are on disk in a cell's folder, by their identities, in the order of ``ids``."""
    runs = ((each, read_run(part_path(folder, each))) for each in ids)
    return {each: run for each, run in runs if run is not None}


def runs_on_disk(folder: Path) -> list[RunId]:
    """Return the identities of all part files in a cell's folder, in their order."""
    found = (read_run_id(path.stem) for path in (folder / "parts").glob("*.npz"))
    return sorted((each for each in found if each is not None), key=lambda each: each.order)
