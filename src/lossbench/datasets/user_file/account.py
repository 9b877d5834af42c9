"""Accounts for each column of a user's table: what it holds and what is made of it."""

from dataclasses import dataclass

import numpy as np

from lossbench.config.settings import FileFacts, FileSettings
from lossbench.datasets.user_file.cells import TEXT
from lossbench.datasets.user_file.columns import DATES, NUMBERS, TEXTS, are_dates, kind_of
from lossbench.datasets.user_file.reading import Table
from lossbench.datasets.user_file.suspicions import Suspicion


@dataclass(frozen=True)
class ColumnAccount:
    """A column of the table.

    Attributes
    ----------
    cells : str
        What its cells are: numbers, texts, dates.
    use : str
        What is made of it, or why it is left out.
    n_missing, n_levels : int
        The numbers of cells without a value, and of different values.
    remarks : list of str
        How it is read if not as it is written, and what is suspicious about it, in a few words each.
    """

    name: str
    cells: str
    use: str
    n_missing: int
    n_levels: int
    remarks: list[str]


def account_of(
    table: Table, settings: FileSettings, facts: FileFacts, suspicions: list[Suspicion]
) -> list[ColumnAccount]:
    """Return the account of every column, in the order of the file."""
    accounts = []
    for name in map(str, table.frame.columns):
        column = table.frame[name]
        words = dict.fromkeys(each.words for each in suspicions if name in each.columns)
        accounts.append(
            ColumnAccount(
                name=name,
                cells=_cells(table, name),
                use=_use(name, settings, facts),
                n_missing=int(column.isna().sum()),
                n_levels=_n_levels(column),
                remarks=[*_read_as(facts.readings.get(name, "")), *words],
            )
        )
    return accounts


def _n_levels(column) -> int:
    try:
        return int(column.nunique())
    except TypeError:
        # Lists and mappings, which Parquet and JSON can hold, cannot be counted by value.
        return int(np.count_nonzero(column.notna()))


def _cells(table: Table, name: str) -> str:
    present = table.frame[name].dropna()
    kind = kind_of(present)
    if present.empty:
        return "none"
    if kind == "boolean":
        return "true, false"
    if kind in DATES or (kind == "string" and are_dates(present)):
        return "dates"
    return "numbers" if kind in NUMBERS else "texts" if kind in TEXTS else kind


def _use(name: str, settings: FileSettings, facts: FileFacts) -> str:
    if name in settings.target:
        return "target"
    if name in facts.left_out:
        return f"left out: {facts.left_out[name]}"
    if name in facts.numbers:
        return "feature"
    if name in facts.prose:
        return f"feature, {facts.prose[name]} words"
    return "feature, one-hot" if name in facts.categories else "left out by you"


def _read_as(how: str) -> list[str]:
    """Return in words how a column is read if not as it is written."""
    taken_out = how.partition(" ")[2]
    if not how:
        return []
    return ["without blanks around" if how == TEXT or not taken_out else f"without {' and '.join(taken_out)}"]
