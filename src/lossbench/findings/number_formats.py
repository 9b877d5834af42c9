"""Formats numbers and lists for sentences and tables."""

import math

# Metrics between 0 and 1 whose differences are read in percentage points.
IN_POINTS = ("accuracy", "balanced_accuracy", "rounded_accuracy", "subset_accuracy")


def number(value: float) -> str:
    """Format a value with three decimals; from 1000 with none; very small or large ones in scientific notation."""
    if not math.isfinite(value):
        return "-"
    if 1e3 <= abs(value) < 1e7:
        return f"{value:.0f}"
    return f"{value:.3f}" if value == 0 or 5e-4 <= abs(value) < 1e3 else f"{value:.2e}"


def spread(value: float, mean: float) -> str:
    """Format the half width of an interval to the decimals of its mean, with a fourth one if it would read as 0.000."""
    if 1e3 <= abs(mean) < 1e7 and value >= 1:
        return f"{value:.0f}"
    return f"{value:.4f}" if 5e-5 <= value < 5e-4 else number(value)


def size(metric: str, value: float) -> str:
    """Format the size of a difference without its sign: accuracy in percentage points, other metrics in their unit."""
    return f"{100 * abs(value):.1f} points" if metric in IN_POINTS else number(abs(value))


def ends(metric: str, low: float, high: float) -> str:
    """Format the ends of an interval of differences, ``0.6 to 1.2``."""
    if metric in IN_POINTS:
        return f"{_plain(100 * low, 1)} to {_plain(100 * high, 1)}"
    places = decimals(low, high)
    return f"{number(low)} to {number(high)}" if places is None else f"{_plain(low, places)} to {_plain(high, places)}"


def decimals(low: float, high: float) -> int | None:
    """Return how many decimals the ends of an interval need; None if they need scientific notation.

    With so many decimals the two ends read differently, and an end that is not 0 does not read as 0.
    """
    most = max(abs(low), abs(high))
    if most < 5e-4 or most >= 1e7:
        return None
    least = 0 if most >= 1e3 else 1 if most >= 100 else 3
    if low == high:
        return least

    def reads(places: int) -> bool:
        first, second = f"{low:.{places}f}", f"{high:.{places}f}"
        return first != second and (low == 0 or float(first) != 0) and (high == 0 or float(second) != 0)

    return next((places for places in range(least, 5) if reads(places)), 5)


def _plain(value: float, decimals: int) -> str:
    """Format a number; one that rounds to 0 has no minus sign."""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def joined(names: list[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def counted(n: int, noun: str) -> str:
    """Return ``1 study``, ``3 studies``, ``30 seeds``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun[:-1]}ies" if noun.endswith("y") else f"{n} {noun}s"
