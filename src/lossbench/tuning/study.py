"""The study of a cell: trains its trials and writes a file for each, before the cell's runs are trained."""

import logging
import math
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.config.search_space import LEARNING_RATE, sampler
from lossbench.config.settings import CellSettings, with_values
from lossbench.datasets.catalogue import validation_share
from lossbench.datasets.corruption import corrupted
from lossbench.datasets.loading import Dataset, Part, load, load_fold, load_parts, rows_to_divide, tuning_rows
from lossbench.ground.at_work import Doing
from lossbench.ground.run_ids import RunId
from lossbench.metrics.evaluation import evaluate
from lossbench.metrics.reference_predictors import is_stuck, naive_scores
from lossbench.planning.plan import Cell
from lossbench.training import specification
from lossbench.training.best_constant import best_constant_loss
from lossbench.training.compiled import forget_program
from lossbench.training.specification import Data, Structure, Trained
from lossbench.training.trainers import PREDICT, TRAIN
from lossbench.tuning.conclusion import added_rates, conclude, conclude_folds, racers, tune_settings
from lossbench.tuning.folds import Training, names_of_fold, pairs_of_folds, repeated_folds
from lossbench.tuning.study_files import (
    FAILED,
    FINISHED,
    Outcome,
    Trial,
    most_trials,
    place_of,
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
    dataset : Dataset
        The data that its rows are of; in a cross-validation scaled and encoded as its own training rows say.
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
    dataset: Dataset
    splits: dict[str, Part]
    data: Data
    judged: dict[str, str]
    naive: dict[str, float]


@dataclass(frozen=True)
class PreparedStudy:
    """A tuned cell with the data that its trials share; a row is never read by a choice that it judges later.

    Attributes
    ----------
    cell : Cell
        A tuned cell.
    dataset : Dataset
        The cell's data. Of a split only the training and the validation part are read; in a cross-validation it has
        all rows, and its trainings have data of their own.
    repetition : int or None
        The repetition of a cross-validation whose folds choose.
    """

    cell: Cell
    dataset: Dataset
    repetition: int | None = None

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
        folds, settings = self.cell.settings.folds, self.cell.settings.dataset
        if folds is None or self.repetition is None:
            return self._folds(0)
        share = validation_share(settings.split) if self.chooses_epoch else 0.0
        return pairs_of_folds(rows_to_divide(settings), folds, self.repetition, self.cell.settings.study.seeds, share)

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
        if made.data.x["train"].nbytes * len(self.trainings) <= MOST_KEPT:
            self._kept[name] = made
        return made

    def _prepare(self, training: Training) -> PreparedTraining:
        # Not named by their rows, because splits of the same names and sizes share a compiled program.
        judged = {name: f"judging_{i}" for i, name in enumerate(training.parts, 1)}
        dataset, splits = self._splits(training, judged)
        train = corrupted(self.cell.settings.corruption, splits["train"], dataset.n_classes, training.seed)
        splits = splits | {"train": train}
        data = specification.make_data(self.cell.pair, splits, dataset.n_classes, dataset.unit)
        metric = study_metric(self.cell)
        naive = {name: self._naive(dataset, train, splits[split])[metric] for name, split in judged.items()}
        return PreparedTraining(training, dataset, splits, data, judged, naive)

    def _splits(self, training: Training, judged: dict[str, str]) -> tuple[Dataset, dict[str, Part]]:
        """Return the data that a training's rows are of, and its splits."""
        if self.repetition is not None:
            parts = {"train": training.rows, "validation": training.validation}
            parts |= {judged[name]: rows for name, rows in training.parts.items()}
            own = load_parts(self.cell.settings.dataset, parts)
            return own, own.splits
        splits = {"train": self._part(training.rows)}
        if self.chooses_epoch:
            splits["validation"] = self.dataset.splits["validation"]
        return self.dataset, splits | {judged[name]: self._part(rows) for name, rows in training.parts.items()}

    def _part(self, rows: np.ndarray) -> Part:
        return Part(self.rows.x[rows], self.rows.y[rows])

    def _naive(self, dataset: Dataset, train: Part, judging: Part) -> dict[str, float]:
        """Return each metric of its best constant prediction."""
        pair = self.cell.pair
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
        if metric == self.cell.metric:
            return self._in_curve(prepared, trained, f"{split}/{metric}")
        part, dataset = prepared.splits[split], prepared.dataset
        raw = PREDICT[self.cell.settings.trainer](structure, trained.weights, part.x)
        return evaluate(self.cell.pair, part.y, raw, ordered=dataset.ordered, in_unit=dataset.in_unit)[metric]

    def _in_curve(self, prepared: PreparedTraining, trained: Trained, name: str) -> float:
        # Rounded to the seven digits of a float32: 0.85 instead of 0.8500000238.
        unit = np.float32(specification.unit_of_curve(self.cell.metric, prepared.dataset.unit))
        at = -1 if not trained.selected_epoch else int(np.searchsorted(trained.epochs, trained.selected_epoch))
        return float(f"{trained.curves[name][at] * unit:.7g}")

    def is_stuck(self, settings: CellSettings, prepared: PreparedTraining, trained: Trained) -> bool:
        """Return whether a training ended no better than the best constant on its training rows, as runs are judged."""
        metric, train = self.cell.metric, prepared.splits["train"]
        loss = specification.make_hyperparameters(settings).loss
        return is_stuck(
            metric,
            self._in_curve(prepared, trained, f"train/{metric}"),
            self._naive(prepared.dataset, train, train)[metric],
            float(trained.curves["train/loss"][-1]),
            lambda: best_constant_loss(self.cell.pair, train.y, self.dataset.n_classes, loss),
        )


def prepared_study(cell: Cell, repetition: int | None = None) -> PreparedStudy:
    """Return the study of a cell, in a cross-validation that of one repetition."""
    folds = cell.settings.folds
    data = load(cell.settings.dataset) if folds is None else load_fold(cell.settings.dataset, folds, None)
    return PreparedStudy(cell, data, repetition)


def search(cell: Cell, folder: Path, runs: list[RunId], n_threads: int, doing: Doing = nullcontext) -> Outcome:
    """Train and write the missing trials of a cell's study, and return its outcome.

    A finished study is read from disk and nothing is trained. All that is tried follows from the settings and the
    earlier trials, so a study that was killed is continued to the same outcome.

    Parameters
    ----------
    cell : Cell
        A tuned cell.
    folder : Path
        The cell's folder, in which the trial files lie.
    runs : list of RunId
        The runs to be trained; in a cross-validation each repetition has trials of its own.
    n_threads : int
        The number of trainings that run at the same time.
    doing : callable
        Told which training is at work.
    """
    outcome = read_outcome(folder)
    if outcome is not None and outcome.serves(runs):
        return outcome
    if cell.settings.folds is None:
        outcome = _search_once(prepared_study(cell), folder, n_threads, doing)
    else:
        known = outcome.by_fold if outcome else {}
        repetitions = sorted({run.split[0] for run in runs if run.split} | {place_of(name)[0] for name in known})
        studies = {repetition: prepared_study(cell, repetition) for repetition in repetitions}
        trials = {repetition: _trials(study, folder, n_threads, doing) for repetition, study in studies.items()}
        outcome = conclude_folds(cell, trials, _n_judging(studies[repetitions[0]]))
    there = read_outcome(folder)
    if there is not None and there.serves(runs):
        # This process was stopped for so long that another one has ended the study.
        return there
    write_outcome(folder, outcome)
    return outcome


def _search_once(study: PreparedStudy, folder: Path, n_threads: int, doing: Doing) -> Outcome:
    """Return the outcome of a study with one choice, which reads every value."""
    cell, tune = study.cell, tune_settings(study.cell)
    trials, trainings = _trials(study, folder, n_threads, doing), study.trainings
    if tune.space and (raced := racers(cell, trials, _names(trainings))):
        trainings = study.fresh_trainings
        proposed = [trial.parameters for trial in raced]
        trials += _batch(study, trainings, folder, proposed, len(trials), n_threads, doing)
    return conclude(cell, trials, _names(trainings), _n_judging(study))


def _trials(study: PreparedStudy, folder: Path, n_threads: int, doing: Doing) -> list[Trial]:
    """Return the trials of a study, those that are not on disk after training them."""
    from lossbench.tuning.proposals import default_proposal, n_trials, proposals

    cell, tune = study.cell, tune_settings(study.cell)
    first, trials, total = most_trials(cell) * (study.repetition or 0), list[Trial](), n_trials(cell)

    def add(proposed: list[dict[str, Any]]) -> None:
        trials.extend(_batch(study, study.trainings, folder, proposed, first + len(trials), n_threads, doing))

    while len(trials) < total:
        add(proposals(cell, trials, min(tune.batch, total - len(trials))))
    add(default_proposal(cell, trials))
    if tune.widen and sampler(tune) == "grid" and not tune.space:
        add([{LEARNING_RATE: rate} for rate in added_rates(cell, trials, _choices(study))])
    return trials


def _choices(study: PreparedStudy) -> list[list[str]]:
    """Return the names of the values that each choice of a study reads."""
    folds = study.cell.settings.folds
    if folds is None or study.repetition is None:
        return [_names(study.trainings)]
    return [names_of_fold(folds, study.repetition, fold) for fold in range(folds.folds)]


def _n_judging(study: PreparedStudy) -> int:
    """Return the rows that judge a rate, each counted once."""
    judging = (rows for training in study.trainings for rows in training.parts.values())
    return len(np.unique(np.concatenate(list(judging))))


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
    doing: Doing,
) -> list[Trial]:
    """Train the missing trials of a batch and return all its trials, by number.

    Trials on disk are not trained again. The order does not depend on which thread is done first, so the proposals that
    follow do not either.
    """
    there = {number: read_trial(folder, number) for number in range(first, first + len(proposed))}
    stop = threading.Event()
    with ThreadPoolExecutor(n_threads, thread_name_prefix="trial") as pool:
        waiting: dict[int, list[Future]] = {
            first + i: [
                pool.submit(_train, study, parameters, training, stop, doing(f"trial {first + i}, training {j}"))
                for j, training in enumerate(trainings)
            ]
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


def _train(
    study: PreparedStudy,
    parameters: dict[str, Any],
    training: Training,
    stop: threading.Event,
    at_work: AbstractContextManager,
) -> _Ended:
    started = time.time()
    settings, prepared = study.settings(parameters), study.prepared(training)
    try:
        structure = study.structure(parameters, training)
        hyperparameters = specification.make_hyperparameters(settings)
        with at_work:
            trained = TRAIN[settings.trainer](structure, prepared.data, hyperparameters, training.seed, stop.is_set)
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
