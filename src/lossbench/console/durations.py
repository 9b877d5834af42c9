"""The seconds that each part of a sweep took, for its last lines."""

import textwrap
import time
from collections.abc import Mapping

from lossbench.console.text_tables import WIDTH
from lossbench.ground.process_start import STARTED

# The parts in the order in which they are said.
PLANNING, STARTING, COMPILING, TUNING, TRAINING = "planning", "starting", "compiling", "tuning", "training"
YARDSTICKS, REPORT, TRACKING = "yardsticks", "report", "tracking"
PARTS = (PLANNING, STARTING, COMPILING, TUNING, TRAINING, YARDSTICKS, REPORT, TRACKING)
# A part that took less is not worth a word.
LEAST_SECONDS = 0.05


class Durations:
    """Seconds by the clock on the wall: a part in which two trainings went on at the same time counts once.

    Attributes
    ----------
    trained : float or None
        When the trainings that were watched had ended, by the monotonic clock; None if there were none.
    """

    def __init__(self) -> None:
        self.trained: float | None = None
        self._seconds = dict.fromkeys(PARTS, 0.0)

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add seconds to parts."""
        for part, more in seconds.items():
            self._seconds[part] += more

    def note_planned(self) -> None:
        """Take the time since the process began for planning."""
        self.add({PLANNING: time.monotonic() - STARTED})

    def note_trained(self, seconds: Mapping[str, float]) -> None:
        """Add the parts of the trainings that were watched, which have ended."""
        self.trained = time.monotonic()
        self.add(seconds)

    def note_collected(self, began: float, report: float, tracking: float) -> None:
        """Add the time of what follows the trainings that were watched.

        Parameters
        ----------
        began : float
            When results began to be collected, by the monotonic clock. Networks were trained on all rows until then.
        report, tracking : float
            Seconds for the report with its tables, and until MLflow was written.
        """
        if self.trained is not None:
            self.add({TRAINING: began - self.trained, REPORT: report, TRACKING: tracking})

    def lines(self) -> list[str]:
        """Return what is said of the parts, and of the time since the process began; nothing if nothing was trained."""
        if self.trained is None:
            return []
        said = [f"{part} {duration(took)}" for part, took in self._seconds.items() if took >= LEAST_SECONDS]
        text = f"took {duration(time.monotonic() - STARTED)}: {', '.join(said)}"
        return textwrap.wrap(text, WIDTH, subsequent_indent="  ")


def duration(seconds: float) -> str:
    """Return a duration in words: two units at most."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    whole = round(seconds)
    place = next(i for i, (_, size) in enumerate(units) if whole >= size)
    (large, size), (small, part) = units[place : place + 2]
    rest = whole % size // part
    return f"{whole // size} {large}" + (f" {rest} {small}" if rest else "")
