"""Optuna: the next proposals of a study, and a copy of all trials as an Optuna storage.

Each batch of proposals comes from an Optuna study that is rebuilt in memory from the finished trials, in an
uninterrupted run too. So a restart after a kill proposes the same values as a run that was never killed.
"""

import hashlib
import json
import math
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

from lossbench.config.search_space import (
    LEARNING_RATE,
    Dimension,
    configured,
    dimensions,
    grid_points,
    includes,
    sampler,
)
from lossbench.config.settings import plain
from lossbench.ground.files import write_text
from lossbench.metrics.catalogue import lower_is_better
from lossbench.planning.plan import Cell, Plan
from lossbench.tuning.study_files import Trial, read_outcome, read_trials, study_metric


def n_trials(cell: Cell) -> int:
    """Return the number of trials that a cell's sampler proposes: ``tune.trials``, or fewer if a grid has fewer."""
    tune = cell.settings.study
    if sampler(tune) != "grid":
        return tune.trials
    # Optuna has no public way to count the points of a grid.
    return len(_grid_sampler(cell)._all_grids)


def default_proposal(cell: Cell, before: list[Trial]) -> list[dict[str, Any]]:
    """Return the configured values as a proposal, unless they were tried or lie outside the range."""
    own = configured(cell.settings)
    allowed = all(includes(dimension, own[dimension.key]) for dimension in dimensions(cell.settings))
    return [own] if allowed and all(trial.parameters != own for trial in before) else []


def proposals(cell: Cell, before: list[Trial], count: int) -> list[dict[str, Any]]:
    """Return the next proposals of a cell's study.

    The same settings and the same earlier trials always give the same proposals.

    Parameters
    ----------
    cell : Cell
        A tuned cell. Its ``tune`` settings and the length of ``before`` give the sampler's random seed.
    before : list of Trial
        All earlier trials, from number 0 on, finished and failed.
    count : int
        The number of proposals.

    Returns
    -------
    list of dict
        For each proposal its values by settings key (``optimizer.learning_rate``).
    """
    study = _study(cell, before)
    distributions = {dimension.key: _distribution(dimension) for dimension in dimensions(cell.settings)}
    if sampler(cell.settings.study) == "tpe":
        asked = [study.ask(distributions) for _ in range(count)]
    else:
        # These samplers ignore the trials' values: ask for the whole sequence again and take its next part.
        asked = [study.ask(distributions) for _ in range(len(before) + count)][len(before) :]
    return [{key: trial.params[key] for key in distributions} for trial in asked]


def write_storage(plan: Plan) -> None:
    """Write ``studies.log``, an Optuna journal of all studies of a plan, from the trials on disk.

    ``optuna-dashboard multirun/<name>/studies.log`` opens it. lossbench never reads it: Optuna cannot open a journal
    whose last record was cut off by a kill, so the trial files are kept as the record and the journal is a copy.
    """
    backend = _Collected()
    storage = JournalStorage(backend)
    _quiet()
    for cell in plan.cells:
        if cell.is_tuned:
            name = f"{cell.name}-{cell.key[:8]}"
            study = optuna.create_study(storage=storage, study_name=name, direction=_direction(cell))
            study.set_user_attr("metric", f"validation/{study_metric(cell)}")
            outcome = read_outcome(plan.folder / cell.folder)
            if outcome is not None:
                # Optuna's best trial is the one with the best value; the chosen one may be another.
                study.set_user_attr("chosen", outcome.parameters)
            study.add_trials(_frozen(cell, trial) for trial in read_trials(cell, plan.folder / cell.folder))
    write_text(plan.folder / "studies.log", "".join(f"{json.dumps(log)}\n" for log in backend.logs))


class _Collected(BaseJournalBackend):
    """A journal in memory; Optuna's journal in a file flushes every record to disk by itself, which is slow."""

    def __init__(self):
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from):
        return self.logs[log_number_from:]

    def append_logs(self, logs):
        self.logs += logs


def _quiet() -> None:
    """Keep Optuna from logging every new study and trial to the terminal."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _direction(cell: Cell) -> StudyDirection:
    return StudyDirection.MINIMIZE if lower_is_better(study_metric(cell)) else StudyDirection.MAXIMIZE


def _study(cell: Cell, before: list[Trial]) -> optuna.Study:
    """Return an Optuna study in memory, with the earlier trials in it if the sampler is TPE, which learns from them."""
    learns = sampler(cell.settings.study) == "tpe"
    _quiet()
    study = optuna.create_study(direction=_direction(cell), sampler=_sampler(cell, len(before) if learns else 0))
    if learns:
        study.add_trials(_frozen(cell, trial) for trial in before)
    return study


def _sampler(cell: Cell, n_before: int) -> BaseSampler:
    """Return the sampler of a batch.

    Its seed depends on the ``tune`` settings but not on the loss, so all cells with the same budget and space begin
    with the same proposals, and no loss is lucky in where its search starts.
    """
    told = json.dumps(plain(cell.settings.study), sort_keys=True)
    # With one seed for all batches, every batch would repeat the first one's proposals.
    digest = hashlib.sha256(f"{told}/{n_before}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    name = sampler(cell.settings.study)
    if name == "grid":
        return _grid_sampler(cell)
    if name == "quasi_random":
        with warnings.catch_warnings():
            # QMCSampler is experimental and may change between Optuna versions; a test would notice.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return QMCSampler(scramble=True, seed=seed)
    return RandomSampler(seed=seed) if name == "random" else TPESampler(seed=seed)


def _grid_sampler(cell: Cell) -> GridSampler:
    found = dimensions(cell.settings)
    points = grid_points(cell.settings.study, found)
    own = configured(cell.settings)
    return GridSampler({dimension.key: _grid(dimension, points, own[dimension.key]) for dimension in found}, seed=0)


def _grid(dimension: Dimension, points: int, own: Any) -> list[Any]:
    """Return evenly spaced values of a dimension, including both ends; for a logarithmic one, evenly spaced ratios.

    A value that differs from the configured one by rounding is the configured one.
    """
    if dimension.choices:
        return list(dimension.choices)
    low, high, last = dimension.low, dimension.high, points - 1
    if dimension.log:
        # The end itself is appended, because the power may miss it by a rounding error.
        values = [low * (high / low) ** (i / last) for i in range(last)] + [high]
    else:
        values = [low + (high - low) * i / last for i in range(last)] + [high]
    if dimension.integer:
        return list(dict.fromkeys(round(value) for value in values))
    return [own if math.isclose(value, own, rel_tol=1e-9) else value for value in values]


def _distribution(dimension: Dimension) -> BaseDistribution:
    if dimension.choices:
        return CategoricalDistribution(dimension.choices)
    if dimension.integer:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _frozen(cell: Cell, trial: Trial) -> FrozenTrial:
    """Return a trial as an Optuna trial that has ended."""
    found = {dimension.key: _distribution(dimension) for dimension in dimensions(cell.settings)}
    rate, tune = trial.learning_rate, cell.settings.study
    # A rate that was added beyond the range.
    found[LEARNING_RATE] = FloatDistribution(min(tune.low, rate), max(tune.high, rate), log=True)
    return create_trial(
        state=TrialState.FAIL if trial.value is None else TrialState.COMPLETE,
        value=trial.value,
        params=trial.parameters,
        distributions=found,
        user_attrs={"values": trial.values, "reason": trial.reason, "dead": trial.dead},
    )
