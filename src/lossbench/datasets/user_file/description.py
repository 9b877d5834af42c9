"""Describes a user's file for planning: its task, its facts, and the notes that the user is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lossbench.config.settings import FileFacts, FileSettings, group_settings
from lossbench.datasets.splits import ordered_rows, split_slices
from lossbench.datasets.user_file.columns import Columns, check_names, find_columns
from lossbench.datasets.user_file.groups_and_times import groups_of, times_of
from lossbench.datasets.user_file.reading import NAMES_SHOWN, Table, read_table, reading_of
from lossbench.datasets.user_file.rows import used_rows
from lossbench.datasets.user_file.targets import Target, check_classes, find_target
from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.heads import TASKS


@dataclass(frozen=True)
class FileDescription:
    """The result of reading a file during planning.

    Attributes
    ----------
    task : str
        One of ``heads.TASKS``, inferred or as the user set it.
    facts : FileFacts
        The part that becomes settings of the cell.
    notes : list of str
        Lines for the user: first how the file was understood, then warnings.
    """

    task: str
    facts: FileFacts
    notes: list[str]


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
    )
    return FileDescription(target.task, facts, _notes(table, settings, found, target, kept))


def _notes(table: Table, settings: FileSettings, found: Columns, target: Target, kept: np.ndarray) -> list[str]:
    """Return the lines for the user: first how the file was understood, then warnings."""
    name, n_features = table.reading.name, len(found.numbers) + len(found.categories)
    encoded = f" ({len(found.categories)} encoded from text)" if found.categories else ""
    word = "column" if n_features == 1 else "columns"
    lines = [f"{name}: {len(kept)} rows, {n_features} {word}{encoded}; {_target_words(table, settings, target)}"]
    n_dropped = len(kept) - int(kept.sum())
    if n_dropped:
        why = "miss a value" if settings.missing == "drop" else "miss the target"
        lines.append(f"{name}: {n_dropped} rows that {why} are left out")
    if found.left_out:
        shown = [f"{column} ({why})" for column, why in list(found.left_out.items())[:NAMES_SHOWN]]
        more = len(found.left_out) - len(shown)
        lines.append(f"{name}: warning: left out {', '.join(shown)}" + (f" and {more} more" if more else ""))
    return lines + [f"{name}: warning: {text}" for text in _split_warnings(table, settings, found, target, kept)]


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


def _split_warnings(
    table: Table, settings: FileSettings, found: Columns, target: Target, kept: np.ndarray
) -> list[str]:
    """Return warnings about the split: classes that no training row has, test rows that repeat training rows."""
    y, split = target.values[kept], settings.split
    try:
        slices = split_slices(split, len(y))
        order = ordered_rows(y, split.seed, by_class=y.ndim == 1)
        rows = {name: order[part] for name, part in slices.items()}
        train, test = rows["train"], rows["test"]
    except (TypeError, ValueError, KeyError):
        # Validation reports an impossible split.
        return []
    warnings = []
    if y.ndim == 1 and (missing := sorted(set(range(len(target.labels))) - set(y[train].tolist()))):
        warnings.append(f"class {target.labels[missing[0]]!r} is not among the training rows")
    used = table.frame.loc[kept, [*found.numbers, *found.categories, *settings.target]]
    hashes = pd.util.hash_pandas_object(used, index=False).to_numpy()
    n_seen = int(np.isin(hashes[test], hashes[train]).sum())
    if n_seen:
        warnings.append(f"{n_seen} of {len(test)} test rows have the same features and target as a training row")
    return warnings
