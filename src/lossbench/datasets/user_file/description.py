"""Describes a user's file for planning: its task, its facts, and the notes that the user is shown.

Arrays of the user's own are described in the same form (``own_arrays``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lossbench.config.settings import FileFacts, FileSettings, OwnFacts, group_settings
from lossbench.datasets.splits import ordered_rows, split_slices
from lossbench.datasets.user_file.account import ColumnAccount, account_of
from lossbench.datasets.user_file.cells import TEXT
from lossbench.datasets.user_file.columns import Columns, check_names, find_columns
from lossbench.datasets.user_file.groups_and_times import groups_of, times_of
from lossbench.datasets.user_file.reading import NAMES_SHOWN, Table, read_table, reading_of
from lossbench.datasets.user_file.rows import used_rows
from lossbench.datasets.user_file.suspicions import find_suspicions
from lossbench.datasets.user_file.targets import Target, check_classes, find_target
from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.heads import TASKS

# The most warnings that a plan shows.
WARNINGS_SHOWN = 4


@dataclass(frozen=True)
class FileDescription:
    """The result of reading a file, or arrays, during planning.

    Attributes
    ----------
    task : str
        One of ``heads.TASKS``, inferred or as the user set it.
    facts : OwnFacts
        The part that becomes settings of the cell.
    notes : list of str
        Lines for the user about how the file was understood.
    warnings : list of str
        What the user should look at, most important first.
    columns : list of ColumnAccount
        Every column, in the order of the file; none of arrays.
    rarest : (str, int) or None
        The class with the fewest of the rows used, and how many it has; None if the target is no class.
    parts : list of list of str
        Of arrays: rows of a table about them, the first of which is its head.
    scaling : str
        The scaling of features that ``dataset.standardize.x=auto`` means.
    """

    task: str
    facts: OwnFacts
    notes: list[str]
    warnings: list[str]
    columns: list[ColumnAccount]
    rarest: tuple[str, int] | None = None
    parts: list[list[str]] = field(default_factory=list)
    scaling: str = "standard"

    @property
    def in_short(self) -> list[str]:
        """The notes, and the first warnings with the word where the others are."""
        n_more = len(self.warnings) - WARNINGS_SHOWN
        word = "warning" if n_more == 1 else "warnings"
        more = [f"{n_more} more {word}: `lossbench-list dataset` with these dataset settings shows all"]
        return [*self.notes, *self.warnings[:WARNINGS_SHOWN], *(more if n_more > 0 else [])]


def normalised(content: Mapping[str, Any]) -> FileSettings:
    """Return the plain settings of a file as ``FileSettings``, checked as far as possible without the file.

    Where a list of names is expected, a single name becomes a list of one.

    Raises
    ------
    UsageError
        With every invalid setting.
    """
    problems = []
    if not content["path"]:
        problems.append(Problem("dataset=csv needs a file.", "dataset.path=house.csv dataset.target=price"))
    lists = {key: _names(content[key]) for key in ("target", "leave_out", "categorical", "missing_values")}
    path = str(Path(content["path"] or "").expanduser())
    settings: FileSettings = group_settings("dataset", {**content, **lists, "path": path})
    for key, allowed in (("task", ("auto", *TASKS)), ("missing", ("error", "drop", "impute"))):
        if content[key] not in allowed:
            problems.append(Problem(f"dataset.{key} must be one of {', '.join(allowed)}; got {content[key]!r}."))
    reading = reading_of(settings)
    if len(reading.sep) != 1 or reading.sep in '"\r\n':
        problems.append(Problem(f"dataset.sep must be one character, or tab; got {settings.sep!r}."))
    if len(reading.decimal) != 1 or reading.decimal == reading.sep:
        problems.append(
            Problem(f"dataset.decimal must be one character that is not dataset.sep; got {reading.decimal!r}.")
        )
    if settings.max_words < 0:
        problems.append(Problem(f"dataset.max_words must be at least 0; got {settings.max_words}."))
    if settings.max_levels < 2:
        problems.append(Problem(f"dataset.max_levels must be at least 2; got {settings.max_levels}."))
    if problems:
        raise UsageError(*problems)
    return settings


def _names(given: Any) -> list[str]:
    """Return a list of names without repetitions: nothing, one name or a list is given."""
    if given is None:
        return []
    return list(dict.fromkeys(str(name).strip() for name in (given if isinstance(given, list) else [given])))


def described_file(settings: FileSettings) -> FileDescription:
    """Read a file and return its description.

    Raises
    ------
    UsageError
        If the file is broken, or does not fit the settings.
    """
    table = read_table(reading_of(settings))
    check_names(table, settings)
    target = find_target(table, settings)
    found = find_columns(table, settings)
    kept = used_rows(table, settings, found, target)
    classes = target.values.ndim == 1
    if classes:
        check_classes(table, settings, target, kept)
    if settings.ordered and (not classes or table.frame[settings.target[0]].dtype.kind not in "iuf"):
        said = "dataset.ordered=true needs classes that are written as numbers: they give the order."
        raise table.reading.error(said)
    used = target.values[kept]
    used_columns = (*settings.target, *found.numbers, *found.categories)
    facts = FileFacts(
        digest=table.digest,
        n_samples=int(kept.sum()),
        n_outputs=len(target.labels) if classes else used.shape[1],
        target_range=[0.0, len(target.labels) - 1.0] if classes else [float(used.min()), float(used.max())],
        labels=target.labels,
        numbers=found.numbers,
        categories=found.categories,
        left_out=found.left_out,
        n_groups=len(np.unique(groups_of(table, settings)[kept])) if settings.groups else 0,
        n_times=len(np.unique(times_of(table, settings)[kept])) if settings.time else 0,
        readings={name: how for name, how in table.readings.items() if name in used_columns},
        sep=table.reading.sep if table.reading.sep != reading_of(settings).sep else "",
        n_above=len(table.reading.above),
        prose=found.prose,
    )
    suspicions = find_suspicions(table, settings, found, target, kept)
    warnings = [
        *_classes_without_training(settings, target, kept),
        *_repeated_rows(table, settings, found, kept),
        *(each.sentence for each in suspicions),
    ]
    return FileDescription(
        target.task,
        facts,
        _notes(table, settings, facts, target, kept),
        [f"{table.reading.name}: warning: {text}" for text in warnings],
        account_of(table, settings, facts, suspicions),
        rarest_class(target, used) if classes else None,
    )


def rarest_class(target: Target, used: np.ndarray) -> tuple[str, int]:
    """Return the class with the fewest of the rows used, and how many it has."""
    counts = np.bincount(used, minlength=len(target.labels))
    return target.labels[int(counts.argmin())], int(counts.min())


def _notes(table: Table, settings: FileSettings, facts: FileFacts, target: Target, kept: np.ndarray) -> list[str]:
    """Return the lines for the user about how the file was understood, and the warning of columns that are left out."""
    name, n_features = table.reading.name, len(facts.numbers) + len(facts.categories) + len(facts.prose)
    encoded = f" ({len(facts.categories)} encoded from text)" if facts.categories else ""
    word = "column" if n_features == 1 else "columns"
    lines = [f"{name}: {len(kept)} rows, {n_features} {word}{encoded}; {_target_words(table, settings, target)}"]
    lines += [f"{name}: {text}" for text in _read_otherwise(table, facts)]
    if facts.prose:
        words = _listed([f"{column} ({n} of its words)" for column, n in facts.prose.items()])
        lines.append(f"{name}: running text as features: {words}; dataset.max_words=0 leaves it out")
    n_dropped = len(kept) - int(kept.sum())
    if n_dropped:
        why = "miss a value" if settings.missing == "drop" else "miss the target"
        lines.append(f"{name}: {n_dropped} rows that {why} are left out")
    features = [*facts.numbers, *facts.categories]
    n_filled = int(table.frame.loc[kept, features].isna().to_numpy().sum()) if settings.missing == "impute" else 0
    if n_filled:
        lines.append(f"{name}: {n_filled} missing values are filled in with what is usual in the training rows")
    if facts.left_out:
        shown = [f"{column} ({why})" for column, why in list(facts.left_out.items())[:NAMES_SHOWN]]
        more = len(facts.left_out) - len(shown)
        lines.append(f"{name}: warning: left out {', '.join(shown)}" + (f" and {more} more" if more else ""))
    return lines


def _read_otherwise(table: Table, facts: FileFacts) -> list[str]:
    """Return lines about what is not taken as it stands in the file."""
    lines, above = [], table.reading.above
    if above:
        n_more = len(above) - 1
        more = f" (and {n_more} line{'s' if n_more > 1 else ''} more)" if n_more else ""
        said = f"; {table.reading.sep!r} separates the columns" if above[0].strip('" ').startswith("sep=") else ""
        lines.append(f"passed over above the header: {above[0][:40]!r}{more}{said}")
    numbers = {name: how.partition(" ")[2] for name, how in facts.readings.items() if how != TEXT}
    if numbers:
        shown = [f"{name} (without {' and '.join(signs) or 'blanks'})" for name, signs in numbers.items()]
        lines.append(f"read as numbers: {_listed(shown)}")
    texts = [name for name, how in facts.readings.items() if how == TEXT]
    if texts:
        lines.append(f"blanks around the texts are taken off: {_listed(texts)}")
    return lines


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _target_words(table: Table, settings: FileSettings, target: Target) -> str:
    """Return the target and its task in words."""
    names = settings.target
    what = f"target {names[0]}" if len(names) == 1 else f"targets {', '.join(names[:5])}" + ", …" * (len(names) > 5)
    labels = ", ".join(target.labels[:5]) + (", …" if len(target.labels) > 5 else "")
    if target.values.ndim == 2:
        return f"{what}: {TASKS[target.task]} ({target.task})"
    text = f"{what}: {len(target.labels)} classes, {labels} ({target.task})"
    whole = table.frame[names[0]].dtype.kind in "iuf" and settings.task == "auto" and len(target.labels) > 2
    return text + ("; dataset.task=regression takes them as numbers" if whole else "")


def _classes_without_training(settings: FileSettings, target: Target, kept: np.ndarray) -> list[str]:
    """Return a warning if no training row of the split has some class, which only a small training part can cause."""
    y = target.values[kept]
    if y.ndim > 1:
        return []
    try:
        train = split_slices(settings.split, len(y))["train"]
        order = ordered_rows(y, settings.split.seed, by_class=True)
    except (TypeError, ValueError, KeyError):
        # Validation reports an impossible split.
        return []
    missing = sorted(set(range(len(target.labels))) - set(y[order[train]].tolist()))
    return [f"class {target.labels[missing[0]]!r} is not among the training rows"] if missing else []


def _repeated_rows(table: Table, settings: FileSettings, found: Columns, kept: np.ndarray) -> list[str]:
    """Return a warning if rows repeat others: where one is trained on and the other judged, that row is not new."""
    used = table.frame.loc[kept, [*found.numbers, *found.categories, *found.prose, *settings.target]]
    n_repeated = int(pd.util.hash_pandas_object(used, index=False).duplicated().sum())
    if not n_repeated:
        return []
    repeat = "rows repeat an earlier one" if n_repeated > 1 else "rows repeats an earlier one"
    said = f"{n_repeated} of {len(used)} {repeat} in all features and target"
    return [f"{said}; where one is trained on and its copy judged, the network looks better than it is on new rows"]
