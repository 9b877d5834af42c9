"""Normalises typed settings: values that can be written in several ways, and values that follow from other settings.

Examples: ``seeds=30`` becomes a list; early stopping sets ``select=best``. Normalisation reports only values that it
cannot read. ``validation`` judges the normalised values and changes nothing. Settings are frozen, so each function
returns new ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lossbench.config.settings import (
    CellSettings,
    CnnSettings,
    CompositeLossSettings,
    CustomLossSettings,
    CustomModelSettings,
    FileSettings,
    FoldsSettings,
    LossSettings,
    MlpSettings,
    ModelSettings,
    ReportSettings,
    RnnSettings,
    SweepSettings,
    TuneSettings,
)
from lossbench.datasets.catalogue import described, n_outputs
from lossbench.ground.errors import Problem
from lossbench.ground.seeds import parse_seeds
from lossbench.ground.user_functions import find_function
from lossbench.losses.definition import Loss
from lossbench.losses.pairing import ALIASES, LOSSES
from lossbench.metrics.catalogue import MAIN_METRICS


@dataclass(frozen=True)
class _Read:
    """A normalised value, and the problems if it could not be read."""

    value: Any
    problems: tuple[Problem, ...] = ()


def normalised_sweep(sweep: SweepSettings, default_seeds: int) -> tuple[SweepSettings, list[Problem]]:
    """Return the settings of a sweep with its seeds as a list and loss aliases resolved, and problems."""
    given = default_seeds if sweep.seeds is None else sweep.seeds
    seeds = _seeds(given, "", "seeds=30 means the seeds 0 to 29, 'seeds=[3,5]' these two, seed=3 this one.")
    return replace(sweep, seeds=seeds.value, report=normalised_report(sweep.report)), list(seeds.problems)


def normalised_report(report: ReportSettings) -> ReportSettings:
    """Return the settings of a report with the alias of its baseline resolved."""
    return replace(report, baseline=ALIASES.get(report.baseline, report.baseline) if report.baseline else None)


def normalised_loss(settings: CellSettings) -> tuple[CellSettings, list[Problem]]:
    """Return a cell's settings with the loss normalised (matrices as rows, digest of a function), and problems."""
    loss, dataset = settings.loss, settings.dataset
    if isinstance(loss, CustomLossSettings):
        digest = _digest("loss", loss.function, loss.parameters, ("y_true", "y_pred"))
        return replace(settings, loss=replace(loss, digest=digest.value)), list(digest.problems)
    n_classes = n_outputs(described(dataset), dataset)
    if isinstance(loss, CompositeLossSettings):
        read = {name: _matrices(f"loss.terms.{name}", LOSSES[name], own, n_classes) for name, own in loss.terms.items()}
        terms = {name: one.value for name, one in read.items()}
        problems = [problem for one in read.values() for problem in one.problems]
        return replace(settings, loss=replace(loss, terms=terms)), problems
    assert isinstance(loss, LossSettings)
    own = _matrices("loss", LOSSES[loss.name], loss.parameters, n_classes)
    return replace(settings, loss=replace(loss, parameters=own.value)), list(own.problems)


def normalised(settings: CellSettings) -> tuple[CellSettings, list[Problem]]:
    """Return a cell's settings with all but the loss normalised, and problems; an unreadable value becomes empty."""
    model = _model(settings)
    tune, seeds = settings.tune, _Read([])
    if isinstance(tune, TuneSettings):
        seeds = _seeds(tune.seeds, "tune.", "tune.seeds=[1000,1001,1002]")
        tune = replace(tune, seeds=seeds.value)
    # Early stopping keeps the weights of the best epoch.
    select = settings.select if settings.early_stopping.patience is None else "best"
    repeat, dataset = settings.repeat, settings.dataset
    if isinstance(repeat, FoldsSettings) and isinstance(dataset, FileSettings) and dataset.time:
        # Times have one order: there is nothing to repeat.
        repeat = replace(repeat, repetitions=1)
    # The task's own metric is what no setting means: cells that name it keep their keys.
    metric = settings.metric if settings.metric != MAIN_METRICS[described(dataset).task] else None
    found = replace(settings, model=model.value, tune=tune, select=select, repeat=repeat, metric=metric)
    return found, [*model.problems, *seeds.problems]


def _seeds(given: Any, prefix: str, hint: str) -> _Read:
    try:
        return _Read(parse_seeds(given))
    except ValueError as error:
        return _Read([], (Problem(f"{prefix}{error}", hint),))


def _digest(group: str, function: str, parameters: Any, called_with: Sequence[str] = ()) -> _Read:
    """Return the digest of a user's own function; it is part of the cell's key, as other code gives other results."""
    known = parameters if isinstance(parameters, Mapping) else None
    found = find_function(f"{group}.function", function, called_with, known)
    return _Read("", (found,)) if isinstance(found, Problem) else _Read(found)


def _matrices(prefix: str, loss: Loss, parameters: Mapping[str, Any], n_classes: int) -> _Read:
    """Return a loss's parameters with its matrices as lists of rows."""
    read = {p.name: _matrix(f"{prefix}.{p.name}", parameters[p.name], n_classes) for p in loss.parameters if p.matrix}
    problems = tuple(problem for one in read.values() for problem in one.problems)
    return _Read({**parameters, **{name: one.value for name, one in read.items()}}, problems)


def _matrix(key: str, given: Any, n_classes: int) -> _Read:
    """Return a matrix of floats; null means cost 1 for every confusion."""
    if given is None:
        return _Read([[float(i != j) for j in range(n_classes)] for i in range(n_classes)])
    rows = given if isinstance(given, list) else []
    square = len(rows) == n_classes and all(isinstance(row, list) and len(row) == n_classes for row in rows)
    if square and all(is_number(entry) for row in rows for entry in row):
        return _Read([[float(entry) for entry in row] for row in rows])
    message = f"{key} must be {n_classes} rows of {n_classes} numbers, one for each class; got {given!r}."
    hint = f"a row for each true class: '{key}=[[0,1],[5,0]]' makes a missed class 1 cost 5."
    return _Read([], (Problem(message, hint),))


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _model(settings: CellSettings) -> _Read:
    """Return the model with its layer sizes as lists, its input shape filled in, and a custom function's digest."""
    model: ModelSettings = settings.model
    shape = _shape(settings)
    if isinstance(model, MlpSettings):
        units = _layer_sizes("model.hidden_units", model.hidden_units, at_least=1)
        return _Read(replace(model, hidden_units=units.value), units.problems)
    if isinstance(model, CnnSettings):
        filters = _layer_sizes("model.filters", model.filters, at_least=0)
        units = _layer_sizes("model.hidden_units", model.hidden_units, at_least=0)
        problems = (*units.problems, *filters.problems, *shape.problems)
        return _Read(replace(model, hidden_units=units.value, filters=filters.value, shape=shape.value), problems)
    if isinstance(model, RnnSettings):
        units = _layer_sizes("model.units", model.units, at_least=1)
        return _Read(replace(model, units=units.value, shape=shape.value), (*units.problems, *shape.problems))
    if isinstance(model, CustomModelSettings):
        digest = _digest("model", model.function, model.parameters)
        return _Read(replace(model, shape=shape.value, digest=digest.value), (*shape.problems, *digest.problems))
    return _Read(model)


def _layer_sizes(key: str, given: Any, *, at_least: int) -> _Read:
    """Return layer sizes as a list; a single number means one layer."""
    sizes = [given] if type(given) is int else given
    if isinstance(sizes, list) and len(sizes) >= at_least and all(type(n) is int and 1 <= n <= 10**6 for n in sizes):
        return _Read(sizes)
    message = f"{key} must be a number of at least 1 for each layer; got {given!r}."
    return _Read([], (Problem(message, f"{key}=50 is one layer, '{key}=[50,20]' are two."),))


def _shape(settings: CellSettings) -> _Read:
    """Return the shape into which a model reshapes samples: as set, or that of the data set's images."""
    model = settings.model
    if not isinstance(model, CnnSettings | RnnSettings | CustomModelSettings):
        return _Read(None)
    own, shape = described(settings.dataset).shape, model.shape
    if shape is None and own and isinstance(model, CnnSettings):
        shape = list(own)
    elif shape is None and own and isinstance(model, RnnSettings):
        shape = [own[0], math.prod(own[1:])]
    rank = {"cnn": 3, "rnn": 2}.get(model.name)
    if shape is None and rank is None:
        return _Read(None)
    numbers = isinstance(shape, list) and all(type(n) is int and n >= 1 for n in shape)
    if numbers and shape is not None and (not rank or len(shape) == rank):
        return _Read(shape)
    names = {3: "[height,width,channels]", 2: "[steps,features]"}.get(rank or 0, "numbers, such as [28,28,1]")
    got = f"dataset={settings.dataset.name} has none of its own" if shape is None else f"got {shape!r}"
    hint = "its product is the number of features."
    return _Read(None, (Problem(f"model.shape must be {names}; {got}.", hint),))
