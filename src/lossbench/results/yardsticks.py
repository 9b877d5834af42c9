"""The results of yardsticks: a part file for each model and each fold, sample or split, like those of runs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lossbench.comparison import Interval
from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, Plan
from lossbench.planning.yardsticks import MODELS, Yardsticks, place, yardsticks_of
from lossbench.results.cells import CellResults
from lossbench.results.part_files import FAILED, Run, read_run


def yardstick_path(folder: Path, model: str, run: RunId) -> Path:
    """Return the path of the part file of a model on the rows of a run."""
    return folder / "parts" / f"{model},{run.name}.npz"


@dataclass(frozen=True)
class YardstickResults:
    """One model on a data set, with what is on disk of it.

    Attributes
    ----------
    model : str
        A name of ``planning.yardsticks.MODELS``.
    results : CellResults
        Its trainings, as runs of a cell whose pair reads its raw predictions.
    n_planned : int
        How many trainings the plan has.
    """

    model: str
    results: CellResults
    n_planned: int

    @property
    def label(self) -> str:
        """What the model is called in tables."""
        return self.name.removeprefix("a ")

    @property
    def name(self) -> str:
        """What the model is called in sentences."""
        return MODELS[self.model]

    def interval(self, metric: str) -> Interval:
        """Return the mean of a test metric with its interval, as of a network's runs."""
        return self.results.interval(f"test/{metric}")

    def scores(self, metric: str, runs: list[RunId]) -> np.ndarray:
        """Return a test metric of the model on the rows of each of some runs, NaN where there is none."""
        cell = self.results.cell
        found = {
            place(cell, run.info.id): run.info.scores.get(f"test/{metric}", np.nan) for run in self.results.working.runs
        }
        return np.array([found.get(place(cell, run), np.nan) for run in runs], np.float64)

    @property
    def raw(self) -> np.ndarray | None:
        """The raw predictions for the test rows that all runs share; None if rows differ or there are none."""
        cell, runs = self.results.cell, self.results.working.runs
        # A corruption is another one for each seed; the model has seen that of the first only.
        if cell.settings.repeat.has_own_rows or cell.settings.is_corrupted or not runs:
            return None
        return runs[0].array("raw/test")

    @property
    def seconds(self) -> float:
        """The seconds of all its trainings together."""
        return sum(run.info.ended - run.info.started for run in self.results.runs)

    @property
    def failed(self) -> str:
        """How many of its trainings failed, and why the first did; '' if none did."""
        errors = [run.info.error for run in self.results.runs if run.info.status == FAILED]
        return f"{self.label} failed in {len(errors)} of {self.n_planned}: {errors[0]}" if errors else ""


def read_yardsticks(plan: Plan, cell: Cell) -> list[YardstickResults]:
    """Return the yardsticks of a cell's data set that have a result on disk; none where the plan has none."""
    if not plan.report.yardsticks:
        return []
    wanted = yardsticks_of(plan, cell)
    found = (
        YardstickResults(model, CellResults(wanted.cell, _runs(plan, wanted, model)), len(wanted.runs))
        for model in MODELS
    )
    return [each for each in found if each.results.runs]


def _runs(plan: Plan, wanted: Yardsticks, model: str) -> list[Run]:
    paths = (yardstick_path(plan.folder / wanted.folder, model, run) for run in wanted.runs)
    return [run for path in paths if (run := read_run(path)) is not None]
