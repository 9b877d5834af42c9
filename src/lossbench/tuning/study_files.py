"""The files of a study: one for each trial, complete or absent, and one for the outcome of all trials.

A tuned cell's folder holds ``study/trial=0007.json``, … and, once all trials have ended, ``study/best.json``. The
terminal, the report, MLflow and the copy for Optuna's dashboard read these files.

Studies of earlier versions judged a trial on one holdout and chose the best value; their files are still read.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lossbench.config.search_space import LEARNING_RATE
from lossbench.ground.files import publish_file, write_text
from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, Plan

FINISHED, FAILED = "finished", "failed"
# How an outcome was chosen: from the range of rates that do as well as the best, by a race of the best trials, or (in
# earlier versions) as the best value.
RANGE, RACE, BEST_VALUE = "range", "race", "best_value"
# A trial that a choice was made from: rate, value, its standard error, whether it is as good as the best.
Point = tuple[float, float, float, bool]
# The rates that are added beyond an end of the range, and the trials that race for the choice.
WIDENED, RACERS = 4, 5
# With fewer rows than this to judge a rate, one more right or wrong row changes accuracy by a point or more.
FEW_ROWS = 100


@dataclass(frozen=True)
class Trial:
    """One proposal, trained once for each fold.

    Attributes
    ----------
    parameters : dict
        The proposed values by settings key; ``optimizer.learning_rate`` is always one of them.
    status : str
        ``finished``, or ``failed`` if none of its trainings works. (Earlier: if one of them did not.)
    value : float or None
        The mean of the values; None if there is none.
    values : dict
        The study's metric on each fold, by the fold's name (``2.3``); earlier, by the tuning seed. A training that
        diverged, got stuck or ended in an error has the value of the best constant prediction. None if the metric is
        not defined on the fold. (Earlier, None for a training that diverged.)
    reason : str
        Why trainings did not work; '' if all did.
    started, ended : float
        Seconds since 1970.
    dead : list
        The names of the folds whose training did not work.
    """

    number: int
    parameters: dict[str, Any]
    status: str
    value: float | None
    values: dict[str, float | None]
    reason: str
    started: float
    ended: float
    dead: list[str] = field(default_factory=list)

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
        The number of the chosen trial; None if all trials failed.
    parameters : dict
        The chosen trial's proposed values; empty if all trials failed.
    value : float or None
        The chosen trial's value, a mean over its folds.
    tolerance : (low, high)
        The lowest and the highest learning rate that do as well as the best: it does not beat them by a standard
        error (earlier: all between are within 1 % of its value). Empty if all trials failed.
    edge : str
        ``low`` or ``high`` if the chosen learning rate lies at that end of the range; else ''.
    low, high : float
        The range of learning rates that was searched, with the rates that were added beyond it.
    started, ended : float
        Seconds since 1970.
    reason : str
        If all trials failed, the reason of the first one; else ''.
    rule : str
        ``RANGE``, ``RACE`` or ``BEST_VALUE``.
    default : float or None
        The configured learning rate, if it was tried.
    kept : bool
        Whether the configured values were kept, because nothing was clearly better.
    points : tuple of (rate, value, standard error, as good as the best)
        The trials that the choice was made from, by rate; the standard error is that of the mean over folds.
    widened : str
        ``low`` or ``high`` if rates were added beyond that end of the range; else ''.
    n_judging : int
        The rows that judge each rate, all folds together; 0 if it is not known.
    by_fold : dict
        In a cross-validation the values that each fold chose, by ``place_name``; ``parameters`` is then their median.
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
    rule: str = BEST_VALUE
    default: float | None = None
    kept: bool = False
    points: tuple[Point, ...] = ()
    widened: str = ""
    n_judging: int = 0
    by_fold: dict[str, dict[str, Any]] = field(default_factory=dict)

    def serves(self, runs: list[RunId]) -> bool:
        """Return whether the study has chosen for all these runs."""
        known = {place_of(name)[0] for name in self.by_fold}
        return not self.parameters or all(run.split is None or run.split[0] in known for run in runs)

    def chosen(self, place: tuple[int, int] | None) -> dict[str, Any]:
        """Return the values for the runs of a fold, or without one for all runs."""
        return self.parameters if place is None else self.by_fold.get(place_name(*place), self.parameters)

    @property
    def rates_of_folds(self) -> list[float]:
        """The learning rates that folds chose, in ascending order; empty unless the cell is cross-validated."""
        return sorted(values[LEARNING_RATE] for values in self.by_fold.values())

    @property
    def learning_rate(self) -> float:
        """The chosen learning rate; NaN if all trials failed."""
        return self.parameters.get(LEARNING_RATE, math.nan)

    @property
    def problem(self) -> str:
        """A message for the user if no trial finished; else ''."""
        searched = f"no learning rate in [{self.low:g}, {self.high:g}] trains"
        # "No learning rate trains" already says that trials diverged; an error in the code needs its own words.
        why = "" if "diverged" in self.reason or not self.reason else f" ({self.reason[:200]})"
        return "" if self.parameters else f"{searched}{why}; widen the range (tune.low, tune.high)"

    @property
    def chosen_by(self) -> str:
        """What the learning rate was chosen for, in words."""
        return f"best for validation {self.metric}" if self.rule == BEST_VALUE else f"chosen by {self.metric} on folds"

    @property
    def as_good(self) -> str:
        """How close to the best the rates of ``tolerance`` are, in words."""
        return "within 1 % of the best value" if self.rule == BEST_VALUE else "as good as the best, to a standard error"

    @property
    def warnings(self) -> list[str]:
        """What the user should know of a choice that is a guess, or lies at the edge of the range."""
        found = []
        if self.parameters and self.rule != BEST_VALUE and not self.points:
            found.append("at no learning rate did a network learn more than the best constant")
        if 0 < self.n_judging < FEW_ROWS and not self.kept:
            found.append(f"only {self.n_judging} rows judge a learning rate: its choice is little more than a guess")
        if self.edge:
            found.append(f"learning rate {self.learning_rate:.3g} lies at the edge of [{self.low:g}, {self.high:g}]")
        return found

    @property
    def warning(self) -> str:
        """The warnings in one line, with what to do; '' if there are none."""
        widen = f"; widen it with tune.{self.edge}=…" if self.edge else ""
        return "; ".join(self.warnings) + widen


def place_name(repetition: int, fold: int) -> str:
    """Return the name of a fold of a repetition in the files of a study: ``0.3``."""
    return f"{repetition}.{fold}"


def place_of(name: str) -> tuple[int, int]:
    """Return the repetition and the fold that a name of ``place_name`` means."""
    repetition, _, fold = name.partition(".")
    return int(repetition), int(fold)


def study_metric(cell: Cell) -> str:
    """Return the name of the metric by which a cell's study chooses the best trial."""
    return cell.settings.study.metric or cell.metric


def trial_path(folder: Path, number: int) -> Path:
    """Return the path of a trial's file in its cell's folder."""
    return folder / "study" / f"trial={number:04d}.json"


def write_trial(folder: Path, trial: Trial) -> None:
    """Write a trial's file, unless another process has: then both have the same values.

    A kill in the middle leaves no file rather than half of one.
    """
    path, text = trial_path(folder, trial.number), json.dumps(asdict(trial), indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and read_trial(folder, trial.number) is None:
        # A torn one.
        path.unlink()
    publish_file(path, lambda file: file.write(text.encode()))


def read_trial(folder: Path, number: int) -> Trial | None:
    """Return a trial; None if its file is missing or cannot be read, so that it is trained again."""
    try:
        return Trial(**json.loads(trial_path(folder, number).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def value_name(name: str) -> str:
    """Return the name of one of a trial's values in tables and in MLflow: ``fold_2.3``; earlier ``seed_1000``."""
    return f"fold_{name}" if "." in name else f"seed_{name}"


def trials_table(trials: list[Trial]) -> pd.DataFrame:
    """Return a table with a row for each trial: proposed values, status, value, and the value of each fold."""
    rows = [
        {"trial": t.number, **t.parameters, "status": t.status, "value": t.value, "reason": t.reason}
        | {value_name(name): value for name, value in t.values.items()}
        for t in trials
    ]
    return pd.DataFrame(rows)


def most_trials(cell: Cell) -> int:
    """Return the largest number of trials that a cell's study can have, in a cross-validation in each repetition.

    Besides ``tune.trials`` these are the configured values, and the rates beyond both ends or the trials of the race.
    """
    return cell.settings.study.trials + 1 + max(2 * WIDENED, RACERS + 1)


def most_trials_in_all(cell: Cell) -> int:
    """Return the largest number of trials that a cell's study can have, all repetitions together."""
    return most_trials(cell) * n_repetitions(cell)


def n_repetitions(cell: Cell) -> int:
    """Return how many times a study is done: once for each repetition of a cross-validation."""
    return cell.settings.folds.repetitions if cell.settings.folds else 1


def n_trainings(cell: Cell) -> int:
    """Return the number of trainings of a cell's study, but for trials that follow from the values of others."""
    return cell.settings.study.trials * n_repetitions(cell) * trainings_of_a_trial(cell)


def trainings_of_a_trial(cell: Cell) -> int:
    """Return the number of trainings of a trial: one for each fold, in a cross-validation for each pair of folds."""
    folds = cell.settings.folds
    return math.comb(folds.folds, 2) if folds else cell.settings.study.n_trainings


def read_trials(cell: Cell, folder: Path) -> list[Trial]:
    """Return those trials of a tuned cell that are on disk, by number."""
    if not (folder / "study").is_dir():
        return []
    trials = (read_trial(folder, number) for number in range(most_trials_in_all(cell)))
    return [trial for trial in trials if trial is not None]


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write the outcome of a study, ``best.json``; its existence marks the study as ended."""
    write_text(folder / "study" / "best.json", json.dumps(asdict(outcome), indent=1) + "\n")


def read_outcome(folder: Path) -> Outcome | None:
    """Return the outcome of the study in a cell's folder; None while the study has not ended."""
    try:
        content = json.loads((folder / "study" / "best.json").read_text())
        points = tuple(tuple(point) for point in content.get("points", []))
        return Outcome(**content | {"tolerance": tuple(content["tolerance"]), "points": points})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def outcomes(plan: Plan) -> dict[str, Outcome]:
    """Return the outcomes of a plan's studies by the keys of its tuned cells; unfinished studies are absent."""
    found = ((cell.key, read_outcome(plan.folder / cell.folder)) for cell in plan.cells if cell.is_tuned)
    return {key: outcome for key, outcome in found if outcome is not None}


def open_studies(plan: Plan, open_runs: dict[str, list[RunId]]) -> list[Cell]:
    """Return the tuned cells of a plan that have open runs and whose study has not ended."""
    tuned = (cell for cell in plan.cells if cell.is_tuned and open_runs[cell.folder])
    return [cell for cell in tuned if study_is_open(plan.folder / cell.folder, open_runs[cell.folder])]


def study_is_open(folder: Path, runs: list[RunId]) -> bool:
    """Return whether the study of the tuned cell in a folder has yet to choose for these runs."""
    outcome = read_outcome(folder)
    return outcome is None or not outcome.serves(runs)
