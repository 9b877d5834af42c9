"""Prepares what the runs of a cell share: data, program structure, hyperparameters and reference predictors."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lossbench.config.settings import CellSettings, with_values
from lossbench.datasets.corruption import corrupted
from lossbench.datasets.loading import Dataset, Part, fresh_sample, load
from lossbench.ground import quiet_tensorflow  # noqa: F401
from lossbench.metrics.catalogue import MAIN_METRICS
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

# Points of the decision grid along each of the two features.
GRID_POINTS = 45


@dataclass(frozen=True)
class PreparedCell:
    """A cell with everything that its runs share; each property is computed when first used.

    Attributes
    ----------
    outcome : Outcome or None
        The outcome of the cell's study; None for an untuned cell.
    sample : int or None
        The seed whose fresh sample this is about, if each run has its own.
    """

    cell: Cell
    outcome: Outcome | None = None
    sample: int | None = None

    @cached_property
    def settings(self) -> CellSettings:
        """The cell's settings, with the values that its study chose."""
        return with_values(self.cell.settings, self.outcome.parameters if self.outcome else {})

    @cached_property
    def dataset(self) -> Dataset:
        """The cell's data set, or the sample's, not corrupted."""
        settings = self.cell.settings.dataset
        return load(settings if self.sample is None else fresh_sample(settings, self.sample))

    @cached_property
    def data(self) -> Data:
        """The clean data as inputs of the compiled program."""
        return specification.make_data(self.cell.pair, self.dataset.splits, self.dataset.n_classes, self.dataset.unit)

    def run(self, seed: int) -> "PreparedRun":
        """Return the run of a seed: its own are a corrupted training split, or with fresh samples all of its data."""
        if self.cell.settings.draws_samples and self.sample is None:
            return replace(self, sample=seed).run(seed)
        clean, settings = self.dataset.splits, self.cell.settings.corruption
        train = corrupted(settings, clean["train"], self.dataset.n_classes, seed)
        data = self.data
        if train is not clean["train"]:
            given = specification.make_data(self.cell.pair, {"train": train}, self.dataset.n_classes)
            data = Data(data.x | given.x, data.y | given.y, data.target | given.target, data.unit)
        return PreparedRun(self, seed, clean | {"train": train}, data)

    @cached_property
    def structure(self) -> Structure:
        """The structure for which the program is compiled (model, loss, optimizer, shapes), the same for every seed."""
        return specification.make_structure(self.settings, self.cell.pair, self.run(0).data)

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
        if self.calibrates:
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
        metric = f"/{MAIN_METRICS[self.cell.task]}"
        # The program counts the errors of all outputs in the first one's scale, so one factor restores the unit.
        unit = np.float32(self.dataset.unit[0])
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
        """The axes of the decision grid, float32 arrays of shape (GRID_POINTS,); None unless there are two features."""
        if self.dataset.n_features != 2:
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
    seed: int
    splits: dict[str, Part]
    data: Data


def by_split(scores: dict[str, Scores]) -> Scores:
    """Return the scores of several splits in one dictionary, by ``split/metric``."""
    return {f"{split}/{name}": value for split, found in scores.items() for name, value in found.items()}
