"""Reads samples and targets from an .npz file of NumPy's; nothing in it can run code."""

import difflib
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from lossbench.config.settings import NpzSettings
from lossbench.datasets.own_arrays.given import Given, digest_of, shape_in_words
from lossbench.datasets.user_file.reading import NAMES_SHOWN, file_state
from lossbench.ground.errors import Problem, UsageError

EXAMPLE = "numpy.savez('data.npz', x=x, y=y) writes one."


def read_npz(settings: NpzSettings) -> Given:
    """Return the arrays of a file; cached while the file stays unchanged.

    Raises
    ------
    UsageError
        If it is no such file, lacks an array, or has one that only a pickle could hold.
    """
    return _read(settings.path, settings.x, settings.y, file_state(settings.path))


@lru_cache(maxsize=1)
def _read(path: str, x_name: str, y_name: str, state: tuple[int, ...]) -> Given:
    """Read arrays. ``state`` is unused but part of the cache's key: a changed file is read again."""
    name = Path(path).name
    try:
        # Opened here: NumPy leaves the file of a damaged archive open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise _no_npz(name, "it holds one array without a name")
            # The file's own names: NumPy takes off their ending ``.npy``.
            problems = [_missing(name, key, wanted, archive.files) for key, wanted in (("x", x_name), ("y", y_name))]
            if found := [problem for problem in problems if problem]:
                raise UsageError(*found)
            x, y = (_array(name, archive, each) for each in (x_name, y_name))
            others = [each for each in archive.files if each not in (x_name, y_name)]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise _no_npz(name, " ".join(str(error).split())) from None
    except ValueError as error:
        # NumPy reads what is neither of its formats as a pickle, or refuses to.
        raise _no_npz(name, "it is no file of arrays" if "pickle" in str(error).lower() else str(error)) from None
    notes = [f"not used: {', '.join(others[:NAMES_SHOWN])}"] if others else []
    parts = [
        ["array", "what it is", "used as"],
        [x_name, shape_in_words(x), "samples"],
        [y_name, shape_in_words(y), "targets"],
        *([each, "", "not used"] for each in others),
    ]
    return Given(name, x, y, digest_of(x, y), x_name, y_name, notes=notes, parts=parts)


def _array(name: str, archive, wanted: str) -> np.ndarray:
    try:
        return archive[wanted]
    except ValueError:
        said = f"{name}: {wanted!r} is an array of Python objects, which only a pickle holds; none is ever loaded."
        hint = f"write it as numbers or texts: {wanted}={wanted}.astype(float), or .astype(str) for names of classes."
        raise UsageError(Problem(said, hint)) from None


def _missing(name: str, key: str, wanted: str, there: list[str]) -> Problem | None:
    """Return the problem of an array that a file lacks, with the names of those that it has; None if it is there."""
    if wanted in there:
        return None
    if not there:
        return Problem(f"{name} has no arrays.", EXAMPLE)
    near = [other for other in there if other.lower() == wanted.lower()]
    near = near or difflib.get_close_matches(wanted, there, n=1, cutoff=0.4) or [there[0 if key == "x" else -1]]
    shown = ", ".join(there[:NAMES_SHOWN]) + (", …" if len(there) > NAMES_SHOWN else "")
    what = "samples" if key == "x" else "targets"
    return Problem(
        f"{name} has no array {wanted!r} (dataset.{key}, the {what}); it has {shown}.", f"dataset.{key}={near[0]}"
    )


def _no_npz(name: str, why: str) -> UsageError:
    return UsageError(Problem(f"{name} cannot be read as .npz: {why}.", EXAMPLE))
