"""The files of a study: one for each trial, complete or absent, and one for the outcome of all trials.

A tuned cell's folder holds ``study/trial=0007.json``, … and, once all trials have ended, ``study/best.json``. The
terminal, the report, MLflow and the copy for Optuna's dashboard read these files.
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
from lossbench.ground.run_ids import RunId
from lossbench.metrics.catalogue import MAIN_METRICS, lower_is_better
from lossbench.planning.plan import Cell, Plan

FINISHED, FAILED = "finished", "failed"
# Learning rates whose value is within this share of the best value count as equally good.
TOLERANCE = 0.01
# The best learning rate lies at the edge if it is this close to an end, as a share of the range on a logarithmic scale.
EDGE = 0.05


@dataclass(frozen=True)
class Trial:
    """One proposal, trained with every tuning seed.

    Attributes
    ----------
    parameters : dict
        The proposed values by settings key; ``optimizer.learning_rate`` is always one of them.
    status : str
        ``finished``, or ``failed`` if one of its trainings diverged or ended in an error.
    value : float or None
        The mean over seeds of the study's metric on validation samples; None if it failed.
    values : dict
        The value of each tuning seed; None for a training that diverged or failed.
    reason : str
        Why a trial failed; '' if it finished.
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
        """The proposed learning rate."""
        return self.parameters[LEARNING_RATE]


@dataclass(frozen=True)
class Outcome:
    """The result of a study whose trials have all ended.

    Attributes
    ----------
    study : str
        The study's name: the cell's name and 8 digits of its key.
    metric : str
        The metric by which the best trial was chosen.
    n_trials, n_failed : int
        The number of all trials, and of failed ones.
    number : int or None
        The number of the best trial; None if all trials failed.
    parameters : dict
        The best trial's proposed values; empty if all trials failed.
    value : float or None
        The best trial's value, a mean over the tuning seeds.
    tolerance : (low, high)
        The range of learning rates around the best one whose values are within ``TOLERANCE`` of the best value; empty
        if all trials failed.
    edge : str
        ``low`` or ``high`` if the best learning rate lies at that end of the range; else ''.
    low, high : float
        The range of learning rates that was searched.
    started, ended : float
        Seconds since 1970.
    reason : str
        If all trials failed, the reason of the first one; else ''.
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
        """The best learning rate; NaN if all trials failed."""
        return self.parameters.get(LEARNING_RATE, math.nan)

    @property
    def problem(self) -> str:
        """A message for the user if no trial finished; else ''."""
        searched = f"no learning rate in [{self.low:g}, {self.high:g}] trains"
        # "No learning rate trains" already says that trials diverged; an error in the code needs its own words.
        why = "" if "diverged" in self.reason or not self.reason else f" ({self.reason[:200]})"
        return "" if self.parameters else f"{searched}{why}; widen the range (tune.low, tune.high)"

    @property
    def warning(self) -> str:
        """A message for the user if the best learning rate lies at the edge of the range; else ''."""
        if not self.edge:
            return ""
        rate = f"the best learning rate {self.learning_rate:.3g}"
        return f"{rate} lies at the edge of [{self.low:g}, {self.high:g}]; widen it with tune.{self.edge}=…"


def study_metric(cell: Cell) -> str:
    """Return the name of the metric by which a cell's study chooses the best trial."""
    return cell.settings.study.metric or MAIN_METRICS[cell.task]


def trial_path(folder: Path, number: int) -> Path:
    """Return the path of a trial's file in its cell's folder."""
    return folder / "study" / f"trial={number:04d}.json"


def write_trial(folder: Path, trial: Trial) -> None:
    """Write a trial's file; a kill in the middle leaves no file rather than half of one."""
    path = trial_path(folder, trial.number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(trial), indent=1) + "\n")


def read_trial(folder: Path, number: int) -> Trial | None:
    """Return a trial; None if its file is missing or cannot be read, so that it is trained again."""
    try:
        return Trial(**json.loads(trial_path(folder, number).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def trials_table(trials: list[Trial]) -> pd.DataFrame:
    """Return a table with a row for each trial: proposed values, status, value, and the value of each seed."""
    rows = [
        {"trial": t.number, **t.parameters, "status": t.status, "value": t.value, "reason": t.reason}
        | {f"seed_{seed}": value for seed, value in t.values.items()}
        for t in trials
    ]
    return pd.DataFrame(rows)


def read_trials(cell: Cell, folder: Path) -> list[Trial]:
    """Return those trials of a tuned cell that are on disk, by number."""
    if not (folder / "study").is_dir():
        return []
    trials = (read_trial(folder, number) for number in range(cell.settings.study.trials))
    return [trial for trial in trials if trial is not None]


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write the outcome of a study, ``best.json``; its existence marks the study as ended."""
    write_text(folder / "study" / "best.json", json.dumps(asdict(outcome), indent=1) + "\n")


def read_outcome(folder: Path) -> Outcome | None:
    """Return the outcome of the study in a cell's folder; None while the study has not ended."""
    try:
        content = json.loads((folder / "study" / "best.json").read_text())
        return Outcome(**content | {"tolerance": tuple(content["tolerance"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def outcomes(plan: Plan) -> dict[str, Outcome]:
    """Return the outcomes of a plan's studies by the keys of its tuned cells; unfinished studies are absent."""
    found = ((cell.key, read_outcome(plan.folder / cell.folder)) for cell in plan.cells if cell.is_tuned)
    return {key: outcome for key, outcome in found if outcome is not None}


def open_studies(plan: Plan, open_runs: dict[str, list[RunId]]) -> list[Cell]:
    """Return the tuned cells of a plan that have open runs and whose study has not ended."""
    tuned = (cell for cell in plan.cells if cell.is_tuned and open_runs[cell.folder])
    return [cell for cell in tuned if read_outcome(plan.folder / cell.folder) is None]


def conclude(cell: Cell, trials: list[Trial]) -> Outcome:
    """Return the outcome of a cell's study, given all its trials."""
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
    """Return the finished trial with the best value, the first of several equal ones; None if all trials failed."""
    sign = 1 if lower_is_better else -1
    finished = [trial for trial in trials if trial.value is not None]
    return min(finished, key=lambda trial: (sign * trial.value, trial.number), default=None)  # type: ignore[operator]


def tolerance(trials: list[Trial], best: Trial, *, lower_is_better: bool) -> tuple[float, float]:
    """Return the range of learning rates around the best one that are equally good.

    From the best learning rate the range is extended to the next tried one, in both directions, until the value is more
    than ``TOLERANCE`` from the best value or the trial failed. A wide range means that the loss works without an exact
    learning rate.

    Returns
    -------
    (low, high)
        The lowest and the highest learning rate of the range; both were tried.
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
