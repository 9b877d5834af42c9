"""Decides what of a task is tried again, and what has failed, when its worker dies or stands still."""

import logging
import time
from collections import Counter

from lossbench.jobs.worker.process import DiedError
from lossbench.jobs.worker.tasks import AHEAD, PREPARATION, STUDY, Task

log = logging.getLogger(__name__)

# So many parts of a task have failed in the same way: the others are not tried.
MOST_ALIKE = 3


class Attempts:
    """The attempts at a task: all its parts together at first, one by one after the worker has died.

    Attributes
    ----------
    left : list of str
        The parts that are still to be trained.
    alone : bool
        Whether nothing is trained beside a part, so that it is to blame if the worker dies.
    """

    def __init__(self, task: Task, timeout: float | None):
        self.task, self.timeout = task, timeout
        self.left = list(task.paths)
        self.alone = len(self.left) == 1 and not task.has_study
        self._started = time.time()
        self._n_deaths: Counter[str] = Counter()
        self._n_alike: Counter[str] = Counter()

    @property
    def next(self) -> list[str]:
        """The parts of the next attempt."""
        return self.left[:1] if self.alone else self.left

    def ended(self) -> None:
        """Note that the attempt came to its end."""
        self.left = self.left[len(self.next) :]

    def died(self, error: DiedError, doing: dict[str, float]) -> None:
        """Note that the worker died while it was at work on something, and record as failed what was to blame.

        What was alone in it is to blame; after a signal from outside, only the second time.
        """
        log.error("the process ended with %s while at work on %s", error, ", ".join(doing) or "nothing")
        tried = self.next[0]
        self._drop_finished()
        was_alone, self.alone = self.alone and AHEAD not in doing, True
        if not was_alone or tried not in self.left:
            return
        reason = f"the process ended with {error}"
        to_blame = STUDY if STUDY in doing else tried
        self._n_deaths[to_blame] += 1
        if self._n_deaths[to_blame] < (2 if error.is_from_outside else 1):
            return
        if to_blame == STUDY:
            self._fail(self.left, f"{reason} while searching the learning rate; see the log")
        else:
            self._fail([tried], f"{reason} while training {tried}; see the log")
            self._give_up_after(reason)

    def late(self, doing: dict[str, float]) -> list[str]:
        """Return what has been at work for longer than the timeout: a training, or its preparation."""
        if self.timeout is None:
            return []
        now = time.monotonic()
        return [what for what, began in doing.items() if what not in (STUDY, AHEAD) and now - began > self.timeout]

    def stood_still(self, late: list[str], doing: dict[str, float]) -> None:
        """Record as failed what has been at work for too long."""
        self._drop_finished()
        reason = f"no end after {self.timeout:g} s (timeout)"
        log.error("%s: %s", reason, ", ".join(late))
        # What is compiled beside a preparation slows it down; it is tried again without.
        if PREPARATION in late and AHEAD not in doing:
            self._fail(self.left, f"{reason} while the training was prepared and compiled")
        elif any(what.startswith(STUDY) for what in late):
            self._fail(self.left, f"{reason} of a training while searching the learning rate")
        for part in [part for part in self.left if part in late]:
            self._fail([part], reason)
            self._give_up_after(reason)

    def _drop_finished(self) -> None:
        paths = self.task.paths
        self.left = [part for part in self.left if not paths[part].exists()]

    def _give_up_after(self, reason: str) -> None:
        self._n_alike[reason] += 1
        if self._n_alike[reason] == MOST_ALIKE:
            self._fail(self.left, f"not tried: {reason}, as with {MOST_ALIKE} runs before; see the log")

    def _fail(self, parts: list[str], error: str) -> None:
        for part in parts:
            log.error("%s %s failed: %s", self.task.name, part, error)
            self.task.write_failed(part, self._started, error)
        self.left = [part for part in self.left if part not in set(parts)]
