"""The search space of a study: the learning rate and the settings that ``tune.space`` names."""

import math
from dataclasses import dataclass, replace
from typing import Any

from lossbench.config.settings import CellSettings, StudySettings, has_setting, read_setting

LEARNING_RATE = "optimizer.learning_rate"


@dataclass(frozen=True)
class Dimension:
    """One setting in the search space: a range of numbers, or a list of choices.

    Attributes
    ----------
    key : str
        The dotted key, as on the command line: ``optimizer.momentum``.
    low, high : float
        The ends of a range, both included; NaN for choices.
    log : bool
        Whether the range is searched on a logarithmic scale.
    integer : bool
        Whether only whole numbers are proposed.
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
        """The values to validate: both ends of a range, or every choice.

        The allowed values of a numeric setting form an interval, so a range is valid if both its ends are.
        """
        return self.choices or (self.low, self.high)


def read_dimension(key: str, value: Any) -> Dimension:
    """Return an entry of ``tune.space`` as a dimension.

    Raises
    ------
    ValueError
        If the entry is neither a range nor a list of choices; the message is the reason.
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
    """Return the dimensions that a cell's study searches, the learning rate first.

    ``tune.space`` is the same for all cells of a sweep. Each study searches only the keys that its cell has, so
    ``loss.delta`` is left out for losses without a ``delta``.

    Parameters
    ----------
    settings : CellSettings
        Validated, with a study.
    """
    tune = settings.study
    found = [Dimension(LEARNING_RATE, tune.low, tune.high, log=True)]
    for key, value in tune.space.items():
        if has_setting(settings, key):
            dimension = read_dimension(key, value)
            # A range written as [1, 10] for a setting of type float includes fractions.
            whole = dimension.integer and not isinstance(read_setting(settings, key), float)
            found.append(replace(dimension, integer=whole))
    return found


def configured(settings: CellSettings) -> dict[str, Any]:
    """Return the values that a cell has without a study, of the settings that its study searches."""
    return {dimension.key: _single(read_setting(settings, dimension.key)) for dimension in dimensions(settings)}


def _single(value: Any) -> Any:
    """Return one hidden layer as a number, as it is searched."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def includes(dimension: Dimension, value: Any) -> bool:
    """Return whether a study that searches a dimension may try a value."""
    return value in dimension.choices if dimension.choices else dimension.low <= value <= dimension.high


def sampler(tune: StudySettings) -> str:
    """Return how a study proposes: ``auto`` is a grid of learning rates, or TPE if there is more to search."""
    return tune.sampler if tune.sampler != "auto" else "tpe" if tune.space else "grid"


def grid_points(tune: StudySettings, found: list[Dimension]) -> int:
    """Return how many points each range gets in the largest grid that needs at most ``tune.trials`` trials.

    A grid contains every combination of choices and points. The result is 0 if the choices alone need more trials.
    """
    n_choices = math.prod(len(d.choices) for d in found if d.choices)
    n_ranges = sum(not d.choices for d in found)
    # With p points, a grid has (number of combined choices) * p ** (number of ranges) trials.
    points = 0
    while n_choices * (points + 1) ** n_ranges <= tune.trials:
        points += 1
    return points
