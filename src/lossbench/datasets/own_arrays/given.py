"""Arrays as a user gives them, before they are checked."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from lossbench.ground.errors import Problem, UsageError


@dataclass(frozen=True)
class Given:
    """Samples and targets as they were read.

    Attributes
    ----------
    name : str
        Where they are from, for messages.
    x, y : array
    x_name, y_name : str
        What the user calls them.
    digest : str
        Hash of what they were read from.
    classes : list of str or None
        The names of the classes that ``y`` numbers; None if ``y`` decides the task.
    notes, warnings : list of str
        What was made of the data, and what is suspicious, in a line each.
    parts : list of list of str
        Rows of a table about the data, the first of which is its head.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    digest: str
    x_name: str = "x"
    y_name: str = "y"
    classes: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    parts: list[list[str]] = field(default_factory=list)

    def error(self, said: str, hint: str = "") -> UsageError:
        """Return the error of these data."""
        return UsageError(Problem(f"{self.name}: {said}", hint))


def digest_of(*arrays: np.ndarray) -> str:
    """Return a hash of the types, shapes and values of arrays."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        # Objects have no bytes of their own: their texts stand for them.
        plain = array.astype(str) if array.dtype.kind == "O" else array
        found.update(np.ascontiguousarray(plain).tobytes())
    return found.hexdigest()[:16]


def shape_in_words(array: np.ndarray) -> str:
    """Return the shape and the type of an array: ``500 x 20 (float64)``."""
    kind = {"U": "texts", "S": "texts", "O": "Python objects"}.get(array.dtype.kind, str(array.dtype))
    return f"{' x '.join(map(str, array.shape)) or 'one value'} ({kind})"
