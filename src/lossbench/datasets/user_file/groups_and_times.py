"""Reads the columns of a user's table that say which rows belong together, or which come first."""

import warnings

import numpy as np
import pandas as pd

from lossbench.config.settings import FileSettings
from lossbench.datasets.user_file.columns import NUMBERS, kind_of
from lossbench.datasets.user_file.reading import Table


def groups_of(table: Table, settings: FileSettings) -> np.ndarray:
    """Return the group of each row as a code from 0 on, shape (n_rows,).

    Raises
    ------
    UsageError
        If a row has none.
    """
    assert settings.groups is not None
    codes = pd.factorize(table.frame[settings.groups])[0]
    _check_complete(table, settings.groups, "groups", codes < 0)
    return codes


def times_of(table: Table, settings: FileSettings) -> np.ndarray:
    """Return the rank of each row's time, from 0 on and equal for equal times, shape (n_rows,).

    Times are numbers, dates, or texts that pandas reads as dates of one format.

    Raises
    ------
    UsageError
        If a row has none, or one that is neither a number nor a date.
    """
    assert settings.time is not None
    column = table.frame[settings.time]
    _check_complete(table, settings.time, "time", column.isna().to_numpy())
    values = column if kind_of(column) in NUMBERS else _dates(column)
    wrong = values.isna().to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        said = f"column {settings.time!r} (dataset.time) has {str(column.iloc[row])!r}, which is no time."
        hint = "write all times in one form, such as 2024-01-31 or 2024-01-31 13:30, or as numbers."
        raise table.reading.error(said, hint, place=table.place(row))
    return np.unique(values.to_numpy(), return_inverse=True)[1]


def _dates(column: pd.Series) -> pd.Series:
    """Return texts as dates, missing where they are none."""
    with warnings.catch_warnings():
        # pandas advises to name the format where it finds none that fits all.
        warnings.simplefilter("ignore", UserWarning)
        return pd.to_datetime(column, errors="coerce")


def _check_complete(table: Table, name: str, key: str, missing: np.ndarray) -> None:
    if missing.any():
        said = f"column {name!r} (dataset.{key}) has no value in {int(missing.sum())} rows."
        raise table.reading.error(
            said, "fill it in, or leave these rows out.", place=table.place(int(missing.argmax()))
        )
