"""Opens a user's file: unpacks it while it is read, and passes over what stands above its header."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePath
from typing import IO, Any

from lossbench.ground.errors import Problem, UsageError

PARQUET_SUFFIXES = (".parquet", ".pq")
JSON_SUFFIXES = (".jsonl", ".ndjson")
PACKED_SUFFIXES = (".gz", ".zip", ".bz2", ".xz")
# The first bytes of the packed files that are read.
ZIP = b"PK\x03\x04"
OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
# What unpacking a damaged or encrypted file raises.
DAMAGED = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, lzma.LZMAError, zlib.error, RuntimeError)
# The header and the separator are judged by this many records or lines.
FIRST_ROWS = 100


@dataclass(frozen=True)
class Reading:
    """How to read a file.

    Attributes
    ----------
    path, sep, decimal, encoding : str
    missing_values : tuple of str
        The texts that mean a missing value.
    above : tuple of str
        The lines above the header that are passed over: comments, and Excel's ``sep=;``.
    as_written : tuple of str
        The columns whose cells are names: no number is made of them.
    known : tuple of (str, str), optional
        How the cells of each column are read (see ``cells``), as planning found it; None lets the cells decide.
    """

    path: str
    sep: str
    decimal: str
    encoding: str
    missing_values: tuple[str, ...]
    above: tuple[str, ...] = ()
    as_written: tuple[str, ...] = ()
    known: tuple[tuple[str, str], ...] | None = None

    @property
    def is_parquet(self) -> bool:
        """Whether the file's suffix is that of Parquet."""
        return Path(self.path).suffix.lower() in PARQUET_SUFFIXES

    @property
    def is_json(self) -> bool:
        """Whether the file's suffix is that of JSON lines, before that of a packed file."""
        name = self.path.lower()
        packed = next((suffix for suffix in PACKED_SUFFIXES if name.endswith(suffix)), "")
        return name.removesuffix(packed).endswith(JSON_SUFFIXES)

    @property
    def name(self) -> str:
        """The file's name without its folder, for messages."""
        return Path(self.path).name

    @property
    def top(self) -> str:
        """The place of the header, for messages."""
        return f"line {len(self.above) + 1}"

    def problem(self, said: str, hint: str = "", place: str = "") -> Problem:
        """Return a problem whose message names the file and, if given, the place in it."""
        return Problem(f"{self.name}{', ' if place else ''}{place}: {said}", hint)

    def error(self, said: str, hint: str = "", place: str = "") -> UsageError:
        """Return a UsageError with one such problem."""
        return UsageError(self.problem(said, hint, place))


def first_bytes(path: str) -> bytes:
    """Return the first bytes of a file as it lies on disk."""
    with open(path, "rb") as file:
        return file.read(16)


def is_packed(path: str) -> bool:
    """Return whether a file is one of the packed files that are read."""
    return first_bytes(path).startswith((ZIP, *OPENERS))


@contextmanager
def open_bytes(reading: Reading) -> Iterator[IO[bytes]]:
    """Open a file for reading its bytes, unpacked."""
    start = first_bytes(reading.path)
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
    if start.startswith(ZIP):
        with zipfile.ZipFile(reading.path) as archive, archive.open(_members(archive)[0]) as member:
            yield member
    else:
        with opener(reading.path, "rb") if opener else open(reading.path, "rb") as file:
            yield file


@contextmanager
def open_text(reading: Reading) -> Iterator[io.TextIOWrapper]:
    """Open a file for reading its text, unpacked and from its header on."""
    # utf-8-sig removes a byte order mark, as pandas does.
    encoding = "utf-8-sig" if codecs.lookup(reading.encoding).name == "utf-8" else reading.encoding
    with open_bytes(reading) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as file:
        for _ in reading.above:
            file.readline()
        yield file


def check_packed(reading: Reading) -> None:
    """Read a packed file once through.

    Raises
    ------
    UsageError
        If it is damaged or encrypted, or a zip archive that does not hold one file.
    """
    try:
        if first_bytes(reading.path).startswith(ZIP):
            with zipfile.ZipFile(reading.path) as archive:
                _check_members(reading, archive)
        with open_bytes(reading) as file:
            while file.read(1 << 22):
                pass
    except DAMAGED as error:
        hint = "unpack it by hand, and name the file in it."
        raise reading.error(f"it cannot be unpacked: {' '.join(str(error).split())}.", hint) from None


def _members(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the files in an archive, without those that macOS adds."""
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    return [name for name in names if "__MACOSX" not in PurePath(name).parts and PurePath(name).name != ".DS_Store"]


def _check_members(reading: Reading, archive: zipfile.ZipFile) -> None:
    names = _members(archive)
    if "[Content_Types].xml" in names or "content.xml" in names:
        said = "this is no text but an Excel workbook or another office document."
        raise reading.error(said, "save its sheet as CSV, and name that file.")
    if len(names) != 1:
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        said = f"a zip archive must hold one file; it has {len(names)}{': ' * bool(names)}{shown}."
        raise reading.error(said, f"`unzip {reading.name}` unpacks it; then name a file of it.")


# ---- What stands above the header.


def with_header_found(reading: Reading) -> Reading:
    """Return a reading that begins at the header: after comments (``#``) and Excel's first line ``sep=;``.

    That line also gives the separator, unless ``dataset.sep`` has been set to another than the default.

    Raises
    ------
    UsageError
        If the line and ``dataset.sep`` differ, or if a line with ``#`` can be a comment or the header.
    """
    with open_text(reading) as file:
        lines = [line.rstrip("\r\n") for line in islice(file, FIRST_ROWS)]
    named = re.fullmatch(r'"?sep=(.)"?', lines[0].strip(" ")) if lines else None
    if named:
        if reading.sep not in (",", named[1]):
            said = f"its first line says that {named[1]!r} separates its columns; dataset.sep is {reading.sep!r}."
            raise reading.error(said, f"\"dataset.sep='{named[1]}'\"", place="line 1")
        reading = replace(reading, sep=named[1])
    start = 1 if named else 0
    comments = [i for i, line in enumerate(lines) if line.startswith("#")]
    body = next((i for i in range(start, len(lines)) if lines[i].strip() and i not in comments), len(lines))
    above = max([i + 1 for i in comments if i < body], default=start)
    if above > start and _is_header(reading, lines[above - 1], lines[body : body + 2], place=f"line {above}"):
        above -= 1
    return replace(reading, above=tuple(lines[:above]))


def _is_header(reading: Reading, comment: str, after: list[str], place: str) -> bool:
    """Return whether a line that begins with # names the columns, judged by the lines after it.

    Raises
    ------
    UsageError
        If that cannot be told.
    """
    rows = list(csv.reader([comment, *after], delimiter=reading.sep, skipinitialspace=True))
    if len(rows) < 2 or len(rows[0]) == 1 or len(rows[0]) != len(rows[1]):
        return False
    numeric = [any(re.fullmatch(r"\s*[+-]?[\d.,]+\s*", cell) for cell in row) for row in rows]
    if numeric[0] or numeric[1] or not any(numeric[2:]):
        return not numeric[0]
    said = "this line begins with '#': it can be a comment or name the columns."
    raise reading.error(said, "take it out if it is a comment, or its # if it names the columns.", place=place)
