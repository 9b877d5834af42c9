"""Cache of file descriptions, in memory and on disk: an unchanged file is not read again by the next command."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from lossbench.config.paths import home
from lossbench.config.settings import FileFacts, FileSettings, plain
from lossbench.datasets.user_file.description import FileDescription, described_file, normalised
from lossbench.datasets.user_file.reading import file_state
from lossbench.ground.files import write_text

# Part of a cached description's name. Increase it when the code describes the same file differently than before.
RULES_VERSION = 2
_kept: dict[str, FileDescription] = {}


def with_facts(content: dict[str, Any]) -> tuple[FileSettings, list[str]]:
    """Return the settings of a user's file completed with its facts, and notes for the user.

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
    description = _description(settings)
    standardize = settings.standardize
    if standardize.y == "auto":
        standardize = replace(standardize, y="standard" if description.task == "regression" else "none")
    facts = replace(settings, task=description.task, standardize=standardize, file=description.facts)
    return facts, description.notes


def _description(settings: FileSettings) -> FileDescription:
    """Return the description of a file: from memory, from disk, or by reading the file."""
    # Scaling affects no description.
    asked = {key: value for key, value in plain(settings).items() if key != "standardize"}
    state = [RULES_VERSION, str(Path(settings.path).absolute()), *file_state(settings.path), asked]
    name = hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:32]
    if name not in _kept:
        path = home() / "multirun" / ".files" / f"{name}.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            _kept[name] = FileDescription(content["task"], FileFacts(**content["file"]), content["notes"])
        except (OSError, ValueError, KeyError, TypeError):
            _kept[name] = described_file(settings)
            _keep(path, _kept[name])
    return _kept[name]


def _keep(path: Path, description: FileDescription) -> None:
    """Write a description for later commands. If the folder is not writable, they read the file again."""
    content = {"task": description.task, "file": plain(description.facts), "notes": description.notes}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content))
    except OSError:
        return
