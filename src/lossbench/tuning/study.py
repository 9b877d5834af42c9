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

from lossbench.config.settings import CellSettings, with_values
from lossbench.datasets.corruption import corrupted
from lossbench.datasets.loading import Dataset, Part, tuning_splits
from lossbench.metrics.catalogue import MAIN_METRICS
from lossbench.metrics.evaluation import evaluate
from lossbench.planning.plan import Cell
from lossbench.training import specification
from lossbench.training.compiled import forget_program
from lossbench.training.specification import Data, Structure, Trained
from lossbench.training.trainers import PREDICT, TRAIN
from lossbench.tuning.study_files import (
    FAILED,
    FINISHED,
    Outcome,
    Trial,
    conclude,
    read_outcome,
    read_trial,
    study_metric,
    write_outcome,
    write_trial,
)

log = logging.getLogger(__name__)


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
    def splits(self) -> dict[str, Part]:
        """The split that trials train on (``train``) and the split that they are compared on (``validation``)."""
        return tuning_splits(self.dataset, self.cell.settings.study.validation)

    @cached_property
    def data(self) -> dict[int, Data]:
        """The splits of each tuning seed as inputs of its program; each seed corrupts the training split anew."""
        settings, clean, n_classes = self.cell.settings.corruption, self.splits, self.dataset.n_classes

        def of_seed(seed: int) -> Data:
            splits = clean | {"train": corrupted(settings, clean["train"], n_classes, seed)}
            return specification.make_data(self.cell.pair, splits, n_classes, self.dataset.unit)

        if not self.cell.settings.is_corrupted:
            # Clean data are the same for every seed: one copy serves all.
            return dict.fromkeys(self.cell.settings.study.seeds, of_seed(0))
        return {seed: of_seed(seed) for seed in self.cell.settings.study.seeds}

    def settings(self, parameters: dict[str, Any]) -> CellSettings:
        """Return the cell's settings with a proposal's values.

        Only the last epoch is evaluated, which saves time, unless ``select=best`` or early stopping needs every value.
        """
        proposed = with_values(self.cell.settings, parameters)
        chooses = proposed.select == "best" or proposed.early_stopping.patience is not None
        return proposed if chooses else replace(proposed, evaluate_every=proposed.epochs)

    def structure(self, parameters: dict[str, Any]) -> Structure:
        """Return the structure of a proposal: model, loss, optimizer and shapes, for which a program is compiled."""
        return specification.make_structure(self.settings(parameters), self.cell.pair, next(iter(self.data.values())))


def search(cell: Cell, dataset: Dataset, folder: Path, n_threads: int) -> Outcome:
    """Train and write the missing trials of a cell's study, and return its outcome.

    A finished study is read from disk and nothing is trained.

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
    from lossbench.tuning.proposals import n_trials, proposals

    study = PreparedStudy(cell, dataset)
    trials: list[Trial] = []
    total, batch = n_trials(cell), cell.settings.study.batch
    while len(trials) < total:
        count = min(batch, total - len(trials))
        proposed = proposals(cell, trials, count)
        trials += _batch(study, folder, proposed, len(trials), n_threads)
        # A proposal that changes the structure (hidden units, momentum) has a compiled program of its own. Kept for all
        # trials, the programs would fill the memory.
        for structure in {study.structure(parameters) for parameters in proposed} - {study.structure({})}:
            forget_program(structure)
    outcome = conclude(cell, trials)
    write_outcome(folder, outcome)
    return outcome


def _batch(
    study: PreparedStudy, folder: Path, proposed: list[dict[str, Any]], first: int, n_threads: int
) -> list[Trial]:
    """Train the missing trials of a batch and return all its trials, by number.

    Trials on disk are not trained again. The order does not depend on which thread is done first, so the proposals that
    follow do not either.
    """
    seeds = study.cell.settings.study.seeds
    there = {number: read_trial(folder, number) for number in range(first, first + len(proposed))}
    stop = threading.Event()
    with ThreadPoolExecutor(n_threads, thread_name_prefix="trial") as pool:
        waiting: dict[int, list[Future]] = {
            first + i: [pool.submit(_train, study, parameters, seed, stop) for seed in seeds]
            for i, parameters in enumerate(proposed)
            if there[first + i] is None
        }
        try:
            for number, futures in waiting.items():
                ended = [future.result() for future in futures]
                trial = there[number] = _trial(study, number, proposed[number - first], ended)
                write_trial(folder, trial)
        except BaseException:
            # An interrupt: drop the waiting trainings, and ask the running ones to stop between epochs.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [trial for trial in there.values() if trial is not None]


@dataclass(frozen=True)
class _Ended:
    """The end of one training of a trial: its value, or the reason why it has none."""

    value: float | None
    reason: str
    started: float
    ended: float


def _train(study: PreparedStudy, parameters: dict[str, Any], seed: int, stop: threading.Event) -> _Ended:
    started = time.time()
    settings = study.settings(parameters)
    try:
        structure = study.structure(parameters)
        trained = TRAIN[settings.trainer](
            structure, study.data[seed], specification.make_hyperparameters(settings), seed, stop.is_set
        )
        value = None if trained.diverged_epoch else _value(study, structure, trained)
        reason = f"seed={seed} diverged" if trained.diverged_epoch else ""
    except specification.StoppedError:
        # An interrupted trial has no value; it is not a failed one and must not be written.
        raise
    except Exception as error:
        log.exception("%s: a trial of %s with seed=%d failed", study.cell.name, parameters, seed)
        value, reason = None, "".join(traceback.format_exception_only(error)).strip()
    if value is not None and not np.isfinite(value):
        value, reason = None, f"seed={seed} has no {study_metric(study.cell)}"
    return _Ended(value, reason, started, time.time())


def _value(study: PreparedStudy, structure: Structure, trained: Trained) -> float:
    """Return the study's metric on the validation samples, in the unit of the metrics."""
    metric = study_metric(study.cell)
    if metric == MAIN_METRICS[study.cell.task]:
        # Rounded to the seven digits of a float32: 0.85 instead of 0.8500000238.
        at = -1 if not trained.selected_epoch else int(np.searchsorted(trained.epochs, trained.selected_epoch))
        return float(f"{trained.curves[f'validation/{metric}'][at] * np.float32(study.dataset.unit[0]):.7g}")
    validation = study.splits["validation"]
    raw = PREDICT[study.cell.settings.trainer](structure, trained.weights, validation.x)
    found = evaluate(study.cell.pair, validation.y, raw, ordered=study.dataset.ordered, in_unit=study.dataset.in_unit)
    return found[metric]


def _trial(study: PreparedStudy, number: int, parameters: dict[str, Any], ended: list[_Ended]) -> Trial:
    seeds = study.cell.settings.study.seeds
    values = [run.value for run in ended]
    reasons = [run.reason for run in ended if run.reason]
    finished = [value for value in values if value is not None]
    return Trial(
        number=number,
        parameters=parameters,
        status=FAILED if reasons else FINISHED,
        value=None if reasons else math.fsum(finished) / len(finished),
        values=dict(zip(map(str, seeds), values, strict=True)),
        reason="; ".join(reasons),
        started=min(run.started for run in ended),
        ended=max(run.ended for run in ended),
    )
