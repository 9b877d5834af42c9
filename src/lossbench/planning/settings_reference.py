"""Every key that can be set, with its type, default and meaning: from the types, the catalogues and ``conf/``.

The meaning of a key is the comment beside its default in ``conf/``; that of a loss's parameter stands in the catalogue.
"""

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from lossbench.config.optimizers import OPTIMIZERS
from lossbench.config.paths import conf_folder
from lossbench.config.settings import GROUPS_OF_A_CELL, CellSettings, SweepSettings, settings_type
from lossbench.datasets.catalogue import DATASETS, SCALINGS
from lossbench.losses.heads import ENCODINGS, HEADS, TASKS
from lossbench.losses.pairing import LOSSES
from lossbench.metrics.catalogue import METRICS
from lossbench.planning.validation import ACTIVATIONS, INITIALIZERS, RERUNS, SAVED_MODELS, TRAINERS

# A line of a YAML file: indentation, key, value, comment.
LINE = re.compile(r"(?P<indent>\s*)(?:- )?(?P<key>\w+):(?P<value>[^#]*)(?:# (?P<comment>.*))?")
WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "null", Any: "any"}
# Limits of a range below and above which they are no news.
LEAST, MOST = 1e-3, 1e4
# The values that a key takes, where it takes some words only.
VALUES: dict[str, tuple[str, ...]] = {
    "trainer": TRAINERS,
    "select": ("last", "best"),
    "rerun": RERUNS,
    "tracking.models": SAVED_MODELS,
    "report.metrics": tuple(METRICS),
    "report.compare": ("loss", "optimizer", "activation", "learning_rate"),
    "report.baseline": tuple(LOSSES),
    "dataset.task": ("auto", *TASKS),
    "dataset.missing": ("error", "drop", "impute"),
    "dataset.colour": ("auto", "grey", "rgb"),
    "dataset.standardize.x": ("auto", *SCALINGS),
    "dataset.standardize.y": ("auto", *(name for name in SCALINGS if name != "pixels")),
    "dataset.standardize.fitted_on": ("train", "all_rows"),
    "dataset.standardize.metrics": ("original", "scaled"),
    "head.encoding": ("auto", *ENCODINGS),
    "loss.task": tuple(TASKS),
    "loss.encoding": tuple(ENCODINGS),
    "loss.head": tuple(HEADS),
    "model.activation": ACTIVATIONS,
    "model.initializer": INITIALIZERS,
    "tune.metric": tuple(METRICS),
}


@dataclass(frozen=True)
class Setting:
    """A key that can be set.

    Attributes
    ----------
    key : str
        With its group: ``optimizer.momentum``.
    kind : str
        What values it takes, in words.
    default : str
        As it is written on the command line.
    meaning : str
        What it means; '' if nothing explains it.
    """

    key: str
    kind: str
    default: str
    meaning: str

    @property
    def values(self) -> tuple[str, ...]:
        """The words that it takes; empty if it takes others too."""
        return ("true", "false") if self.kind == WORDS[bool] else VALUES.get(self.key, ())


def settings_outside_groups() -> list[Setting]:
    """Return the keys of a cell and of a sweep that are in no group, in the order of ``conf/config.yaml``."""
    path = conf_folder() / "config.yaml"
    kinds = _kinds(SweepSettings) | {
        key: kind for key, kind in _kinds(CellSettings).items() if key.split(".")[0] not in GROUPS_OF_A_CELL
    }
    return [
        Setting(key, kinds[key], _written(value), comments(path).get(key, ""))
        for key, value in _defaults(path).items()
        if key in kinds
    ]


def settings_of(group: str, choice: str) -> list[Setting]:
    """Return the keys of a choice of a group, in the order of its file."""
    own, shared = comments(_file(group, choice)), _shared_comments(group)
    kinds, described = _kinds_of_choice(group, choice), _described(group, choice)
    found = []
    for name, value in _defaults(_file(group, choice)).items():
        if name == "name":
            continue
        meaning = described.get(name) or own.get(name) or shared.get(name, "")
        found.append(Setting(f"{group}.{name}", kinds.get(name, WORDS[Any]), _written(value), meaning))
    return found


def default_choices() -> dict[str, str]:
    """Return the choice of each group that is taken where the command line names none; '' for none."""
    content: Any = OmegaConf.to_container(OmegaConf.load(conf_folder() / "config.yaml"))
    listed = [entry for entry in content["defaults"] if isinstance(entry, dict)]
    chosen = {group: choice for entry in listed for group, choice in entry.items()}
    return {group: choice or "" for group, choice in chosen.items() if " " not in group}


def meaning_of_group(group: str) -> str:
    """Return the comment beside a group's default choice; '' if there is none."""
    return comments(conf_folder() / "config.yaml").get(f"defaults.{group}", "")


@cache
def comments(path: Path) -> dict[str, str]:
    """Return the comment of each key of a YAML file, by its dotted key; lines below a comment continue it."""
    found: dict[str, str] = {}
    nesting: list[tuple[int, str]] = []
    key, column = "", -1
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("# ") and line.index("#") == column:
            found[key] += f" {line.strip()[2:]}"
            continue
        match = LINE.fullmatch(line)
        if match is None:
            continue
        indent = len(match["indent"])
        nesting = [(depth, name) for depth, name in nesting if depth < indent]
        nesting.append((indent, match["key"]))
        key = ".".join(name for _, name in nesting)
        column = line.index("# ") if match["comment"] else -1
        if match["comment"]:
            found[key] = match["comment"]
    return found


@cache
def _shared_comments(group: str) -> dict[str, str]:
    """Return the comments of a group's keys, each from the first choice that has one."""
    found: dict[str, str] = {}
    for path in sorted((conf_folder() / group).glob("*.yaml")):
        for key, comment in comments(path).items():
            found.setdefault(key, comment)
    return found


def _file(group: str, choice: str) -> Path:
    return conf_folder() / group / f"{choice}.yaml"


def _defaults(path: Path) -> dict[str, Any]:
    """Return the values of a YAML file by their dotted keys."""
    content: Any = OmegaConf.to_container(OmegaConf.load(path))
    return dict(_flattened(content))


def _flattened(content: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flattened(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _written(value: Any) -> str:
    """Return a value as it is written on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kinds(kind: type, above: str = "") -> dict[str, str]:
    """Return what each key of a settings type takes, in words."""
    hints = typing.get_type_hints(kind)
    found: dict[str, str] = {}
    for each in fields(kind):
        if {"flat", "found"} & set(each.metadata):
            continue
        hint = hints[each.name]
        if is_dataclass(hint):
            found |= _kinds(typing.cast(type, hint), f"{above}{each.name}.")
        else:
            found[above + each.name] = _in_words(hint) + (" (must be set)" if each.metadata.get("open") else "")
    return found


def _in_words(hint: Any) -> str:
    if hint in WORDS:
        return WORDS[hint]
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is list:
        return f"list of {_in_words(arguments[0])}s" if arguments[0] in (int, float, str) else "list"
    if arguments and not isinstance(typing.get_origin(hint), type):
        return " or ".join(dict.fromkeys(_in_words(each) for each in arguments))
    if typing.get_origin(hint) is not None and issubclass(typing.get_origin(hint), dict | typing.Mapping):
        return "mapping"
    return " or ".join(_in_words(each) for each in arguments) if arguments else str(hint)


def _kinds_of_choice(group: str, choice: str) -> dict[str, str]:
    kinds = _kinds(settings_type(group, choice))
    if group == "dataset":
        info = DATASETS[choice]
        lists = dict.fromkeys(info.lists, "list of numbers")
        ranges = {name: _range(*limits) for name, limits in info.ranges.items()}
        return kinds | ranges | lists
    if group == "optimizer":
        for name, allowed in OPTIMIZERS[choice].parameters.items():
            kinds[name] = WORDS[bool] if allowed is None else _range(allowed.low, allowed.high, below=allowed.below)
    if group == "loss" and choice in LOSSES:
        for each in LOSSES[choice].parameters:
            kinds[each.name] = "matrix of numbers" if each.matrix else _range(each.low, each.high, below=True)
    return kinds


def _range(low: float, high: float, *, below: bool = False) -> str:
    """Return a range in words; limits that only keep arithmetic finite are left out."""
    number = WORDS[int] if isinstance(low, int) else WORDS[float]
    start = f"{number} above 0" if 0 < low < LEAST else f"{number} from {low:g}"
    return start if high >= MOST else f"{start} {'to below' if below else 'to'} {high:g}"


def _described(group: str, choice: str) -> dict[str, str]:
    """Return the meanings of a loss's parameters, which stand in the catalogue."""
    if group == "loss" and choice in LOSSES:
        return {each.name: each.description for each in LOSSES[choice].parameters}
    return {}
