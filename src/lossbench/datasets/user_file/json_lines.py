"""Reads JSON lines: a text file with one object in each line, whose names are the columns."""

import json
from typing import Any

import pandas as pd

from lossbench.datasets.user_file.opening import Reading, open_text
from lossbench.ground.errors import UsageError

EXAMPLE = 'a line of JSON lines is an object: {"size": 120, "zone": "north"}'


def read_json_lines(reading: Reading) -> pd.DataFrame:
    """Return the table in JSON lines; a name that a line lacks, and null, are missing values.

    Raises
    ------
    UsageError
        If a line is no object, or if the file is one array.
    """
    columns: dict[str, list[Any]] = {}
    n_rows = 0
    with open_text(reading) as file:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            row = _object(reading, text, f"line {line}")
            for name in [name for name in row if name not in columns]:
                columns[name] = [None] * n_rows
            for name, values in columns.items():
                values.append(row.get(name))
            n_rows += 1
    if not columns:
        raise reading.error("the file is empty.", EXAMPLE)
    return pd.DataFrame(columns)


def _object(reading: Reading, text: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith("["):
            raise no_lines(reading, place) from None
        raise reading.error(f"this line is no JSON: {error}.", EXAMPLE, place=place) from None
    if isinstance(row, list):
        raise no_lines(reading, place)
    if not isinstance(row, dict):
        raise reading.error(f"this line is no object but {row!r}.", EXAMPLE, place=place)
    return row


def no_lines(reading: Reading, place: str) -> UsageError:
    """Return the error of JSON that is one array or object, with the command that makes JSON lines of it."""
    code = f"import pandas; pandas.read_json('{reading.path}').to_json('lines.jsonl', orient='records', lines=True)"
    said = "this is JSON in one piece, not an object in each line."
    return reading.error(said, f'python -c "{code}" writes lines.jsonl', place=place)
