"""The configuration reference: every key with its type, default and meaning."""

from lossbench.config.paths import conf_folder
from lossbench.config.settings import GROUPS_OF_A_CELL
from lossbench.planning.schema import meaning
from lossbench.planning.settings_reference import Setting, meaning_of_group, settings_of, settings_outside_groups

HEADER = "| key | takes | default | meaning |\n|---|---|---|---|"
# The most words that stand in a table; longer lists have pages of their own.
MOST_WORDS = 12
START = """# Configuration

Every key that can be set, made from the types of the settings and from the defaults in `conf/`. On the command line:
`key=value`, `group=choice`. [Commands, files and MLflow](reference.md#configuration) have what is not a key of its own:
`loss=all`, aliases, experiments.
"""


def text() -> str:
    """Return the page."""
    parts = [START, "## Outside the groups", _table(settings_outside_groups())]
    for group in GROUPS_OF_A_CELL:
        parts += [f"## {group}", *_group(group)]
    return "\n\n".join(parts) + "\n"


def _group(group: str) -> list[str]:
    """Return the parts of a group: what its choices are, and a table of the keys of those that have some."""
    choices = sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
    default = f"By default: {meaning_of_group(group)}." if meaning_of_group(group) else ""
    if group == "loss":
        return [
            default,
            "The [page of each loss](losses.md) has its settings.",
            *_choices(group, ["composite", "custom"]),
        ]
    tables = _choices(group, choices)
    return [part for part in (default, *tables) if part]


def _choices(group: str, choices: list[str]) -> list[str]:
    """Return the tables of choices; those with the same keys and defaults share one."""
    shared: dict[tuple[Setting, ...], list[str]] = {}
    for choice in choices:
        shared.setdefault(tuple(settings_of(group, choice)), []).append(choice)
    parts = []
    for settings, names in shared.items():
        parts.append(f"### {group}={', '.join(names)}")
        if (
            len(names) == 1
            and names != ["auto"]
            and group in ("model", "optimizer", "schedule", "corruption", "repeat")
        ):
            parts.append(meaning(group, names[0]))
        parts.append(_table(list(settings)) if settings else "No settings.")
    return parts


def _table(settings: list[Setting]) -> str:
    return "\n".join([HEADER, *map(_row, settings)])


def _row(setting: Setting) -> str:
    words = setting.values
    takes = setting.kind
    if words and setting.kind != "true or false" and len(words) <= MOST_WORDS:
        takes = ", ".join(f"`{word}`" for word in words) + (" or others" if setting.key == "report.compare" else "")
    cells = (f"`{setting.key}`", takes, f"`{setting.default}`", setting.meaning)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
