"""Keeps arrays as a file that the data set of files reads: once for each content, under its digest."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lossbench.config.paths import home
from lossbench.ground.errors import Problem, UsageError
from lossbench.ground.files import replace_file

FOLDER = "arrays"
TARGET = "target"


def kept(x: Any, y: Any) -> tuple[Path, list[str]]:
    """Write features and targets into a Parquet file, unless it is there, and return its path and the targets' names.

    Parameters
    ----------
    x : DataFrame or array, shape (n_rows, n_features)
    y : Series, DataFrame or array, shape (n_rows,) or (n_rows, n_targets)
        Rows belong together by their order; an index is not read.

    Raises
    ------
    UsageError
        If the shapes do not go together, or a column has two meanings.
    """
    features, targets = _frame(x, "X", "x"), _frame(y, "y", TARGET)
    _check(features, targets)
    table = pd.concat([features, targets], axis=1)
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", targets.columns[0]).strip("-.") or TARGET
    path = home() / FOLDER / f"{stem}-{_digest(table)[:12]}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda file: table.to_parquet(file, index=False))
    return path, list(targets.columns)


def _frame(values: Any, what: str, name: str) -> pd.DataFrame:
    """Return values as a table with text for names, numbered rows, and no categorical type."""
    if isinstance(values, pd.Series):
        frame = values.to_frame(name if values.name is None else values.name)
    elif isinstance(values, pd.DataFrame):
        frame = values
    else:
        array = np.asarray(values)
        if array.ndim not in (1, 2) or array.dtype.kind not in "biufOUS" or (array.ndim == 1 and what == "X"):
            raise UsageError(Problem(*_wrong(values, array, what)))
        table = array.reshape(len(array), -1)
        n = table.shape[1]
        names = [name] if n == 1 and what == "y" else [f"{name}{place}" for place in range(n)]
        frame = pd.DataFrame(table, columns=names)
    frame = frame.reset_index(drop=True).rename(columns=str)
    # A file has no categories: they are written as what they are made of.
    plain = {c: frame[c].cat.categories.dtype for c in frame.columns[frame.dtypes == "category"]}
    return frame.astype(plain) if plain else frame


def _wrong(values: Any, array: np.ndarray, what: str) -> tuple[str, str]:
    if hasattr(values, "toarray"):
        return f"{what} is a sparse matrix.", f"{what}.toarray() is the same as an array."
    shapes = {"X": "a row for each sample and a column for each feature", "y": "a target, or several, for each row"}
    return (
        f"{what} must have {shapes[what]}; got {type(values).__name__} of shape {array.shape} with {array.dtype}.",
        "give a DataFrame or an array of numbers; a single feature is X.reshape(-1, 1).",
    )


def _check(features: pd.DataFrame, targets: pd.DataFrame) -> None:
    problems = []
    if len(features) != len(targets):
        message = f"X has {len(features)} rows and y has {len(targets)}."
        problems.append(Problem(message, "each row of X needs its target, in the same order."))
    for name in features.columns.intersection(targets.columns):
        message = f"X has the column {name!r}, and so has y: the network would be given what it is to predict."
        problems.append(Problem(message, f"leave it out: X.drop(columns={name!r})."))
    for what, frame in (("X", features), ("y", targets)):
        twice = list(frame.columns[frame.columns.duplicated()].unique())
        problems += [Problem(f"{what} has two columns {name!r}.", "give each another name.") for name in twice]
    if problems:
        raise UsageError(*problems)


def _digest(table: pd.DataFrame) -> str:
    """Return a hash of a table's names, types and cells."""
    found = hashlib.sha256(repr([(str(name), str(kind)) for name, kind in table.dtypes.items()]).encode())
    found.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return found.hexdigest()
