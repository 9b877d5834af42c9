"""Formats tables of plain text."""

import numpy as np

from lossbench.comparison import Interval
from lossbench.findings.number_formats import number, spread
from lossbench.results.cells import CellResults

WIDTH = 80


def mean_and_interval(results: CellResults, name: str) -> str:
    """Return the mean and interval of a final metric over the working runs, as ``0.842 ± 0.003``."""
    return value_text(results, name, results.interval(name))


def value_text(results: CellResults, name: str, interval: Interval) -> str:
    """Return a mean over the working runs with its interval; where none works, the mean of the stuck ones, marked."""
    stuck = results.scores(name) if interval.n == 0 else np.zeros(0)
    return f"{number(float(stuck.mean()))} (stuck)" if len(stuck) else interval_text(interval)


def interval_text(interval: Interval) -> str:
    """Return a mean with its interval, as ``0.842 ± 0.003``; ``-`` if there is no value."""
    if interval.n == 0:
        return "-"
    # The half width of equal values is a rounding error of their mean; show it as 0.
    half = interval.half_width if interval.half_width > 1e-12 * abs(interval.mean) else 0.0
    return number(interval.mean) + (f" ± {spread(half, interval.mean)}" if interval.n > 1 else "")


def text_table(rows: list[list[str]], *, left: int, gap: str = "  ") -> list[str]:
    """Return rows of text as aligned lines; the first ``left`` columns are left-aligned, the others right-aligned."""
    # A row with a first column only is a heading: it may be wider than its column.
    full = [row for row in rows if any(row[1:])]
    widths = [max(len(row[i]) for row in full) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(w) if i < left else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(gap.join(cells).rstrip())
    return lines
