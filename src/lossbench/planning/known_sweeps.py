"""Finds the sweeps in ``multirun/`` by name."""

from pathlib import Path

from lossbench.config.paths import home
from lossbench.ground.errors import Problem, UsageError, unknown


def known_sweeps() -> dict[str, Path]:
    """Return the folders of all sweeps that have a plan, by name.

    Raises
    ------
    UsageError
        If there is no sweep.
    """
    known = {path.parent.name: path.parent for path in sorted((home() / "multirun").glob("*/plan.json"))}
    if not known:
        raise UsageError(Problem(f"there is no sweep in {home() / 'multirun'}.", "is LOSSBENCH_HOME right?"))
    return known


def names_ending_in(digits: str) -> list[str]:
    """Return the names of the sweeps that end in these digits; [] if there is none."""
    return sorted(path.parent.name for path in (home() / "multirun").glob(f"*-{digits}/plan.json"))


def folders_of(names: list[str]) -> list[Path]:
    """Return the folders of the named sweeps.

    Raises
    ------
    UsageError
        With every unknown name.
    """
    known = known_sweeps()
    problems = [unknown("sweep", name, known) for name in names if name not in known]
    if problems:
        raise UsageError(*problems)
    return [known[name] for name in names]


def newest_sweep() -> Path:
    """Return the folder of the most recently planned sweep."""
    return max(known_sweeps().values(), key=lambda folder: (folder / "plan.json").stat().st_mtime)
