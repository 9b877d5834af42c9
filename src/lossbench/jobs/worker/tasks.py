"""What a worker is given to train: the open runs of a cell, or the open yardsticks of a data set."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from lossbench.ground.at_work import Doing
from lossbench.ground.run_ids import RunId
from lossbench.jobs.failed_runs import run_key, write_failed, yardstick_key
from lossbench.planning.plan import Cell
from lossbench.planning.yardsticks import Yardsticks
from lossbench.results.part_files import part_path

# What a worker is at work on beside the parts, which go by their names. A study's trainings have names that begin with
# ``STUDY`` and a colon.
PREPARATION, STUDY, AHEAD = "preparation", "study", "programs of later cells"


class Task(ABC):
    """Part files to be made in a folder, each by a training that can fail on its own."""

    folder: Path

    @property
    @abstractmethod
    def name(self) -> str:
        """What the log calls it."""

    @property
    @abstractmethod
    def paths(self) -> dict[str, Path]:
        """The path of each part file, by the name that the worker and the log call its training."""

    @property
    def has_study(self) -> bool:
        """Whether a study comes before the trainings."""
        return False

    @property
    def is_serial(self) -> bool:
        """Whether its trainings wait for each other, so that the time that one takes is known only if it is alone."""
        return False

    @abstractmethod
    def carry_out(self, parts: list[str], n_threads: int, doing: Doing) -> None:
        """Train some of the parts in this process, ``n_threads`` at a time."""

    @abstractmethod
    def write_failed(self, part: str, started: float, error: str) -> None:
        """Write a part file that says that its training, begun at a moment in seconds since 1970, failed, and why."""


@dataclass(frozen=True)
class CellTask(Task):
    """A cell to train: the cell, its folder and its open runs."""

    cell: Cell
    folder: Path
    runs: list[RunId]

    @property
    def name(self) -> str:
        """The cell's name."""
        return self.cell.name

    @property
    def paths(self) -> dict[str, Path]:
        """The path of each run's part file, by the run's name."""
        return {run.name: part_path(self.folder, run) for run in self.runs}

    @property
    def has_study(self) -> bool:
        """Whether the cell is tuned."""
        return self.cell.is_tuned

    @property
    def is_serial(self) -> bool:
        """Whether Keras's ``Model.fit`` trains."""
        return self.cell.settings.trainer == "fit"

    def carry_out(self, parts: list[str], n_threads: int, doing: Doing) -> None:
        """Train some of the runs, after the study of all."""
        from lossbench.jobs.run_cell import run_cell

        runs = [run for run in self.runs if run.name in set(parts)]
        run_cell(self.cell, self.folder, runs, n_threads, doing, all_runs=self.runs)

    def write_failed(self, part: str, started: float, error: str) -> None:
        """Write a run as failed."""
        run = next(run for run in self.runs if run.name == part)
        write_failed(part_path(self.folder, run), run_key(self.cell, run), run, started, error)


@dataclass(frozen=True)
class YardsticksTask(Task):
    """The yardsticks of a data set to train: their folder, and the open ones as model and run."""

    wanted: Yardsticks
    folder: Path
    open_parts: list[tuple[str, RunId]]

    @property
    def name(self) -> str:
        """The folder's name without the digits of its key."""
        return f"{self.wanted.data}/yardsticks"

    @property
    def paths(self) -> dict[str, Path]:
        """The path of each part file, by the file's name without its ending."""
        # Imported here: it brings in SciPy, which a worker that starts before the planning need not wait for.
        from lossbench.results.yardsticks import yardstick_path

        paths = [yardstick_path(self.folder, *part) for part in self.open_parts]
        return {path.stem: path for path in paths}

    def carry_out(self, parts: list[str], n_threads: int, doing: Doing) -> None:
        """Train some of the yardsticks."""
        from lossbench.jobs.run_yardsticks import run_yardsticks

        run_yardsticks(self.wanted, self.folder, [self._part(name) for name in parts], n_threads, doing)

    def write_failed(self, part: str, started: float, error: str) -> None:
        """Write a yardstick as failed."""
        model, run = self._part(part)
        key = yardstick_key(self.wanted, model, run)
        write_failed(self.paths[part], key, run, started, error)

    def _part(self, name: str) -> tuple[str, RunId]:
        return self.open_parts[list(self.paths).index(name)]
