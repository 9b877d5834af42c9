"""Finds the target of a user's table: infers its task, or checks the one that is set, and returns its values."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lossbench.config.settings import FileSettings
from lossbench.datasets.user_file.columns import DATES, NUMBERS, are_dates, as_numbers, as_text, bad_cell, kind_of, told
from lossbench.datasets.user_file.reading import Table
from lossbench.datasets.user_file.text import hint_of_control
from lossbench.ground.control_characters import control_character
from lossbench.ground.errors import Problem, UsageError

# A target of whole numbers is inferred to be classes if it has at most MOST_CLASSES different values and, on average,
# at least ROWS_PER_CLASS rows for each. Two different values are always classes.
MOST_CLASSES, ROWS_PER_CLASS = 10, 10
# Several targets are shares if each row sums to 1 within this tolerance, which allows for rounding in the file.
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Target:
    """The target of a table.

    Attributes
    ----------
    labels : list of str
        The class names, ordered by class number; the column names for several labels or shares; else empty.
    values : array
        Classes: int, shape (n_rows,), -1 where missing. Otherwise float64, shape (n_rows, n_outputs), NaN where
        missing.
    """

    task: str
    labels: list[str]
    values: np.ndarray

    @property
    def missing(self) -> np.ndarray:
        """Boolean array, True for rows whose target is one of the file's missing values."""
        return self.values < 0 if self.values.ndim == 1 else np.isnan(self.values).any(axis=1)


def find_target(table: Table, settings: FileSettings) -> Target:
    """Return the target, with its task inferred (``dataset.task=auto``) or checked.

    Raises
    ------
    UsageError
        If the target columns do not fit the task.
    """
    names, task = settings.target, settings.task
    as_classes = len(names) == 1 and (task in ("binary", "multiclass") or names[0] in settings.categorical)
    for name in names:
        if table.frame[name].isna().all():
            raise table.reading.error(f"the target {name!r} is empty.", _another_target(table, name))
        if not as_classes:
            _check_text(table, name)
        if not as_classes and (problem := bad_cell(table, name, is_target=True)):
            raise UsageError(problem)
    if len(names) > 1:
        return _several_targets(table, names, task)
    _check_varies(table, names[0])
    if task in ("multilabel", "shares"):
        hint = "name them all: 'dataset.target=[a,b,c]'"
        raise UsageError(Problem(f"dataset.task={task} needs several targets; got {names[0]!r}.", hint))
    column = table.frame[names[0]]
    if task == "regression" or (task == "auto" and not as_classes and not _are_classes(column)):
        return _numbers(table, names, "regression")
    if names[0] not in settings.categorical:
        _check_case(table, names[0], column)
    return _classes(table, names[0], column, task)


def _check_varies(table: Table, name: str) -> None:
    """Raise UsageError if a target has the same value in all rows."""
    present = table.frame[name].dropna()
    if present.nunique() == 1:
        said = f"the target {name!r} is always {as_text(present.iloc[0])}: nothing to predict."
        raise table.reading.error(said, _another_target(table, name))


def _another_target(table: Table, name: str) -> str:
    """Return the hint to a target that says nothing: columns that could be meant, and what the file lacks."""
    others = [str(other) for other in table.frame.columns if other != name and table.frame[other].nunique() > 1]
    meant = f"it may be another column: dataset.target={' or dataset.target='.join(others[:3])}; " if others else ""
    return f"{meant}or add rows with other values of {name}." if meant else f"add rows with other values of {name}."


def _check_case(table: Table, name: str, column: pd.Series) -> None:
    """Raise UsageError if two classes differ by upper and lower case alone."""
    if kind_of(column) != "string":
        return
    counts = column.value_counts()
    first: dict[str, str] = {}
    for text in map(str, counts.index):
        # The classes come from the most frequent one on, so the rarer one is the one that is pointed at.
        if (common := first.setdefault(text.casefold(), text)) == text:
            continue
        place = table.place(int((column == text).to_numpy().argmax()))
        said = f"the classes {common!r} and {text!r} of the target {name!r} differ by upper and lower case alone."
        raise table.reading.error(
            said,
            f"write them in one way in the file; if they are two classes: {told('categorical', name)}",
            place=place,
        )


def _check_text(table: Table, name: str) -> None:
    """Raise UsageError if the texts of a target are dates."""
    present = table.frame[name].dropna()
    if kind_of(present) not in ("string", *DATES):
        return
    first = str(present.iloc[0])
    if kind_of(present) in DATES or are_dates(present):
        said = f"the target {name!r} has dates ({first!r}), which are neither numbers nor classes."
        raise table.reading.error(said, f"make numbers of them; as classes: {told('categorical', name)}")


def _are_classes(column: pd.Series) -> bool:
    """Return whether ``dataset.task=auto`` takes a target for classes: text, true or false, or few whole numbers."""
    kind = kind_of(column)
    if kind not in NUMBERS or kind == "boolean":
        return True
    values = column.dropna().unique()
    few = len(values) <= MOST_CLASSES and ROWS_PER_CLASS * len(values) <= column.notna().sum()
    return (few or len(values) == 2) and bool(np.all(np.asarray(values, np.float64) % 1 == 0))


def _numbers(table: Table, names: list[str], task: str) -> Target:
    """Return numeric target columns; raise UsageError if one is text, or is constant in regression."""
    columns = []
    for name in names:
        column = table.frame[name]
        if kind_of(column) not in NUMBERS:
            first = column.dropna()
            place = table.place(int(first.index[0]))
            what = "several targets must be" if len(names) > 1 else "dataset.task=regression needs"
            said = f"{what} numbers; the target {name!r} has {str(first.iloc[0])!r}."
            raise table.reading.error(
                said, "text can be predicted as classes, with a single target column.", place=place
            )
        columns.append(as_numbers(column))
    values = np.stack(columns, axis=1)
    for name, low, high in zip(names, np.nanmin(values, axis=0), np.nanmax(values, axis=0), strict=True):
        if task == "regression" and low == high:
            said = f"the target {name!r} is always {low:g}: nothing to predict."
            raise table.reading.error(said, _another_target(table, name))
    return Target(task, [] if task == "regression" else names, values)


def _several_targets(table: Table, names: list[str], task: str) -> Target:
    """Return several target columns: labels if all values are 0 or 1, shares if rows sum to 1, else numbers."""
    if task in ("binary", "multiclass"):
        hint = "several columns of 0 and 1 are dataset.task=multilabel."
        raise UsageError(Problem(f"dataset.task={task} takes one target; got {', '.join(names)}.", hint))
    values = _numbers(table, names, "multilabel").values
    rows = values[~np.isnan(values).any(axis=1)]
    is_label, sums = np.isin(rows, (0.0, 1.0)), rows.sum(axis=1)
    is_share = (rows >= 0.0).all(axis=1) & (np.abs(sums - 1.0) <= SUM_TOLERANCE)
    if task == "auto":
        task = "multilabel" if is_label.all() else "shares" if is_share.all() else "regression"
    if task == "regression":
        return _numbers(table, names, task)
    good = is_label.all(axis=1) if task == "multilabel" else is_share
    if not good.all():
        row = int(np.flatnonzero(~np.isnan(values).any(axis=1))[int((~good).argmax())])
        got = ", ".join(f"{value:g}" for value in values[row])
        what = "0 or 1 in every target" if task == "multilabel" else "shares from 0 that sum to 1"
        raise table.reading.error(f"dataset.task={task} needs {what}; got {got}.", place=table.place(row))
    # Shares are divided by their sum, which removes the rounding of the file.
    return Target(task, names, values / values.sum(axis=1, keepdims=True) if task == "shares" else values)


def _classes(table: Table, name: str, column: pd.Series, task: str) -> Target:
    """Return a target of classes, numbered in the sorted order of their values."""
    codes, different = pd.factorize(column, sort=True)
    labels = [as_text(value) for value in different]
    for number, label in enumerate(labels):
        if control := control_character(label):
            said = f"the class {label!a} of the target {name!r} has the control character {control}."
            hint = hint_of_control(table.reading, control, "write the classes without it.")
            raise table.reading.error(said, hint, place=table.place(int((codes == number).argmax())))
    shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
    if task == "binary" and len(labels) > 2:
        many = len(labels) > MOST_CLASSES and kind_of(column) in NUMBERS
        hint = f"dataset.task={'regression' if many else 'multiclass'}"
        raise table.reading.error(f"dataset.task=binary needs two classes; {name!r} has {len(labels)}: {shown}.", hint)
    if task == "multiclass" and len(labels) == 2:
        said = f"dataset.task=multiclass needs more than two classes; {name!r} has {shown}."
        raise table.reading.error(said, "dataset.task=binary; losses for several classes take two as well.")
    return Target("binary" if len(labels) <= 2 else "multiclass", labels, codes)


def check_classes(table: Table, settings: FileSettings, target: Target, kept: np.ndarray) -> None:
    """Raise UsageError if the used rows have only one class, or a class has fewer than two rows."""
    name, counts = settings.target[0], np.bincount(target.values[kept], minlength=len(target.labels))
    there = [label for label, count in zip(target.labels, counts, strict=True) if count]
    if len(there) < 2:
        said = f"the target {name!r} has one class only: {there[0]!r} in all {kept.sum()} rows."
        raise table.reading.error(said, "is it the right column?")
    alone = [label for label, count in zip(target.labels, counts, strict=True) if count < 2]
    if not alone:
        return
    first = target.labels.index(alone[0])
    place = table.place(int(((target.values == first) & kept).argmax())) if counts[first] else ""
    n_rows = "one row only" if counts[first] else "no row without missing values"
    more = f" (as have {len(alone) - 1} of its {len(counts)} classes more)" if len(alone) > 1 else ""
    numbers = kind_of(table.frame[name]) in NUMBERS
    hint = "each class needs a row to train on and one to judge by: leave these rows out, or join classes"
    raise table.reading.error(
        f"class {alone[0]!r} of {name!r} has {n_rows}{more}.",
        hint + ("; as numbers: dataset.task=regression" if numbers else "."),
        place=place,
    )
