"""What can go wrong before anything trains, and how it is said."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

# How a command ends.
SUCCESS, SOME_FAILED, USAGE, NOT_THERE, INTERRUPTED = 0, 1, 2, 3, 130


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what must hold and what was got, and what to do next."""

    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"error: {self.message}" + (f"\n  hint: {self.hint}" if self.hint else "")


class UsageError(Exception):
    """All that is wrong with what the user asked for; exit status 2."""

    exit_status = USAGE

    def __init__(self, *problems: Problem):
        super().__init__("\n".join(str(problem) for problem in dict.fromkeys(problems)))
        self.problems = problems


class MissingEnvironmentError(UsageError):
    """Something around the program is not there: a launcher, a server, a store; exit status 3."""

    exit_status = NOT_THERE


def unknown(what: str, name: str, known: Iterable[str], *, also: Iterable[str] = (), more: str = "") -> Problem:
    """Describe a name that does not exist, with the nearest one that does (``also``: names not worth listing)."""
    known = list(known)
    near = difflib.get_close_matches(name, [*known, *also], n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none'}."
    return Problem(f"unknown {what} {name!r}.", f"{hint} {more}".strip())
