"""The stages of a running sweep: the trials of a study, the runs of a cell, the yardsticks of a data set, in order."""

import itertools
import json
import math
from collections.abc import Hashable
from dataclasses import dataclass

from lossbench.config.settings import (
    DatasetSettings,
    FileSettings,
    FoldsSettings,
    MlpSettings,
    StudySettings,
    TuneSettings,
    plain,
)
from lossbench.datasets.catalogue import described, n_samples, split_counts
from lossbench.planning.plan import Cell
from lossbench.tuning.study_files import n_repetitions, trainings_of_a_trial

TRIALS, RUNS, YARDSTICKS = "trials", "runs", "yardsticks"
# What a row costs in a training besides the multiplications of its network: as much as so many of them.
A_ROW = 300


@dataclass
class Stage:
    """Trainings of one kind that follow each other, with what has ended of them since the sweep was started.

    Attributes
    ----------
    kind : str
        ``TRIALS``, ``RUNS`` or ``YARDSTICKS``; what is counted.
    group : hashable
        Stages of one group take the same time for each of what is counted.
    size : float
        How long one takes, relative to others; what stages without a measured group are compared by.
    programs : tuple
        What tells the programs that are compiled before its first training.
    n_left, n_done : int
        How many are still to come, and how many have ended.
    first, first_end, last : float
        When the first one began, when the first one ended, and the last, in seconds since 1970.
    """

    kind: str
    group: Hashable
    size: float
    programs: tuple[Hashable, ...]
    n_left: int
    n_done: int = 0
    first: float = math.inf
    first_end: float = math.inf
    last: float = -math.inf

    @property
    def seconds(self) -> float:
        """How long its trainings have taken so far, together."""
        return max(0.0, self.last - self.first)

    @property
    def seconds_after_first(self) -> float:
        """How long those after the first have taken; the first one takes longer: its predictions are compiled."""
        return max(0.0, self.last - self.first_end)

    def note(self, started: float, ended: float) -> None:
        """Note one that has ended."""
        self.n_left, self.n_done = max(0, self.n_left - 1), self.n_done + 1
        self.first, self.last = min(self.first, started), max(self.last, ended)
        self.first_end = min(self.first_end, ended)


def stage_of_runs(cell: Cell, n_open: int) -> Stage:
    """Return the stage of a cell's open runs."""
    rows = _n_train(cell)
    folds = cell.settings.folds
    # Sizes of folds differ by a row, and each size is a program.
    sizes = 2 if folds and n_samples(cell.settings.dataset) % folds.folds else 1
    return Stage(RUNS, _group(cell, RUNS), rows * _work_of_a_row(cell), _programs(cell, RUNS, sizes), n_open)


def stage_of_trials(cell: Cell, n_open: int) -> Stage:
    """Return the stage of the open trials of a cell's study."""
    study, folds = cell.settings.study, cell.settings.folds
    kept = _share_kept(study, folds)
    size = _n_train(cell) * kept * _work_of_a_row(cell) * trainings_of_a_trial(cell)
    return Stage(TRIALS, _group(cell, TRIALS), size, _programs(cell, TRIALS, 1), n_open)


def stage_of_yardsticks(cell: Cell, n_open: int) -> Stage:
    """Return the stage of the open yardsticks of a cell's data set."""
    return Stage(YARDSTICKS, _data(cell), _n_train(cell), (), n_open)


def n_trials(cell: Cell) -> int:
    """Return how many trials a cell's study has, but for those that follow from the values of others."""
    return cell.settings.study.trials * n_repetitions(cell)


def _n_train(cell: Cell) -> float:
    """Return the number of rows that a run is trained on."""
    settings, n_rows = cell.settings, n_samples(cell.settings.dataset)
    if settings.folds:
        return n_rows * (1.0 - 1.0 / settings.folds.folds)
    return split_counts(settings.dataset.split, n_rows)[0]


def _work_of_a_row(cell: Cell) -> float:
    """Return roughly how long a row takes in a training, relative to other networks and data sets."""
    settings = cell.settings
    units = settings.model.hidden_units if isinstance(settings.model, MlpSettings) else []
    layers = [_n_features(settings.dataset), *units, cell.n_outputs]
    return settings.epochs * (A_ROW + sum(a * b for a, b in itertools.pairwise(layers)))


def _n_features(dataset: DatasetSettings) -> int:
    if isinstance(dataset, FileSettings):
        return len(dataset.facts.numbers) + len(dataset.facts.categories)
    shape = described(dataset).shape
    return math.prod(shape) if shape else dataset.parameters.get("n_features", 2)


def _share_kept(study: StudySettings, folds: FoldsSettings | None) -> float:
    """Return the share of a run's rows that a study's training has: it leaves out another fold."""
    if folds:
        return (folds.folds - 2) / (folds.folds - 1)
    return 1.0 - 1.0 / study.folds if isinstance(study, TuneSettings) else 1.0


def _data(cell: Cell) -> str:
    return json.dumps(plain(cell.settings.dataset), sort_keys=True)


def _group(cell: Cell, kind: str) -> Hashable:
    """Return what the time of a training depends on: all but the loss, the head and the learning rate."""
    settings = plain(cell.settings)
    kept = {name: settings[name] for name in ("model", "epochs", "batch_size", "evaluate_every", "trainer")}
    return kind, _data(cell), settings["optimizer"]["name"], json.dumps(kept, sort_keys=True)


def _programs(cell: Cell, kind: str, n_sizes: int) -> tuple[Hashable, ...]:
    """Return what tells a stage's programs from those of others, as far as it is known without TensorFlow."""
    settings, pair = plain(cell.settings), cell.pair
    if cell.settings.trainer != "compiled":
        return ()
    # Losses that one function computes share a program.
    function = pair.function if pair.on_raw and not pair.terms else cell.loss
    optimizer = {name: value for name, value in settings["optimizer"].items() if name != "learning_rate"}
    told = json.dumps([optimizer, settings["schedule"], settings["select"], settings["early_stopping"]])
    common = (_group(cell, kind), told, function, pair.head, pair.encoding)
    return tuple((*common, size) for size in range(n_sizes))
