"""Selects the rows of a user's table that are used, and converts their features to arrays."""

import numpy as np
import pandas as pd

from lossbench.config.settings import FileSettings
from lossbench.datasets.user_file.columns import Columns, as_numbers, as_text, told
from lossbench.datasets.user_file.reading import NAMES_SHOWN, Table
from lossbench.datasets.user_file.targets import Target
from lossbench.ground.errors import Problem, UsageError


def used_rows(table: Table, settings: FileSettings, columns: Columns, target: Target) -> np.ndarray:
    """Return a boolean array that is True for the rows to use.

    ``dataset.missing=error`` uses all rows, ``drop`` those without missing values, ``impute`` those with a target.

    Raises
    ------
    UsageError
        If a value is missing with ``dataset.missing=error``, or if no row is left.
    """
    used = [*settings.target, *columns.numbers, *columns.categories]
    n_missing = {str(name): int(n) for name, n in table.frame[used].isna().sum().items() if n}
    if settings.missing == "error" and n_missing:
        raise UsageError(_missing_problem(table, n_missing))
    kept = ~target.missing
    if settings.missing == "drop" and n_missing:
        kept &= table.frame[list(n_missing)].notna().all(axis=1).to_numpy()
    if not kept.any():
        most = max(n_missing, key=lambda name: n_missing[name])
        hint = f"{most!r} misses {n_missing[most]} of {len(kept)}: {told('leave_out', most)}, or dataset.missing=impute"
        raise table.reading.error("no row is left: each one has a missing value.", hint)
    return kept


def _missing_problem(table: Table, n_missing: dict[str, int]) -> Problem:
    """Return the problem of missing values: the place of the first, the number in each column, and two remedies."""
    first = next(iter(n_missing))
    row = int(table.frame[first].isna().to_numpy().argmax())
    shown = [f"{name} ({n})" for name, n in list(n_missing.items())[:NAMES_SHOWN]]
    all_of_them = ", ".join(shown) + (", …" if len(n_missing) > NAMES_SHOWN else "")
    return table.reading.problem(
        f"column {first!r} has no value. Missing values: {all_of_them}.",
        "dataset.missing=drop leaves such rows out, dataset.missing=impute fills in the training rows' "
        "median or most frequent value.",
        place=table.place(row),
    )


def feature_arrays(
    frame: pd.DataFrame, numbers: list[str], categories: list[str]
) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    """Return the numeric features, the text features as codes, and the texts that the codes stand for.

    Returns
    -------
    float64 array, shape (n_rows, n_numbers)
        NaN where missing.
    int32 array, shape (n_rows, n_categories)
        The position of each text among the sorted texts of its column; -1 where missing.
    list of list of str
        The sorted texts of each column.
    """
    values = np.empty((len(frame), len(numbers)))
    for i, name in enumerate(numbers):
        values[:, i] = as_numbers(frame[name])
    codes, levels = np.empty((len(frame), len(categories)), np.int32), []
    for i, name in enumerate(categories):
        codes[:, i], different = pd.factorize(frame[name], sort=True)
        levels.append([as_text(value) for value in different])
    return values, codes, levels
