"""Cache of descriptions of users' data, in memory and on disk: the next command reads no unchanged file again."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from lossbench.config.paths import home
from lossbench.config.settings import FILE, ArrayFacts, FileFacts, FileSettings, OwnArraysSettings, OwnSettings, plain
from lossbench.datasets.catalogue import DATASETS
from lossbench.datasets.own_arrays import description as own_arrays
from lossbench.datasets.user_file.account import ColumnAccount
from lossbench.datasets.user_file.description import FileDescription, described_file, normalised
from lossbench.datasets.user_file.reading import file_state
from lossbench.ground.errors import Problem, UsageError
from lossbench.ground.files import write_text
from lossbench.planning.command_line import Arguments
from lossbench.planning.composition import hydra_started, typed

# Part of a cached description's name. Increase it when the code describes the same file differently than before.
RULES_VERSION = 7
_kept: dict[str, FileDescription] = {}


def with_facts(content: dict[str, Any]) -> tuple[OwnSettings, FileDescription]:
    """Return the settings of a user's data completed with their facts, and the description that these are from.

    ``auto`` values are resolved; the field ``file``, or ``data``, holds the facts that plan, key and jobs need.

    Parameters
    ----------
    content : dict
        The plain settings of the data set.

    Raises
    ------
    UsageError
        If the data are broken, or do not fit the settings.
    """
    settings = _normalised(content)
    description = description_of(settings)
    standardize = settings.standardize
    if standardize.y == "auto":
        standardize = replace(standardize, y="standard" if description.task == "regression" else "none")
    if standardize.x == "auto":
        standardize = replace(standardize, x=description.scaling)
    where = "file" if isinstance(settings, FileSettings) else "data"
    found: dict[str, Any] = {"task": description.task, "standardize": standardize, where: description.facts}
    return replace(settings, **found), description


def _normalised(content: dict[str, Any]) -> OwnSettings:
    return normalised(content) if content["name"] == FILE else own_arrays.normalised(content)


def description_of_file(arguments: Arguments) -> FileDescription:
    """Return the description of the data that arguments name, without a plan.

    Raises
    ------
    UsageError
        If they name no data or set what is wrong, if the data are broken, or if they do not fit the settings.
    """
    choices = {"dataset": arguments.choices.get("dataset", [FILE])[0], "loss": "auto"}
    with hydra_started():
        content, problems = typed(choices, {key: values[0] for key, values in arguments.values.items()}, None)
    if problems:
        raise UsageError(*problems)
    if not DATASETS[content["dataset"]["name"]].is_own:
        name = content["dataset"]["name"]
        raise UsageError(Problem(f"dataset={name} is no file.", f"lossbench-list dataset {name}"))
    return description_of(_normalised(content["dataset"]))


def description_of(settings: OwnSettings) -> FileDescription:
    """Return the description of a user's data: from memory, from disk, or by reading them."""
    # Scaling affects no description.
    asked = {key: value for key, value in plain(settings).items() if key != "standardize"}
    state = _state(settings)
    name = hashlib.sha256(json.dumps([RULES_VERSION, *(state or []), asked], sort_keys=True, default=str).encode())
    digits = name.hexdigest()[:32]
    if digits not in _kept:
        _kept[digits] = _described(settings) if state is None else _described_once(settings, digits)
    return _kept[digits]


def _described_once(settings: OwnSettings, digits: str) -> FileDescription:
    """Return the description of data from disk; if it is not there, of the data themselves, and keep it."""
    path = home() / "multirun" / ".files" / f"{digits}.json"
    try:
        return _read(json.loads(path.read_text(encoding="utf-8")), settings)
    except (OSError, ValueError, KeyError, TypeError):
        described = _described(settings)
        _keep(path, described)
        return described


def _described(settings: OwnSettings) -> FileDescription:
    if isinstance(settings, FileSettings):
        return described_file(settings)
    assert isinstance(settings, OwnArraysSettings), "data of one's own are a table or arrays"
    return own_arrays.described_arrays(settings)


def _state(settings: OwnSettings) -> list[Any] | None:
    """Return what tells data from others, and from what they were before; None if only reading them does."""
    if isinstance(settings, FileSettings):
        return [str(Path(settings.path).absolute()), *file_state(settings.path)]
    assert isinstance(settings, OwnArraysSettings), "data of one's own are a table or arrays"
    found = own_arrays.state_of(settings)
    return None if found is None else [str(Path(plain(settings)["path"]).absolute()), *found]


def _read(content: dict[str, Any], settings: OwnSettings) -> FileDescription:
    """Return a description that ``_keep`` has written."""
    columns = [ColumnAccount(**column) for column in content["columns"]]
    facts = (FileFacts if isinstance(settings, FileSettings) else ArrayFacts)(**content["file"])
    rarest = tuple(content["rarest"]) if content["rarest"] else None
    told = content["task"], facts, content["notes"], content["warnings"], columns, rarest
    return FileDescription(*told, content["parts"], content["scaling"])


def _keep(path: Path, description: FileDescription) -> None:
    """Write a description for later commands. If the folder is not writable, they read the file again."""
    content = {
        "task": description.task,
        "file": plain(description.facts),
        "notes": description.notes,
        "warnings": description.warnings,
        "columns": plain(description.columns),
        "rarest": description.rarest,
        "parts": description.parts,
        "scaling": description.scaling,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content))
    except OSError:
        return
