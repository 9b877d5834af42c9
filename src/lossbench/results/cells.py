"""The results of a cell: its runs read from disk, and the quantities computed over them."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lossbench.comparison import Interval, mean_of_runs
from lossbench.config.settings import CellSettings, FileSettings
from lossbench.ground.errors import DamagedFileError
from lossbench.ground.run_ids import RunId
from lossbench.losses.heads import NUMBER_TASKS
from lossbench.losses.pairing import Pair
from lossbench.metrics.rows import contributions, has_contributions, naive_contributions
from lossbench.planning.plan import Cell, Plan
from lossbench.results.damage import CELL, read_cell_file
from lossbench.results.part_files import FINISHED, Run, read_runs, runs_on_disk

# Test rows that the variance over rows is taken from, where there are more.
MOST_ROWS = 20_000


@dataclass(frozen=True)
class CellResults:
    """A cell of the plan with those of its runs that are on disk."""

    cell: Cell
    runs: list[Run]

    def count(self, status: str) -> int:
        """Return the number of runs with a status."""
        return sum(run.info.status == status for run in self.runs)

    @property
    def n_stuck(self) -> int:
        """The number of stuck runs."""
        return sum(run.info.stuck for run in self.runs)

    def scores(self, name: str) -> np.ndarray:
        """Return the values of a final metric (``test/accuracy``), one for each finished run that recorded it."""
        finished = [run.info for run in self.runs if run.info.status == FINISHED]
        return np.array([info.scores[name] for info in finished if name in info.scores], np.float64)

    def working_scores(self, name: str) -> np.ndarray:
        """Return the values of a final metric, one for each working run that recorded it."""
        infos = [run.info for run in self.working.runs]
        return np.array([info.scores[name] for info in infos if name in info.scores], np.float64)

    @property
    def working(self) -> "CellResults":
        """The same cell with its working runs only."""
        return CellResults(self.cell, [run for run in self.runs if run.info.works])

    @property
    def tuned(self) -> dict[str, Any]:
        """The settings that a study chose for the runs; empty for an untuned cell."""
        return next((run.info.tuned for run in self.runs if run.info.tuned), {})

    @property
    def naive(self) -> dict[str, float]:
        """The naive predictor's scores; where runs have rows of their own, the means over them."""
        if self.cell.settings.repeat.has_own_rows:
            return _means([run.info.naive for run in self.runs])
        return next((run.info.naive for run in self.runs if run.info.naive), {})

    @cached_property
    def described(self) -> dict[str, Any]:
        """The content of ``cell.json``; empty before the cell's first run."""
        folders = [folder for run in self.runs[:1] if (folder := run.path.parents[1]) and (folder / CELL).exists()]
        return read_cell_file(folders[0]) if folders else {}

    @property
    def ceiling(self) -> dict[str, float]:
        """The best scores that the generator allows, over own rows the means; empty where they are not known."""
        if self.cell.settings.repeat.has_own_rows:
            return _means([run.info.ceiling for run in self.runs])
        return self.described.get("ceiling", {})

    def in_unit(self, values: np.ndarray, run: Run) -> np.ndarray:
        """Return targets or predictions of a run, shape (n_samples, n_outputs), in the unit of the metrics."""
        scaling = run.info.target_scaling or self.described.get("target_scaling")
        return values * np.array(scaling["scale"]) + np.array(scaling["center"]) if scaling else values

    def test_targets(self, run: Run) -> np.ndarray | None:
        """Return the targets of a run's test rows: numbers in the unit of the metrics; None where they are not kept."""
        own = self.cell.settings.repeat.has_own_rows
        y = run.array("test/y") if own else self.targets.get("test")
        return self.in_unit(y, run) if y is not None and self.cell.task in NUMBER_TASKS else y

    @cached_property
    def targets(self) -> dict[str, np.ndarray]:
        """The targets of each split, in the unit of training; empty where runs have rows of their own or none began."""
        paths = [path for run in self.runs[:1] if (path := run.path.parents[1] / "data.npz").exists()]
        if not paths:
            return {}
        with np.load(paths[0], allow_pickle=False) as file:
            return {name.removeprefix("y/"): file[name] for name in file.files if name.startswith("y/")}

    def interval(self, name: str) -> Interval:
        """Return the mean of a final metric over the working runs, with its 95 % interval; ``n`` counts the runs.

        Of a cross-validation the interval is that of the corrected t, for another sample of this size.
        """
        folds, values = self.cell.settings.folds, self.working_scores(name)
        if folds is None:
            return mean_of_runs(values)
        numbers = [folds.number(run.info.id) for run in self.working.runs if name in run.info.scores]
        return mean_of_runs(values, np.array(numbers), test_per_train(self.cell.settings))

    @cached_property
    def _shown_rows(self) -> np.ndarray:
        """The test rows whose contributions are taken: all, or ``MOST_ROWS`` at equal distances."""
        n = len(self.targets["test"])
        return np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int))

    @property
    def _scale(self) -> np.ndarray:
        """The unit of the targets in training, in the unit of the metrics."""
        scaling = self.described.get("target_scaling")
        return np.array(scaling["scale"] if scaling else 1.0)

    def contributions(self, metric: str) -> dict[RunId, np.ndarray]:
        """Return what each test row contributes to a metric, for each finished run that has raw predictions.

        Empty where runs have test rows of their own. Predictions of diverged runs are too large to compute with.

        Parameters
        ----------
        metric : str
            One that ``metrics.rows.has_contributions``.
        """
        if "test" not in self.targets:
            return {}
        finished = [run for run in self.runs if run.info.status == FINISHED]
        found = {run.info.id: raw for run in finished if (raw := run.array("raw/test")) is not None}
        return {each: self.contributions_of(self.cell.pair, metric, raw) for each, raw in found.items()}

    def contributions_of(self, pair: Pair, metric: str, raw: np.ndarray) -> np.ndarray:
        """Return what each test row contributes to a metric of raw predictions for the test rows of the cell.

        Parameters
        ----------
        pair : Pair
            As which the raw predictions are read.
        raw : float array, shape (n_rows, n_raw)
        """
        rows = self._shown_rows
        return contributions(pair, metric, self.targets["test"][rows], raw[rows], self._scale).astype(np.float32)

    @cached_property
    def predictions(self) -> dict[RunId, str]:
        """A digest of the raw predictions for the test split, of each run that has them."""
        found = {run.info.id: raw for run in self.runs if (raw := run.array("raw/test")) is not None}
        return {each: hashlib.sha256(raw.tobytes()).hexdigest() for each, raw in found.items()}

    def naive_contributions(self, metric: str) -> np.ndarray | None:
        """Return what each test row contributes to a metric of the naive predictor; None if it is not a sum over rows.

        That is also so for several labels.
        """
        if "test" not in self.targets or self.cell.task == "multilabel" or not has_contributions(metric):
            return None
        y = self.targets["test"][self._shown_rows]
        return naive_contributions(self.cell.task, metric, self.targets["train"], y, self._scale)

    def seconds(self, since: float) -> float:
        """Return the seconds from the first start to the last end of the runs that started after ``since``.

        Parameters
        ----------
        since : float
            Seconds since 1970; runs of an earlier start of the sweep are older and do not count.
        """
        infos = [run.info for run in self.runs if run.info.started >= since]
        return max(info.ended for info in infos) - min(info.started for info in infos) if infos else 0.0


def test_per_train(settings: CellSettings) -> float:
    """Return how many test rows a fold of a cell has for each row that it learns from, on average over its folds."""
    folds = settings.folds
    assert folds is not None, "only a cross-validation has folds"
    if isinstance(settings.dataset, FileSettings) and settings.dataset.time:
        # The k-th fold learns from k parts and is judged on one.
        return float(np.mean([1 / k for k in range(1, folds.folds + 1)]))
    return 1.0 / (folds.folds - 1)


def _means(scores: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each score over those that have it."""
    names = dict.fromkeys(name for found in scores for name in found)
    return {name: float(np.mean([found[name] for found in scores if name in found])) for name in names}


def read_results(plan: Plan) -> list[CellResults]:
    """Return the results of the plan's cells in the plan's order; runs of other seeds on disk are ignored."""
    return [
        CellResults(cell, list(read_runs(plan.folder / cell.folder, plan.runs(cell)).values())) for cell in plan.cells
    ]


def other_cells(plan: Plan) -> Iterator[tuple[dict[str, Any], list[RunId]]]:
    """Yield the content of ``cell.json`` and the runs of each cell in the folder that the plan does not have.

    One whose ``cell.json`` is damaged is left out.
    """
    planned = {cell.folder for cell in plan.cells}
    for path in sorted(plan.folder.glob(f"*/{CELL}")):
        if path.parent.name not in planned:
            with suppress(DamagedFileError):
                yield read_cell_file(path.parent), runs_on_disk(path.parent)


def curve_matrix(results: CellResults, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the epochs of a cell's runs and the values of one curve.

    Returns
    -------
    epochs : int array, shape (n_epochs,)
        Every epoch that at least one run recorded.
    values : float array, shape (n_runs, n_epochs)
        NaN where a run has no value for the epoch, as after an early stop.
    """
    runs = [run for run in results.runs if "epochs" in run.arrays]
    epochs = np.unique(np.concatenate([run.arrays["epochs"] for run in runs] or [np.array([], np.int64)]))
    matrix = np.full((len(runs), len(epochs)), np.nan)
    for row, run in zip(matrix, runs, strict=True):
        row[np.searchsorted(epochs, run.arrays["epochs"])] = run.curves[name]
    return epochs, matrix
