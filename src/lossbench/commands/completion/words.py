"""Returns the words that may follow on a command line.

A word is what stands there when it is completed (``loss=bce,hinge``), with its meaning. Words that can be continued end
in ``=``, ``.`` or ``/``; no blank follows them.
"""

import csv
import gzip
import json
import re
import shlex
import zipfile
from collections.abc import Iterable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from lossbench.config.paths import home

CONTINUED = ("=", ".", "/")
FLAGS = {
    "-m": "a sweep over lists",
    "--help": "all choices and keys",
    "--version": "the version",
    "--cfg": "the configuration: --cfg job",
}
LISTED = ("dataset", "head", "loss", "model", "optimizer", "schedule", "corruption", "tune", "repeat")
EXPORTS = {
    "tuned": "learning rates",
    "keras": "a training as a script",
    "model": "a trained network",
    "table": "a table for a paper",
    "figure": "figures for a paper",
    "methods": "a text on the methods",
    "bibtex": "the sources",
}
# Keys whose values are columns of the user's file.
OF_COLUMNS = ("target", "leave_out", "categorical", "groups", "time")
SEPARATORS = (",", ";", "\t", "|")
Words = dict[str, str]


@cache
def table() -> dict[str, Any]:
    """Return the table of choices, keys and values."""
    return json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))


def words_for(line: str) -> Words:
    """Return the words that complete the last one of a command line, each with its meaning; '' if there is none.

    Parameters
    ----------
    line : str
        The command line as far as it is typed, beginning with the command.
    """
    before, last = split(line)
    if not before:
        return {}
    command, given = Path(before[0]).name, [word for word in before[1:] if not word.startswith("-")]
    if last.startswith("-"):
        found = FLAGS if command == "lossbench" else {"--help": ""}
    elif command == "lossbench" or (command == "lossbench-list" and given[:1] == ["dataset"] and "=" in last):
        found = _settings(given, last)
    elif command == "lossbench-list":
        found = _listed(given)
    elif command == "lossbench-export":
        found = (
            EXPORTS
            if not given
            else _cells(given[1])
            if len(given) == 2 and given[0] in ("keras", "model")
            else _sweeps()
        )
    elif command == "lossbench-report":
        found = _sweeps() | _settings(given, last, only="report")
    else:
        found = _sweeps() if command in ("lossbench-remove", "lossbench-sync") else {}
    return {word: meaning for word, meaning in found.items() if word.startswith(last)}


def split(line: str) -> tuple[list[str], str]:
    """Return the words of a command line before the last one, and the last one, which may be empty or unfinished."""
    for closing in ("", "'", '"'):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        is_new = not closing and line[-1:].isspace() and not line.endswith("\\ ")
        return (words, "") if is_new or not words else (words[:-1], words[-1])
    return [], ""


def _settings(given: list[str], last: str, only: str = "") -> Words:
    """Return the settings that may follow; a word without ``=`` is completed to a key, others to a value."""
    key, equals, value = last.partition("=")
    if equals:
        start, one = _last_value(value)
        return {f"{key}={start}{word}": meaning for word, meaning in _values(given, key, one).items()}
    keys = _keys(given)
    if only:
        return {word: meaning for word, meaning in keys.items() if word.startswith(f"{only}.")}
    if "." in last:
        return keys
    # Keys of groups are many: the group's name with a dot stands for them.
    first = {f"{word.split('.')[0]}.": "settings" for word in keys if "." in word}
    groups = {f"{group}=": meaning for group, meaning in table()["groups"].items()}
    return groups | {word: meaning for word, meaning in keys.items() if "." not in word} | first | {"seed=": "one seed"}


def _last_value(value: str) -> tuple[str, str]:
    """Return a list of values up to its last one, and that one: ``("bce,", "hi")`` for ``bce,hi``."""
    start = re.match(r"(?:.*,|\[)?", value)
    cut = start.end() if start else 0
    return value[:cut], value[cut:]


def _chosen(given: Iterable[str]) -> dict[str, list[str]]:
    """Return the choices of each group as far as they are typed, and the default ones."""
    typed = {key: value.split(",") for key, _, value in (word.partition("=") for word in given)}
    path = {"dataset": [_kind_of_path(typed["dataset.path"][0])]} if "dataset.path" in typed else {}
    return {group: typed.get(group) or path.get(group) or [name] for group, name in table()["defaults"].items()}


def _kind_of_path(path: str) -> str:
    """Return the choice that reads what a path names, as ``planning.command_line`` does."""
    if path.lower().endswith(".npz"):
        return "npz"
    return "pictures" if path.endswith("/") or Path(path).expanduser().is_dir() else "csv"


def _keys(given: list[str]) -> Words:
    """Return the keys of the chosen settings, each with ``=``; of groups whose choice has no keys those of all."""
    names = list(table()["outside"])
    for group, chosen in _chosen(given).items():
        inside = table()["inside"].get(group, {})
        own = [inside[choice] for choice in chosen if inside.get(choice)]
        names += dict.fromkeys(chain(*(own or ([] if group == "dataset" else inside.values()))))
    names += [key for key in table()["keys"] if key in ("dataset.path", "dataset.target") and key not in names]
    return {f"{name}=": table()["keys"][name]["meaning"] for name in names}


def _values(given: list[str], key: str, one: str) -> Words:
    """Return the values of a key, or the choices of a group."""
    if key in table()["groups"]:
        return table()["choices"].get(key, {}) | _own_choices(key)
    if key == "dataset.path":
        return _files(one)
    if key in ("dataset.x", "dataset.y"):
        return dict.fromkeys(_arrays(given), "")
    if key.startswith("dataset.") and key.removeprefix("dataset.") in OF_COLUMNS:
        return dict.fromkeys(columns(given), "")
    return dict.fromkeys(table()["keys"].get(key, {}).get("values", ()), "")


def _own_choices(group: str) -> Words:
    """Return the choices of the user's ``conf/`` folder."""
    return {path.stem: "of your conf/" for path in sorted(Path("conf", group).glob("*.yaml"))}


def _files(start: str) -> Words:
    """Return the files and folders whose path begins like this."""
    folder = Path(start).expanduser() if start.endswith("/") else Path(start).expanduser().parent
    shown = start[: start.rfind("/") + 1]
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return {}
    return {
        f"{shown}{path.name}{'/' if path.is_dir() else ''}": "" for path in entries if not path.name.startswith(".")
    }


def columns(given: list[str]) -> list[str]:
    """Return the columns of the file whose path is given, as far as its first line tells; none of a Parquet file."""
    typed = dict(word.split("=", 1) for word in given if "=" in word)
    path = Path(typed.get("dataset.path", "")).expanduser()
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as file
        ):
            line = next((line for line in file if not line.startswith("#")), "")
    except (OSError, UnicodeDecodeError):
        return []
    if path.name.endswith((".jsonl", ".ndjson")):
        return list(json.loads(line)) if line.startswith("{") else []
    sep = {"tab": "\t"}.get(typed.get("dataset.sep", ""), typed.get("dataset.sep", ""))
    sep = sep or max(SEPARATORS, key=line.count)
    return [name.strip() for name in next(csv.reader([line], delimiter=sep), [])]


def _arrays(given: list[str]) -> list[str]:
    """Return the names of the arrays in the .npz file whose path is given."""
    typed = dict(word.split("=", 1) for word in given if "=" in word)
    try:
        with zipfile.ZipFile(Path(typed.get("dataset.path", "")).expanduser()) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _listed(given: list[str]) -> Words:
    if not given:
        return dict.fromkeys((*LISTED, "metric", "tuned", "experiment", "sweeps"), "")
    names = {name: text for name, text in table()["choices"].get(given[0], {}).items() if name not in ("auto", "all")}
    return names | _own_choices(given[0]) | ({"dataset.path=": "a file of yours"} if given[0] == "dataset" else {})


def _sweeps() -> Words:
    return {path.parent.name: "" for path in sorted((home() / "multirun").glob("*/plan.json"))}


def _cells(sweep: str) -> Words:
    """Return the names of a sweep's cells."""
    try:
        plan = json.loads((home() / "multirun" / sweep / "plan.json").read_text(encoding="utf-8"))
        return {cell["name"]: "" for cell in plan["cells"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def replies(shell: str, line: str) -> list[str]:
    """Return the words for a shell: for fish with their meanings, for bash from the last ``=`` or ``:`` on, quoted."""
    found = words_for(line)
    if shell == "fish":
        return [f"{word}\t{meaning}" for word, meaning in found.items()]
    if shell == "zsh":
        return [f"{word}\t{' '.join(meaning.split())}" for word, meaning in found.items()]
    # Bash breaks words at these, and puts what it is given in place of what stands behind the last one.
    last = split(line)[1]
    broken = max(last.rfind("="), last.rfind(":")) + 1
    return [_quoted(word[broken:]) + ("" if word.endswith(CONTINUED) else " ") for word in found]


def _quoted(word: str) -> str:
    """Return a word with a backslash before each sign that has a meaning in bash."""
    return re.sub(r"([\s!\"#$&'()*;<>?\\`{|}~^])", r"\\\1", word)
