"""What a cell's folder has for a model of any of its runs, or why there can be none."""

import json
from pathlib import Path
from typing import Any

NAME = "model.json"
# Raise it when ``serving`` needs what earlier cells have not written.
FORMAT = 1


class NoModelError(Exception):
    """A cell of whose runs no model can be made: the reason."""


def read_contents(folder: Path) -> dict[str, Any]:
    """Return what a model of a cell's runs needs beside their weights (see ``contents``).

    Raises
    ------
    NoModelError
        If that is not on disk, or not all of it can be written without the user's code.
    """
    try:
        contents = json.loads((folder / NAME).read_text())
    except FileNotFoundError:
        contents = {}
    if contents.get("format") != FORMAT:
        raise NoModelError("its sweep is of an earlier version; rerun=all trains it again")
    if contents["problem"]:
        raise NoModelError(contents["problem"])
    return contents


def has_model(folder: Path) -> bool:
    """Say whether a model can be made of a cell's runs."""
    try:
        read_contents(folder)
    except NoModelError:
        return False
    return True
