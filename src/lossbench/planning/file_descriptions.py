"""What planning found in a user's file: described once, and kept while the file stays the same."""

import hashlib
import json
from pathlib import Path
from typing import Any

from lossbench.config.paths import home
from lossbench.datasets.user_file.description import described_file, normalised
from lossbench.datasets.user_file.reading import file_state
from lossbench.ground.files import write_text

# Part of a kept description's name: raise it when the same file is described in another way than before.
RULES_VERSION = 2
_kept: dict[str, dict[str, Any]] = {}


def with_facts(settings: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return typed ``dataset`` settings of a file with what the file says, and what is to be told of it.

    ``auto`` is resolved; the new key ``file`` holds what plan, key and jobs need: the file's digest, how many rows
    are used, the targets' range, the classes in the order of their numbers, and which columns are features.

    Raises
    ------
    UsageError
        With what is wrong with the file or with what the settings say of it.
    """
    settings = normalised(settings)
    asked = {key: value for key, value in settings.items() if key != "standardize"}
    state = [RULES_VERSION, str(Path(settings["path"]).absolute()), *file_state(settings["path"]), asked]
    name = hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:32]
    if name not in _kept:
        path = home() / "multirun" / ".files" / f"{name}.json"
        try:
            _kept[name] = json.loads(path.read_text())
        except (OSError, ValueError):
            _kept[name] = described_file(settings)
            _keep(path, _kept[name])
    found = _kept[name]
    standardize = dict(settings["standardize"])
    if standardize["y"] == "auto":
        standardize["y"] = "standard" if found["task"] == "regression" else "none"
    return {**settings, "task": found["task"], "standardize": standardize, "file": found["file"]}, found["notes"]


def _keep(path: Path, content: dict[str, Any]) -> None:
    """Write a description where the next start finds it; without a place for it the file is read again then."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content))
    except OSError:
        return
