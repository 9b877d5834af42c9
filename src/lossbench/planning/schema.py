"""Generates Hydra's structured configs from the types of the settings and the rows of the catalogues.

They decide which keys a user may set, and the types of the values.
"""

import typing
from dataclasses import Field, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any

from omegaconf import MISSING

from lossbench.config.optimizers import OPTIMIZERS
from lossbench.config.settings import GROUPS_OF_A_CELL, CellSettings, LossSettings, SweepSettings, settings_type
from lossbench.datasets.catalogue import DATASETS, parameter_types
from lossbench.losses.pairing import LOSSES

# All groups that can be chosen.
GROUPS = (*GROUPS_OF_A_CELL, "tuned", "experiment")
# Keys that experiment files use for the sweep as a whole; they are not settings of a cell.
OF_EXPERIMENTS = ("grids", "published", "claims")
# Types that OmegaConf checks. Values of other types can be written in several forms, which ``normalisation`` reads.
_SIMPLE = (int, float, bool, str, int | None, float | None, str | None)


def schema(group: str, name: str) -> type:
    """Return the structured config of a choice of a group.

    Raises
    ------
    KeyError
        If the group has no such name.
    """
    return structured(settings_type(group, name), tuple(_parameters(group, name).items()))


@cache
def whole_schema() -> type:
    """Return the structured config of the whole configuration: typed keys outside the groups, untyped groups."""
    own = [each for kind in (CellSettings, SweepSettings) for each in fields(kind) if each.name not in GROUPS_OF_A_CELL]
    hints = typing.get_type_hints(CellSettings) | typing.get_type_hints(SweepSettings)
    groups = [(group, Any, field(default=MISSING)) for group in GROUPS_OF_A_CELL]
    experiments = [(name, list[Any], field(default=MISSING)) for name in OF_EXPERIMENTS]
    return make_dataclass("Configuration", [*groups, *(_entry(each, hints) for each in own), *experiments])


def _parameters(group: str, name: str) -> dict[str, Any]:
    """Return the types of a choice's parameters, by name, as its catalogue declares them: ``{"delta": float}``."""
    if group == "dataset":
        return {key: list[float] if kind is list else kind for key, kind in parameter_types(DATASETS[name]).items()}
    if group == "optimizer":
        return {key: float if allowed else bool for key, allowed in OPTIMIZERS[name].parameters.items()}
    if group == "loss" and name != "auto" and settings_type(group, name) is LossSettings:
        return {parameter.name: Any if parameter.matrix else float for parameter in LOSSES[name].parameters}
    return {}


@cache
def structured(kind: type, parameters: tuple[tuple[str, Any], ...] = ()) -> type:
    """Return the structured config of a settings type.

    Its mapping of parameters is replaced by the parameters of a choice (``delta`` of ``loss=huber``), so that Hydra
    checks their names and types.
    """
    hints = typing.get_type_hints(kind)
    own = [_entry(each, hints) for each in fields(kind) if not {"flat", "found"} & set(each.metadata)]
    return make_dataclass(kind.__name__, [*own, *((name, hint, field(default=MISSING)) for name, hint in parameters)])


def _entry(each: Field, hints: dict[str, Any]) -> tuple[str, Any, Any]:
    """Return a field of a structured config: nested, of a simple type, or ``Any`` if values have several forms."""
    hint = hints[each.name] | None if each.metadata.get("open") else hints[each.name]
    if is_dataclass(hint):
        nested = structured(typing.cast(type, hint))
        return each.name, nested, field(default_factory=nested)
    kind = hint if hint in _SIMPLE or each.name == "metrics" else Any
    return each.name, kind, field(default=MISSING)


def meaning(group: str, name: str) -> str:
    """Return a one-line description of a choice, for ``lossbench-list``."""
    if group == "optimizer":
        return OPTIMIZERS[name].description
    return (settings_type(group, name).__doc__ or "").splitlines()[0]
