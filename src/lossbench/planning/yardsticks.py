"""The yardsticks of a sweep: for each data set, which models run on which of its rows, and in which folder they lie.

A yardstick is a model of scikit-learn that is trained and judged on the same rows as the networks. It is shown beside
the losses and is none of them.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lossbench.config.settings import HeadSettings, LossSettings, NoTuneSettings
from lossbench.ground.run_ids import RunId
from lossbench.losses.heads import NUMBER_TASKS
from lossbench.losses.pairing import BASELINES, LOSSES, canonical_head
from lossbench.planning.keys import key_settings
from lossbench.planning.plan import Cell, Plan

# The models by the names of their files, and what they are called.
MODELS = {"linear": "a linear model", "boosting": "gradient boosting"}
# Part of every key. Increase it when the same settings give other numbers than before.
VERSION = 1


@dataclass(frozen=True)
class Yardsticks:
    """The yardsticks of one data set.

    Attributes
    ----------
    cell : Cell
        The first cell of the data set, with a loss and a head as which the models' predictions are read.
    runs : list of RunId
        The runs of the networks whose rows the models are given: one of each fold or sample, or one of all.
    """

    cell: Cell
    runs: list[RunId]

    @property
    def data(self) -> str:
        """The data set, as ``Cell.data``."""
        return self.cell.data

    @property
    def key(self) -> str:
        """Hash of the settings that determine the models' numbers; how many folds or samples there are is none."""
        found = key_settings(self.cell.settings)
        content = {name: found[name] for name in ("dataset", "corruption", "repeat") if name in found}
        return hashlib.sha256(json.dumps({"version": VERSION, **content}, sort_keys=True).encode()).hexdigest()

    @property
    def folder(self) -> str:
        """The name of the folder: the data set, ``yardsticks``, and 8 digits of the key."""
        slug = re.sub(r"[^A-Za-z0-9._=+,-]+", "-", self.data)
        return f"{slug[:100]}-yardsticks-{self.key[:8]}"

    @property
    def parts(self) -> list[tuple[str, RunId]]:
        """Every model on each of the runs' rows, in the order in which they are trained."""
        return [(model, run) for model in MODELS for run in self.runs]

    @property
    def size(self) -> str:
        """The number of models and of trainings of each, in words."""
        repeat = self.cell.settings
        what = "folds" if repeat.folds else "samples" if repeat.draws_samples else "split"
        return f"{len(MODELS)} models x {len(self.runs)} {what}"


def yardsticks(plan: Plan) -> list[Yardsticks]:
    """Return the yardsticks of each data set of a plan; none with ``report.yardsticks=false``."""
    if not plan.report.yardsticks:
        return []
    first = {cell.data: cell for cell in reversed(plan.cells)}
    return [yardsticks_of(plan, first[data]) for data in dict.fromkeys(cell.data for cell in plan.cells)]


def yardsticks_of(plan: Plan, cell: Cell) -> Yardsticks:
    """Return the yardsticks of a cell's data set."""
    # Numbers and shares are read as they are predicted, classes and labels as the probabilities that they are.
    loss = "mean_squared_error" if cell.task in NUMBER_TASKS else BASELINES[cell.task]
    head = "linear" if cell.task in NUMBER_TASKS else canonical_head(LOSSES[loss], cell.task)
    settings = replace(
        cell.settings,
        loss=LossSettings(name=loss),
        head=HeadSettings(name=head, encoding="auto"),
        tune=NoTuneSettings(name="none"),
    )
    return Yardsticks(replace(cell, loss=loss, settings=settings), list(_one_of_each(plan, cell)))


def _one_of_each(plan: Plan, cell: Cell) -> Iterator[RunId]:
    """Yield the first run of each fold, the run of each sample, or the first of all runs."""
    seen = set()
    for run in plan.runs(cell):
        rows = place(cell, run)
        if rows not in seen:
            seen.add(rows)
            yield run


def place(cell: Cell, run: RunId) -> int | tuple[int, int] | None:
    """Return what tells the rows of a run from those of others: its sample, its fold, or nothing."""
    return run.seed if cell.settings.draws_samples else run.split
