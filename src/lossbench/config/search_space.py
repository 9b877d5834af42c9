"""What a study searches: the learning rate and whatever else ``tune.space`` names."""

import math
from dataclasses import dataclass, replace
from typing import Any

from lossbench.config.settings import CellSettings, TuneSettings, has_setting, read_setting

LEARNING_RATE = "optimizer.learning_rate"


@dataclass(frozen=True)
class Dimension:
    """One setting that a study searches: a range of numbers, or a few choices.

    Attributes
    ----------
    key : str
        As on the command line: ``optimizer.momentum``.
    log : bool
        Whether the range is searched on a logarithmic scale.
    integer : bool
        Whether only whole numbers are tried.
    choices : tuple
        Empty for a range.
    """

    key: str
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that must be allowed for all to be: both ends, or every choice."""
        return self.choices or (self.low, self.high)


def read_dimension(key: str, value: Any) -> Dimension:
    """Return the dimension that an entry of ``tune.space`` describes.

    Raises
    ------
    ValueError
        If it describes none: the reason.
    """
    if isinstance(value, dict) and set(value) == {"choices"} and isinstance(value["choices"], list):
        return _choices(key, value["choices"])
    if isinstance(value, dict) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        return _range(key, value["low"], value["high"], log=value.get("log", False))
    if isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)):
        return _range(key, *value, log=False)
    if isinstance(value, list):
        return _choices(key, value)
    raise ValueError(f"must be a range ([low, high] or {{low, high, log}}) or {{choices: […]}}; got {value!r}")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _range(key: str, low: Any, high: Any, *, log: Any) -> Dimension:
    if not (_is_number(low) and _is_number(high) and math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"must be a range from a number to a larger one; got {low!r} to {high!r}")
    if not isinstance(log, bool) or (log and low <= 0):
        raise ValueError(f"must be above 0 to be searched with log: true; got {low!r} and log: {log!r}")
    return Dimension(key, low, high, log, integer=type(low) is int and type(high) is int)


def _choices(key: str, values: list[Any]) -> Dimension:
    if len(values) < 2 or not all(isinstance(value, (int, float, str, bool)) for value in values):
        raise ValueError(f"must have two choices or more, each a number, a word, true or false; got {values!r}")
    return Dimension(key, choices=tuple(values))


def dimensions(settings: CellSettings) -> list[Dimension]:
    """Return what the study of a cell with these validated settings searches, the learning rate first.

    A parameter of another loss is left out: the cells of a sweep have one space, and of it each what it has.
    """
    tune = settings.study
    found = [Dimension(LEARNING_RATE, tune.low, tune.high, log=True)]
    for key, value in tune.space.items():
        if has_setting(settings, key):
            dimension = read_dimension(key, value)
            # 1 to 10 for a setting that takes any number means 1.0 to 10.0.
            whole = dimension.integer and not isinstance(read_setting(settings, key), float)
            found.append(replace(dimension, integer=whole))
    return found


def grid_points(tune: TuneSettings, found: list[Dimension]) -> int:
    """Return how many points of each range a grid has that the study's trials can pay; 0 if it cannot."""
    n_choices = math.prod(len(d.choices) for d in found if d.choices)
    n_ranges = sum(not d.choices for d in found)
    points = 0
    while n_choices * (points + 1) ** n_ranges <= tune.trials:
        points += 1
    return points
