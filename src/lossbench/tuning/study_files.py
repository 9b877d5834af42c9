"""Studies on disk: a file for each trial, complete or absent, and what follows from them.

A tuned cell's folder holds ``study/trial=0007.json``, … and, once all trials are there, ``study/best.json``. Optuna's
storage, MLflow and the terminal are told from these files.
"""

import json
import math
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pandas as pd

from lossbench.config.search_space import LEARNING_RATE
from lossbench.ground.files import write_text
from lossbench.metrics.catalogue import MAIN_METRICS, lower_is_better
from lossbench.planning.plan import Cell, Plan

FINISHED, FAILED = "finished", "failed"
# A value this close to the best one is as good: a share of the best.
TOLERANCE = 0.01
# A best learning rate in this share of the range (on its logarithmic scale) from an end lies at its edge.
EDGE = 0.05


@dataclass(frozen=True)
class Trial:
    """One proposal, trained with every tuning seed.

    Attributes
    ----------
    parameters : dict
        The proposed values by their keys, ``optimizer.learning_rate`` among them.
    status : str
        ``finished``, or ``failed`` if one of its trainings diverged or ended in an error.
    value : float or None
        The mean over seeds of the study's metric on validation samples; None if it failed.
    values : dict
        Each seed to its own value, None where it has none.
    reason : str
        Of a failed trial.
    started, ended : float
        Seconds since 1970.
    """

    number: int
    parameters: dict[str, Any]
    status: str
    value: float | None
    values: dict[str, float | None]
    reason: str
    started: float
    ended: float

    @property
    def learning_rate(self) -> float:
        """The learning rate that was tried."""
        return self.parameters[LEARNING_RATE]


@dataclass(frozen=True)
class Outcome:
    """What a finished study found.

    Attributes
    ----------
    study : str
        The cell that it was made for, and 8 digits of its key.
    metric : str
        What the trials were chosen by.
    n_trials, n_failed : int
        All of them; those that failed.
    number : int or None
        Of the best trial; None if all failed.
    parameters : dict
        Its values; empty if all failed.
    value : float or None
        Its mean over the tuning seeds.
    tolerance : (low, high)
        The learning rates around the best one that do as well, within ``TOLERANCE``.
    edge : str
        ``low`` or ``high`` if the best learning rate lies at that end of the range.
    low, high : float
        The range that was searched.
    reason : str
        If all failed, that of the first one.
    """

    study: str
    metric: str
    n_trials: int
    n_failed: int
    number: int | None
    parameters: dict[str, Any]
    value: float | None
    tolerance: tuple[float, ...]
    edge: str
    low: float
    high: float
    started: float
    ended: float
    reason: str = ""

    @property
    def learning_rate(self) -> float:
        """The best one; NaN if all failed."""
        return self.parameters.get(LEARNING_RATE, math.nan)

    @property
    def problem(self) -> str:
        """What is to be said if no trial finished."""
        searched = f"no learning rate in [{self.low:g}, {self.high:g}] trains"
        # Divergence needs no further words, an error does.
        why = "" if "diverged" in self.reason or not self.reason else f" ({self.reason[:200]})"
        return "" if self.parameters else f"{searched}{why}; widen the range (tune.low, tune.high)"

    @property
    def warning(self) -> str:
        """What is to be said if the best learning rate lies at the edge of the range."""
        if not self.edge:
            return ""
        rate = f"the best learning rate {self.learning_rate:.3g}"
        return f"{rate} lies at the edge of [{self.low:g}, {self.high:g}]; widen it with tune.{self.edge}=…"


def study_metric(cell: Cell) -> str:
    """Return the name of the metric that a cell's study chooses by."""
    return cell.settings.study.metric or MAIN_METRICS[cell.task]


def trial_path(folder: Path, number: int) -> Path:
    """Return where a trial lies in its cell's folder."""
    return folder / "study" / f"trial={number:04d}.json"


def write_trial(folder: Path, trial: Trial) -> None:
    """Write a trial as a whole or not at all."""
    path = trial_path(folder, trial.number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(trial), indent=1) + "\n")


def read_trial(folder: Path, number: int) -> Trial | None:
    """Return a trial; None where there is none or it cannot be read."""
    try:
        return Trial(**json.loads(trial_path(folder, number).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def trials_table(trials: list[Trial]) -> pd.DataFrame:
    """Return a row for each trial: its values, how it ended, what each seed gave."""
    rows = [
        {"trial": t.number, **t.parameters, "status": t.status, "value": t.value, "reason": t.reason}
        | {f"seed_{seed}": value for seed, value in t.values.items()}
        for t in trials
    ]
    return pd.DataFrame(rows)


def read_trials(cell: Cell, folder: Path) -> list[Trial]:
    """Return the trials of a tuned cell that are there, by number."""
    if not (folder / "study").is_dir():
        return []
    trials = (read_trial(folder, number) for number in range(cell.settings.study.trials))
    return [trial for trial in trials if trial is not None]


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write what a study found."""
    write_text(folder / "study" / "best.json", json.dumps(asdict(outcome), indent=1) + "\n")


def read_outcome(folder: Path) -> Outcome | None:
    """Return what the study of a cell's folder found; None while it has not ended."""
    try:
        content = json.loads((folder / "study" / "best.json").read_text())
        return Outcome(**content | {"tolerance": tuple(content["tolerance"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def outcomes(plan: Plan) -> dict[str, Outcome]:
    """Return what the studies of a plan found, by the keys of its tuned cells; those that have not ended are absent."""
    found = ((cell.key, read_outcome(plan.folder / cell.folder)) for cell in plan.cells if cell.is_tuned)
    return {key: outcome for key, outcome in found if outcome is not None}


def open_studies(plan: Plan, open_seeds: dict[str, list[int]]) -> list[Cell]:
    """Return the tuned cells of a plan that have runs to do and whose study has not ended."""
    tuned = (cell for cell in plan.cells if cell.is_tuned and open_seeds[cell.folder])
    return [cell for cell in tuned if read_outcome(plan.folder / cell.folder) is None]


def conclude(cell: Cell, trials: list[Trial]) -> Outcome:
    """Return what all trials of a cell's study say together."""
    tune, metric = cell.settings.study, study_metric(cell)
    less = lower_is_better(metric)
    best = best_trial(trials, lower_is_better=less)
    rates = {} if best is None else best.parameters
    return Outcome(
        study=f"{cell.name}-{cell.key[:8]}",
        metric=metric,
        n_trials=len(trials),
        n_failed=sum(trial.status == FAILED for trial in trials),
        number=best.number if best else None,
        parameters=rates,
        value=best.value if best else None,
        tolerance=tolerance(trials, best, lower_is_better=less) if best else (),
        edge=edge(best.learning_rate, tune.low, tune.high) if best else "",
        low=tune.low,
        high=tune.high,
        started=min(trial.started for trial in trials),
        ended=max(trial.ended for trial in trials),
        reason="" if best else trials[0].reason,
    )


def best_trial(trials: list[Trial], *, lower_is_better: bool) -> Trial | None:
    """Return the finished trial with the best value, the first one of equals; None if all failed."""
    sign = 1 if lower_is_better else -1
    finished = [trial for trial in trials if trial.value is not None]
    return min(finished, key=lambda trial: (sign * trial.value, trial.number), default=None)  # type: ignore[operator]


def tolerance(trials: list[Trial], best: Trial, *, lower_is_better: bool) -> tuple[float, float]:
    """Return the range of learning rates that do as well as the best one.

    Every learning rate that was tried between its ends is within ``TOLERANCE`` of the best value; the next one on
    either side is not, or failed, or there is none.

    Returns
    -------
    (low, high)
        Learning rates that were tried; how far they lie apart says how much the loss forgives.
    """
    assert best.value is not None
    allowed = TOLERANCE * abs(best.value)

    def as_good(trial: Trial) -> bool:
        if trial.value is None:
            return False
        return trial.value <= best.value + allowed if lower_is_better else trial.value >= best.value - allowed  # type: ignore[operator]

    ordered = sorted(trials, key=lambda trial: trial.learning_rate)
    at = next(i for i, trial in enumerate(ordered) if trial.number == best.number)
    below = [trial.learning_rate for trial in takewhile(as_good, reversed(ordered[:at]))]
    above = [trial.learning_rate for trial in takewhile(as_good, ordered[at + 1 :])]
    return min([best.learning_rate, *below]), max([best.learning_rate, *above])


def edge(rate: float, low: float, high: float) -> str:
    """Return ``low`` or ``high`` if a learning rate lies at that end of its range, else ''.

    Examples
    --------
    >>> edge(0.8, 1e-4, 1.0), edge(1e-4, 1e-4, 1.0), edge(0.1, 1e-4, 1.0)
    ('high', 'low', '')
    """
    position = math.log(rate / low) / math.log(high / low)
    if position < EDGE:
        return "low"
    return "high" if position > 1 - EDGE else ""
