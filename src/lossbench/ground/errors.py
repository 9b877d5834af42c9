"""Errors that stop a command before anything trains, their messages, and the exit statuses of all commands."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Exit statuses. 130 is what shells report for a process ended by Ctrl-C (128 + SIGINT).
SUCCESS, SOME_FAILED, USAGE, NOT_THERE, INTERRUPTED = 0, 1, 2, 3, 130


@dataclass(frozen=True)
class Problem:
    """One mistake in the user's input: the rule it breaks and the value given (message), the next step (hint)."""

    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"error: {self.message}" + (f"\n  hint: {self.hint}" if self.hint else "")


class UsageError(Exception):
    """Every mistake found in the user's input, reported together; exit status 2."""

    exit_status = USAGE

    def __init__(self, *problems: Problem):
        # Cells of one sweep often share a mistake: each message is printed once.
        super().__init__("\n".join(str(problem) for problem in dict.fromkeys(problems)))
        self.problems = problems


class MissingEnvironmentError(UsageError):
    """The environment lacks something the command needs: a launcher, a server, a store; exit status 3."""

    exit_status = NOT_THERE


class DamagedFileError(MissingEnvironmentError):
    """A file of ours cannot be read: it was cut off, overwritten, or is of another kind."""

    def __init__(self, path: Path, reason: str, again: str):
        super().__init__(Problem(f"{path} is damaged: {reason}.", again))
        self.path = path

    @classmethod
    def of(cls, errors: list["DamagedFileError"]) -> "DamagedFileError":
        """Return several errors as one, which names the first of the files in ``path``."""
        together = cls(errors[0].path, "", "")
        MissingEnvironmentError.__init__(together, *(problem for error in errors for problem in error.problems))
        return together


def unknown(what: str, name: str, known: Iterable[str], *, also: Iterable[str] = (), more: str = "") -> Problem:
    """Return the problem of an unknown name, with the most similar known name, or all known names, as its hint.

    Parameters
    ----------
    what : str
        The kind of thing named, such as ``loss``.
    name : str
        The unknown name.
    known : iterable of str
        The valid names.
    also : iterable of str
        More valid names, such as aliases: suggested if similar, never listed.
    more : str
        A sentence to end the hint with.
    """
    known = list(known)
    by_lower = {each.lower(): each for each in [*also, *reversed(known)]}
    near = difflib.get_close_matches(name.lower(), list(reversed(by_lower)), n=1, cutoff=0.6)
    hint = f"did you mean {by_lower[near[0]]!r}?" if near else f"there is {', '.join(known) or 'none'}."
    return Problem(f"unknown {what} {name!r}.", f"{hint} {more}".strip())
