"""Optuna: what a study proposes next, and its storage as a projection of the trials on disk.

The only module that imports optuna. A study is never continued in Optuna's own memory: each batch of proposals is
asked of a study rebuilt from the finished trials, so that a restart changes nothing.
"""

import hashlib
import json
import warnings
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GridSampler, QMCSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from lossbench.config.search_space import Dimension, dimensions, grid_points
from lossbench.config.settings import plain
from lossbench.ground.files import write_text
from lossbench.metrics.catalogue import lower_is_better
from lossbench.planning.plan import Cell, Plan
from lossbench.tuning.study_files import Trial, read_trials, study_metric


def n_trials(cell: Cell) -> int:
    """Return how many trials a cell's study has: those asked for, or the points of its grid if these are fewer."""
    tune = cell.settings.study
    if tune.sampler != "grid":
        return tune.trials
    return len(_grid_sampler(cell)._all_grids)


def proposals(cell: Cell, before: list[Trial], count: int) -> list[dict[str, Any]]:
    """Return what a cell's study tries next: a function of its settings and of the trials before, and of nothing else.

    Parameters
    ----------
    cell : Cell
        Tuned; its ``tune`` settings and the number of trials before seed the sampler.
    before : list of Trial
        All trials from number 0 on, finished and failed.
    count : int
        How many to propose at once.

    Returns
    -------
    list of dict
        The values of each trial by their keys.
    """
    study = _study(cell, before)
    distributions = {dimension.key: _distribution(dimension) for dimension in dimensions(cell.settings)}
    if cell.settings.study.sampler == "tpe":
        asked = [study.ask(distributions) for _ in range(count)]
    else:
        # These do not look at values: the whole sequence is asked for again, and its next part taken.
        asked = [study.ask(distributions) for _ in range(len(before) + count)][len(before) :]
    return [{key: trial.params[key] for key in distributions} for trial in asked]


def write_storage(plan: Plan) -> None:
    """Write ``studies.log``, Optuna's journal of all studies of a plan, from the trials on disk.

    ``optuna-dashboard multirun/<name>/studies.log`` opens it. It is written as a whole; nothing reads it back.
    """
    backend = _Collected()
    storage = JournalStorage(backend)
    _quiet()
    for cell in plan.cells:
        if cell.is_tuned:
            name = f"{cell.name}-{cell.key[:8]}"
            study = optuna.create_study(storage=storage, study_name=name, direction=_direction(cell))
            study.set_user_attr("metric", f"validation/{study_metric(cell)}")
            study.add_trials(_frozen(cell, trial) for trial in read_trials(cell, plan.folder / cell.folder))
    write_text(plan.folder / "studies.log", "".join(f"{json.dumps(log)}\n" for log in backend.logs))


class _Collected(BaseJournalBackend):
    """Keeps a journal in memory: in a file, each of its records would be flushed to the disk by itself."""

    def __init__(self):
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from):
        return self.logs[log_number_from:]

    def append_logs(self, logs):
        self.logs += logs


def _quiet() -> None:
    """Keep Optuna from saying in the terminal what it creates."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _direction(cell: Cell) -> StudyDirection:
    return StudyDirection.MINIMIZE if lower_is_better(study_metric(cell)) else StudyDirection.MAXIMIZE


def _study(cell: Cell, before: list[Trial]) -> optuna.Study:
    """Return a study in memory; for TPE with the trials before, which it learns from."""
    learns = cell.settings.study.sampler == "tpe"
    _quiet()
    study = optuna.create_study(direction=_direction(cell), sampler=_sampler(cell, len(before) if learns else 0))
    if learns:
        study.add_trials(_frozen(cell, trial) for trial in before)
    return study


def _sampler(cell: Cell, n_before: int) -> BaseSampler:
    """Return the sampler of a batch; all cells with the same budget and space begin with the same proposals."""
    told = json.dumps(plain(cell.settings.study), sort_keys=True)
    # The same seed for each batch would propose the same again.
    digest = hashlib.sha256(f"{told}/{n_before}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    name = cell.settings.study.sampler
    if name == "grid":
        return _grid_sampler(cell)
    if name == "quasi_random":
        with warnings.catch_warnings():
            # It may change; a test would see it.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return QMCSampler(scramble=True, seed=seed)
    return RandomSampler(seed=seed) if name == "random" else TPESampler(seed=seed)


def _grid_sampler(cell: Cell) -> GridSampler:
    found = dimensions(cell.settings)
    points = grid_points(cell.settings.study, found)
    return GridSampler({dimension.key: _grid(dimension, points) for dimension in found}, seed=0)


def _grid(dimension: Dimension, points: int) -> list[Any]:
    """Return evenly spaced values of a dimension, both ends among them."""
    if dimension.choices:
        return list(dimension.choices)
    low, high, last = dimension.low, dimension.high, points - 1
    if dimension.log:
        # The last one is exactly the end.
        values = [low * (high / low) ** (i / last) for i in range(last)] + [high]
    else:
        values = [low + (high - low) * i / last for i in range(last)] + [high]
    return list(dict.fromkeys(round(value) for value in values)) if dimension.integer else values


def _distribution(dimension: Dimension) -> BaseDistribution:
    if dimension.choices:
        return CategoricalDistribution(dimension.choices)
    if dimension.integer:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _frozen(cell: Cell, trial: Trial) -> FrozenTrial:
    """Return a trial as Optuna keeps it."""
    found = {dimension.key: _distribution(dimension) for dimension in dimensions(cell.settings)}
    return create_trial(
        state=TrialState.FAIL if trial.value is None else TrialState.COMPLETE,
        value=trial.value,
        params=trial.parameters,
        distributions=found,
        user_attrs={"values": trial.values, "reason": trial.reason},
    )
