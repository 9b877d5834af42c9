"""What the columns of a user's table are: the target and its task, and which of the others say something."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lossbench.datasets.files import NAMES_SHOWN, Table, open_quote
from lossbench.errors import Problem, UsageError, unknown

# Whole numbers are classes if there are at most so many different ones, each in so many rows on average; two always.
MOST_CLASSES, ROWS_PER_CLASS = 10, 10
# A text column is one of numbers with a few bad cells if so large a share of its cells are numbers.
NUMERIC_SHARE = 0.8
# So many different texts may well mean missing values.
FEW_TEXTS = 3
# Targets are shares if each row sums to 1 up to rounding.
SUM_TOLERANCE = 1e-3
LARGEST = float(np.finfo(np.float32).max)

_DAY = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}"
DATE = re.compile(rf"({_DAY}|[A-Za-z]{{3,9}} \d{{1,2}},? \d{{4}})([T ].*)?|\d{{1,2}}:\d{{2}}(:\d{{2}})?")
IDENTIFIER = re.compile(r"(?i:(^|[^a-z])(id|index|idx|row|nr|no)\.?$)|[a-z](Id|ID|Index)$|^Unnamed: \d+$")
_NUMBERS = ("integer", "floating", "decimal", "mixed-integer-float", "boolean")
_DATES = ("date", "datetime", "datetime64", "timedelta", "timedelta64", "time", "period")
_TEXTS = ("string", "categorical")


@dataclass
class Columns:
    """The features of a table, and the columns that are none with the reason."""

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What is to be predicted.

    Attributes
    ----------
    labels : list of str
        Of classes in the order of their numbers; of several labels or shares the columns; else empty.
    values : array
        As in ``loading.Part``, in float64 and with NaN (or -1 for classes) where a cell is missing.
    """

    task: str
    labels: list[str]
    values: np.ndarray

    @property
    def missing(self) -> np.ndarray:
        """Which rows miss it."""
        return self.values < 0 if self.values.ndim == 1 else np.isnan(self.values).any(axis=1)


# ---- Names.


def check_names(table: Table, settings: dict[str, Any]) -> None:
    """Raise if settings name columns that the table does not have, or no target."""
    names = list(table.frame.columns)
    if not settings["target"]:
        shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
        raise UsageError(Problem("dataset=csv needs a target.", f"dataset.target=…, one of {shown}"))
    problems = []
    for key in ("target", "leave_out", "categorical"):
        for name in settings[key]:
            if name not in names:
                said = f"{table.reading.name} has no column {name!r} (dataset.{key})."
                problems.append(Problem(said, unknown("", name, names[:NAMES_SHOWN], also=names).hint))
    problems += [
        Problem(f"the column {name!r} is the target and in dataset.leave_out.")
        for name in settings["target"]
        if name in settings["leave_out"]
    ]
    if problems:
        raise UsageError(*problems)


def told(key: str, *names: str) -> str:
    """Return what to type in a shell to set a list of the data set."""
    quoted = (name if re.fullmatch(r"[A-Za-z_][\w.-]*", name) else f'"{name}"' for name in names)
    return f"'dataset.{key}=[{','.join(quoted)}]'"


# ---- Features.


def find_columns(table: Table, settings: dict[str, Any]) -> Columns:
    """Return what each column that is no target is.

    Raises
    ------
    UsageError
        If there is text in a column of numbers, or a number that is infinite; or no column is left.
    """
    found, problems = Columns(), []
    for name in map(str, table.frame.columns):
        if name in settings["target"] or name in settings["leave_out"]:
            continue
        column = table.frame[name]
        problem = _bad_cell(table, name, as_text=name in settings["categorical"])
        if problem:
            problems.append(problem)
        elif reason := _says_nothing(name, column, settings):
            found.left_out[name] = reason
        else:
            kinds = found.categories if _is_text(column) or name in settings["categorical"] else found.numbers
            kinds.append(name)
    if problems:
        raise UsageError(*problems)
    if not found.numbers and not found.categories:
        why = ", ".join(f"{name} ({reason})" for name, reason in found.left_out.items())
        hint = f"left out: {why}" if why else "the file has no column beside the target."
        raise table.reading.problem("there is no column to predict from.", hint)
    return found


def _kind(column: pd.Series) -> str:
    return pd.api.types.infer_dtype(column, skipna=True)


def _is_text(column: pd.Series) -> bool:
    return _kind(column) in _TEXTS


def _says_nothing(name: str, column: pd.Series, settings: dict[str, Any]) -> str:
    """Return why a column is left out; '' if it is a feature."""
    present = column.dropna()
    if present.empty:
        return "empty"
    kind = _kind(present)
    if kind in _DATES or (kind == "string" and _are_dates(present)):
        return "dates"
    if kind not in (*_NUMBERS, *_TEXTS):
        return f"neither numbers nor text ({kind})"
    if kind in _NUMBERS and present.min() == present.max():
        return "constant"
    as_text = kind in _TEXTS or name in settings["categorical"]
    if not as_text:
        numbered = kind == "integer" and IDENTIFIER.search(name) and present.nunique() == len(column)
        return "identifiers" if numbered else ""
    n_levels = present.nunique()
    if n_levels == 1:
        return "constant"
    if n_levels == len(present):
        return "identifiers"
    return f"more than {settings['max_levels']} levels" if n_levels > settings["max_levels"] else ""


def _are_dates(present: pd.Series) -> bool:
    return all(DATE.fullmatch(str(text).strip()) for text in present.head(50)) and all(
        DATE.fullmatch(str(text).strip()) for text in present.unique()
    )


def _bad_cell(table: Table, name: str, *, as_text: bool) -> Problem | None:
    """Say which cell of a column of numbers is text, infinite or too large; None if none is."""
    column = table.frame[name]
    kind = _kind(column)
    if kind in ("floating", "decimal", "mixed-integer-float"):
        values = as_numbers(column)
        bad = np.abs(values) > LARGEST
        if not bad.any():
            return None
        row = int(bad.argmax())
        what = "an infinite value" if np.isinf(values[row]) else f"{values[row]:g}, too large for single precision"
        said = f"column {name!r} has {what}{_more(bad)}."
        hint = f"correct it, or {told('leave_out', name)}"
        return table.reading.problem(said, hint, place=table.place(row)).problems[0]
    if kind != "string" or as_text:
        return None
    counts = column.value_counts()
    texts = counts.index.astype(str)
    plain = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna().to_numpy()
    share = counts.to_numpy()[plain].sum() / max(1, counts.sum())
    if share < NUMERIC_SHARE:
        return _other_decimal(table, name, counts)
    bad = column.isin(texts[~plain]).to_numpy()
    if not bad.any():
        return None
    row = int(bad.argmax())
    text, texts = str(column.iloc[row]), texts[~plain]
    means_missing = f"if it means a missing value: {told('missing_values', *texts)} dataset.missing=impute; "
    if len(texts) > FEW_TEXTS:
        means_missing = f"correct it, or {told('leave_out', name)}; "
    if "\n" in text:
        return open_quote(table.reading, table.place(row)).problems[0]
    return table.reading.problem(
        f"column {name!r} has numbers but for {text!r}{_more(bad)}.",
        means_missing + f"if the numbers are names: {told('categorical', name)}",
        place=table.place(row),
    ).problems[0]


def _more(bad: np.ndarray) -> str:
    n_more = int(bad.sum()) - 1
    return f" (and {n_more} cell{'s' if n_more > 1 else ''} more)" if n_more else ""


def _other_decimal(table: Table, name: str, counts: pd.Series) -> Problem | None:
    """Say that a text column would be one of numbers with the other decimal sign; None if it would not."""
    other = "," if table.reading.decimal == "." else "."
    number = rf"[+-]?(\d+|\d*{re.escape(other)}\d+([eE][+-]?\d+)?)"
    fits = np.array([re.fullmatch(number, str(text)) is not None for text in counts.index], bool)
    if counts.to_numpy()[fits].sum() < NUMERIC_SHARE * max(1, counts.sum()):
        return None
    column = table.frame[name]
    row = int(column.notna().to_numpy().argmax())
    return table.reading.problem(
        f"column {name!r} is text with dataset.decimal='{table.reading.decimal}': {column.iloc[row]!r}.",
        f"\"dataset.decimal='{other}'\" reads it as numbers; {told('categorical', name)} keeps it as text.",
        place=table.place(row),
    ).problems[0]


def as_numbers(column: pd.Series) -> np.ndarray:
    """Return a column of numbers as float64, NaN where a cell is missing."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


# ---- The target.


def find_target(table: Table, settings: dict[str, Any]) -> Target:
    """Return the target, its task inferred or held against what the settings say.

    Raises
    ------
    UsageError
        If the columns cannot be that.
    """
    names, task = settings["target"], settings["task"]
    as_classes = len(names) == 1 and (task in ("binary", "multiclass") or names[0] in settings["categorical"])
    for name in names:
        if table.frame[name].isna().all():
            raise table.reading.problem(f"the target {name!r} is empty.")
        if not as_classes and (problem := _bad_cell(table, name, as_text=False)):
            raise UsageError(problem)
    if len(names) > 1:
        return _several_targets(table, names, task)
    if task in ("multilabel", "shares"):
        hint = "name them all: 'dataset.target=[a,b,c]'"
        raise UsageError(Problem(f"dataset.task={task} needs several targets; got {names[0]!r}.", hint))
    column = table.frame[names[0]]
    if task == "regression" or (task == "auto" and not as_classes and not _are_classes(column)):
        return _numbers(table, names, "regression")
    return _classes(table, names[0], column, task)


def _are_classes(column: pd.Series) -> bool:
    """Say whether a target is taken for classes when nobody says what it is."""
    kind = _kind(column)
    if kind not in _NUMBERS or kind == "boolean":
        return True
    values = column.dropna().unique()
    few = len(values) <= MOST_CLASSES and ROWS_PER_CLASS * len(values) <= column.notna().sum()
    return (few or len(values) == 2) and bool(np.all(np.asarray(values, np.float64) % 1 == 0))


def _numbers(table: Table, names: list[str], task: str) -> Target:
    columns = []
    for name in names:
        column = table.frame[name]
        if _kind(column) not in _NUMBERS:
            first = column.dropna()
            place = table.place(int(first.index[0]))
            what = "several targets must be" if len(names) > 1 else "dataset.task=regression needs"
            said = f"{what} numbers; the target {name!r} has {str(first.iloc[0])!r}."
            raise table.reading.problem(said, "a target of text is taken for classes, alone.", place=place)
        columns.append(as_numbers(column))
    values = np.stack(columns, axis=1)
    for name, low, high in zip(names, np.nanmin(values, axis=0), np.nanmax(values, axis=0), strict=True):
        if task == "regression" and low == high:
            raise table.reading.problem(f"the target {name!r} is always {low:g}: nothing to predict.")
    return Target(task, [] if task == "regression" else names, values)


def _several_targets(table: Table, names: list[str], task: str) -> Target:
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
        raise table.reading.problem(f"dataset.task={task} needs {what}; got {got}.", place=table.place(row))
    return Target(task, names, values / values.sum(axis=1, keepdims=True) if task == "shares" else values)


def _classes(table: Table, name: str, column: pd.Series, task: str) -> Target:
    codes, different = pd.factorize(column, sort=True)
    labels = [str(int(value)) if _is_whole(value) else str(value) for value in different]
    shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
    if task == "binary" and len(labels) > 2:
        hint = "dataset.task=multiclass"
        raise table.reading.problem(
            f"dataset.task=binary needs two classes; {name!r} has {len(labels)}: {shown}.", hint
        )
    if task == "multiclass" and len(labels) == 2:
        said = f"dataset.task=multiclass needs more than two classes; {name!r} has {shown}."
        raise table.reading.problem(said, "dataset.task=binary; losses for several classes take two as well.")
    return Target("binary" if len(labels) <= 2 else "multiclass", labels, codes)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and float(value) % 1 == 0


def check_classes(table: Table, settings: dict[str, Any], target: Target, kept: np.ndarray) -> None:
    """Raise if the kept rows have one class only, or one row only of a class."""
    name, counts = settings["target"][0], np.bincount(target.values[kept], minlength=len(target.labels))
    there = [label for label, count in zip(target.labels, counts, strict=True) if count]
    if len(there) < 2:
        said = f"the target {name!r} has one class only: {there[0]!r} in all {kept.sum()} rows."
        raise table.reading.problem(said, "is it the right column?")
    alone = [label for label, count in zip(target.labels, counts, strict=True) if count < 2]
    if not alone:
        return
    first = target.labels.index(alone[0])
    row = int(((target.values == first) & kept).argmax()) if counts[first] else None
    more = f" (as have {len(alone) - 1} of its {len(counts)} classes more)" if len(alone) > 1 else ""
    numbers = _kind(table.frame[name]) in _NUMBERS
    hint = "each class needs a row to train on and one to judge by: leave these rows out, or join classes"
    raise table.reading.problem(
        f"class {alone[0]!r} of {name!r} has {'one row' if counts[first] else 'no row'} only{more}.",
        hint + ("; as numbers: dataset.task=regression" if numbers else "."),
        place=table.place(row) if row is not None else "",
    )


# ---- Rows.


def kept_rows(table: Table, settings: dict[str, Any], columns: Columns, target: Target) -> np.ndarray:
    """Return which rows are used: all, or those that miss nothing, or those that do not miss the target.

    Raises
    ------
    UsageError
        If a value is missing and ``dataset.missing=error``, or no row is left.
    """
    features = [*columns.numbers, *columns.categories]
    n_missing = {str(name): int(n) for name, n in table.frame[features].isna().sum().items() if n}
    of_target = target.missing
    if settings["missing"] == "error" and (n_missing or of_target.any()):
        raise UsageError(_missing_problem(table, settings, n_missing, of_target))
    if settings["missing"] == "drop" and n_missing:
        kept = ~(table.frame[list(n_missing)].isna().any(axis=1).to_numpy() | of_target)
    else:
        kept = ~of_target
    if not kept.any():
        most = max(n_missing, key=lambda name: n_missing[name])
        hint = f"{most!r} misses {n_missing[most]} of {len(kept)}: {told('leave_out', most)}, or dataset.missing=impute"
        raise table.reading.problem("no row is left: each one has a missing value.", hint)
    return kept


def _missing_problem(
    table: Table, settings: dict[str, Any], n_missing: dict[str, int], of_target: np.ndarray
) -> Problem:
    in_target = table.frame[settings["target"]].isna().sum()
    both = {**{str(name): int(n) for name, n in in_target.items() if n}, **n_missing}
    first = next(iter(both))
    row = int(table.frame[first].isna().to_numpy().argmax())
    shown = [f"{name} ({n})" for name, n in list(both.items())[:NAMES_SHOWN]]
    all_of_them = ", ".join(shown) + (", …" if len(both) > NAMES_SHOWN else "")
    return table.reading.problem(
        f"column {first!r} has no value. Missing values: {all_of_them}.",
        "dataset.missing=drop leaves such rows out, dataset.missing=impute fills in the training rows' "
        "median or most frequent value.",
        place=table.place(row),
    ).problems[0]


def feature_arrays(frame: pd.DataFrame, numbers: list[str], categories: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of a table's rows and the codes of its texts.

    Returns
    -------
    float64 array, shape (n_rows, n_numbers)
        NaN where a value is missing.
    int32 array, shape (n_rows, n_categories)
        The number of the text among the column's sorted ones; -1 where it is missing.
    """
    values = np.empty((len(frame), len(numbers)))
    for i, name in enumerate(numbers):
        values[:, i] = as_numbers(frame[name])
    codes = np.empty((len(frame), len(categories)), np.int32)
    for i, name in enumerate(categories):
        codes[:, i] = pd.factorize(frame[name], sort=True)[0]
    return values, codes
