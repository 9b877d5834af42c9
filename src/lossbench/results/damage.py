"""Finds damaged files among those that all runs of a cell share; a sweep writes them again (``jobs.repair``)."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.ground.errors import DamagedFileError
from lossbench.ground.files import read_json
from lossbench.planning.plan import Cell, Plan

CELL = "cell.json"
# What every version has written to ``cell.json``.
ENTRIES = ("name", "key", "settings", "task", "digest")
AGAIN = "the command of the sweep, given again, writes it anew."
ARRAYS = ("data.npz", "shape.npz")
# What NumPy raises for a file that is not, or no longer, what it wrote.
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def read_cell_file(
    folder: Path, again: str = "the command of the sweep, given again, writes it anew."
) -> dict[str, Any]:
    """Return the content of a cell's ``cell.json``.

    Raises
    ------
    DamagedFileError
        If it is there and cannot be read; ``again`` is the hint.
    FileNotFoundError
        If it is not there.
    """
    return read_json(folder / CELL, again)


def damaged_files(plan: Plan, cell: Cell) -> list[DamagedFileError]:
    """Return the error of each damaged file of a cell; a file that is not there is not damaged."""
    folder, found = plan.folder / cell.folder, []
    again = f"the command of the sweep writes it anew and keeps its runs: {plan.command}"
    try:
        content = read_cell_file(folder, again)
        found += [DamagedFileError(folder / CELL, f"it lacks {n!r}", again) for n in ENTRIES if n not in content][:1]
    except FileNotFoundError:
        pass
    except DamagedFileError as error:
        found.append(error)
    return [*found, *_damaged_model(folder, again), *_damaged_arrays(folder, again)]


def _damaged_model(folder: Path, again: str) -> Iterator[DamagedFileError]:
    try:
        read_json(folder / "model.json", again)
    except FileNotFoundError:
        return
    except DamagedFileError as error:
        yield error


def _damaged_arrays(folder: Path, again: str) -> Iterator[DamagedFileError]:
    for name in ARRAYS:
        path = folder / name
        if not path.exists():
            continue
        try:
            # Opened here: NumPy would leave a torn file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                for key in arrays.files:
                    arrays[key]
        except UNREADABLE as error:
            yield DamagedFileError(path, f"it cannot be read ({type(error).__name__})", again)


def check_files(plan: Plan) -> None:
    """Raise an error that names every damaged file of a plan's cells, if there is one.

    Raises
    ------
    DamagedFileError
        With the problem of each damaged file.
    """
    found = [error for cell in plan.cells for error in damaged_files(plan, cell)]
    if found:
        raise DamagedFileError.of(found)
