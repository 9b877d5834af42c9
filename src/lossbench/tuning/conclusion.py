"""What follows from the trials of a study: which rates to add, which trials race, and the outcome.

``names`` are always the names of the values that a choice may read: a study whose choices must not see each other's
rows has several.
"""

from dataclasses import replace

import numpy as np

from lossbench.config.search_space import LEARNING_RATE, configured
from lossbench.config.settings import TuneSettings
from lossbench.metrics.catalogue import lower_is_better
from lossbench.planning.plan import Cell
from lossbench.tuning.choice import Choice, beyond, choose_rate, choose_trial, edge
from lossbench.tuning.folds import names_of_fold
from lossbench.tuning.study_files import (
    FAILED,
    RACE,
    RACERS,
    RANGE,
    WIDENED,
    Outcome,
    Point,
    Trial,
    place_name,
    study_metric,
)


def values_of(cell: Cell, trials: list[Trial], names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of trials, lower is better, and which of their trainings are dead.

    Folds on which the metric is not defined for every trial are left out: one of one class has no ROC curve.

    Returns
    -------
    (float array, bool array), shape (n_trials, n_values)
    """
    sign = 1.0 if lower_is_better(study_metric(cell)) else -1.0
    values = np.array([[trial.values[name] for name in names] for trial in trials], float).reshape(-1, len(names))
    dead = np.array([[name in trial.dead for name in names] for trial in trials]).reshape(values.shape)
    there = np.isfinite(values).all(axis=0)
    return sign * values[:, there], dead[:, there]


def choice(cell: Cell, trials: list[Trial], names: list[str]) -> Choice | None:
    """Return the choice among trials, by their rates or, if more is searched, as in a race; None if none works."""
    values, dead = values_of(cell, trials, names)
    if not values.size or dead.all():
        return None
    default = _default(cell, trials)
    if cell.settings.study.space:
        return choose_trial(values, dead, default)
    return choose_rate(np.array([trial.learning_rate for trial in trials]), values, dead, default)


def added_rates(cell: Cell, trials: list[Trial], choices: list[list[str]]) -> list[float]:
    """Return the rates to try beyond each end at which a choice lies; none if none lies at an end.

    Parameters
    ----------
    choices : list of list of str
        The names of the values that each choice reads.
    """
    # The configured rate may lie between two points of the grid.
    grid = np.array([trial.learning_rate for trial in trials[: cell.settings.study.trials]])
    sides = {_side(cell, trials, names) for names in choices} - {""}
    return [rate for side in sorted(sides) for rate in beyond(grid, side, WIDENED)] if len(grid) > 1 else []


def _side(cell: Cell, trials: list[Trial], names: list[str]) -> str:
    """Return the end of the rates at which the choice among trials lies, or ''."""
    found = choice(cell, trials, names)
    return edge(np.array([trial.learning_rate for trial in trials]), found.chosen) if found else ""


def racers(cell: Cell, trials: list[Trial], names: list[str]) -> list[Trial]:
    """Return the trials that race for the choice: the best ones, and the configured values; none if no trial works."""
    values, dead = values_of(cell, trials, names)
    if not values.size or dead.all():
        return []
    chosen = list(np.argsort(values.mean(axis=1), kind="stable")[:RACERS])
    default = _default(cell, trials)
    return [trials[i] for i in (chosen if default is None or default in chosen else [*chosen, default])]


def conclude(cell: Cell, trials: list[Trial], names: list[str], n_judging: int) -> Outcome:
    """Return the outcome of a cell's study.

    Parameters
    ----------
    trials : list of Trial
        All trials, by number.
    names : list of str
        The names of the values that decide: those of the race, if there is one.
    n_judging : int
        The rows that judge each rate, all folds together.
    """
    tune = cell.settings.study
    judged = [trial for trial in trials if set(names) <= set(trial.values)]
    found = choice(cell, judged, names)
    as_good = [trial.learning_rate for trial, good in zip(judged, found.as_good, strict=True) if good] if found else []
    tried = [trial.learning_rate for trial in trials]
    low, high = min(tune.low, *tried), max(tune.high, *tried)
    default, chosen = _default(cell, judged), judged[found.chosen] if found else None
    outcome = Outcome(
        study=f"{cell.name}-{cell.key[:8]}",
        metric=study_metric(cell),
        n_trials=len(trials),
        n_failed=sum(trial.status == FAILED for trial in trials),
        number=chosen.number if chosen else None,
        parameters=chosen.parameters if chosen else {},
        value=chosen.value if chosen else None,
        tolerance=(min(as_good), max(as_good)) if found else (),
        edge=edge(np.array([low, high, *tried]), 2 + tried.index(chosen.learning_rate)) if chosen else "",
        low=low,
        high=high,
        started=min(trial.started for trial in trials),
        ended=max(trial.ended for trial in trials),
        reason="" if found else trials[0].reason,
        rule=RACE if tune.space else RANGE,
        default=None if default is None else judged[default].learning_rate,
        kept=found is not None and found.chosen == default,
        points=_points(cell, judged, names, found) if found else (),
        widened="low" if low < tune.low else "high" if high > tune.high else "",
        n_judging=n_judging,
    )
    return outcome if found else _as_configured(cell, trials, outcome)


def _as_configured(cell: Cell, trials: list[Trial], outcome: Outcome) -> Outcome:
    """Return an outcome without a choice with the configured values, if trainings learned nothing but did not break.

    Then the data may have nothing to learn, which the runs will show.
    """
    if not any("stuck" in trial.reason for trial in trials):
        return outcome
    own = configured(cell.settings)
    return replace(outcome, parameters=own, kept=True, tolerance=(own[LEARNING_RATE],) * 2, reason="")


def conclude_folds(cell: Cell, trials: dict[int, list[Trial]], n_judging: int) -> Outcome:
    """Return the outcome of a cross-validated cell's study: a choice for each fold, and the median of them.

    The median is what a network is trained with on all rows. Range, curve and warnings are about all values together.

    Parameters
    ----------
    trials : dict
        The trials of each repetition.
    """
    folds = cell.settings.folds
    assert folds is not None, "only a cross-validation has a choice for each fold"
    chosen: dict[str, Trial] = {}
    for repetition, own in trials.items():
        for fold in range(folds.folds):
            found = _of_fold(cell, own, names_of_fold(folds, repetition, fold))
            if found is not None:
                chosen[place_name(repetition, fold)] = found
    together = _together(list(trials.values()))
    names = [name for trial in together[:1] for name in trial.values]
    outcome = conclude(cell, together, names, n_judging)
    if not chosen:
        return outcome if not outcome.points else replace(outcome, parameters={})
    ordered = sorted(chosen.values(), key=lambda trial: trial.learning_rate)
    middle, own_values = ordered[(len(ordered) - 1) // 2], configured(cell.settings)
    rates = np.array([outcome.low, outcome.high, middle.learning_rate])
    return replace(
        outcome,
        number=middle.number,
        parameters=middle.parameters,
        edge=edge(rates, 2),
        kept=all(trial.parameters == own_values for trial in ordered),
        by_fold={name: trial.parameters for name, trial in chosen.items()},
    )


def _of_fold(cell: Cell, trials: list[Trial], names: list[str]) -> Trial | None:
    """Return the trial that a fold chooses; it knows of rates beyond an end only if its own choice lay there."""
    count = cell.settings.study.trials
    grid = [trial.learning_rate for trial in trials[:count]]
    within = [trial for trial in trials if min(grid) <= trial.learning_rate <= max(grid)]
    side = _side(cell, within, names)
    beyond_end = {"low": lambda rate: rate < min(grid), "high": lambda rate: rate > max(grid), "": lambda rate: False}
    known = [trial for trial in trials if trial in within or beyond_end[side](trial.learning_rate)]
    found = choice(cell, known, names)
    return known[found.chosen] if found else None


def _together(repetitions: list[list[Trial]]) -> list[Trial]:
    """Return trials of the same proposal in several repetitions as one, with the values of all; others are left out."""
    first, others = repetitions[0], [{str(t.parameters): t for t in own} for own in repetitions[1:]]
    found = []
    for trial in first:
        same = [own[str(trial.parameters)] for own in others if str(trial.parameters) in own]
        if len(same) == len(others):
            values = trial.values | {name: value for other in same for name, value in other.values.items()}
            finite = [value for value in values.values() if value is not None]
            dead = [name for each in (trial, *same) for name in each.dead]
            value = sum(finite) / len(finite) if finite else None
            found.append(replace(trial, values=values, value=value, dead=dead))
    return found


def _points(cell: Cell, trials: list[Trial], names: list[str], found: Choice) -> tuple[Point, ...]:
    """Return what is known of each trial, by rate."""
    values, _ = values_of(cell, trials, names)
    sign, n = 1.0 if lower_is_better(study_metric(cell)) else -1.0, values.shape[1]
    errors = values.std(axis=1, ddof=1) / n**0.5 if n > 1 else np.zeros(len(values))
    columns = ([trial.learning_rate for trial in trials], sign * values.mean(axis=1), errors, found.as_good)
    rows = sorted(zip(*columns, strict=True))
    return tuple((float(rate), float(value), float(error), bool(good)) for rate, value, error, good in rows)


def _default(cell: Cell, trials: list[Trial]) -> int | None:
    """Return the place of the trial with the configured values; None if they were not tried."""
    own = configured(cell.settings)
    return next((i for i, trial in enumerate(trials) if trial.parameters == own), None)


def tune_settings(cell: Cell) -> TuneSettings:
    """Return the settings of a cell whose study can be run: one that judges by folds."""
    assert isinstance(cell.settings.study, TuneSettings), "studies of earlier versions are only read"
    return cell.settings.study
