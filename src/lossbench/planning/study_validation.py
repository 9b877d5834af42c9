"""Validates the ``tune`` settings of a cell: budget, folds, seeds, metric and search space."""

from collections.abc import Callable, Mapping
from typing import Any

from lossbench.config.search_space import LEARNING_RATE, Dimension, dimensions, grid_points, read_dimension, sampler
from lossbench.config.settings import (
    CellSettings,
    TuneSettings,
    has_setting,
    plain,
    read_setting,
    with_values,
)
from lossbench.datasets.catalogue import SPLITS, described, n_outputs, n_samples, split_counts
from lossbench.ground.errors import Problem, unknown
from lossbench.losses.choice import chosen_pair
from lossbench.losses.heads import TASKS
from lossbench.losses.pairing import LOSSES
from lossbench.metrics.catalogue import MAIN_METRICS, METRICS, PROBABILITY_METRICS

SAMPLERS = ("auto", "grid", "tpe", "random", "quasi_random")
# The prefixes and keys of settings that a study may search.
SEARCHED = ("loss.", "optimizer.", "model.", "batch_size", "epochs")
ProblemsOf = Callable[[CellSettings], list[Problem]]


def study_problems(settings: CellSettings, seeds: list[int], problems_of: ProblemsOf) -> list[Problem]:
    """Return all problems of a cell's study settings.

    Parameters
    ----------
    settings : CellSettings
        Normalised settings of the cell.
    seeds : list of int
        The evaluation seeds of the sweep.
    problems_of : callable
        Returns the problems of a cell's settings apart from its study. It is passed in because ``validation`` imports
        this module.
    """
    tune = settings.tune
    if not settings.is_tuned or not isinstance(tune, TuneSettings):
        return []
    problems = [*_budget_problems(tune), *_seed_problems(tune, seeds), *_fold_problems(settings, tune)]
    problems += [*_metric_problems(settings), *_space_problems(settings, problems_of)]
    if not problems and sampler(tune) == "grid" and grid_points(tune, dimensions(settings)) < 2:
        message = f"tune.sampler={tune.sampler} needs two points of each range; tune.trials={tune.trials} are too few."
        problems.append(Problem(message, "raise tune.trials, search less, or choose another tune.sampler."))
    return problems


def _budget_problems(tune: TuneSettings) -> list[Problem]:
    problems = [
        Problem(f"tune.{name} must be from 1 to 10000; got {value}.")
        for name, value in (("trials", tune.trials), ("batch", tune.batch))
        if not 1 <= value <= 10_000
    ]
    if not 0.0 < tune.low < tune.high <= 1e6:
        got = f"got {tune.low:g} and {tune.high:g}"
        problems.append(Problem(f"tune.low must be above 0 and below tune.high, which is at most 1e+06; {got}."))
    if tune.sampler not in SAMPLERS:
        problems.append(unknown("tune.sampler", tune.sampler, SAMPLERS))
    return problems


def _seed_problems(tune: TuneSettings, seeds: list[int]) -> list[Problem]:
    both = sorted(set(tune.seeds) & set(seeds))
    if not both:
        return []
    named = " and ".join(map(str, both)) if len(both) < 3 else f"{both[0]}, {both[1]}, … ({len(both)} of them)"
    are = "is also an evaluation seed" if len(both) == 1 else "are also evaluation seeds"
    first = max(1000, max(seeds) + 1)
    return [
        Problem(
            f"tune.seeds {named} {are}; the learning rate would be judged by the runs that chose it.",
            f"use others, e.g. tune.seeds=[{first},{first + 1},{first + 2}].",
        )
    ]


def _fold_problems(settings: CellSettings, tune: TuneSettings) -> list[Problem]:
    problems = (
        []
        if 1 <= tune.repetitions <= 100
        else [Problem(f"tune.repetitions must be from 1 to 100; got {tune.repetitions}.")]
    )
    if not 2 <= tune.folds <= 100:
        return [*problems, Problem(f"tune.folds must be from 2 to 100; got {tune.folds}.")]
    data = settings.dataset
    try:
        counts = dict(zip(SPLITS, split_counts(data.split, n_samples(data)), strict=True))
    except TypeError:
        # The split itself is invalid; ``validation`` reports it.
        return problems
    rows = counts["train"] if settings.select == "best" else counts["train"] + counts["validation"]
    if rows < tune.folds:
        message = f"tune.folds must be at most the number of rows to train on; got {tune.folds} for {rows}."
        problems.append(Problem(message, "take fewer folds, or more samples."))
    return problems


def _metric_problems(settings: CellSettings) -> list[Problem]:
    metric, info = settings.study.metric, described(settings.dataset)
    loss, head = settings.loss.name, settings.head.name
    if metric is None:
        return []
    # rounded_accuracy exists to reproduce published numbers; a study must not optimise it.
    allowed = [name for name, row in METRICS.items() if info.task in row.tasks and name != "rounded_accuracy"]
    if metric not in allowed:
        message = f"tune.metric must be one of {', '.join(allowed)} for {TASKS[info.task]}; got {metric!r}."
        return [Problem(message, "a loss's own value compares with no other loss's." if metric == "loss" else "")]
    made = chosen_pair(settings.loss, settings.head, info.task, n_outputs(info, settings.dataset))
    if metric in PROBABILITY_METRICS and not made.probability:
        message = f"tune.metric={metric} needs a probability; loss={loss} with head={head} gives none."
        return [Problem(message, f"choose by {MAIN_METRICS[info.task]}, which all losses have.")]
    if metric == "roc_auc" and info.task == "multiclass" and head != "softmax":
        return [Problem(f"tune.metric=roc_auc needs head=softmax for several classes; got head={head}.")]
    return []


def _space_problems(settings: CellSettings, problems_of: ProblemsOf) -> list[Problem]:
    space = settings.study.space
    if not isinstance(space, Mapping):
        message = f"tune.space must be a mapping of keys to ranges; got {space!r}."
        return [Problem(message, "'tune.space={optimizer.momentum: [0,0.9]}', for instance.")]
    problems = []
    for key, value in space.items():
        problem = _key_problem(key)
        if problem is not None:
            problems.append(problem)
            continue
        try:
            dimension = read_dimension(key, value)
        except ValueError as error:
            problems.append(Problem(f"tune.space: {key} {error}."))
            continue
        if has_setting(settings, key):
            problems += _value_problems(settings, dimension, problems_of)
        elif not key.startswith("loss."):
            group = key.split(".")[0]
            own = plain(settings).get(group)
            there = [f"{group}.{name}" for name in own if name != "name"] if isinstance(own, dict) else []
            problems.append(unknown("key in tune.space", key, there))
    return problems


def _value_problems(settings: CellSettings, dimension: Dimension, problems_of: ProblemsOf) -> list[Problem]:
    """Return the problems of the end values of a dimension, set in the cell one at a time."""
    kind, words = _kind(read_setting(settings, dimension.key))
    wrong = [end for end in dimension.ends if not isinstance(end, kind) or (isinstance(end, bool) and kind is not bool)]
    if wrong:
        return [Problem(f"tune.space: {dimension.key} must be {words}; got {wrong[0]!r}.")]
    # Problems that the cell has anyway are reported elsewhere.
    before = set(problems_of(settings))
    found = [p for end in dimension.ends for p in problems_of(with_values(settings, {dimension.key: end}))]
    return [Problem(f"tune.space: {p.message}", p.hint) for p in found if p not in before]


def _kind(value: Any) -> tuple[Any, str]:
    """Return the type of a setting, from its present value, and the type's name for messages."""
    if isinstance(value, bool):
        return bool, "true or false"
    if isinstance(value, float):
        return (int, float), "a number"
    return (str, "a word") if isinstance(value, str) else (int, "an integer")


def _key_problem(key: str) -> Problem | None:
    if key == LEARNING_RATE:
        return Problem(f"{key} is always searched.", "its range is from tune.low to tune.high.")
    if not key.startswith(SEARCHED) or key.endswith(".name"):
        message = f"tune.space takes settings of loss, optimizer and model, batch_size and epochs; got {key!r}."
        return Problem(message)
    parameters = sorted({p.name for loss in LOSSES.values() for p in loss.parameters if not p.matrix})
    if key.startswith(("loss.terms.", "loss.parameters.")):
        return None
    if key.startswith("loss.") and key.removeprefix("loss.") not in parameters:
        return unknown("loss parameter", key, [f"loss.{name}" for name in parameters])
    return None
