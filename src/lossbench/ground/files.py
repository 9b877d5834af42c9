"""Files that are on disk as a whole or not at all: written under another name, flushed and renamed."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all."""
    replace_file(path, lambda file: file.write(text.encode()))


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as a whole or not at all."""
    replace_file(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def replace_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Replace a file by what ``write`` writes to the open one that it is given."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
