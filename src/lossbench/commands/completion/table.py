"""Writes the table of groups, choices, keys and values that completion reads: ``make completion``."""

import json
from pathlib import Path
from typing import Any

from lossbench.config.paths import conf_folder
from lossbench.config.settings import GROUPS_OF_A_CELL
from lossbench.ground.files import write_text
from lossbench.losses.pairing import ALIASES, LOSSES
from lossbench.metrics.catalogue import METRICS
from lossbench.planning.command_line import ALL
from lossbench.planning.schema import GROUPS, meaning
from lossbench.planning.settings_reference import (
    Setting,
    default_choices,
    meaning_of_group,
    settings_of,
    settings_outside_groups,
)

FILE = Path(__file__).with_name("table.json")


def table() -> dict[str, Any]:
    """Return what can be typed, as lists of words and their meanings."""
    outside = settings_outside_groups()
    choices = {group: _choices(group) for group in GROUPS}
    settings = {group: {choice: settings_of(group, choice) for choice in _shipped(group)} for group in GROUPS_OF_A_CELL}
    inside = [each for own in settings.values() for some in own.values() for each in some]
    return {
        "defaults": default_choices(),
        "groups": {group: meaning_of_group(group) for group in GROUPS},
        "choices": choices | {"metric": {name: metric.description for name, metric in METRICS.items()}},
        "outside": [each.key for each in outside],
        "inside": {
            group: {choice: [each.key for each in some] for choice, some in own.items()}
            for group, own in settings.items()
        },
        "keys": _keys([*outside, *inside]),
    }


def _keys(settings: list[Setting]) -> dict[str, dict[str, Any]]:
    """Return the meaning of each key, and the words that it takes; of a key of several choices those of the first."""
    keys: dict[str, dict[str, Any]] = {}
    for each in settings:
        keys.setdefault(each.key, {"meaning": each.meaning, "values": list(each.values)})
    return keys


def _shipped(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))


def _choices(group: str) -> dict[str, str]:
    """Return the choices of a group, each with its meaning where it has one."""
    if group == "loss":
        named = {name: loss.meaning for name, loss in LOSSES.items()}
        return (
            named
            | {alias: f"{name}" for alias, name in ALIASES.items()}
            | {"auto": "the task's baseline", ALL: "all that fit"}
        )
    if group in ("model", "optimizer", "schedule", "corruption", "tune", "repeat"):
        return {name: meaning(group, name) for name in _shipped(group)}
    return dict.fromkeys(_shipped(group), "")


def main() -> None:
    """Write the table."""
    text = json.dumps(table(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    write_text(FILE, text)


if __name__ == "__main__":
    main()
