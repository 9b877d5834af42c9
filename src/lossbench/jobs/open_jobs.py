"""What a start of a sweep has to train, in ``open.json``: written before its jobs start, and read by each of them.

Of several processes that share a sweep only its writer has that file; the others have one each.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from lossbench.ground.files import write_text
from lossbench.ground.machine import host_name
from lossbench.ground.run_ids import RunId, read_run_id
from lossbench.jobs.open_runs import OpenRuns, OpenYardsticks, names_of
from lossbench.jobs.share import own_share
from lossbench.jobs.worker.tasks import CellTask, Task, YardsticksTask
from lossbench.planning.plan import Cell, Plan, read_plan
from lossbench.planning.yardsticks import Yardsticks, yardsticks
from lossbench.results.part_files import part_path
from lossbench.results.yardsticks import yardstick_path
from lossbench.tuning.study_files import study_is_open

FILE = "open.json"
# In the environment of a process that shares a sweep, and of its jobs: the name of its own file.
OWN_FILE = "LOSSBENCH_OPEN"


@dataclass(frozen=True, kw_only=True)
class _Content:
    """The content of ``open.json``.

    Attributes
    ----------
    threads : int or None
        How many runs a job trains at the same time; None: as many as it has cores where it runs.
    runs : dict of list of str
        The names of the open runs of each cell, by its folder.
    yardsticks : dict of list of (str, str)
        The models and the names of their open runs, by the folder of a data set's yardsticks.
    process : int
        The process that launches the jobs.
    """

    threads: int | None
    runs: dict[str, list[str]]
    yardsticks: dict[str, list[tuple[str, str]]]
    process: int


@contextmanager
def own_open_jobs(folder: Path) -> Iterator[None]:
    """Have this process and its jobs use a file of their own during the block."""
    os.environ[OWN_FILE] = f"open-{host_name()}-{os.getpid()}.json"
    try:
        yield
    finally:
        _path(folder).unlink(missing_ok=True)
        del os.environ[OWN_FILE]


def remove_open_jobs(folder: Path) -> bool:
    """Remove the files of processes that were killed while they shared a sweep; return whether there were any."""
    left = list(folder.glob("open-*.json"))
    for path in left:
        path.unlink(missing_ok=True)
    return bool(left)


def _path(folder: Path) -> Path:
    return folder / os.environ.get(OWN_FILE, FILE)


def write_open_jobs(
    plan: Plan, open_runs: OpenRuns, open_yardsticks: OpenYardsticks, n_threads: int | None
) -> "OpenJobs":
    """Write what is open. ``plan.json`` must be written before: jobs read their cells from it."""
    named = {folder: [(model, run.name) for model, run in parts] for folder, parts in open_yardsticks.items()}
    content = _Content(threads=n_threads, runs=names_of(open_runs), yardsticks=named, process=os.getpid())
    write_text(_path(plan.folder), json.dumps(asdict(content)))
    return OpenJobs(plan, content)


def read_open_jobs(folder: Path) -> "OpenJobs":
    """Return what is open of the sweep in a folder; read once by a process that does many jobs."""
    return _read(folder, *(_state(path) for path in (folder / "plan.json", _path(folder))))


@lru_cache(maxsize=1)
def _read(folder: Path, *_states: tuple[int, ...]) -> "OpenJobs":
    return OpenJobs(read_plan(folder), _Content(**json.loads(_path(folder).read_text(encoding="utf-8"))))


def _state(path: Path) -> tuple[int, ...]:
    """Return what differs if the file has been written anew."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


@dataclass(frozen=True)
class OpenJobs:
    """The jobs of a start of a sweep: one for each cell with open runs and for each data set with open yardsticks."""

    plan: Plan
    content: _Content

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """The cells with open runs, by their folders, in the plan's order."""
        return {cell.folder: cell for cell in self.plan.cells if self.content.runs[cell.folder]}

    @cached_property
    def yardsticks(self) -> dict[str, Yardsticks]:
        """The yardsticks that are open, by their folders."""
        return {each.folder: each for each in yardsticks(self.plan) if each.folder in self.content.yardsticks}

    @property
    def overrides(self) -> dict[str, list[str]]:
        """The Hydra overrides of each job's settings, by its folder; yardsticks come last."""
        own = {folder: each.cell.overrides for folder, each in self.yardsticks.items()}
        return {folder: cell.overrides for folder, cell in self.cells.items()} | own

    def task(self, folder: str) -> Task:
        """Return what the job of a folder has to train; what has been trained since is left out.

        A job may begin anew, and one that has waited long may find what another has trained.
        """
        return self.cell_task(folder) if folder in self.cells else self._yardsticks_task(folder)

    def cell_task(self, folder: str) -> CellTask:
        """Return what the job of a cell has to train."""
        own = self.plan.folder / folder
        own_runs = own_share() or self.content.runs[folder]
        runs = [run for name in own_runs if (run := read_run_id(name)) is not None]
        return CellTask(self.cells[folder], own, [run for run in runs if not part_path(own, run).exists()])

    def _yardsticks_task(self, folder: str) -> YardsticksTask:
        own = self.plan.folder / folder
        named = [(model, read_run_id(name)) for model, name in self.content.yardsticks[folder]]
        parts: list[tuple[str, RunId]] = [(model, run) for model, run in named if run is not None]
        left = [part for part in parts if not yardstick_path(own, *part).exists()]
        return YardsticksTask(self.yardsticks[folder], own, left)


def is_divisible(task: Task) -> bool:
    """Return whether several jobs may train what is open of a task: the runs of a cell whose study has ended."""
    return isinstance(task, CellTask) and not (task.has_study and study_is_open(task.folder, task.runs))
