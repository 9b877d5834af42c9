"""The study of a cell: trains its trials and writes a file for each, before the cell's runs are trained."""

import logging
import math
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.config.search_space import LEARNING_RATE, sampler
from lossbench.config.settings import CellSettings, with_values
from lossbench.datasets.corruption import corrupted
from lossbench.datasets.loading import Dataset, Part, tuning_rows
from lossbench.metrics.catalogue import MAIN_METRICS
from lossbench.metrics.evaluation import evaluate
from lossbench.metrics.reference_predictors import is_stuck, naive_scores
from lossbench.planning.plan import Cell
from lossbench.training import specification
from lossbench.training.best_constant import best_constant_loss
from lossbench.training.compiled import forget_program
from lossbench.training.specification import Data, Structure, Trained
from lossbench.training.trainers import PREDICT, TRAIN
from lossbench.tuning.conclusion import added_rates, conclude, racers, tune_settings
from lossbench.tuning.folds import Training, repeated_folds
from lossbench.tuning.study_files import (
    FAILED,
    FINISHED,
    Outcome,
    Trial,
    read_outcome,
    read_trial,
    study_metric,
    write_outcome,
    write_trial,
)

log = logging.getLogger(__name__)

# The data of all folds are kept in memory up to this size in bytes; larger ones are made again for each training.
MOST_KEPT = 256e6


@dataclass(frozen=True)
class PreparedTraining:
    """The data of one training of each rate.

    Attributes
    ----------
    training : Training
        Its rows and seed, and the rows that judge it.
    splits : dict
        ``train``, corrupted if the cell's settings say so; ``validation``, if trainings choose an epoch by it; and a
        split for each part that judges.
    data : Data
        The same splits as inputs of the compiled program.
    judged : dict
        The names of the splits that judge, by the name of the value that they give.
    naive : dict
        The study's metric of the best constant prediction on each of these splits.
    """

    training: Training
    splits: dict[str, Part]
    data: Data
    judged: dict[str, str]
    naive: dict[str, float]


@dataclass(frozen=True)
class PreparedStudy:
    """A tuned cell with the data that its trials share; the test split is never read.

    Attributes
    ----------
    cell : Cell
        A tuned cell.
    dataset : Dataset
        The cell's data; only the training and the validation split are read.
    """

    cell: Cell
    dataset: Dataset

    @cached_property
    def chooses_epoch(self) -> bool:
        """Whether trainings keep the epoch that is best on the validation split (early stopping does so too)."""
        return self.cell.settings.select == "best"

    @cached_property
    def rows(self) -> Part:
        """The rows that are dealt into folds."""
        return tuning_rows(self.dataset, apart=self.chooses_epoch)

    @cached_property
    def trainings(self) -> list[Training]:
        """The trainings of every trial, the same for all losses."""
        return self._folds(0)

    @cached_property
    def fresh_trainings(self) -> list[Training]:
        """Trainings on other folds, for a race of the best trials."""
        return self._folds(tune_settings(self.cell).repetitions)

    def _folds(self, first: int) -> list[Training]:
        tune, by_class = tune_settings(self.cell), self.dataset.task in ("binary", "multiclass")
        return repeated_folds(self.rows.y, tune.folds, tune.repetitions, tune.seeds, by_class=by_class, first=first)

    @cached_property
    def _kept(self) -> dict[str, PreparedTraining]:
        return {}

    def prepared(self, training: Training) -> PreparedTraining:
        """Return the data of a training."""
        name = next(iter(training.parts))
        if name in self._kept:
            return self._kept[name]
        made = self._prepare(training)
        if self.rows.x.nbytes * len(self.trainings) <= MOST_KEPT:
            self._kept[name] = made
        return made

    def _prepare(self, training: Training) -> PreparedTraining:
        dataset, settings = self.dataset, self.cell.settings
        train = corrupted(settings.corruption, self._part(training.rows), dataset.n_classes, training.seed)
        splits = {"train": train}
        if self.chooses_epoch:
            splits["validation"] = dataset.splits["validation"]
        # Not named by their rows, because splits of the same names and sizes share a compiled program.
        judged = {name: f"judging_{i}" for i, name in enumerate(training.parts, 1)}
        splits |= {judged[name]: self._part(rows) for name, rows in training.parts.items()}
        data = specification.make_data(self.cell.pair, splits, dataset.n_classes, dataset.unit)
        naive = {name: self._naive(train, splits[split])[study_metric(self.cell)] for name, split in judged.items()}
        return PreparedTraining(training, splits, data, judged, naive)

    def _part(self, rows: np.ndarray) -> Part:
        return Part(self.rows.x[rows], self.rows.y[rows])

    def _naive(self, train: Part, judging: Part) -> dict[str, float]:
        """Return each metric of its best constant prediction."""
        dataset, pair = self.dataset, self.cell.pair
        own, judged = dataset.in_unit(train.y), dataset.in_unit(judging.y)
        return naive_scores(pair, own, judged, dataset.n_classes, ordered=dataset.ordered)

    def settings(self, parameters: dict[str, Any]) -> CellSettings:
        """Return the cell's settings with a proposal's values.

        Only the last epoch is evaluated, which saves time, unless trainings choose an epoch and need every value.
        """
        proposed = with_values(self.cell.settings, parameters)
        return proposed if self.chooses_epoch else replace(proposed, evaluate_every=proposed.epochs)

    def structure(self, parameters: dict[str, Any], training: Training | None = None) -> Structure:
        """Return the structure of a proposal: model, loss, optimizer and shapes, for which a program is compiled."""
        data = self.prepared(training or self.trainings[0]).data
        return specification.make_structure(self.settings(parameters), self.cell.pair, data)

    def value(self, structure: Structure, prepared: PreparedTraining, split: str, trained: Trained) -> float:
        """Return the study's metric on a split, in the unit of the metrics."""
        metric = study_metric(self.cell)
        if metric == MAIN_METRICS[self.cell.task]:
            return self._in_curve(trained, f"{split}/{metric}")
        part = prepared.splits[split]
        raw = PREDICT[self.cell.settings.trainer](structure, trained.weights, part.x)
        return evaluate(self.cell.pair, part.y, raw, ordered=self.dataset.ordered, in_unit=self.dataset.in_unit)[metric]

    def _in_curve(self, trained: Trained, name: str) -> float:
        # Rounded to the seven digits of a float32: 0.85 instead of 0.8500000238.
        at = -1 if not trained.selected_epoch else int(np.searchsorted(trained.epochs, trained.selected_epoch))
        return float(f"{trained.curves[name][at] * np.float32(self.dataset.unit[0]):.7g}")

    def is_stuck(self, settings: CellSettings, prepared: PreparedTraining, trained: Trained) -> bool:
        """Return whether a training ended no better than the best constant on its training rows, as runs are judged."""
        metric, train = MAIN_METRICS[self.cell.task], prepared.splits["train"]
        loss = specification.make_hyperparameters(settings).loss
        return is_stuck(
            metric,
            self._in_curve(trained, f"train/{metric}"),
            self._naive(train, train)[metric],
            float(trained.curves["train/loss"][-1]),
            lambda: best_constant_loss(self.cell.pair, train.y, self.dataset.n_classes, loss),
        )


def search(cell: Cell, dataset: Dataset, folder: Path, n_threads: int) -> Outcome:
    """Train and write the missing trials of a cell's study, and return its outcome.

    A finished study is read from disk and nothing is trained. All that is tried follows from the settings and the
    earlier trials, so a study that was killed is continued to the same outcome.

    Parameters
    ----------
    cell : Cell
        A tuned cell.
    dataset : Dataset
        The cell's data.
    folder : Path
        The cell's folder, in which the trial files lie.
    n_threads : int
        The number of trainings that run at the same time.
    """
    outcome = read_outcome(folder)
    if outcome is not None:
        return outcome
    from lossbench.tuning.proposals import default_proposal, n_trials, proposals

    study, trials, tune = PreparedStudy(cell, dataset), list[Trial](), tune_settings(cell)
    trainings, total = study.trainings, n_trials(cell)

    def add(proposed: list[dict[str, Any]]) -> None:
        trials.extend(_batch(study, trainings, folder, proposed, len(trials), n_threads))

    while len(trials) < total:
        add(proposals(cell, trials, min(tune.batch, total - len(trials))))
    add(default_proposal(cell, trials))
    if tune.space:
        raced = racers(cell, trials, _names(trainings))
        trainings = study.fresh_trainings if raced else trainings
        add([trial.parameters for trial in raced])
    elif tune.widen and sampler(tune) == "grid":
        add([{LEARNING_RATE: rate} for rate in added_rates(cell, trials, _names(trainings))])
    judging = sum(len(rows) for each in study.trainings for rows in each.parts.values())
    outcome = conclude(cell, trials, _names(trainings), judging // tune.repetitions)
    write_outcome(folder, outcome)
    return outcome


def _names(trainings: list[Training]) -> list[str]:
    """Return the names of all values that trainings give."""
    return [name for training in trainings for name in training.parts]


def _batch(
    study: PreparedStudy,
    trainings: list[Training],
    folder: Path,
    proposed: list[dict[str, Any]],
    first: int,
    n_threads: int,
) -> list[Trial]:
    """Train the missing trials of a batch and return all its trials, by number.

    Trials on disk are not trained again. The order does not depend on which thread is done first, so the proposals that
    follow do not either.
    """
    there = {number: read_trial(folder, number) for number in range(first, first + len(proposed))}
    stop = threading.Event()
    with ThreadPoolExecutor(n_threads, thread_name_prefix="trial") as pool:
        waiting: dict[int, list[Future]] = {
            first + i: [pool.submit(_train, study, parameters, training, stop) for training in trainings]
            for i, parameters in enumerate(proposed)
            if there[first + i] is None
        }
        try:
            for number, futures in waiting.items():
                ended = [future.result() for future in futures]
                trial = there[number] = _trial(number, proposed[number - first], ended)
                write_trial(folder, trial)
        except BaseException:
            # An interrupt: drop the waiting trainings, and ask the running ones to stop between epochs.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    # A proposal that changes the structure (hidden units, momentum) has a compiled program of its own. Kept for all
    # trials, the programs would fill the memory.
    for structure in {study.structure(parameters) for parameters in proposed} - {study.structure({})}:
        forget_program(structure)
    return [trial for trial in there.values() if trial is not None]


@dataclass(frozen=True)
class _Ended:
    """The end of one training of a trial: its values by name, and why it does not work ('' if it does)."""

    values: dict[str, float]
    reason: str
    started: float
    ended: float


def _train(study: PreparedStudy, parameters: dict[str, Any], training: Training, stop: threading.Event) -> _Ended:
    started = time.time()
    settings, prepared = study.settings(parameters), study.prepared(training)
    try:
        structure = study.structure(parameters, training)
        trained = TRAIN[settings.trainer](
            structure, prepared.data, specification.make_hyperparameters(settings), training.seed, stop.is_set
        )
        reason = "diverged" if trained.diverged_epoch else ""
        if not reason and study.is_stuck(settings, prepared, trained):
            reason = "stuck"
        if not reason:
            values = {name: study.value(structure, prepared, split, trained) for name, split in prepared.judged.items()}
    except specification.StoppedError:
        # An interrupted trial has no value; it is not a failed one and must not be written.
        raise
    except Exception as error:
        log.exception("%s: a trial of %s with seed=%d failed", study.cell.name, parameters, training.seed)
        reason = "".join(traceback.format_exception_only(error)).strip()
    # As bad as learning nothing, but no worse: how far off it ended says nothing of the rates beside it.
    return _Ended(prepared.naive if reason else values, reason, started, time.time())


def _trial(number: int, parameters: dict[str, Any], ended: list[_Ended]) -> Trial:
    values = {name: value if math.isfinite(value) else None for run in ended for name, value in run.values.items()}
    dead = [name for run in ended if run.reason for name in run.values]
    reasons = [run.reason for run in ended if run.reason]
    counts = {reason: reasons.count(reason) for reason in reasons}
    finite = [value for value in values.values() if value is not None]
    return Trial(
        number=number,
        parameters=parameters,
        status=FINISHED if len(reasons) < len(ended) and finite else FAILED,
        value=math.fsum(finite) / len(finite) if finite else None,
        values=values,
        reason="; ".join(f"{count} of {len(ended)} {reason}" for reason, count in counts.items()),
        started=min(run.started for run in ended),
        ended=max(run.ended for run in ended),
        dead=dead,
    )
