"""A file of the user's: what it is, whether it is whole, and its table.

pandas reads broken files without a word. What it would pass over is looked for here and said with its line, counted
from 1 with the header. Whole files are read once and fast; lines are only counted where something is wrong.
"""

import codecs
import csv
import difflib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from lossbench.errors import Problem, UsageError

# How files begin that are no text, whatever their name says.
MAGIC = {
    b"PAR1": "a Parquet file (name it .parquet)",
    b"PK\x03\x04": "a zip archive or an Excel workbook (save its sheet as CSV)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (save its sheet as CSV)",
    b"\x1f\x8b": "compressed by gzip (unpack it)",
    b"BZh": "compressed by bzip2 (unpack it)",
    b"\xfd7zXZ": "compressed by xz (unpack it)",
    b"(\xb5/\xfd": "compressed by zstd (unpack it)",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "an array of NumPy",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "a database of SQLite",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    **{b"\x80" + bytes([protocol]): "a pickle, which is never loaded: it can run code" for protocol in range(1, 6)},
}
PARQUET_SUFFIXES = (".parquet", ".pq")
SEPARATORS = {",": ",", ";": "';'", "\t": "tab", "|": "'|'", " ": "' '"}
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
CHUNK = 1 << 22
# So many rows say how a file is written.
FIRST_ROWS = 100
NAMES_SHOWN = 12


@dataclass(frozen=True)
class Reading:
    """How a file is to be read: its path, and what its text means."""

    path: str
    sep: str
    decimal: str
    encoding: str
    missing_values: tuple[str, ...]

    @property
    def is_parquet(self) -> bool:
        """Whether the name says that it is no text."""
        return Path(self.path).suffix.lower() in PARQUET_SUFFIXES

    @property
    def name(self) -> str:
        """The file's name, as messages call it."""
        return Path(self.path).name

    def problem(self, said: str, hint: str = "", place: str = "") -> UsageError:
        """Return an error that names the file and the place in it, if there is one."""
        return UsageError(Problem(f"{self.name}{', ' if place else ''}{place}: {said}", hint))


@dataclass(frozen=True)
class Table:
    """A file as it was read, and what identifies its bytes."""

    reading: Reading
    frame: pd.DataFrame
    digest: str

    def place(self, row: int) -> str:
        """Return where a row stands in the file, in words: its line, counted from 1 with the header."""
        if self.reading.is_parquet:
            return f"row {row + 1}"
        # The header is the first record.
        found = next(islice(_records(self.reading), row + 1, None), None)
        return f"line {found[0]}" if found else f"row {row + 1}"


def reading_of(settings: dict[str, Any]) -> Reading:
    """Return how the file of ``dataset`` settings is to be read."""
    sep = {"tab": "\t", "\\t": "\t"}.get(settings["sep"], settings["sep"])
    texts = tuple(map(str, settings["missing_values"]))
    return Reading(settings["path"], sep, settings["decimal"], settings["encoding"], texts)


def read_table(reading: Reading) -> Table:
    """Return the table in a file; the same object as long as the file stays the same.

    Raises
    ------
    UsageError
        If it is no regular file, or not whole.
    """
    return _read_table(reading, file_state(reading.path))


def file_state(path: str) -> tuple[int, ...]:
    """Return what changes when a file does: its node, size and times, without opening it.

    Raises
    ------
    UsageError
        If there is no such regular file.
    """
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:
        raise UsageError(_no_file(Path(path), error)) from None
    if stat.S_ISDIR(state.st_mode):
        there = ", ".join(_data_files(Path(path)))
        raise UsageError(Problem(f"dataset.path={path} is a folder.", f"name a file in it: {there}" if there else ""))
    if not stat.S_ISREG(state.st_mode):
        kind = "a pipe" if stat.S_ISFIFO(state.st_mode) else "a device or a socket"
        hint = "it is read more than once: write it to a file first."
        raise UsageError(Problem(f"dataset.path={path} is {kind}, no regular file.", hint))
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _no_file(path: Path, error: Exception) -> Problem:
    if not isinstance(error, FileNotFoundError):
        return Problem(f"dataset.path={path} cannot be read: {getattr(error, 'strerror', None) or error}.")
    there = _data_files(path.parent)
    near = difflib.get_close_matches(path.name, there, n=1, cutoff=0.6)
    if near:
        return Problem(f"there is no file {path}.", f"did you mean {str(path.with_name(near[0]))!r}?")
    return Problem(
        f"there is no file {path}.", f"in {path.parent} there is {', '.join(there[:NAMES_SHOWN])}." * bool(there)
    )


def _data_files(folder: Path) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [name for name in names if Path(name).suffix.lower() in (".csv", ".tsv", ".txt", ".data", *PARQUET_SUFFIXES)]


@lru_cache(maxsize=1)
def _read_table(reading: Reading, state: tuple[int, ...]) -> Table:
    try:
        with open(reading.path, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise UsageError(_no_file(Path(reading.path), error)) from None
    if reading.is_parquet:
        return Table(reading, _read_parquet(reading, start), _digest(reading))
    for magic, what in MAGIC.items():
        if start.startswith(magic):
            raise reading.problem(f"this is no text but {what}.", "dataset.path must name a CSV or Parquet file.")
    digest = _check_text(reading, start)
    header = _check_header(reading, [row for _, row in islice(_records(reading), FIRST_ROWS)])
    return Table(reading, _read_csv(reading, header), digest)


def _digest(reading: Reading) -> str:
    with open(reading.path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _read_parquet(reading: Reading, start: bytes) -> pd.DataFrame:
    import pyarrow
    from pyarrow import parquet

    if not start.startswith(b"PAR1"):
        raise reading.problem("this is no Parquet file.", "name it .csv if it is text.")
    try:
        table = parquet.ParquetFile(reading.path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise reading.problem(f"it cannot be read as Parquet: {' '.join(str(error).split())[:200]}") from None
    names = [name.strip() for name in table.column_names]
    _check_names(reading, names, "")
    # What pandas noted of its index is no column; one that it wrote out bears this name.
    frame = table.rename_columns(names).to_pandas(ignore_metadata=True)
    return frame.drop(columns=[name for name in names if name.startswith("__index_level_")])


# ---- The bytes of a text.


def _check_text(reading: Reading, start: bytes) -> str:
    """Return the digest of a text that its encoding reads and that has no NUL byte."""
    try:
        codecs.lookup(reading.encoding)
    except LookupError:
        hint = "utf-8, utf-16, cp1252 and latin-1 are usual."
        raise UsageError(Problem(f"dataset.encoding={reading.encoding} is not known.", hint)) from None
    by_mark = next((name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)), None)
    if by_mark and not reading.encoding.lower().startswith("utf-16"):
        raise reading.problem(
            f"it is not written in {reading.encoding} but in UTF-16.", f"dataset.encoding={by_mark}", place="line 1"
        )
    bad_line = _undecodable_line(reading, reading.encoding)
    if bad_line:
        fits = next(
            (name for name in ("utf-8", "cp1252", "latin-1") if not _undecodable_line(reading, name)), "latin-1"
        )
        said = f"these bytes are not written in {reading.encoding}."
        raise reading.problem(said, f"{fits} reads the file: dataset.encoding={fits}", place=f"line {bad_line}")
    sha, n_lines = hashlib.sha256(), 1
    wide = reading.encoding.lower().startswith(("utf-16", "utf_16", "utf-32", "utf_32"))
    for chunk in _chunks(reading):
        sha.update(chunk)
        at = -1 if wide else chunk.find(b"\0")
        if at >= 0:
            line = n_lines + chunk.count(b"\n", 0, at)
            hint = "the file is damaged or no text; `tr -d '\\000'` takes such bytes out."
            raise reading.problem("there is a NUL byte.", hint, place=f"line {line}")
        n_lines += chunk.count(b"\n")
    return sha.hexdigest()[:16]


def _undecodable_line(reading: Reading, encoding: str) -> int:
    """Return the first line that an encoding cannot read; 0 if there is none."""
    decoder, n_lines = codecs.getincrementaldecoder(encoding)(), 1
    for chunk in (*_chunks(reading), b""):
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            return n_lines + chunk.count(b"\n", 0, max(0, getattr(error, "start", 0)))
        n_lines += chunk.count(b"\n")
    return 0


def _chunks(reading: Reading) -> Iterator[bytes]:
    with open(reading.path, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


# ---- Its header and its rows.


def _records(reading: Reading, sep: str = "") -> Iterator[tuple[int, list[str]]]:
    """Yield each record that pandas would see: the line it begins on, and its fields."""
    encoding = "utf-8-sig" if codecs.lookup(reading.encoding).name == "utf-8" else reading.encoding
    # A quote that is never closed makes a field of the rest of the file.
    csv.field_size_limit(1 << 40)
    with open(reading.path, encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=sep or reading.sep, skipinitialspace=True)
        line = 1
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                yield line, row
            line = reader.line_num + 1


def _check_header(reading: Reading, rows: list[list[str]]) -> list[str]:
    """Return the names in the header of a file that begins with these records."""
    if not rows:
        raise reading.problem("the file is empty.", "its first line must name the columns.")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    _check_separator(reading, header, body)
    if all(_is_number(name, reading.decimal) for name in header):
        said = f"there is no header: the first line is all numbers ({', '.join(header[:3])}, …)."
        raise reading.problem(said, "name the columns in a line before it.", place="line 1")
    if not body:
        raise reading.problem("there are no rows below the header.")
    extra = min(len(row) for row in body) - len(header)
    if extra > 1 and len(header) == 1:
        said = f"the first line is no header: it has 1 field, the rows have {len(header) + extra}."
        raise reading.problem(said, "take out what stands above the header.", place="line 1")
    if extra > 0:
        ends_empty = all(not row[-1].strip() for row in body)
        why = "rows end in a separator" if ends_empty else "the header lacks a name, perhaps that of an index"
        said = f"every row has {len(header) + extra} fields, the header has {len(header)}: {why}."
        raise reading.problem(said, "give the header a name for each field.", place="line 1")
    _check_names(reading, header, "line 1")
    return [name or f"Unnamed: {i}" for i, name in enumerate(header)]


def _check_names(reading: Reading, names: list[str], place: str) -> None:
    named = [name for name in names if name]
    double = next((name for name in named if named.count(name) > 1), None)
    if double is not None:
        at = " and ".join(str(i + 1) for i, name in enumerate(names) if name == double)
        raise reading.problem(
            f"the column name {double!r} is there more than once (columns {at}).",
            "rename all but one.",
            place=place,
        )


def _check_separator(reading: Reading, header: list[str], body: list[list[str]]) -> None:
    """Raise if another separator divides the first records into more columns, all alike."""
    if len(header) > 1 and len({len(row) for row in (header, *body)}) == 1:
        return
    for sep, word in SEPARATORS.items():
        if sep == reading.sep:
            continue
        rows = [row for _, row in islice(_records(reading, sep), FIRST_ROWS)]
        widths = {len(row) for row in rows}
        if len(widths) == 1 and widths.pop() > len(header):
            cells = [cell for row in rows[1:] for cell in row]
            comma = sep != "," and reading.decimal == "." and _have_decimal(cells, ",")
            found = f"dataset.sep={word}" + (" and dataset.decimal=','" if comma else "")
            quoted = " and ".join(f'"{part}"' if "'" in part else part for part in found.split(" and "))
            said = f"dataset.sep={SEPARATORS.get(reading.sep, reading.sep)} does not separate its columns"
            more = "; numbers have a decimal comma" if comma else ""
            raise reading.problem(f"{said}, {word} does{more}.", quoted.replace(" and ", " "), place="line 1")


def _have_decimal(cells: list[str], decimal: str) -> bool:
    """Say whether texts are numbers with this decimal sign."""
    other = "." if decimal == "," else ","
    signed = [cell for cell in cells if decimal in cell]
    return bool(signed) and all(_is_number(cell, decimal) and other not in cell for cell in signed)


def _is_number(text: str, decimal: str = ".") -> bool:
    try:
        float(text.replace(decimal, "."))
    except ValueError:
        return False
    return "_" not in text and text.strip().lower() not in ("nan", "inf", "infinity")


def _read_csv(reading: Reading, header: list[str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(
            reading.path,
            sep=reading.sep,
            decimal=reading.decimal,
            encoding=reading.encoding,
            na_values=list(reading.missing_values),
            skipinitialspace=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _broken_record(reading, header, error) from None
    if not isinstance(frame.index, pd.RangeIndex) or frame.shape[1] != len(header):
        raise _broken_record(reading, header, None)
    frame.columns = pd.Index(header)
    # A record that ends early is filled up with missing values.
    if frame.iloc[:, -1].isna().any() and len(header) > 1:
        _check_short_records(reading, header)
    return frame


def _check_short_records(reading: Reading, header: list[str]) -> None:
    for line, row in _records(reading):
        if len(row) < len(header):
            raise _wrong_width(reading, header, line, row)


def _broken_record(reading: Reading, header: list[str], error: Exception | None) -> UsageError:
    """Return what is wrong with a file that pandas could not divide into rows."""
    line, row = 1, header
    for line, row in _records(reading):
        if len(row) > len(header):
            return _wrong_width(reading, header, line, row)
    if error is not None and "EOF inside string" in str(error):
        return open_quote(reading, f"line {line}")
    return reading.problem(f"it cannot be read: {' '.join(str(error).split())}")


def _wrong_width(reading: Reading, header: list[str], line: int, row: list[str]) -> UsageError:
    if any("\n" in cell for cell in row):
        return open_quote(reading, f"line {line}")
    longer = "a field that contains the separator stands in quotes."
    hint = longer if len(row) > len(header) else "empty fields at the end of a row need their separators too."
    n_fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
    return reading.problem(f"this row has {n_fields}, the header has {len(header)}.", hint, place=f"line {line}")


def open_quote(reading: Reading, place: str) -> UsageError:
    """Return what is wrong where a text swallowed the lines after it."""
    said = "a quote is opened here that is not closed in its row."
    return reading.problem(said, 'a quote within a text in quotes is written twice: "5"" disk".', place)
