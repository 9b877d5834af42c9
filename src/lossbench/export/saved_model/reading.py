"""Reads the description of a cell's model from its folder, or says why there is none."""

from pathlib import Path
from typing import Any

from lossbench.ground.errors import DamagedFileError
from lossbench.ground.files import read_json

NAME = "model.json"
# The version of ``model.json``. Raise it when ``serving`` needs an entry that earlier versions did not write.
FORMAT = 1


class NoModelError(Exception):
    """No model can be made of a cell's runs; the message is the reason."""


def read_contents(folder: Path) -> dict[str, Any]:
    """Return the description of a cell's model (see ``contents``).

    Raises
    ------
    NoModelError
        If it is not on disk, or if the network cannot be loaded without the user's code.
    """
    try:
        contents = read_json(folder / NAME, "")
    except FileNotFoundError:
        contents = {}
    except DamagedFileError as error:
        again = "the command of the sweep, given again, writes it anew"
        raise NoModelError(f"{error.problems[0].message.rstrip('.')}; {again}") from None
    if contents.get("format") != FORMAT:
        raise NoModelError("its sweep is of an earlier version; rerun=all trains it again")
    if contents["problem"]:
        raise NoModelError(contents["problem"])
    return contents


def has_model(folder: Path) -> bool:
    """Return whether a model can be made of a cell's runs."""
    try:
        read_contents(folder)
    except NoModelError:
        return False
    return True
