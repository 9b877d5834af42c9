"""Classifies the columns of a user's table: numeric features, text features, and columns that are left out."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lossbench.config.settings import FileSettings
from lossbench.datasets.user_file.cells import BLANKS, CURRENCIES, LOOSE_NUMBER
from lossbench.datasets.user_file.opening import Reading
from lossbench.datasets.user_file.prose import n_words
from lossbench.datasets.user_file.reading import NAMES_SHOWN, Table
from lossbench.datasets.user_file.text import open_quote
from lossbench.ground.errors import Problem, UsageError, unknown

# A text column with at least this share of numeric cells is taken for a numeric column with some bad cells.
NUMERIC_SHARE = 0.5
# With at least this share of cells that are numbers with the other decimal sign, it is taken for such a column.
OTHER_DECIMAL_SHARE = 0.8
# Up to this many different texts in a numeric column may stand for missing values ("?", "n.v."): the hint then says how
# to declare them.
FEW_TEXTS = 3
# Features are trained in single precision; a larger number would become infinite.
LARGEST = float(np.finfo(np.float32).max)

_DAY = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}"
DATE = re.compile(rf"({_DAY}|[A-Za-z]{{3,9}} \d{{1,2}},? \d{{4}})([T ].*)?|\d{{1,2}}:\d{{2}}(:\d{{2}})?")
IDENTIFIER = re.compile(r"(?i:(^|[^a-z])(id|index|idx|row|nr|no)\.?$)|[a-z](Id|ID|Index)$|^Unnamed: \d+$")
# Names that pandas.api.types.infer_dtype gives to kinds of columns.
NUMBERS = ("integer", "floating", "decimal", "mixed-integer-float", "boolean")
DATES = ("date", "datetime", "datetime64", "timedelta", "timedelta64", "time", "period")
TEXTS = ("string", "categorical")
# Reasons to leave out a column, or the words with which they begin.
IDENTIFIERS, MORE_THAN = "identifiers", "more than"


@dataclass
class Columns:
    """The feature columns of a table: numeric ones, text ones, running text; and those left out, with the reason.

    Each column of running text has the number of words that are made features.
    """

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    prose: dict[str, int] = field(default_factory=dict)


def check_names(table: Table, settings: FileSettings) -> None:
    """Raise UsageError if no target is set, or if the settings name columns that the table does not have."""
    names = list(table.frame.columns)
    if not settings.target:
        shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
        raise UsageError(Problem("dataset=csv needs a target.", f"dataset.target=…, one of {shown}"))
    problems = []
    for key in ("target", "leave_out", "categorical", "groups", "time"):
        given = getattr(settings, key) or []
        for name in [given] if isinstance(given, str) else given:
            if name not in names:
                said = f"{table.reading.name} has no column {name!r} (dataset.{key})."
                problems.append(Problem(said, unknown("", name, names[:NAMES_SHOWN], also=names).hint))
    problems += [
        Problem(f"the column {name!r} is both the target and in dataset.{key}.")
        for key, others in (("leave_out", settings.leave_out), ("groups", [settings.groups]), ("time", [settings.time]))
        for name in settings.target
        if name in others
    ]
    if problems:
        raise UsageError(*problems)


def told(key: str, *names: str) -> str:
    """Return the shell argument, in quotes, that sets a list setting of the data set to these names."""
    quoted = (name if re.fullmatch(r"[A-Za-z_][\w.-]*", name) else f'"{name}"' for name in names)
    return f"'dataset.{key}=[{','.join(quoted)}]'"


def find_columns(table: Table, settings: FileSettings) -> Columns:
    """Classify all columns except the target and those in ``dataset.leave_out``.

    Raises
    ------
    UsageError
        If a numeric column contains text or an infinite number, or if no feature is left.
    """
    found, problems = Columns(), []
    for name in map(str, table.frame.columns):
        if name in settings.not_features:
            continue
        column = table.frame[name]
        problem = bad_cell(table, name, as_text=name in settings.categorical)
        if problem:
            problems.append(problem)
        elif reason := _says_nothing(name, column, settings):
            if n := _words(name, column, settings, reason):
                found.prose[name] = n
            else:
                found.left_out[name] = reason
        else:
            kinds = found.categories if _is_text(column) or name in settings.categorical else found.numbers
            kinds.append(name)
    if problems:
        raise UsageError(*problems)
    if not found.numbers and not found.categories and not found.prose:
        why = ", ".join(f"{name} ({reason})" for name, reason in found.left_out.items())
        hint = f"left out: {why}" if why else "the file has no column beside the target."
        raise table.reading.error("there is no column to predict from.", hint)
    return found


def _words(name: str, column: pd.Series, settings: FileSettings, reason: str) -> int:
    """Return how many words of a column are made features, which else is left out for its many different texts."""
    is_text = _is_text(column) and name not in settings.categorical
    many = reason == IDENTIFIERS or reason.startswith(MORE_THAN)
    return n_words(column.dropna(), settings.max_words) if is_text and many else 0


def kind_of(column: pd.Series) -> str:
    """Return the kind that pandas infers from the cells of a column that are not missing, such as ``integer``."""
    return pd.api.types.infer_dtype(column, skipna=True)


def _is_text(column: pd.Series) -> bool:
    return kind_of(column) in TEXTS


def _says_nothing(name: str, column: pd.Series, settings: FileSettings) -> str:
    """Return the reason to leave a column out, or '' if it is a feature."""
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
        # A column of different whole numbers may be a measurement: only its name shows that it numbers the rows.
        numbered = kind == "integer" and IDENTIFIER.search(name) and present.nunique() == len(column)
        return IDENTIFIERS if numbered else ""
    n_levels = present.nunique()
    if n_levels == 1:
        return "constant"
    if n_levels == len(present):
        return IDENTIFIERS
    return f"{MORE_THAN} {settings.max_levels} levels" if n_levels > settings.max_levels else ""


def are_dates(present: pd.Series) -> bool:
    """Return whether all texts of a column are dates or times."""
    return all(DATE.fullmatch(str(text).strip()) for text in present.unique())


def bad_cell(table: Table, name: str, *, as_text: bool = False, is_target: bool = False) -> Problem | None:
    """Return the problem of the first bad cell of a numeric column, feature or target, or None.

    Bad cells are texts, infinite numbers, and numbers too large for single precision. A text column with mostly numeric
    cells counts as numeric, unless ``as_text`` says that its numbers are names.
    """
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
        hint = f"correct it{_or_leave_out(name, is_target)}"
        return table.reading.problem(said, hint, place=table.place(row))
    if kind != "string" or as_text:
        return None
    # Each different text is examined once: a long column has few.
    counts = column.value_counts()
    texts, weights = counts.index.astype(str), counts.to_numpy()
    if problem := _other_decimal(table, name, counts, is_target):
        return problem
    plain = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna().to_numpy()
    loose = plain | np.array([LOOSE_NUMBER.fullmatch(text.strip(BLANKS)) is not None for text in texts], bool)
    if weights[loose].sum() < NUMERIC_SHARE * max(1, counts.sum()) or plain.all():
        return None
    if loose.all():
        return _written_in_several_ways(table, name, texts, plain, is_target)
    bad = column.isin(texts[~loose]).to_numpy()
    row = int(bad.argmax())
    text, texts = str(column.iloc[row]), texts[~loose]
    if "\n" in text:
        # A text that runs over lines comes from a quote that was not closed.
        return open_quote(table.reading, table.place(row))
    first = f"correct it{_or_leave_out(name, is_target)}"
    if len(texts) <= FEW_TEXTS:
        first = f"if it means a missing value: {told('missing_values', *texts)} dataset.missing=impute"
    return table.reading.problem(
        f"column {name!r} has numbers but for {text!r}{_more(bad)}.",
        f"{first}; if the numbers are names: {told('categorical', name)}",
        place=table.place(row),
    )


def _or_leave_out(name: str, is_target: bool) -> str:
    return "" if is_target else f", or {told('leave_out', name)}"


def _written_in_several_ways(table: Table, name: str, texts: pd.Index, plain: np.ndarray, is_target: bool) -> Problem:
    """Return the problem of a column of numbers some of which have a sign or a separator that others lack."""
    column = table.frame[name]
    row = int((~column.isin(texts[plain]) & column.notna()).to_numpy().argmax())
    one = str(column.iloc[row])
    other = str(texts[plain][0]) if plain.any() else next(text for text in texts if text != one)
    return table.reading.problem(
        f"column {name!r} has numbers that are written in several ways, such as {one!r} and {other!r}.",
        f"write them in one way{_or_leave_out(name, is_target)}; if they are names: {told('categorical', name)}",
        place=table.place(row),
    )


def _more(bad: np.ndarray) -> str:
    """Return how many more bad cells there are than the first, in parentheses; '' if none."""
    n_more = int(bad.sum()) - 1
    return f" (and {n_more} cell{'s' if n_more > 1 else ''} more)" if n_more else ""


def _other_decimal(table: Table, name: str, counts: pd.Series, is_target: bool) -> Problem | None:
    """Return the problem of a text column that would be numeric with the other decimal sign, or None."""
    reading = table.reading
    other = "," if reading.decimal == "." else "."
    texts = [str(text).strip(BLANKS + "%" + CURRENCIES) for text in counts.index]
    number = rf"[+-]?(\d+|\d*{re.escape(other)}\d+([eE][+-]?\d+)?)"
    fits = np.array([re.fullmatch(number, text) is not None for text in texts], bool)
    few = counts.to_numpy()[fits].sum() < OTHER_DECIMAL_SHARE * max(1, counts.sum())
    if few or not any(other in text for text, fit in zip(texts, fits, strict=True) if fit):
        return None
    column = table.frame[name]
    row = next(i for i, cell in enumerate(column) if isinstance(cell, str) and other in cell)
    keeps = f"{told('categorical', name)} keeps it as text"
    if other == reading.sep:
        # The sign that separates the columns cannot be the decimal sign.
        hint = f"write its numbers with a point in the file{_or_leave_out(name, is_target)}; {keeps}."
    else:
        hint = f"{decimal_setting(reading, other)} reads it as numbers; {keeps}."
    return reading.problem(
        f"column {name!r} is text with dataset.decimal='{reading.decimal}': {column.iloc[row]!r}.",
        hint,
        place=table.place(row),
    )


def decimal_setting(reading: Reading, decimal: str) -> str:
    """Return the shell arguments that set a decimal sign; with the separator, if the file's first line names it."""
    sep = f"\"dataset.sep='{reading.sep}'\" " if reading.above and reading.sep != "," and decimal == "," else ""
    return f"{sep}\"dataset.decimal='{decimal}'\""


def as_numbers(column: pd.Series) -> np.ndarray:
    """Return a numeric column as float64, with NaN for missing cells."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def as_text(value: Any) -> str:
    """Return a cell as text. Whole floats lose their decimal point, so that 1 and 1.0 are the same class or level.

    pandas reads the integers of a column as floats if a cell is missing.
    """
    whole = isinstance(value, int | float | np.number) and not isinstance(value, bool) and float(value) % 1 == 0
    return str(int(value)) if whole else str(value)
