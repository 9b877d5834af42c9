"""What is measured of a running sweep by its files: how far it is, the time that is left, and how long parts took."""

import time
from pathlib import Path

from lossbench.console import durations
from lossbench.console.counts import Count
from lossbench.console.stages import (
    RUNS,
    TRIALS,
    YARDSTICKS,
    Stage,
    n_trials,
    stage_of_runs,
    stage_of_trials,
    stage_of_yardsticks,
)
from lossbench.console.time_left import seconds_left, union
from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, Plan
from lossbench.planning.yardsticks import Yardsticks
from lossbench.results.part_files import RunInfo
from lossbench.tuning.study_files import read_trial

# What the time of each kind of stage is called.
PARTS = {TRIALS: durations.TUNING, RUNS: durations.TRAINING, YARDSTICKS: durations.YARDSTICKS}


class Measured:
    """The stages of one start of a sweep, with what has ended of them since.

    Parameters
    ----------
    open_runs : dict
        The open runs by the cell's folder.
    studies : list of Cell
        The cells whose study is open.
    yardsticks : list of Yardsticks
        Those of which some are open.
    n_yardsticks : dict
        How many are open, by their folder.
    """

    def __init__(
        self,
        plan: Plan,
        open_runs: dict[str, list[RunId]],
        studies: list[Cell],
        yardsticks: list[Yardsticks],
        n_yardsticks: dict[str, int],
    ):
        self._plan = plan
        self._began = time.time()
        self._ready: float | None = None
        self._trials = {cell.folder: set(_trial_files(plan, cell)) for cell in studies}
        self._n_trials = sum(map(n_trials, studies))
        self._n_yardsticks = sum(n_yardsticks[each.folder] for each in yardsticks)
        self._stages: dict[tuple[str, str], Stage] = {}
        for cell in plan.cells:
            if cell.folder in self._trials:
                n_open = max(0, n_trials(cell) - len(self._trials[cell.folder]))
                self._stages[TRIALS, cell.folder] = stage_of_trials(cell, n_open)
            if open_runs[cell.folder]:
                self._stages[RUNS, cell.folder] = stage_of_runs(cell, len(open_runs[cell.folder]))
        for each in yardsticks:
            self._stages[YARDSTICKS, each.folder] = stage_of_yardsticks(each.cell, n_yardsticks[each.folder])

    def note_ready(self) -> None:
        """Note that the process that trains is ready, the first time that this is called."""
        self._ready = self._ready or time.time()

    def note_run(self, cell: Cell, info: RunInfo) -> None:
        """Note a run that has ended."""
        self._note(RUNS, cell.folder, info.started, info.ended)

    def note_yardstick(self, wanted: Yardsticks, info: RunInfo) -> None:
        """Note a yardstick that has ended."""
        self._note(YARDSTICKS, wanted.folder, info.started, info.ended)

    def note_trials(self, cell: Cell, *, is_last: bool) -> None:
        """Note the trials of a study that are on disk now, and whether no other follows."""
        known = self._trials[cell.folder]
        for path in [path for path in _trial_files(self._plan, cell) if path not in known]:
            trial = read_trial(path.parent.parent, int(path.stem.partition("=")[2]))
            if trial is not None:
                known.add(path)
                self._note(TRIALS, cell.folder, trial.started, trial.ended)
        if is_last:
            self._stages[TRIALS, cell.folder].n_left = 0

    def _note(self, kind: str, folder: str, started: float, ended: float) -> None:
        if (kind, folder) in self._stages:
            self._stages[kind, folder].note(max(started, self._began), max(ended, self._began))

    def counts(self, waiting: dict[str, set[RunId]]) -> dict[str, Count]:
        """Return how far the sweep is, the folds counted apart: one has ended when all of a cell's runs in it have.

        Parameters
        ----------
        waiting : dict
            The runs that have not ended, by the cell's folder.
        """
        plan = self._plan
        open_folds = {(folder, run.split) for folder, runs in waiting.items() for run in runs if run.split is not None}
        n_folds = sum(len({run.split for run in plan.runs(cell)}) for cell in plan.cells if cell.settings.folds)
        return {
            "trials": Count(self._n_trials - self._n_left(TRIALS), self._n_trials),
            "runs": Count(plan.n_runs - sum(map(len, waiting.values())), plan.n_runs),
            "folds": Count(n_folds - len(open_folds), n_folds),
            "yardsticks": Count(self._n_yardsticks - self._n_left(YARDSTICKS), self._n_yardsticks),
        }

    def left(self) -> float | None:
        """Return the estimated seconds until all trainings have ended; None before the first one has."""
        return seconds_left(list(self._stages.values()), self._ready or self._first, time.time())

    def share_done(self, left: float | None) -> float:
        """Return the share of the time that has passed, if so many seconds are left; 0 if that is not known."""
        passed = time.time() - self._began
        return 0.0 if left is None else passed / (passed + left)

    def seconds(self) -> dict[str, float]:
        """Return how long each part took until now, by its name."""
        stages, now = list(self._stages.values()), time.time()
        ready = self._ready or min(self._first, now)
        busy = union(_spans(stages))
        found = {part: union(_spans([s for s in stages if s.kind == kind])) for kind, part in PARTS.items()}
        found[durations.STARTING] = ready - self._began
        # Nothing else goes on while no training does: data are prepared, which takes less, and programs compiled.
        found[durations.COMPILING] = max(0.0, now - ready - busy)
        return found

    @property
    def _first(self) -> float:
        """When the first training began; without a process of ours that trains, a job's start is not known."""
        return min((stage.first for stage in self._stages.values()), default=float("inf"))

    def _n_left(self, kind: str) -> int:
        return sum(stage.n_left for stage in self._stages.values() if stage.kind == kind)


def _spans(stages: list[Stage]) -> list[tuple[float, float]]:
    return [(stage.first, stage.last) for stage in stages if stage.n_done]


def _trial_files(plan: Plan, cell: Cell) -> list[Path]:
    return sorted((plan.folder / cell.folder / "study").glob("trial=*.json"))
