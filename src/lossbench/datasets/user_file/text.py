"""Checks a text file that should be a table: its encoding, its header, its separator and the width of its rows.

pandas reads many broken files without an error. The checks here find such defects and report their line, counted from 1
with the header. Intact files are scanned in fast passes; only if something is wrong does the slow csv module go
through all rows to count lines.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from itertools import chain, islice

from lossbench.datasets.user_file.opening import FIRST_ROWS, Reading, open_bytes, open_text
from lossbench.ground.control_characters import control_character
from lossbench.ground.errors import Problem, UsageError

# Usual separators, each as it is typed on the command line.
SEPARATORS = {",": ",", ";": "';'", "\t": "tab", "|": "'|'", " ": "' '"}
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Files are scanned in pieces of 4 MiB, so that memory does not grow with them.
CHUNK = 1 << 22


def check_text(reading: Reading, start: bytes) -> None:
    """Check the bytes of a text file, of which ``start`` are the first.

    Raises
    ------
    UsageError
        If the encoding is unknown or does not decode the file, or if the file contains a NUL byte.
    """
    try:
        "".encode(reading.encoding)
    except LookupError:
        hint = "utf-8, utf-16, cp1252 and latin-1 are usual."
        raise UsageError(Problem(f"dataset.encoding={reading.encoding} is not known.", hint)) from None
    by_mark = next((name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)), None)
    if by_mark and not reading.encoding.lower().startswith("utf-16"):
        raise reading.error(
            f"it is not written in {reading.encoding} but in UTF-16.", f"dataset.encoding={by_mark}", place="line 1"
        )
    bad_line = _undecodable_line(reading, reading.encoding)
    if bad_line:
        fits = next(
            (name for name in ("utf-8", "cp1252", "latin-1") if not _undecodable_line(reading, name)), "latin-1"
        )
        said = f"these bytes are not written in {reading.encoding}."
        raise reading.error(said, f"{fits} reads the file: dataset.encoding={fits}", place=f"line {bad_line}")
    n_lines = 1
    # UTF-16 and UTF-32 encode ordinary characters with NUL bytes.
    wide = reading.encoding.lower().startswith(("utf-16", "utf_16", "utf-32", "utf_32"))
    for chunk in _chunks(reading):
        at = -1 if wide else chunk.find(b"\0")
        if at >= 0:
            line = n_lines + chunk.count(b"\n", 0, at)
            hint = "the file is damaged or no text; `tr -d '\\000'` takes such bytes out."
            raise reading.error("there is a NUL byte.", hint, place=f"line {line}")
        n_lines += chunk.count(b"\n")


def _undecodable_line(reading: Reading, encoding: str) -> int:
    """Return the number of the first line that an encoding cannot decode, or 0."""
    decoder, n_lines = codecs.getincrementaldecoder(encoding)(), 1
    for chunk in chain(_chunks(reading), [b""]):
        # Incremental: a character may be divided between two pieces. The empty last piece ends the text.
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            return n_lines + chunk.count(b"\n", 0, max(0, getattr(error, "start", 0)))
        n_lines += chunk.count(b"\n")
    return 0


def _chunks(reading: Reading) -> Iterator[bytes]:
    with open_bytes(reading) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def has_leading_zero(reading: Reading) -> bool:
    """Return whether a field may be a whole number with a leading zero, such as ``01003``."""
    sep = re.escape(reading.sep)
    zero = re.compile(rf'(^|[{sep}"\s])0\d+(?=["\s{sep}]|$)')
    with open_text(reading) as file:
        # A field that two pieces share may be missed; a column with such fields has more of them.
        return any(zero.search(piece) for piece in iter(lambda: file.read(CHUNK), ""))


def records(reading: Reading, sep: str = "") -> Iterator[tuple[int, list[str]]]:
    """Yield the records that pandas sees, each as the line where it begins and its fields; skip blank lines."""
    # An unclosed quote turns the rest of the file into one field, which may exceed the csv module's limit of 128 KiB.
    csv.field_size_limit(1 << 40)
    with open_text(reading) as file:
        reader = csv.reader(file, delimiter=sep or reading.sep, skipinitialspace=True)
        line = above = len(reading.above)
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                yield line + 1, row
            line = reader.line_num + above


def check_header(reading: Reading, rows: list[list[str]]) -> list[str]:
    """Return the column names of a file, from its first records.

    Raises
    ------
    UsageError
        If there is no header, no row, a wrong separator, or fewer names than fields.
    """
    if not rows:
        raise reading.error("the file is empty.", "its first line must name the columns.")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    _check_separator(reading, header, body)
    if all(_reads_as_number(name, reading.decimal) for name in header):
        said = f"there is no header: the first line is all numbers ({', '.join(header[:3])}, …)."
        raise reading.error(said, "name the columns in a line before it.", place=reading.top)
    if not body:
        raise reading.error("there are no rows below the header.")
    extra = min(len(row) for row in body) - len(header)
    if extra > 1 and len(header) == 1:
        said = f"the first line is no header: it has 1 field, the rows have {len(header) + extra}."
        raise reading.error(said, "take out what stands above the header.", place=reading.top)
    if extra > 0:
        ends_empty = all(not row[-1].strip() for row in body)
        why = "rows end in a separator" if ends_empty else "the header lacks a name, perhaps that of an index"
        said = f"every row has {len(header) + extra} fields, the header has {len(header)}: {why}."
        raise reading.error(said, "give the header a name for each field.", place=reading.top)
    check_header_names(reading, header, reading.top)
    return [name or f"Unnamed: {i}" for i, name in enumerate(header)]


def hint_of_control(reading: Reading, control: str, otherwise: str) -> str:
    """Return the hint for a control character in a file: of Windows' signs, read as latin-1, another encoding."""
    # Where cp1252 has signs such as the euro's, latin-1 has these control characters.
    is_latin = codecs.lookup(reading.encoding).name == "iso8859-1"
    return "dataset.encoding=cp1252 may be what it is written in." if is_latin and control >= "\\x80" else otherwise


def check_header_names(reading: Reading, names: list[str], place: str) -> None:
    """Raise UsageError if two columns have the same name, or one a control character; empty names may repeat."""
    for number, name in enumerate(names, start=1):
        if control := control_character(name):
            said = f"the name of column {number}, {name!a}, has the control character {control}."
            raise reading.error(said, hint_of_control(reading, control, "rename the column in the file."), place=place)
    named = [name for name in names if name]
    double = next((name for name in named if named.count(name) > 1), None)
    if double is not None:
        at = " and ".join(str(i + 1) for i, name in enumerate(names) if name == double)
        raise reading.error(
            f"the column name {double!r} is there more than once (columns {at}).",
            "rename all but one.",
            place=place,
        )


def _check_separator(reading: Reading, header: list[str], body: list[list[str]]) -> None:
    """Raise UsageError if another separator divides all of the first records into more columns, equally many."""
    if len(header) > 1 and len({len(row) for row in (header, *body)}) == 1:
        return
    for sep, word in SEPARATORS.items():
        if sep == reading.sep:
            continue
        rows = [row for _, row in islice(records(reading, sep), FIRST_ROWS)]
        widths = {len(row) for row in rows}
        if len(widths) == 1 and widths.pop() > len(header):
            cells = [cell for row in rows[1:] for cell in row]
            comma = sep != "," and reading.decimal == "." and _have_decimal(cells, ",")
            found = f"dataset.sep={word}" + (" and dataset.decimal=','" if comma else "")
            quoted = " and ".join(f'"{part}"' if "'" in part else part for part in found.split(" and "))
            said = f"dataset.sep={SEPARATORS.get(reading.sep, reading.sep)} does not separate its columns"
            more = "; numbers have a decimal comma" if comma else ""
            raise reading.error(f"{said}, {word} does{more}.", quoted.replace(" and ", " "), place=reading.top)


def _have_decimal(cells: list[str], decimal: str) -> bool:
    """Return whether all texts with this decimal sign are numbers, and there are some."""
    other = "." if decimal == "," else ","
    signed = [cell for cell in cells if decimal in cell]
    return bool(signed) and all(_reads_as_number(cell, decimal) and other not in cell for cell in signed)


def _reads_as_number(text: str, decimal: str = ".") -> bool:
    """Return whether a text is a finite number; float() alone also accepts 1_000, nan and inf."""
    try:
        float(text.replace(decimal, "."))
    except ValueError:
        return False
    return "_" not in text and text.strip().lower() not in ("nan", "inf", "infinity")


def check_short_records(reading: Reading, header: list[str]) -> None:
    """Raise UsageError if a record has too few fields: pandas would fill it with missing values."""
    for line, row in records(reading):
        if len(row) < len(header):
            raise UsageError(_wrong_width(reading, header, line, row))


def broken_record(reading: Reading, header: list[str], error: Exception | None) -> Problem:
    """Return the problem of a file that pandas could not divide into rows, found by going through its records."""
    line, row = 1, header
    for line, row in records(reading):
        if len(row) > len(header):
            return _wrong_width(reading, header, line, row)
    if error is not None and "EOF inside string" in str(error):
        return open_quote(reading, f"line {line}")
    return reading.problem(f"it cannot be read: {' '.join(str(error).split())}")


def _wrong_width(reading: Reading, header: list[str], line: int, row: list[str]) -> Problem:
    """Return the problem of a record with too many or too few fields; a field over several lines is an open quote."""
    if any("\n" in cell for cell in row):
        return open_quote(reading, f"line {line}")
    if row[0].startswith("#") and len(row) < len(header):
        said = "this line begins with '#': a comment among the rows, which is not passed over."
        return reading.problem(said, f"grep -v '^#' {reading.name} > clean.csv", place=f"line {line}")
    longer = "a field that contains the separator stands in quotes."
    hint = longer if len(row) > len(header) else "empty fields at the end of a row need their separators too."
    n_fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
    return reading.problem(f"this row has {n_fields}, the header has {len(header)}.", hint, place=f"line {line}")


def open_quote(reading: Reading, place: str) -> Problem:
    """Return the problem of a quote that is not closed, so that its field includes the lines after it."""
    said = "a quote is opened here that is not closed in its row."
    return reading.problem(said, 'a quote within a text in quotes is written twice: "5"" disk".', place)
