"""Validates normalised settings: ranges of values and their combinations.

All problems are collected and reported at once. Validation never changes settings.
"""

import math
from collections.abc import Mapping
from typing import Any

from lossbench.config.optimizers import OPTIMIZERS
from lossbench.config.settings import (
    CellSettings,
    CompositeLossSettings,
    CustomDatasetSettings,
    CustomLossSettings,
    CustomModelSettings,
    DatasetSettings,
    FallingScheduleSettings,
    FileSettings,
    ImbalanceSettings,
    LabelNoiseSettings,
    LossSettings,
    MlpSettings,
    OutliersSettings,
    OwnSettings,
    ReportSettings,
    RnnSettings,
    SplitSettings,
    SweepSettings,
    plain,
)
from lossbench.datasets.catalogue import DATASETS, SCALINGS, SPLITS, described, n_outputs, n_samples, split_counts
from lossbench.ground.errors import Problem, unknown
from lossbench.losses.definition import Loss
from lossbench.losses.heads import ENCODINGS, HEADS, TASKS
from lossbench.losses.pairing import LOSSES
from lossbench.metrics.catalogue import MAIN_METRICS, METRICS, main_metrics
from lossbench.planning.compared import LOSS
from lossbench.planning.normalisation import is_number, normalised, normalised_loss
from lossbench.planning.study_validation import study_problems

ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "gelu", "selu", "silu", "softplus", "leaky_relu", "linear")
INITIALIZERS = ("he_uniform", "he_normal", "glorot_uniform", "glorot_normal", "lecun_uniform", "lecun_normal")
TRAINERS = ("compiled", "fit")
RERUNS = ("none", "failed", "all")
SAVED_MODELS = ("none", "best", "all")
# The tasks for which each corruption is defined.
CORRUPTED_TASKS = {
    "label_noise": ("binary", "multiclass"),
    "outliers": ("regression",),
    "imbalance": ("binary", "multiclass"),
}


def validate(settings: CellSettings, sweep: SweepSettings) -> list[Problem]:
    """Return all problems of the values of a cell and its sweep.

    Parameters
    ----------
    settings : CellSettings
        Normalised settings with ``head`` and ``loss`` resolved; ``validate_loss`` has found no problem.
    sweep : SweepSettings
        Normalised settings.
    """
    problems = [*_value_problems(settings), *_sweep_problems(sweep)]
    return problems + study_problems(settings, sweep.seeds, _problems_with_values)


def _problems_with_values(settings: CellSettings) -> list[Problem]:
    """Return the problems of a cell's settings in which a study has replaced values, apart from its study."""
    with_loss, unread_loss = normalised_loss(settings)
    found, unread = normalised(with_loss)
    return [*unread_loss, *validate_loss(found), *unread, *_value_problems(found)]


def _value_problems(settings: CellSettings) -> list[Problem]:
    """Return the problems of a cell apart from loss and study."""
    check = _Checker(plain(settings))
    for name in ("epochs", "batch_size", "evaluate_every"):
        check.within(name, 1, 10**9)
    check.one_of("trainer", TRAINERS)
    _check_dataset(check, settings.dataset, in_folds=settings.folds is not None)
    _check_model(check, settings)
    _check_optimizer(check, settings)
    _check_schedule(check, settings)
    _check_selection(check, settings)
    _check_metric(check, settings)
    _check_corruption(check, settings)
    _check_repeat(check, settings)
    return check.problems


def _sweep_problems(sweep: SweepSettings) -> list[Problem]:
    check = _Checker(plain(sweep))
    check.one_of("rerun", RERUNS)
    if sweep.timeout is not None and not (is_number(sweep.timeout) and sweep.timeout > 0):
        check.add(f"timeout must be seconds above 0, or null: no limit; got {sweep.timeout!r}.")
    check.one_of("tracking.models", SAVED_MODELS)
    unknown_metrics = [name for name in sweep.report.metrics if name not in METRICS]
    check.problems += [unknown("metric in report.metrics", name, METRICS) for name in unknown_metrics]
    return check.problems


def validate_loss(settings: CellSettings) -> list[Problem]:
    """Return the problems of a cell's normalised ``loss`` and ``head`` settings."""
    check = _Checker(plain(settings))
    check.one_of("head.encoding", ("auto", *ENCODINGS))
    loss = settings.loss
    if isinstance(loss, CustomLossSettings):
        _check_custom(check, loss)
    elif isinstance(loss, CompositeLossSettings):
        for name, own in loss.terms.items():
            _check_parameters(check, f"loss.terms.{name}", LOSSES[name], own)
            if not (is_number(own["weight"]) and own["weight"] > 0.0):
                check.add(f"loss.terms.{name} must have a weight above 0; got {own['weight']!r}.")
    else:
        assert isinstance(loss, LossSettings)
        _check_parameters(check, "loss", LOSSES[loss.name], loss.parameters)
    return check.problems


class _Checker:
    """Looks up values by dotted key, checks them and collects the problems."""

    def __init__(self, content: dict[str, Any]):
        self.content = content
        self.problems: list[Problem] = []

    def value(self, key: str) -> Any:
        value: Any = self.content
        for part in key.split("."):
            value = value[part]
        return value

    def add(self, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, hint))

    def within(self, key: str, low: float, high: float) -> None:
        """Add a problem unless the value lies in the closed range; NaN never does."""
        value = self.value(key)
        if not low <= value <= high:
            limit = f"at least {low:g}" if value < low else f"at most {high:g}"
            self.add(f"{key} must be {limit if not math.isnan(value) else 'a number'}; got {value:g}.")

    def one_of(self, key: str, allowed) -> None:
        if self.value(key) not in allowed:
            self.add(f"{key} must be one of {', '.join(allowed)}; got {self.value(key)!r}.")


def _check_dataset(check: _Checker, dataset: DatasetSettings, *, in_folds: bool) -> None:
    info, parameters = described(dataset), dataset.parameters
    for name, (low, high) in info.ranges.items():
        check.within(f"dataset.{name}", low, high)
    _check_split(check, dataset, in_folds=in_folds)
    # make_classification also makes two redundant features, linear combinations of the informative ones.
    others = 2 if info.name == "imbalanced" else 0
    if "n_informative" in parameters and parameters["n_informative"] + others > parameters["n_features"]:
        check.add(
            f"dataset.n_informative must be at most dataset.n_features{f' - {others}' if others else ''}; "
            f"got {parameters['n_informative']} of {parameters['n_features']}."
        )
    weights = parameters.get("weights", [0.5, 0.5])
    if len(weights) != 2 or not all(0.0 < weight < 1.0 for weight in weights) or abs(sum(weights) - 1.0) > 1e-9:
        check.add(f"dataset.weights must be the shares of two classes, above 0 and 1 in sum; got {weights}.")
    check.one_of("dataset.standardize.x", SCALINGS)
    check.one_of("dataset.standardize.y", tuple(name for name in SCALINGS if name != "pixels"))
    check.one_of("dataset.standardize.fitted_on", ("train", "all_rows"))
    check.one_of("dataset.standardize.metrics", ("original", "scaled"))
    if info.task != "regression" and dataset.standardize.y != "none":
        check.add(f"dataset.standardize.y must be none for {TASKS[info.task]}; got {dataset.standardize.y}.")


def _check_split(check: _Checker, dataset: DatasetSettings, *, in_folds: bool) -> None:
    split, n_all = dataset.split, n_samples(dataset)
    path = dataset.label if isinstance(dataset, OwnSettings) else ""
    given = {"train": split.train, "validation": split.validation, "test": split.test}
    n_problems = len(check.problems)
    for name, value in given.items():
        if not (type(value) is int and value >= 0) and not (isinstance(value, float) and 0.0 <= value < 1.0):
            check.add(f"dataset.split.{name} must be a count, or a share below 1; got {value!r}.")
    if len(check.problems) > n_problems:
        return
    if in_folds:
        # Of the split only the share of validation rows counts.
        if split.validation and not split.train:
            check.add("dataset.split.train must be above 0 where dataset.split.validation is; got 0.")
        return
    counts = dict(zip(SPLITS, split_counts(split, n_all), strict=True))
    for name in ("train", "test"):
        if counts[name] < 1:
            of = f"{n_all} rows of {path}" if path else n_all
            check.add(f"dataset.split.{name} must be at least one sample; got {given[name]!r} of {of}.")
    if sum(counts.values()) > n_all:
        taken = ", ".join(f"{name} {count}" for name, count in counts.items())
        shares = all(isinstance(value, float) for value in given.values() if value)
        hint = f"shares of all samples, 1 in sum: {_fitting(split)}" if shares else "take fewer."
        if "n_samples" in dataset.parameters and not shares:
            hint = "raise dataset.n_samples."
        where = path or "the data set"
        message = f"dataset.split takes {sum(counts.values())} samples ({taken}); {where} has {n_all}."
        check.add(message, hint)
    if split.seed is not None:
        check.within("dataset.split.seed", 0, 2**32 - 1)


def _fitting(split: SplitSettings) -> str:
    """Return a valid setting of the shares: the training split gets what the others leave, if anything."""
    rest = 1.0 - split.validation - split.test
    if rest > 0.0:
        return f"dataset.split.train={rest:g}"
    return "dataset.split.train=0.6 dataset.split.validation=0.1 dataset.split.test=0.3"


def _check_parameters(check: _Checker, prefix: str, loss: Loss, values: Any) -> None:
    for parameter in loss.parameters:
        key, value = f"{prefix}.{parameter.name}", values[parameter.name]
        if parameter.matrix:
            problems = [problem for row in value for entry in row if (problem := parameter.problem(entry))]
            if problems:
                check.add(f"each number of {key} {problems[0]}.")
        elif not is_number(value):
            check.add(f"{key} must be a number; got {value!r}.")
        elif problem := parameter.problem(value):
            check.add(f"{key} {problem}.")


def _check_custom(check: _Checker, loss: CustomLossSettings) -> None:
    check.one_of("loss.task", tuple(TASKS))
    check.one_of("loss.encoding", tuple(ENCODINGS))
    check.one_of("loss.head", tuple(HEADS))
    if not isinstance(loss.parameters, dict) or not all(map(is_number, loss.parameters.values())):
        check.add(
            f"loss.parameters must be a number for each name; got {loss.parameters!r}.",
            "'loss.parameters={scale: 2.0}' calls the function with scale=2.0.",
        )


def _check_model(check: _Checker, settings: CellSettings) -> None:
    model = settings.model
    if "activation" in check.content["model"]:
        check.one_of("model.activation", ACTIVATIONS)
        check.one_of("model.initializer", INITIALIZERS)
    if isinstance(model, MlpSettings):
        for name, scale in (("initializer_scale", model.initializer_scale), ("output_scale", model.output_scale)):
            if not 0.0 < scale <= 1e6:
                check.add(f"model.{name} must be above 0 and at most 1e+06; got {scale:g}.")
        if not 0.0 <= model.dropout < 1.0:
            check.add(f"model.dropout must be at least 0 and below 1; got {model.dropout:g}.")
    for name, (low, high) in {"l2": (0.0, 1e6), "kernel_size": (1, 1000), "pooling": (1, 1000)}.items():
        if name in check.content["model"]:
            check.within(f"model.{name}", low, high)
    if isinstance(model, RnnSettings):
        check.one_of("model.cell", ("simple", "gru", "lstm"))
    if isinstance(model, CustomModelSettings) and not isinstance(model.parameters, Mapping):
        check.add(
            f"model.parameters must be a value for each name; got {model.parameters!r}.",
            "'model.parameters={width: 64}' calls the function with width=64.",
        )


def _check_optimizer(check: _Checker, settings: CellSettings) -> None:
    optimizer = settings.optimizer
    if not 0.0 < optimizer.learning_rate <= 1e6:
        check.add(f"optimizer.learning_rate must be above 0 and at most 1e+06; got {optimizer.learning_rate:g}.")
    for name, allowed in OPTIMIZERS[optimizer.name].parameters.items():
        if allowed is not None and (problem := allowed.problem(optimizer.parameters[name])):
            check.add(f"optimizer.{name} {problem}.")
    clipped = {
        name: value
        for name in ("clipnorm", "clipvalue", "global_clipnorm")
        if (value := getattr(optimizer, name)) is not None
    }
    for name, value in clipped.items():
        if not 0.0 < value < math.inf:
            check.add(f"optimizer.{name} must be above 0, or null for none; got {value:g}.")
    if len(clipped) > 1:
        check.add(f"gradients are clipped in one way; got {' and '.join(f'optimizer.{name}' for name in clipped)}.")
    if optimizer.parameters.get("nesterov") and optimizer.parameters["momentum"] == 0.0:
        check.add("optimizer.nesterov=true needs a momentum above 0; got optimizer.momentum=0.")


def _check_schedule(check: _Checker, settings: CellSettings) -> None:
    schedule, epochs = settings.schedule, settings.epochs
    check.within("schedule.warmup_epochs", 0, 10**9)
    if schedule.warmup_epochs > max(1, epochs):
        check.add(f"schedule.warmup_epochs must be at most epochs; got {schedule.warmup_epochs} of {epochs}.")
    if isinstance(schedule, FallingScheduleSettings):
        low, high = (0.0, 1.0) if schedule.name == "cosine" else (1e-12, 1.0)
        check.within("schedule.final", low, high)


def _check_selection(check: _Checker, settings: CellSettings) -> None:
    """Check ``select`` and early stopping, which selects the best weights too."""
    patience = settings.early_stopping.patience
    check.one_of("select", ("last", "best"))
    check.within("early_stopping.min_delta", 0.0, 1e30)
    if patience is not None:
        check.within("early_stopping.patience", 1, 10**9)
    if settings.select == "best" and settings.dataset.split.validation in (0, 0.0):
        asked = "select=best" if patience is None else "early_stopping.patience"
        check.add(
            f"{asked} needs a validation split; dataset.split.validation is 0.",
            "give it a count or a share, and take as much from train: dataset.split.train=0.5 "
            "dataset.split.validation=0.1, say.",
        )


def _check_metric(check: _Checker, settings: CellSettings) -> None:
    """Check that runs can be judged by the metric: it has a value for every loss, and a curve."""
    info, metric = described(settings.dataset), settings.metric
    possible = main_metrics(info.task, ordered=info.ordered)
    if metric is None or metric in possible:
        return
    message = f"metric must be one of {', '.join(possible)} for {TASKS[info.task]}; got {metric!r}."
    row = METRICS.get(metric)
    if row is None or info.task not in row.tasks:
        hint = (
            unknown("metric", metric, possible).hint
            if row is None
            else f"metric={MAIN_METRICS[info.task]} is the usual one."
        )
        check.add(message, hint)
        return
    check.add(message, f"report.metrics=[{metric}] shows it beside the one that runs are judged by.")


def _check_corruption(check: _Checker, settings: CellSettings) -> None:
    corruption, dataset = settings.corruption, settings.dataset
    name, info = corruption.name, described(dataset)
    if settings.is_corrupted and info.task not in CORRUPTED_TASKS[name]:
        wanted = " or ".join(TASKS[task] for task in CORRUPTED_TASKS[name])
        fitting = [other for other, tasks in CORRUPTED_TASKS.items() if info.task in tasks]
        check.add(
            f"corruption={name} is for {wanted}; dataset={info.name} has {TASKS[info.task]}.",
            f"use corruption={' or corruption='.join(fitting)}." if fitting else "leave it out.",
        )
        return
    if isinstance(corruption, LabelNoiseSettings | OutliersSettings):
        check.within("corruption.rate", 0.0, 1.0)
    if isinstance(corruption, OutliersSettings):
        check.within("corruption.scale", 0.0, 1e6)
    if isinstance(corruption, ImbalanceSettings):
        if not 0.0 < corruption.share <= 1.0:
            check.add(f"corruption.share must be above 0 and at most 1; got {corruption.share:g}.")
        if corruption.rare_class is not None:
            check.within("corruption.rare_class", 0, n_outputs(info, dataset) - 1)


def _check_repeat(check: _Checker, settings: CellSettings) -> None:
    dataset, folds = settings.dataset, settings.folds
    if folds is not None:
        check.within("repeat.folds", 2, 1000)
        check.within("repeat.repetitions", 1, 1000)
        check.within("repeat.seed", 0, 2**32 - 1)
        for what, n in _units(dataset).items():
            if folds.folds > n:
                check.add(f"repeat.folds must be at most the number of {what}; got {folds.folds} of {n}.")
    elif isinstance(dataset, FileSettings) and (dataset.groups or dataset.time):
        asked = "groups" if dataset.groups else "time"
        check.add(
            f"dataset.{asked} decides which rows make a fold; repeat={settings.repeat.name} has none.",
            f"repeat=folds, or leave dataset.{asked} out.",
        )
    if isinstance(dataset, FileSettings) and dataset.time:
        if dataset.groups:
            check.add("dataset.groups and dataset.time cannot both decide which rows make a fold.", "take one of them.")
        if settings.is_tuned:
            message = "with dataset.time a study would learn from rows that are later than those that it judges."
            check.add(
                message, "tune=none, with the learning rates to compare: -m optimizer.learning_rate=0.001,0.01,0.1"
            )
    if settings.draws_samples and "random_state" not in dataset.parameters:
        generated = [name for name, info in DATASETS.items() if "random_state" in info.ranges]
        hint = f"repeat=seeds, or one of {', '.join(generated)}."
        if isinstance(dataset, CustomDatasetSettings):
            hint = "repeat=folds, or a function that takes a random_state and draws its data by it."
        check.add(f"repeat=samples needs a data set that is generated; dataset={dataset.name} is not.", hint)


def _units(dataset: DatasetSettings) -> dict[str, int]:
    """Return how many units the data have of which folds are made, by their name."""
    found = {"rows": n_samples(dataset)}
    if isinstance(dataset, FileSettings):
        found |= {"groups": dataset.facts.n_groups} if dataset.groups else {}
        # The first times are only trained on.
        found |= {f"different times in {dataset.time!r} less one": dataset.facts.n_times - 1} if dataset.time else {}
    return found


def report_problems(report: ReportSettings, compared: list[str]) -> list[Problem]:
    """Return the problems of the normalised settings of a report that compares these losses, or values of a setting."""
    check = _Checker({"report": plain(report)})
    if report.baseline is not None and report.baseline not in compared:
        known = unknown("loss", report.baseline, dict.fromkeys(compared))
        what = "a loss of the sweep" if report.compare in (None, LOSS) else f"a swept value of {report.compare}"
        check.add(f"report.baseline must be {what}; got {report.baseline}.", known.hint)
    if report.margin is not None:
        check.within("report.margin", 0.0, math.inf)
    for name in plain(report.margins):
        check.within(f"report.margins.{name}", 0.0, math.inf)
    return check.problems
