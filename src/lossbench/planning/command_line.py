"""The command line, read once with Hydra's own parser: aliases resolved, names checked."""

import argparse
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

# The parser of Hydra's own flags has no public name.
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, Quote, QuotedString, Transformer
from hydra.errors import HydraException

from lossbench.config.paths import conf_folder
from lossbench.ground.errors import Problem, UsageError, unknown
from lossbench.losses.pairing import ALIASES
from lossbench.planning.schema import GROUPS

# What Hydra reads as it stands; and words that it takes for something else.
PLAIN_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
OTHER_WORDS = ("null", "true", "false", "nan", "inf")
# What begins with one of these must be closed.
CLOSED = "[{(\"'"
# `loss=all` is every loss that fits the data set's task.
ALL = "all"


@dataclass
class Arguments:
    """What the user typed, as data.

    Attributes
    ----------
    choices : dict
        Each group named to the choices asked for, in order.
    values : dict
        Each other key to the values asked for, in order.
    hydra : list of str
        Overrides of Hydra's own config (the launcher), untouched.
    notes : list of str
        What was understood, where a word was translated.
    """

    multirun: bool = False
    choices: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)
    hydra: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_flags(argv: list[str]) -> argparse.Namespace:
    """Return Hydra's flags, wherever they stand, and the overrides between them."""
    return get_args_parser().parse_intermixed_args(argv)


def group_folders() -> list[Path]:
    """Return the folders in which choices lie: the shipped ones first, then the working directory's ``conf/``."""
    own = Path("conf").absolute()
    shipped = conf_folder()
    return [shipped, own] if own.is_dir() and own.resolve() != shipped.resolve() else [shipped]


def choices_of(group: str) -> list[str]:
    """Return the names that can be chosen in a group."""
    names = (file.stem for folder in group_folders() for file in sorted((folder / group).glob("*.yaml")))
    return list(dict.fromkeys(names))


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def encode(key: str, value: Any) -> str:
    """Return an override for Hydra's command line that sets ``key`` to ``value``.

    A mapping brings names of its own, which Hydra must be told to add.
    """
    return f"{'++' if isinstance(value, dict) else ''}{key}={_written(value)}"


def _written(value: Any) -> str:
    """Return a value as Hydra's grammar has it: what may be read as something else, or not at all, in quotes."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_written(child)}" for name, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if not isinstance(value, str) or (PLAIN_WORD.fullmatch(value) and value.lower() not in OTHER_WORDS):
        return Transformer.str(value)
    # A dollar and a brace would be looked up in the configuration.
    return QuotedString(re.sub(r"(?<!\\)\$\{", r"\\${", value), Quote.double).with_quotes()


def read_overrides(overrides: list[str], *, multirun: bool) -> Arguments:
    """Return what overrides ask for.

    Raises
    ------
    UsageError
        With all that is wrong with their form and names; their values are checked cell by cell in ``plan``.
    """
    arguments = Arguments(multirun=multirun)
    problems: list[Problem] = []
    for text in overrides:
        try:
            override = _parsed(text)
        except HydraException:
            hint = "brackets and quotes must be closed; see lossbench --help"
            problems.append(Problem(f"{text!r} is not of the form key=value.", hint))
            continue
        problem = _read(override, text, arguments)
        if problem:
            problems.append(problem)
    if problems:
        raise UsageError(*problems)
    if "dataset.path" in arguments.values and not {"dataset", "experiment"} & set(arguments.choices):
        arguments.choices["dataset"] = ["csv"]
        arguments.notes.append("dataset.path is a file's: dataset=csv")
    return arguments


def _parsed(text: str) -> Override:
    """Return what a text says; words that Hydra's grammar has no place for (price €) are taken as they stand."""
    try:
        return _parser().parse_override(text)
    except HydraException:
        key, _, value = text.partition("=")
        if not value or key.startswith("hydra") or (value[0] in CLOSED and not _is_closed(value)):
            raise
        is_list = value[0] == "[" and value[-1] == "]"
        inner = value[1:-1] if is_list else value
        # A comma within quotes or brackets divides nothing.
        parts = [inner] if set(inner) & set("[](){}\"'") else [part.strip() for part in inner.split(",")]
        if not any(parts):
            parts = [inner]
        elif not all(parts):
            raise
        words = ",".join(map(_word, parts))
        return _parser().parse_override(f"{key}=[{words}]" if is_list else f"{key}={words}")


def _is_closed(text: str) -> bool:
    pairs = all(text.count(first) == text.count(last) for first, last in ("[]", "{}", "()"))
    return pairs and text.count('"') % 2 == 0 and text.count("'") % 2 == 0


def _word(text: str) -> str:
    """Return a text as Hydra reads it, in quotes only where it must be."""
    try:
        _parser().parse_override(f"key={text}")
    except HydraException:
        return _written(text)
    return text


def _read(override: Override, text: str, arguments: Arguments) -> Problem | None:
    key = override.key_or_group
    if override.is_hydra_override():
        return _read_hydra(override, text, arguments)
    if override.type is not OverrideType.CHANGE or override.package is not None:
        return _unusual(override, text)
    if override.is_interval_sweep():
        return Problem(f"{text}: an interval has no values to take one by one.", "list them: " + key + "=0.01,0.1")
    if override.is_sweep_override() and not arguments.multirun:
        return Problem(f"{text} asks for more than one value, which is a sweep.", "add -m: lossbench -m …")
    if key == "seed":
        return _read_seed(override, arguments)
    if key == "seeds" and override.is_sweep_override():
        return Problem(
            f"{text} would sweep over counts of seeds.",
            "seeds=5 means the seeds 0 to 4, 'seeds=[3,5]' these two; 'seed=range(0,5)' works too.",
        )
    values = _values(override)
    if key in GROUPS:
        return _read_choice(key, [str(value) for value in values], arguments)
    arguments.values[key] = values
    return None


def _values(override: Override) -> list[Any]:
    if not override.is_sweep_override():
        return [override.value()]
    if override.value_type is not None and override.value_type.name == "GLOB_CHOICE_SWEEP":
        names = choices_of(override.key_or_group)
        glob: Any = override.value()
        return glob.filter([name for name in names if name not in ("auto", ALL)])
    # Through an override of one value, so that quotes and nested lists are read as they are everywhere else.
    parse = _parser().parse_override
    return unique(parse(f"key={Transformer.str(value)}").value() for value in override.sweep_iterator())


def _read_seed(override: Override, arguments: Arguments) -> Problem | None:
    seeds = _values(override)
    if not all(type(seed) is int and seed >= 0 for seed in seeds):
        return Problem(f"seed must be an integer from 0; got {override.get_value_string()}.")
    arguments.values["seeds"] = [seeds]
    return None


def _read_choice(group: str, names: list[str], arguments: Arguments) -> Problem | None:
    known = choices_of(group)
    resolved = []
    for name in names:
        canonical = ALIASES.get(name, name) if group == "loss" else name
        if canonical != name:
            arguments.notes.append(f"{group}={name} is {canonical}")
        if canonical not in known and not (group == "loss" and canonical == ALL):
            more = f"`lossbench-list {group}` shows all." if group in ("dataset", "head", "loss") else ""
            more = "`lossbench-export tuned <sweep>` writes one." if group == "tuned" else more
            return unknown(group, name, known, also=ALIASES if group == "loss" else (), more=more)
        resolved.append(canonical)
    arguments.choices[group] = unique(resolved)
    if group == "experiment" and len(arguments.choices[group]) > 1:
        return Problem(f"experiment takes one name; got {', '.join(names)}.", "run them one after the other.")
    return None


def _read_hydra(override: Override, text: str, arguments: Arguments) -> Problem | None:
    key = override.key_or_group
    if key == "hydra/sweeper":
        return Problem(
            f"{text}: lossbench plans its sweeps itself; no other sweeper works with it.",
            "to tune each loss's learning rate with Optuna: tune=learning_rate. To sweep, list values with -m "
            "(loss=hinge,bce); where jobs run is hydra/launcher=joblib.",
        )
    if key.startswith(("hydra.sweep.", "hydra.run.")):
        return Problem(
            f"{text}: results lie in multirun/<name>/ so that the same command can continue.",
            "choose the name with name=…, and the folder above it with LOSSBENCH_HOME.",
        )
    arguments.hydra.append(text)
    return None


def _unusual(override: Override, text: str) -> Problem:
    key = override.key_or_group
    if override.is_delete():
        return Problem(f"{text}: a setting cannot be taken away.", "set it to another value.")
    if override.package is not None:
        return Problem(f"{text}: groups cannot be placed elsewhere.", f"write {key}=…")
    if key in (*GROUPS, "seed", "seeds"):
        return Problem(f"{text}: there is nothing to add; {key} exists.", f"write {text.lstrip('+')}")
    return unknown("key", key, [*GROUPS, "seed", "seeds", "epochs", "batch_size"], more="No key needs a plus sign.")


def unique(items: Iterable[Any]) -> list[Any]:
    """Return the items without repetitions, in order; they need not be hashable."""
    result: list[Any] = []
    for item in items:
        if item not in result:
            result.append(item)
    return result
