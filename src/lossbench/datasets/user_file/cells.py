"""Reads cells that hold more than a number or a text: percent and currency signs, thousands separators, outer blanks.

A column is read otherwise than it is written only if each of its cells fits the same form. How a column is read is said
by a word, which is kept with the facts about the file: ``text`` (blanks around the texts are taken off), or ``number``
and the characters that are taken out of each cell first, such as ``number %`` and ``number $,``.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lossbench.datasets.user_file.opening import Reading

CURRENCIES = "$€£¥₹₽₩₺₴₫₪"
# Besides the blank: a tab, and the blanks of typography that separate thousands.
BLANKS = " \t\u00a0\u2009\u202f"
TEXT, NUMBER = "text", "number"
# The texts that pandas takes for missing values when it reads CSV.
MISSING_TEXTS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
# A number with any sign around it and any separator in it, to tell columns of numbers from columns of text.
LOOSE_NUMBER = re.compile(
    rf"[+-]?[{CURRENCIES}]?\s?[+-]?(\d{{1,3}}([,.'’{BLANKS}]\d{{3}})+([.,]\d+)?|\d+([.,]\d*)?|[.,]\d+)\s?[%{CURRENCIES}]?"
)


@dataclass(frozen=True)
class Form:
    """How the numbers of a column are written.

    Attributes
    ----------
    pattern : str
        The regular expression that each cell fits, without outer blanks.
    taken_out : str
        The characters that are taken out before a cell is read as a number; blanks always are.
    decimal : str
        The decimal sign.
    """

    pattern: str
    taken_out: str
    decimal: str

    def number(self, text: str) -> str:
        """Return a cell as a plain number, with a point as its decimal sign."""
        return text.translate({ord(sign): None for sign in self.taken_out + BLANKS}).replace(self.decimal, ".")


def form_of(taken_out: str, decimal: str) -> Form:
    """Return the form of numbers with these characters: a percent or currency sign, a separator of thousands."""
    affix = next((sign for sign in taken_out if sign == "%" or sign in CURRENCIES), "")
    thousands = next((sign for sign in taken_out if sign != affix), "")
    point = re.escape(decimal)
    if thousands:
        separator = f"[{BLANKS}]" if thousands in BLANKS else re.escape(thousands)
        number = rf"\d{{1,3}}({separator}\d{{3}})*({point}\d+)?"
    else:
        number = rf"(\d+({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"
    pattern = rf"[+-]?{number}"
    if affix == "%":
        pattern += r"\s?%"
    elif affix:
        sign = re.escape(affix)
        pattern = rf"([+-]?{sign}\s?{number}|{sign}\s?[+-]{number}|[+-]?{number}\s?{sign})"
    return Form(pattern, taken_out, decimal)


def interpreted(frame: pd.DataFrame, reading: Reading) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a table with its columns read, and how those columns are read that are not taken as they are."""
    known, found, columns = dict(reading.known or ()), {}, {}
    fractions = _has_fractions(frame)
    for name in map(str, frame.columns):
        # Numbers, dates and mixtures have a type already.
        if pd.api.types.infer_dtype(frame[name], skipna=True) != "string":
            continue
        codes, texts = pd.factorize(frame[name])
        cells = [str(text) for text in texts]
        if reading.known is None:
            how = _how(cells, reading, numbers=name not in reading.as_written, fractions=fractions)
        else:
            how = known.get(name, "")
        if how:
            columns[name], found[name] = _read_as(how, cells, codes, reading), how
    return (frame.assign(**columns) if columns else frame), found


def _has_fractions(frame: pd.DataFrame) -> bool:
    """Return whether a column of numbers has fractions, which shows the file's decimal sign."""
    floats = (frame[name].to_numpy() for name in frame.columns if frame[name].dtype.kind == "f")
    return any(bool((values[np.isfinite(values)] % 1 != 0).any()) for values in floats)


def _how(cells: list[str], reading: Reading, *, numbers: bool, fractions: bool) -> str:
    """Return how the different texts of a column are read, or '' if they are taken as they are."""
    trimmed = [cell.strip(BLANKS) for cell in cells]
    has_blanks = trimmed != cells
    present = [cell for cell in trimmed if not _means_missing(cell, reading)]
    if numbers and present and (taken_out := _taken_out(present, reading, fractions)) is not None:
        return f"{NUMBER} {taken_out}".strip() if taken_out or has_blanks else ""
    return TEXT if has_blanks else ""


def _means_missing(cell: str, reading: Reading) -> bool:
    return cell in MISSING_TEXTS or cell in reading.missing_values


def _taken_out(cells: list[str], reading: Reading, fractions: bool) -> str | None:
    """Return the signs to take out of each of a column's cells to get a number; None if they are no numbers."""
    first, decimal = cells[0], reading.decimal
    affix = next((sign for sign in first if sign == "%" or sign in CURRENCIES), "")
    plain = form_of(affix, decimal)
    if _all_fit(plain, cells):
        return affix
    for thousands in (".", ",")[decimal == "."], "'", "’", " ":
        form = form_of(affix + thousands, decimal)
        if thousands != decimal and _all_fit(form, cells):
            return affix + thousands if _is_evident(thousands, cells, reading, fractions) else None
    return None


def _all_fit(form: Form, cells: list[str]) -> bool:
    fits = re.compile(form.pattern).fullmatch
    return all(fits(cell) for cell in cells)


def _is_evident(thousands: str, cells: list[str], reading: Reading, fractions: bool) -> bool:
    """Return whether a comma or a point between thousands cannot be a decimal sign with three digits after it.

    It cannot where a cell has two of them or the decimal sign as well, where other columns show the decimal sign, or
    where the comma separates the columns too.
    """
    if thousands not in ",." or fractions or thousands == reading.sep:
        return True
    return any(cell.count(thousands) > 1 or (reading.decimal in cell) for cell in cells)


def _read_as(how: str, cells: list[str], codes: np.ndarray, reading: Reading) -> pd.Series:
    """Return a column whose different texts are read in the given way."""
    kind, _, taken_out = how.partition(" ")
    trimmed = [cell.strip(BLANKS) for cell in cells]
    missing = np.array([_means_missing(cell, reading) for cell in trimmed], bool)
    if kind == TEXT:
        values = pd.Series(trimmed, dtype=object).mask(missing, None)
        return pd.Series(values.to_numpy()[codes], dtype=object).mask(codes < 0, None)
    form = form_of(taken_out, reading.decimal)
    numbers = pd.to_numeric(pd.Series([form.number(cell) for cell in trimmed], dtype=object).mask(missing, None))
    column = pd.Series(numbers.to_numpy()[codes])
    return column if (codes >= 0).all() else column.mask(codes < 0)
