"""Finds what is suspicious about the cells of a user's table. They stay as they are: only the user knows what is meant.

Each suspicion is about one column, or about the number of rows, and says what would change it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from lossbench.config.settings import FileSettings
from lossbench.datasets.user_file.columns import Columns, as_numbers, kind_of, told
from lossbench.datasets.user_file.reading import NAMES_SHOWN, Table, leading_zeros
from lossbench.datasets.user_file.targets import Target

# Numbers that often stand for a missing value.
MARKS = (-99, *(sign * mark for mark in (999, 9999, 99999, 999999) for sign in (-1, 1)))
# Fewer rows are few; with fewer than the second, columns of different whole numbers are common.
FEW_ROWS, ROWS_OF_IDENTIFIERS = 50, 20
MANY_ROWS = 200_000
# Training computes with 7 digits: larger numbers usually differ in later ones, or are codes.
LARGE = 1e12
# A feature with at least this rank correlation, or area under the ROC curve, gives the target away.
GIVES_AWAY = 0.999
# With fewer rows, or rows of a class, that happens by chance.
ROWS_TO_TELL, ROWS_OF_A_CLASS = 10, 5
# Ranks are computed of at most so many rows, taken evenly.
ROWS_RANKED = 20_000
# A text is taken to name the class only if it is there often.
ROWS_OF_A_TEXT = 5


@dataclass(frozen=True)
class Suspicion:
    """What is suspicious about columns (or about the rows: there are none), in a few words and in a sentence."""

    columns: tuple[str, ...]
    words: str
    sentence: str


def find_suspicions(
    table: Table, settings: FileSettings, found: Columns, target: Target, kept: np.ndarray
) -> list[Suspicion]:
    """Return what is suspicious about the used rows and columns: first what changes the answer most."""
    frame = table.frame.loc[kept] if not kept.all() else table.frame
    numbers = [*found.numbers, *(name for name in settings.target if target.values.ndim == 2)]
    values = {name: as_numbers(frame[name]) for name in numbers}
    found_so_far = [
        *_giving_away(frame, settings, found, values, target.values[kept]),
        *_marks(settings, values),
        *_written_with_zeros(table, settings, numbers),
        *_large(settings, values),
    ]
    suspected = {name for each in found_so_far for name in each.columns}
    others = [name for name in found.numbers if name not in suspected]
    return [
        *found_so_far,
        *_different_everywhere(frame, settings, others),
        *_differing_by_case(frame, found),
        *_number_of_rows(len(frame)),
    ]


def _joined(names: Sequence[str]) -> str:
    shown = list(names[:NAMES_SHOWN])
    last = f"{len(names) - len(shown)} more" if len(names) > len(shown) else shown.pop()
    return f"{', '.join(shown)} and {last}" if shown else last


def _giving_away(
    frame: pd.DataFrame, settings: FileSettings, found: Columns, values: dict[str, np.ndarray], y: np.ndarray
) -> Iterator[Suspicion]:
    step = max(1, len(y) // ROWS_RANKED)
    targets = {settings.target[0]: y[::step]} if y.ndim == 1 else dict(zip(settings.target, y[::step].T, strict=True))
    for target, wanted in targets.items():
        closely: dict[str, str] = {}
        for name in (*found.numbers, *found.categories):
            if name in values:
                closely[name] = _by_order(values[name][::step], wanted, classes=y.ndim == 1)
            elif y.ndim == 1:
                closely[name] = _by_text(pd.factorize(frame[name])[0][::step], wanted)
        names = [name for name, how in closely.items() if how]
        if names:
            shown = _joined([f"{name} ({closely[name]})" for name in names])
            each = f"alone gives {target} away" if len(names) == 1 else f"give {target} away, each alone"
            hint = told("leave_out", *settings.leave_out, *names)
            sentence = f"{shown} {each}; if known only with the target: {hint}"
            yield Suspicion(tuple(names), "gives the target away", sentence)


def _by_order(x: np.ndarray, y: np.ndarray, *, classes: bool) -> str:
    """Return how closely the order of a feature is that of the target, in words; '' if not closely."""
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    if len(x) < ROWS_TO_TELL or x.min() == x.max():
        return ""
    ranks = pd.Series(x).rank().to_numpy()
    if not classes and len(np.unique(y)) > 2:
        found = abs(float(np.corrcoef(ranks, pd.Series(y).rank().to_numpy())[0, 1]))
        return f"rank correlation {found:.4f}" if found >= GIVES_AWAY else ""
    different, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(different) < 2 or counts.min() < ROWS_OF_A_CLASS:
        return ""
    order = np.argsort(np.bincount(codes, ranks) / counts)
    areas = [_area(ranks, codes, low, high) for low, high in pairwise(order)]
    return f"AUC {min(areas):.4f}" if min(areas) >= GIVES_AWAY else ""


def _area(ranks: np.ndarray, codes: np.ndarray, low: int, high: int) -> float:
    """Return the area under the ROC curve of a feature for one class against another."""
    two = (codes == low) | (codes == high)
    ordered, is_high = pd.Series(ranks[two]).rank().to_numpy(), codes[two] == high
    n_high, n_low = int(is_high.sum()), int((~is_high).sum())
    return float((ordered[is_high].sum() - n_high * (n_high + 1) / 2) / (n_high * n_low))


def _by_text(codes: np.ndarray, y: np.ndarray) -> str:
    """Return how many rows have the class that most rows of their text have, in words; '' if not nearly all."""
    codes, y = codes[codes >= 0], y[codes >= 0]
    n_texts = len(np.unique(codes))
    if len(y) < max(ROWS_TO_TELL, ROWS_OF_A_TEXT * n_texts) or n_texts < 2:
        return ""
    table = pd.crosstab(codes, y).to_numpy()
    share = float(table.max(axis=1).sum()) / len(y)
    return f"class the same in {share:.1%} of the rows with its text" if share >= GIVES_AWAY else ""


def _marks(settings: FileSettings, values: dict[str, np.ndarray]) -> Iterator[Suspicion]:
    for name, cells in values.items():
        present = cells[~np.isnan(cells)]
        others = present[~np.isin(present, MARKS)]
        if not len(others) or len(others) == len(present) or others.min() == others.max():
            continue
        low, high = others.min(), others.max()
        far = [
            mark
            for mark in np.unique(present[np.isin(present, MARKS)])
            if max(low - mark, mark - high) > high - low or (mark < 0 <= low)
        ]
        if far:
            n, shown = int(np.isin(present, far).sum()), " and ".join(f"{mark:.0f}" for mark in far)
            marks = told("missing_values", *settings.missing_values, *(f"{mark:.0f}" for mark in far))
            missing = "" if settings.missing in ("drop", "impute") else " dataset.missing=impute"
            cells_word = "1 cell" if n == 1 else f"{n} cells"
            sentence = f"{name} has {shown} in {cells_word}, far from its other numbers; if it means a missing value: "
            yield Suspicion((name,), f"{shown}: missing?", sentence + marks + missing)


def _written_with_zeros(table: Table, settings: FileSettings, numbers: list[str]) -> Iterator[Suspicion]:
    for name, example in leading_zeros(table, numbers).items():
        codes = told("categorical", *settings.categorical, name)
        sentence = f"{name} is written with leading zeros ({example}) and read as numbers; if they are codes: {codes}"
        yield Suspicion((name,), f"leading zeros: {example}", sentence)


def _different_everywhere(frame: pd.DataFrame, settings: FileSettings, numbers: list[str]) -> Iterator[Suspicion]:
    if len(frame) < ROWS_OF_IDENTIFIERS:
        return
    names = [name for name in numbers if kind_of(frame[name]) == "integer" and frame[name].is_unique]
    if names:
        hint = told("leave_out", *settings.leave_out, *names)
        have, they = ("has", "it only numbers") if len(names) == 1 else ("have", "they only number")
        sentence = f"{_joined(names)} {have} another whole number in each row; if {they} them: {hint}"
        yield Suspicion(tuple(names), "identifiers?", sentence)


def _large(settings: FileSettings, values: dict[str, np.ndarray]) -> Iterator[Suspicion]:
    for name, cells in values.items():
        largest = np.nanmax(np.abs(cells)) if not np.isnan(cells).all() else 0.0
        if largest > LARGE:
            other = f", or {told('leave_out', *settings.leave_out, name)}" if name not in settings.target else ""
            sentence = f"{name} has numbers up to {largest:.1e}, and training computes with 7 digits: write it in a "
            yield Suspicion((name,), "very large numbers", f"{sentence}larger unit{other}")


def _differing_by_case(frame: pd.DataFrame, found: Columns) -> Iterator[Suspicion]:
    for name in found.categories:
        texts = [str(text) for text in frame[name].dropna().unique()]
        first: dict[str, str] = {}
        both = next(((one, text) for text in texts if (one := first.setdefault(text.casefold(), text)) != text), None)
        if both:
            sentence = f"{name} has {both[0]!r} and {both[1]!r}, which differ by upper and lower case alone"
            yield Suspicion((name,), "upper and lower case", sentence)


def _number_of_rows(n_rows: int) -> Iterator[Suspicion]:
    if n_rows < FEW_ROWS:
        yield Suspicion((), "", f"only {n_rows} rows: they can hardly tell one loss from another")
    if n_rows >= MANY_ROWS:
        said = f"{n_rows} rows, of which each run takes its training rows in each epoch"
        yield Suspicion((), "", f"{said}: seeds=1 epochs=1 shows how long one takes")
