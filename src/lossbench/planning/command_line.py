"""Reads the command line with Hydra's own parser, resolves aliases and checks names; and writes overrides for jobs."""

import argparse
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn

# Hydra has no public function that returns the parser of its flags.
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, Quote, QuotedString, Transformer
from hydra.errors import HydraException

from lossbench.config.paths import conf_folder
from lossbench.config.settings import FILE, NPZ, PICTURES
from lossbench.ground.errors import Problem, UsageError, unknown
from lossbench.losses.pairing import ALIASES
from lossbench.planning.schema import GROUPS
from lossbench.planning.suggestions import SYNONYMS, hint_of_key, problem_of_word, problems_of_options

# Texts that Hydra's grammar reads as text without quotes, and words among them that it reads as other values.
PLAIN_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
OTHER_WORDS = ("null", "true", "false", "nan", "inf")
# A value that begins with one of these is taken as Hydra's syntax, so its brackets and quotes must be closed.
CLOSED = "[{(\"'"
# `loss=all` means every loss that fits the data set's task. Hydra does not know this choice.
ALL = "all"
# A comma in it may be meant to separate layers, not networks.
LAYERS = "model.hidden_units"
# Keys that can be meant by an option or by a key with a plus sign; both are mistakes before any cell is composed.
UNGROUPED = ("seed", "seeds", "epochs", "batch_size", "name", "plan", "rerun", "select", "trainer", "evaluate_every")
SETTINGS_OF_GROUPS = tuple(dict.fromkeys(name for name in SYNONYMS.values() if "." in name))


@dataclass
class Arguments:
    """The parsed command line.

    Attributes
    ----------
    choices : dict
        The choices of each group, in order.
    values : dict
        The values of each other key, in order.
    hydra : list of str
        Overrides of Hydra's own configuration, such as the launcher, passed on unchanged.
    notes : list of str
        Lines for the user about resolved aliases and implied choices.
    """

    multirun: bool = False
    choices: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)
    hydra: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_flags(argv: list[str]) -> argparse.Namespace:
    """Return Hydra's flags and the overrides; flags may stand anywhere among the overrides.

    Raises
    ------
    UsageError
        If there are other options.
    """
    parser = get_args_parser()
    # argparse would print all of Hydra's options above its message.
    parser.error = _wrong_flags  # type: ignore[method-assign]
    flags, others = parser.parse_known_intermixed_args(argv)
    options = [text for text in others if text.startswith("-")]
    if options:
        raise UsageError(*problems_of_options(options, argv, [*GROUPS, *UNGROUPED, *SETTINGS_OF_GROUPS]))
    return flags


def _wrong_flags(message: str) -> NoReturn:
    raise UsageError(Problem(f"{message}.", "lossbench --help shows the options."))


def group_folders() -> list[Path]:
    """Return the folders of choices: the shipped ``conf/`` first, then the working directory's ``conf/``, if any."""
    own = Path("conf").absolute()
    shipped = conf_folder()
    return [shipped, own] if own.is_dir() and own.resolve() != shipped.resolve() else [shipped]


def choices_of(group: str) -> list[str]:
    """Return the choices of a group: the names of its files."""
    names = (file.stem for folder in group_folders() for file in sorted((folder / group).glob("*.yaml")))
    return list(dict.fromkeys(names))


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def encode(key: str, value: Any) -> str:
    """Return an override for Hydra's command line that sets ``key`` to ``value``.

    A mapping gets ``++``: its keys may not exist in the configuration, and Hydra only adds keys when told to.
    """
    return f"{'++' if isinstance(value, dict) else ''}{key}={_written(value)}"


def _written(value: Any) -> str:
    """Return a value in Hydra's grammar; texts that it could misread or reject are quoted."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_written(child)}" for name, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if not isinstance(value, str) or (PLAIN_WORD.fullmatch(value) and value.lower() not in OTHER_WORDS):
        return Transformer.str(value)
    # OmegaConf would interpolate ${...} even within quotes, so the dollar is escaped.
    return QuotedString(re.sub(r"(?<!\\)\$\{", r"\\${", value), Quote.double).with_quotes()


def read_overrides(overrides: list[str], *, multirun: bool) -> Arguments:
    """Return overrides as arguments.

    Raises
    ------
    UsageError
        With every malformed override and unknown choice. Values are checked later, for each cell.
    """
    arguments = Arguments(multirun=multirun)
    problems: list[Problem] = []
    for text in overrides:
        try:
            override = _parsed(text)
        except HydraException:
            problems.append(problem_of_word(text, {group: [*choices_of(group), *_aliases(group)] for group in GROUPS}))
            continue
        problem = _read(override, text, arguments)
        if problem:
            problems.append(problem)
    if {"seed", "seeds"} <= {text.partition("=")[0] for text in overrides}:
        problems.append(Problem("seed= and seeds= name the same thing.", "leave one of them out."))
    if problems:
        raise UsageError(*problems)
    if "dataset.path" in arguments.values and "dataset" not in arguments.choices:
        _choose_by_path(arguments)
    return arguments


def _choose_by_path(arguments: Arguments) -> None:
    """Choose the data set that reads what ``dataset.path`` names.

    Raises
    ------
    UsageError
        If there are several paths, and they need different ones.
    """
    paths = list(map(str, arguments.values["dataset.path"]))
    kinds = [kind_of_path(path) for path in paths]
    if len(set(kinds)) > 1:
        others = ", ".join(f"{path} ({kind})" for path, kind in zip(paths, kinds, strict=True))
        message = f"dataset.path names data of several kinds: {others}."
        raise UsageError(Problem(message, "sweep over those of one kind at a time."))
    if kinds[0] == FILE and "experiment" in arguments.choices:
        # An experiment for files names their kind itself.
        return
    arguments.choices["dataset"] = kinds[:1]
    named = {FILE: "a file", NPZ: "arrays", PICTURES: "a folder of pictures"}[kinds[0]]
    arguments.notes.append(f"dataset.path names {named}: dataset={kinds[0]}")


def is_data(name: str) -> bool:
    """Return whether a name is the path of a file or folder that may hold data."""
    path = Path(name).expanduser()
    return path.is_dir() or (path.is_file() and bool(path.suffix))


def kind_of_path(path: str) -> str:
    """Return the choice of ``dataset`` that reads what a path names, by its ending, or if it is a folder."""
    if path.lower().endswith(".npz"):
        return NPZ
    return PICTURES if path.endswith("/") or Path(path).expanduser().is_dir() else FILE


def _parsed(text: str) -> Override:
    """Return a parsed override; text that Hydra's grammar rejects (``price €``) is quoted and parsed again."""
    try:
        return _parser().parse_override(text)
    except HydraException:
        key, _, value = text.partition("=")
        if not value or key.startswith("hydra") or (value[0] in CLOSED and not _is_closed(value)):
            raise
        is_list = value[0] == "[" and value[-1] == "]"
        inner = value[1:-1] if is_list else value
        # A comma separates values only outside quotes and brackets, so a value with any of them is not divided.
        parts = [inner] if set(inner) & set("[](){}\"'") else [part.strip() for part in inner.split(",")]
        if not any(parts):
            parts = [inner]
        elif not all(parts):
            raise
        words = ",".join(map(_word, parts))
        return _parser().parse_override(f"{key}=[{words}]" if is_list else f"{key}={words}")


def _is_closed(text: str) -> bool:
    """Return whether all brackets and quotes of a text are closed, judged by their numbers."""
    pairs = all(text.count(first) == text.count(last) for first, last in ("[]", "{}", "()"))
    return pairs and text.count('"') % 2 == 0 and text.count("'") % 2 == 0


def _word(text: str) -> str:
    """Return a text in Hydra's grammar; quoted only if Hydra rejects it as it is, so that numbers stay numbers."""
    try:
        _parser().parse_override(f"key={text}")
    except HydraException:
        return _written(text)
    return text


def _read(override: Override, text: str, arguments: Arguments) -> Problem | None:
    """Add an override to the arguments, or return its problem."""
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
    if key == LAYERS and re.fullmatch(r"\d+( *, *\d+)+", override.get_value_string()):
        layers = f"'{key}=[{override.get_value_string()}]' is one network with {len(values)} hidden layers"
        if len(unique(values)) < len(values):
            return Problem(f"{text} names a network of one layer twice; a comma means another network.", f"{layers}.")
        arguments.notes.append(f"{text}: {len(values)} networks; {layers}")
    if key in GROUPS:
        return _read_choice(key, [str(value) for value in values], arguments)
    arguments.values[key] = unique(values)
    return None


def _values(override: Override) -> list[Any]:
    """Return the values of an override: one, or those of a sweep."""
    if not override.is_sweep_override():
        return [override.value()]
    if override.value_type is not None and override.value_type.name == "GLOB_CHOICE_SWEEP":
        names = choices_of(override.key_or_group)
        glob: Any = override.value()
        return glob.filter([name for name in names if name not in ("auto", ALL)])
    # Each swept value is parsed as an override of its own: quotes and nested lists are then read as in a single value.
    parse = _parser().parse_override
    return [parse(f"key={Transformer.str(value)}").value() for value in override.sweep_iterator()]


def _read_seed(override: Override, arguments: Arguments) -> Problem | None:
    """Read ``seed=3`` or a sweep over it as a list for ``seeds``: seeds are runs of one cell, not cells."""
    seeds = _values(override)
    if not all(type(seed) is int and seed >= 0 for seed in seeds):
        return Problem(f"seed must be an integer from 0; got {override.get_value_string()}.")
    arguments.values["seeds"] = [seeds]
    if len(seeds) == 1:
        arguments.notes.append(f"seed={seeds[0]} is one seed (seeds={max(2, seeds[0])} are {max(2, seeds[0])} of them)")
    return None


def _read_choice(group: str, names: list[str], arguments: Arguments) -> Problem | None:
    known = choices_of(group)
    resolved = []
    for name in names:
        canonical = ALIASES.get(name, name) if group == "loss" else name
        if canonical != name:
            arguments.notes.append(f"{group}={name} is {canonical}")
        if canonical not in known and not (group == "loss" and canonical == ALL):
            if group == "dataset" and is_data(name):
                return Problem(f"{name} is no data set, but data.", quote(f"dataset.path={name}"))
            more = f"`lossbench-list {group}` shows all." if group in ("dataset", "head", "loss") else ""
            more = "`lossbench-export tuned <sweep>` writes one." if group == "tuned" else more
            return unknown(group, name, known, also=_aliases(group), more=more)
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
    """Return the problem of an override with a sign or a package, which lossbench does not use."""
    key = override.key_or_group
    if override.is_delete():
        return Problem(f"{text}: a setting cannot be taken away.", "set it to another value.")
    if override.package is not None:
        return Problem(f"{text}: groups cannot be placed elsewhere.", f"write {key}=…")
    if key in (*GROUPS, "seed", "seeds"):
        return Problem(f"{text}: there is nothing to add; {key} exists.", f"write {text.lstrip('+')}")
    near = hint_of_key(key, [*GROUPS, *UNGROUPED, *SETTINGS_OF_GROUPS])
    return Problem(f"unknown key {key!r}.", f"{near} No key needs a plus sign.".strip())


def _aliases(group: str) -> list[str]:
    return list(ALIASES) if group == "loss" else []


def unique(items: Iterable[Any]) -> list[Any]:
    """Return the items in order without repetitions; unlike keys of a dict, they need not be hashable."""
    result: list[Any] = []
    for item in items:
        if item not in result:
            result.append(item)
    return result
