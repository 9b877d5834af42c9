"""Reads a user's file: recognises its format, checks it, and returns its table, which is cached."""

import difflib
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import pandas as pd

from lossbench.config.settings import FileSettings
from lossbench.datasets.user_file.cells import MISSING_TEXTS, interpreted
from lossbench.datasets.user_file.json_lines import no_lines, read_json_lines
from lossbench.datasets.user_file.opening import (
    FIRST_ROWS,
    JSON_SUFFIXES,
    PACKED_SUFFIXES,
    PARQUET_SUFFIXES,
    Reading,
    check_packed,
    first_bytes,
    is_packed,
    open_bytes,
    open_text,
    with_header_found,
)
from lossbench.datasets.user_file.text import (
    broken_record,
    check_header,
    check_header_names,
    check_short_records,
    check_text,
    has_leading_zero,
    records,
)
from lossbench.ground.errors import Problem, UsageError

# The first bytes of common files that are not text, whatever their names.
MAGIC = {
    b"PAR1": "a Parquet file (name it .parquet)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (save its sheet as CSV)",
    b"(\xb5/\xfd": "compressed by zstd (unpack it)",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "an array of NumPy",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "a database of SQLite",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    **{b"\x80" + bytes([protocol]): "a pickle, which is never loaded: it can run code" for protocol in range(1, 6)},
}
DATA_SUFFIXES = (".csv", ".tsv", ".txt", ".data", *JSON_SUFFIXES, *PARQUET_SUFFIXES, *PACKED_SUFFIXES)
# The most names that a message lists.
NAMES_SHOWN = 12


@dataclass(frozen=True)
class Table:
    """The table in a file, how it was read, and the hash of the file's bytes.

    Attributes
    ----------
    readings : dict
        How the cells of columns are read that are not taken as they are; see ``cells``.
    """

    reading: Reading
    frame: pd.DataFrame
    digest: str
    readings: Mapping[str, str] = field(default_factory=dict)

    def place(self, row: int) -> str:
        """Return where a row stands in the file, for a message: its line, counted from 1 with the header.

        Lines are counted here and not while reading, because only errors need them.
        """
        if self.reading.is_parquet:
            return f"row {row + 1}"
        if self.reading.is_json:
            with open_text(self.reading) as file:
                lines = (line for line, text in enumerate(file, 1) if text.strip())
                return f"line {next(islice(lines, row, None))}"
        # A row of the table is the record after it in the file: the header is record 0.
        found = next(islice(records(self.reading), row + 1, None), None)
        return f"line {found[0]}" if found else f"row {row + 1}"


def reading_of(settings: FileSettings) -> Reading:
    """Return the part of a file's settings that decides how its text is read.

    Before planning has found the facts, cells decide how each column is read; after that the facts do.
    """
    sep = {"tab": "\t", "\\t": "\t"}.get(settings.sep, settings.sep)
    targets = settings.target if settings.task in ("binary", "multiclass") else []
    return Reading(
        settings.path,
        sep,
        settings.decimal,
        settings.encoding,
        missing_values=tuple(map(str, settings.missing_values)),
        as_written=tuple(dict.fromkeys([*settings.categorical, *targets])),
        known=tuple(settings.file.readings.items()) if settings.file else None,
    )


def read_table(reading: Reading) -> Table:
    """Return the table in a file; its text is cached while the file stays unchanged.

    Raises
    ------
    UsageError
        If it is not a regular file, or is broken.
    """
    # The text is the same, however its columns are read.
    table = _read_table(replace(reading, as_written=(), known=None), file_state(reading.path))
    if reading.is_parquet:
        return table
    frame, readings = interpreted(table.frame, reading)
    return replace(table, frame=frame, readings=readings)


def file_state(path: str) -> tuple[int, ...]:
    """Return device, inode, size and times of a file, at least one of which changes when the file does.

    Raises
    ------
    UsageError
        If the path is not a regular file.
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
    """Return the problem of a file that cannot be opened, with a similar name if there is one."""
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
    """Return the names in a folder that look like data files."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [name for name in names if Path(name).suffix.lower() in DATA_SUFFIXES]


@lru_cache(maxsize=1)
def _read_table(reading: Reading, state: tuple[int, ...]) -> Table:
    """Read a table. ``state`` is unused but part of the cache's key: a changed file is read again."""
    try:
        start = first_bytes(reading.path)
    except OSError as error:
        raise UsageError(_no_file(Path(reading.path), error)) from None
    if reading.is_parquet:
        return Table(reading, _read_parquet(reading, start), _digest(reading))
    if is_packed(reading.path):
        check_packed(reading)
        with open_bytes(reading) as file:
            start = file.read(16)
    for magic, what in MAGIC.items():
        if start.startswith(magic):
            raise reading.error(f"this is no text but {what}.", "dataset.path must name a CSV or Parquet file.")
    check_text(reading, start)
    if reading.is_json:
        return Table(reading, _read_json(reading), _digest(reading))
    _check_no_json(reading)
    reading = with_header_found(reading)
    first_rows = [row for _, row in islice(records(reading), FIRST_ROWS)]
    return Table(reading, _read_csv(reading, check_header(reading, first_rows)), _digest(reading))


def _check_no_json(reading: Reading) -> None:
    """Raise UsageError if a file that should be CSV holds JSON."""
    with open_text(reading) as file:
        first = next((line.strip() for line in file if line.strip()), "")
    if re.match(r'\{\s*"', first):
        packed = "".join(suffix for suffix in PACKED_SUFFIXES if reading.name.lower().endswith(suffix))
        hint = f"name it {reading.name.split('.')[0]}.jsonl{packed}"
        raise reading.error("this is no CSV but JSON lines.", hint, place="line 1")
    if first in ("{", "[") or re.match(r"\[\s*\{", first):
        raise no_lines(reading, "line 1")


def _digest(reading: Reading) -> str:
    with open(reading.path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _read_parquet(reading: Reading, start: bytes) -> pd.DataFrame:
    # Only Parquet files need pyarrow.
    import pyarrow
    from pyarrow import parquet

    if not start.startswith(b"PAR1"):
        raise reading.error("this is no Parquet file.", "name it .csv if it is text.")
    try:
        table = parquet.ParquetFile(reading.path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise reading.error(f"it cannot be read as Parquet: {' '.join(str(error).split())[:200]}") from None
    names = [name.strip() for name in table.column_names]
    check_header_names(reading, names, "")
    # pandas stores how to restore its index in the metadata. An index is no feature: the metadata is ignored, and index
    # columns, which pandas names __index_level_0__ and so on, are dropped.
    frame = table.rename_columns(names).to_pandas(ignore_metadata=True)
    return frame.drop(columns=[name for name in names if name.startswith("__index_level_")])


def _read_json(reading: Reading) -> pd.DataFrame:
    frame = read_json_lines(reading)
    names = [str(name).strip() for name in frame.columns]
    check_header_names(reading, names, "")
    frame.columns = pd.Index(names)
    texts = [*MISSING_TEXTS, *reading.missing_values]
    for name in names:
        missing = frame[name].map(str, na_action="ignore").isin(texts)
        if missing.any():
            frame[name] = frame[name].mask(missing).infer_objects()
    return frame


def _read_csv(reading: Reading, header: list[str]) -> pd.DataFrame:
    try:
        with open_text(reading) as file:
            # A plain file is read fastest by its path.
            by_path = not reading.above and not is_packed(reading.path)
            frame = pd.read_csv(
                reading.path if by_path else file,
                sep=reading.sep,
                decimal=reading.decimal,
                encoding=reading.encoding if by_path else file.encoding,
                na_values=list(reading.missing_values),
                skipinitialspace=True,
                # Infer each column's type from the whole file, not piece by piece.
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UsageError(broken_record(reading, header, error)) from None
    # With one field more than names in every row, pandas silently takes the first column for an index.
    if not isinstance(frame.index, pd.RangeIndex) or frame.shape[1] != len(header):
        raise UsageError(broken_record(reading, header, None))
    frame.columns = pd.Index(header)
    # pandas fills a row that ends early with missing values. Its last cell is then missing, so the slow check of all
    # rows is only needed in that case.
    if frame.iloc[:, -1].isna().any() and len(header) > 1:
        check_short_records(reading, header)
    return frame


def leading_zeros(table: Table, names: list[str]) -> dict[str, str]:
    """Return the columns of whole numbers that have leading zeros in the file, each with an example.

    Only text has them, and only where a fast pass finds some are the columns read again as texts.
    """
    reading, frame = table.reading, table.frame
    taken = [name for name in names if name not in table.readings and frame[name].dtype.kind in "iuf"]
    whole = [name for name in taken if (frame[name].dropna() % 1 == 0).all()]
    if reading.is_parquet or reading.is_json or not whole or not has_leading_zero(reading):
        return {}
    with open_text(reading) as file:
        places = [list(frame.columns).index(name) for name in whole]
        texts = pd.read_csv(
            file, sep=reading.sep, encoding=file.encoding, skipinitialspace=True, dtype=str, usecols=places
        )
    found = {}
    for name, column in zip(sorted(whole, key=list(frame.columns).index), texts.columns, strict=True):
        zeros = [text for text in texts[column].dropna().unique() if re.fullmatch(r"[+-]?0\d+", text.strip())]
        if zeros:
            found[name] = zeros[0].strip()
    return found
