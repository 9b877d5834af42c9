"""Cache of file descriptions, in memory and on disk: an unchanged file is not read again by the next command."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from lossbench.config.paths import home
from lossbench.config.settings import FILE, FileFacts, FileSettings, plain
from lossbench.datasets.catalogue import DATASETS
from lossbench.datasets.user_file.account import ColumnAccount
from lossbench.datasets.user_file.description import FileDescription, described_file, normalised
from lossbench.datasets.user_file.reading import file_state
from lossbench.ground.errors import Problem, UsageError
from lossbench.ground.files import write_text
from lossbench.planning.command_line import Arguments
from lossbench.planning.composition import hydra_started, typed

# Part of a cached description's name. Increase it when the code describes the same file differently than before.
RULES_VERSION = 5
_kept: dict[str, FileDescription] = {}


def with_facts(content: dict[str, Any]) -> tuple[FileSettings, FileDescription]:
    """Return the settings of a user's file completed with its facts, and the description that these are from.

    ``auto`` values are resolved; the field ``file`` holds the facts that plan, key and jobs need.

    Parameters
    ----------
    content : dict
        The plain settings of the data set.

    Raises
    ------
    UsageError
        If the file is broken, or does not fit the settings.
    """
    settings = normalised(content)
    description = description_of(settings)
    standardize = settings.standardize
    if standardize.y == "auto":
        standardize = replace(standardize, y="standard" if description.task == "regression" else "none")
    facts = replace(settings, task=description.task, standardize=standardize, file=description.facts)
    return facts, description


def description_of_file(arguments: Arguments) -> FileDescription:
    """Return the description of the file that arguments name, without a plan.

    Raises
    ------
    UsageError
        If they name no file or set what is wrong, if the file is broken, or if it does not fit the settings.
    """
    choices = {"dataset": arguments.choices.get("dataset", [FILE])[0], "loss": "auto"}
    with hydra_started():
        content, problems = typed(choices, {key: values[0] for key, values in arguments.values.items()}, None)
    if problems:
        raise UsageError(*problems)
    if not DATASETS[content["dataset"]["name"]].is_file:
        name = content["dataset"]["name"]
        raise UsageError(Problem(f"dataset={name} is no file.", f"lossbench-list dataset {name}"))
    return description_of(normalised(content["dataset"]))


def description_of(settings: FileSettings) -> FileDescription:
    """Return the description of a file: from memory, from disk, or by reading the file."""
    # Scaling affects no description.
    asked = {key: value for key, value in plain(settings).items() if key != "standardize"}
    state = [RULES_VERSION, str(Path(settings.path).absolute()), *file_state(settings.path), asked]
    name = hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:32]
    if name not in _kept:
        path = home() / "multirun" / ".files" / f"{name}.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            _kept[name] = _read(content)
        except (OSError, ValueError, KeyError, TypeError):
            _kept[name] = described_file(settings)
            _keep(path, _kept[name])
    return _kept[name]


def _read(content: dict[str, Any]) -> FileDescription:
    """Return a description that ``_keep`` has written."""
    columns = [ColumnAccount(**column) for column in content["columns"]]
    facts = FileFacts(**content["file"])
    rarest = tuple(content["rarest"]) if content["rarest"] else None
    return FileDescription(content["task"], facts, content["notes"], content["warnings"], columns, rarest)


def _keep(path: Path, description: FileDescription) -> None:
    """Write a description for later commands. If the folder is not writable, they read the file again."""
    content = {
        "task": description.task,
        "file": plain(description.facts),
        "notes": description.notes,
        "warnings": description.warnings,
        "columns": plain(description.columns),
        "rarest": description.rarest,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content))
    except OSError:
        return
