"""What the columns of a user's table are, and which of them are features."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lossbench.config.settings import FileSettings
from lossbench.datasets.user_file.reading import NAMES_SHOWN, Table
from lossbench.datasets.user_file.text import open_quote
from lossbench.ground.errors import Problem, UsageError, unknown

# A text column is one of numbers with a few bad cells if so large a share of its cells are numbers.
NUMERIC_SHARE = 0.8
# So many different texts may well mean missing values.
FEW_TEXTS = 3
LARGEST = float(np.finfo(np.float32).max)

_DAY = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}"
DATE = re.compile(rf"({_DAY}|[A-Za-z]{{3,9}} \d{{1,2}},? \d{{4}})([T ].*)?|\d{{1,2}}:\d{{2}}(:\d{{2}})?")
IDENTIFIER = re.compile(r"(?i:(^|[^a-z])(id|index|idx|row|nr|no)\.?$)|[a-z](Id|ID|Index)$|^Unnamed: \d+$")
NUMBERS = ("integer", "floating", "decimal", "mixed-integer-float", "boolean")
DATES = ("date", "datetime", "datetime64", "timedelta", "timedelta64", "time", "period")
TEXTS = ("string", "categorical")


@dataclass
class Columns:
    """The features of a table, and the columns that are none with the reason."""

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


# ---- Names.


def check_names(table: Table, settings: FileSettings) -> None:
    """Raise if settings name columns that the table does not have, or no target."""
    names = list(table.frame.columns)
    if not settings.target:
        shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
        raise UsageError(Problem("dataset=csv needs a target.", f"dataset.target=…, one of {shown}"))
    problems = []
    for key in ("target", "leave_out", "categorical"):
        for name in getattr(settings, key):
            if name not in names:
                said = f"{table.reading.name} has no column {name!r} (dataset.{key})."
                problems.append(Problem(said, unknown("", name, names[:NAMES_SHOWN], also=names).hint))
    problems += [
        Problem(f"the column {name!r} is the target and in dataset.leave_out.")
        for name in settings.target
        if name in settings.leave_out
    ]
    if problems:
        raise UsageError(*problems)


def told(key: str, *names: str) -> str:
    """Return what to type in a shell to set a list of the data set."""
    quoted = (name if re.fullmatch(r"[A-Za-z_][\w.-]*", name) else f'"{name}"' for name in names)
    return f"'dataset.{key}=[{','.join(quoted)}]'"


# ---- Features.


def find_columns(table: Table, settings: FileSettings) -> Columns:
    """Return what each column that is no target is.

    Raises
    ------
    UsageError
        If there is text in a column of numbers, or a number that is infinite; or no column is left.
    """
    found, problems = Columns(), []
    for name in map(str, table.frame.columns):
        if name in settings.target or name in settings.leave_out:
            continue
        column = table.frame[name]
        problem = bad_cell(table, name, as_text=name in settings.categorical)
        if problem:
            problems.append(problem)
        elif reason := _says_nothing(name, column, settings):
            found.left_out[name] = reason
        else:
            kinds = found.categories if _is_text(column) or name in settings.categorical else found.numbers
            kinds.append(name)
    if problems:
        raise UsageError(*problems)
    if not found.numbers and not found.categories:
        why = ", ".join(f"{name} ({reason})" for name, reason in found.left_out.items())
        hint = f"left out: {why}" if why else "the file has no column beside the target."
        raise table.reading.error("there is no column to predict from.", hint)
    return found


def kind_of(column: pd.Series) -> str:
    """Return what pandas takes the present cells of a column for."""
    return pd.api.types.infer_dtype(column, skipna=True)


def _is_text(column: pd.Series) -> bool:
    return kind_of(column) in TEXTS


def _says_nothing(name: str, column: pd.Series, settings: FileSettings) -> str:
    """Return why a column is left out; '' if it is a feature."""
    present = column.dropna()
    if present.empty:
        return "empty"
    kind = kind_of(present)
    if kind in DATES or (kind == "string" and are_dates(present)):
        return "dates"
    if kind not in (*NUMBERS, *TEXTS):
        return f"neither numbers nor text ({kind})"
    if kind in NUMBERS and present.min() == present.max():
        return "constant"
    as_text = kind in TEXTS or name in settings.categorical
    if not as_text:
        numbered = kind == "integer" and IDENTIFIER.search(name) and present.nunique() == len(column)
        return "identifiers" if numbered else ""
    n_levels = present.nunique()
    if n_levels == 1:
        return "constant"
    if n_levels == len(present):
        return "identifiers"
    return f"more than {settings.max_levels} levels" if n_levels > settings.max_levels else ""


def are_dates(present: pd.Series) -> bool:
    """Say whether all texts of a column are dates or times."""
    return all(DATE.fullmatch(str(text).strip()) for text in present.unique())


def bad_cell(table: Table, name: str, *, as_text: bool) -> Problem | None:
    """Say which cell of a column of numbers is text, infinite or too large; None if none is."""
    column = table.frame[name]
    kind = kind_of(column)
    if kind in ("floating", "decimal", "mixed-integer-float"):
        values = as_numbers(column)
        bad = np.abs(values) > LARGEST
        if not bad.any():
            return None
        row = int(bad.argmax())
        what = "an infinite value" if np.isinf(values[row]) else f"{values[row]:g}, too large for single precision"
        said = f"column {name!r} has {what}{_more(bad)}."
        hint = f"correct it, or {told('leave_out', name)}"
        return table.reading.problem(said, hint, place=table.place(row))
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
        return open_quote(table.reading, table.place(row))
    return table.reading.problem(
        f"column {name!r} has numbers but for {text!r}{_more(bad)}.",
        means_missing + f"if the numbers are names: {told('categorical', name)}",
        place=table.place(row),
    )


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
    )


def as_numbers(column: pd.Series) -> np.ndarray:
    """Return a column of numbers as float64, NaN where a cell is missing."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def as_text(value: Any) -> str:
    """Return a cell as a name; a whole number without its point, as which another file may have it."""
    whole = isinstance(value, int | float | np.number) and not isinstance(value, bool) and float(value) % 1 == 0
    return str(int(value)) if whole else str(value)
