"""Prepares what the runs of a cell share: data, program structure, hyperparameters and reference predictors."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lossbench.config.settings import CellSettings, with_values
from lossbench.datasets.corruption import corrupted
from lossbench.datasets.loading import Dataset, Part, fresh_sample, load, load_fold
from lossbench.ground import quiet_tensorflow  # noqa: F401
from lossbench.ground.run_ids import RunId
from lossbench.metrics.classification import Scores
from lossbench.metrics.reference_predictors import (
    ceiling_scores,
    naive_calibrated_scores,
    naive_scores,
)
from lossbench.planning.plan import Cell
from lossbench.training import specification
from lossbench.training.best_constant import best_constant_loss
from lossbench.training.specification import Data, Hyperparameters, Structure, Trained
from lossbench.tuning.study_files import Outcome

# Prepared folds that a cell holds; more than threads are at work on at a time.
MOST_FOLDS_HELD = 4
# Points of the decision grid along each of the two features.
GRID_POINTS = 45


@dataclass(frozen=True)
class PreparedCell:
    """A cell with everything that its runs share; each property is computed when first used.

    Attributes
    ----------
    outcome : Outcome or None
        The outcome of the cell's study; None for an untuned cell.
    of : RunId or None
        The run that this is about, if runs have rows of their own; None for what all runs have in common.
    """

    cell: Cell
    outcome: Outcome | None = None
    of: RunId | None = None

    @cached_property
    def settings(self) -> CellSettings:
        """The cell's settings, with the values that its study chose."""
        return with_values(self.cell.settings, self.tuned)

    @property
    def tuned(self) -> dict[str, Any]:
        """The values that the study chose: in a cross-validation for this fold, or for all rows."""
        return self.outcome.chosen(self.of.split if self.of else None) if self.outcome else {}

    @cached_property
    def dataset(self) -> Dataset:
        """The data set, not corrupted: the cell's, the run's sample or fold, or in a cross-validation all rows."""
        settings, folds = self.cell.settings.dataset, self.cell.settings.folds
        if folds is not None:
            return load_fold(settings, folds, self.of.split if self.of else None)
        return load(settings if self.of is None else fresh_sample(settings, self.of.seed))

    @cached_property
    def data(self) -> Data:
        """The clean data as inputs of the compiled program."""
        return specification.make_data(self.cell.pair, self.dataset.splits, self.dataset.n_classes, self.dataset.unit)

    def of_run(self, run: RunId) -> "PreparedCell":
        """Return what a run has in common with those of the same rows: this, or what is prepared for its rows."""
        if self.of is not None or not self.cell.settings.repeat.has_own_rows:
            return self
        if self.cell.settings.draws_samples:
            return replace(self, of=run)
        if run.split is None:
            return self
        # Runs are trained fold by fold, so few folds are in use at a time.
        found = self._folds.get(run.split) or replace(self, of=run)
        self._folds[run.split] = found
        if len(self._folds) > MOST_FOLDS_HELD:
            self._folds.pop(next(iter(self._folds)), None)
        return found

    @cached_property
    def _folds(self) -> "dict[tuple[int, int], PreparedCell]":
        return {}

    def structures(self, runs: list[RunId]) -> "list[Structure]":
        """Return the different structures of these runs, in their order: one, or one for each size of a fold."""
        if self.cell.settings.draws_samples:
            return [self.of_run(runs[0]).structure]
        return list(dict.fromkeys(self.of_run(run).structure for run in runs))

    def run(self, run: RunId) -> "PreparedRun":
        """Return a run with its data: its own are a corrupted training split, or all rows."""
        if self.of is None and (own := self.of_run(run)) is not self:
            return own.run(run)
        clean, settings = self.dataset.splits, self.cell.settings.corruption
        train = corrupted(settings, clean["train"], self.dataset.n_classes, run.training_seed)
        data = self.data
        if train is not clean["train"]:
            given = specification.make_data(self.cell.pair, {"train": train}, self.dataset.n_classes)
            data = Data(data.x | given.x, data.y | given.y, data.target | given.target, data.unit)
        return PreparedRun(self, run, clean | {"train": train}, data)

    @cached_property
    def structure(self) -> Structure:
        """The structure for which the program is compiled (model, loss, optimizer, shapes), the same for every seed."""
        return specification.make_structure(self.settings, self.cell.pair, self.run(self.of or RunId(0)).data)

    @cached_property
    def hyperparameters(self) -> Hyperparameters:
        """The learning rate, loss parameters and epochs of the runs."""
        return specification.make_hyperparameters(self.settings)

    @cached_property
    def naive(self) -> Scores:
        """The naive predictor's metrics, by ``split/metric``."""
        dataset = self.dataset
        n_classes, y = dataset.n_classes, {name: dataset.in_unit(part.y) for name, part in dataset.splits.items()}
        scores = {
            name: naive_scores(self.cell.pair, y["train"], values, n_classes, ordered=dataset.ordered)
            for name, values in y.items()
        }
        if self.calibrates and "test" in scores:
            scores["test"] |= naive_calibrated_scores(y["train"], y["test"], n_classes)
        return by_split(scores)

    @cached_property
    def ceiling(self) -> Scores:
        """The best possible metrics, by ``split/metric``; empty if the generator's optimum is not known."""
        dataset, scores = self.dataset, {}
        for name, part in dataset.splits.items():
            optimum = {key: dataset.in_unit(values) for key, values in part.optimum.items()}
            scores[name] = ceiling_scores(self.cell.task, dataset.in_unit(part.y), optimum, ordered=dataset.ordered)
        return by_split(scores)

    @property
    def calibrates(self) -> bool:
        """Whether probabilities are also evaluated after a calibration on the validation split."""
        return self.cell.task in ("binary", "multiclass") and "validation" in self.dataset.splits

    def curves(self, trained: Trained) -> dict[str, np.ndarray]:
        """Return the curves of a training, with the main metric's in the target's own unit."""
        metric = f"/{self.cell.metric}"
        # The program counts the errors of all outputs in the first one's scale, so one factor restores the unit.
        unit = np.float32(specification.unit_of_curve(self.cell.metric, self.dataset.unit))
        return {name: curve * unit if name.endswith(metric) else curve for name, curve in trained.curves.items()}

    @cached_property
    def naive_loss(self) -> float:
        """The cell's loss at the constant prediction that minimises it, on the training split before corruption."""
        return self.naive_loss_on(self.dataset.splits["train"].y)

    def naive_loss_on(self, y: np.ndarray) -> float:
        """Return the cell's own loss of the best constant prediction for the targets ``y``."""
        return best_constant_loss(self.cell.pair, y, self.dataset.n_classes, self.hyperparameters.loss)

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The axes of the decision grid, float32 arrays of shape (GRID_POINTS,); None unless there are two features.

        None too where runs have rows of their own, for which features are scaled apart.
        """
        if self.dataset.n_features != 2 or self.cell.settings.repeat.has_own_rows:
            return None
        x = np.concatenate([split.x for split in self.dataset.splits.values()])
        margin = 0.05 * (x.max(axis=0) - x.min(axis=0))
        low, high = x.min(axis=0) - margin, x.max(axis=0) + margin
        first, second = (np.linspace(low[i], high[i], GRID_POINTS, dtype=np.float32) for i in (0, 1))
        return first, second


@dataclass(frozen=True)
class PreparedRun:
    """A run with the data that its training and its evaluation need.

    Attributes
    ----------
    cell : PreparedCell
        The cell, shared with its other runs.
    splits : dict
        The splits by name; the training split is corrupted if the cell's settings say so.
    data : Data
        The same splits as inputs of the compiled program.
    """

    cell: PreparedCell
    id: RunId
    splits: dict[str, Part]
    data: Data


def by_split(scores: dict[str, Scores]) -> Scores:
    """Return the scores of several splits in one dictionary, by ``split/metric``."""
    return {f"{split}/{name}": value for split, found in scores.items() for name, value in found.items()}
