"""How far the trainings of a sweep are, in words: trials and folds are counted apart from runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from lossbench.console.durations import duration


@dataclass(frozen=True)
class Count:
    """How many of something there are, and how many of them have ended."""

    done: int
    all: int

    def __str__(self) -> str:
        return f"{self.done}/{self.all}"


def progress_text(counts: Mapping[str, Count], left: float | None) -> str:
    """Return the text beside the bar; what there is none of is not named.

    Parameters
    ----------
    counts : mapping
        By what is counted: ``trials``, ``runs``, ``folds``, ``yardsticks``.
    left : float or None
        The estimated seconds until all have ended; None if that is not known yet.
    """
    said = [f"{what} {count}" for what, count in counts.items() if count.all]
    return ", ".join([*said, *([] if left is None else [f"about {_rounded(left)} left"])])


def _rounded(seconds: float) -> str:
    """Return a duration as exactly as an estimate is: two digits."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    step = next(step for limit, step in ((60, 5), (600, 10), (3600, 60), (float("inf"), 600)) if seconds < limit)
    return duration(step * round(seconds / step)).replace(".0 s", " s")
