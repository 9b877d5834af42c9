"""Results on disk: a part file for each run, complete or absent; and the tables made from them.

A cell's folder holds ``cell.json`` (what it is), ``data.npz`` (the targets it was judged on) and ``parts/``.
Everything that is shown, tracked or reported is read from here; nothing needs a second training.
"""

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lossbench.config.search_space import LEARNING_RATE
from lossbench.planning.plan import Cell, Plan

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

    _replace(path, write)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all."""
    _replace(path, lambda file: file.write(text.encode()))


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as a whole or not at all."""
    _replace(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def _replace(path: Path, write) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
        with np.load(path, allow_pickle=False) as part:
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


@dataclass(frozen=True)
class CellResults:
    """A cell of the plan with the runs that are there."""

    cell: Cell
    runs: list[Run]

    def count(self, status: str) -> int:
        """How many runs have a status."""
        return sum(run.info.status == status for run in self.runs)

    @property
    def n_stuck(self) -> int:
        """How many runs are stuck."""
        return sum(run.info.stuck for run in self.runs)

    def scores(self, name: str) -> np.ndarray:
        """Return a final metric (``test/accuracy``) of the finished runs that have it."""
        finished = [run.info for run in self.runs if run.info.status == FINISHED]
        return np.array([info.scores[name] for info in finished if name in info.scores], np.float64)

    def working_scores(self, name: str) -> np.ndarray:
        """Return a final metric of the working runs."""
        infos = [run.info for run in self.working.runs]
        return np.array([info.scores[name] for info in infos if name in info.scores], np.float64)

    @property
    def working(self) -> "CellResults":
        """The same with the working runs only."""
        return CellResults(self.cell, [run for run in self.runs if run.info.works])

    @property
    def tuned(self) -> dict[str, Any]:
        """What a study chose for its runs; empty without one."""
        return next((run.info.tuned for run in self.runs if run.info.tuned), {})

    @property
    def naive(self) -> dict[str, float]:
        """The naive predictor's scores, the same for all runs."""
        return next((run.info.naive for run in self.runs if run.info.naive), {})

    @cached_property
    def described(self) -> dict[str, Any]:
        """What ``cell.json`` says of it; empty where no run has begun."""
        paths = [path for run in self.runs[:1] if (path := run.path.parents[1] / "cell.json").exists()]
        return json.loads(paths[0].read_text()) if paths else {}

    @property
    def ceiling(self) -> dict[str, float]:
        """The best scores that the data's generator allows, where they are known."""
        return self.described.get("ceiling", {})

    def in_unit(self, values: np.ndarray) -> np.ndarray:
        """Return targets or predictions of the first output, shape (n_samples,), in the unit of the metrics."""
        scaling = self.described.get("target_scaling")
        return values * scaling["scale"][0] + scaling["center"][0] if scaling else values

    def seconds(self, since: float) -> float:
        """From the start of the first run after a moment (in seconds since 1970) to the end of the last."""
        infos = [run.info for run in self.runs if run.info.started >= since]
        return max(info.ended for info in infos) - min(info.started for info in infos) if infos else 0.0


def read_results(plan: Plan) -> list[CellResults]:
    """Return the results of the plan's cells, in its order, with exactly its seeds."""
    return [CellResults(cell, list(read_runs(plan.folder / cell.folder, plan.seeds).values())) for cell in plan.cells]


def results_table(plan: Plan, results: list[CellResults]) -> pd.DataFrame:
    """Return a row for each run of the plan: where it stands, how it ended, every final metric."""
    swept = list(dict.fromkeys(key for cell in plan.cells for key in cell.swept))
    scores = list(dict.fromkeys(name for result in results for run in result.runs for name in run.info.scores))
    rows = []
    for result in results:
        runs = {run.info.seed: run.info for run in result.runs}
        rows += [_row(plan, result.cell, seed, runs.get(seed), swept) for seed in plan.seeds]
    table = pd.DataFrame(rows)
    # By split, so that the columns of one stand together.
    ordered = [name for split in ("train", "validation", "test") for name in scores if name.startswith(f"{split}/")]
    return table.reindex(columns=[*table.columns[: 9 + len(swept)], *ordered])


def _row(plan: Plan, cell: Cell, seed: int, info: RunInfo | None, swept: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "sweep": plan.name,
        "cell": cell.name,
        "dataset": cell.dataset,
        "head": cell.head,
        "loss": cell.loss,
        "seed": seed,
        "status": info.status if info else "missing",
        "stuck": info.stuck if info else False,
        "learning_rate": _learning_rate(cell, info),
    }
    values = {"tune": "none", **cell.swept}
    row |= {key: json.dumps(v) if isinstance(v := values.get(key), (list, dict)) else v for key in swept}
    return row | (info.scores if info else {})


def _learning_rate(cell: Cell, info: RunInfo | None) -> float | None:
    """Return the learning rate that a run was trained with; of a tuned cell's it is known once its study has ended."""
    if info is not None and info.tuned:
        return info.tuned[LEARNING_RATE]
    return None if cell.is_tuned else cell.settings["optimizer"]["learning_rate"]


def write_results(plan: Plan, results: list[CellResults]) -> Path:
    """Write ``results.csv`` and return its path; the same runs give the same bytes."""
    path = plan.folder / "results.csv"
    text = results_table(plan, results).to_csv(index=False, lineterminator="\n")
    if not path.exists() or path.read_text() != text:
        write_text(path, text)
    return path


def other_cells(plan: Plan) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Yield what ``cell.json`` says of the folder's cells that the plan does not have, and their seeds."""
    planned = {cell.folder for cell in plan.cells}
    for path in sorted(plan.folder.glob("*/cell.json")):
        if path.parent.name not in planned:
            yield json.loads(path.read_text()), seeds_on_disk(path.parent)
