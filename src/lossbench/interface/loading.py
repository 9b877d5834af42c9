"""Loads the results of a sweep by its name or its folder."""

from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path

from lossbench.ground.errors import Problem, UsageError
from lossbench.interface.sweep_results import Sweep
from lossbench.planning.known_sweeps import folders_of
from lossbench.planning.plan import Plan, read_plan
from lossbench.results.damage import check_files


@dataclass(frozen=True, kw_only=True)
class PlanInFolder(Plan):
    """A plan whose results lie in a folder of any place and name."""

    place: Path

    @property
    def folder(self) -> Path:
        """The folder of its results."""
        return self.place


def load(sweep: str | PathLike[str]) -> Sweep:
    """Return the results of a sweep.

    Parameters
    ----------
    sweep : str or path
        Its name (a folder of ``multirun/`` in ``LOSSBENCH_HOME`` or the working directory), or the path of its folder.

    Raises
    ------
    UsageError
        If there is no such sweep, with the most similar name; if its files are damaged, with what makes them again.

    Examples
    --------
    >>> import lossbench
    >>> sweep = lossbench.load("tutorial")  # doctest: +SKIP
    >>> sweep.comparison.query("metric == 'accuracy'")[["dataset", "loss", "mean", "verdict"]]  # doctest: +SKIP
    """
    folder = _folder(sweep)
    read = read_plan(folder)
    plan = PlanInFolder(**{field.name: getattr(read, field.name) for field in fields(Plan)}, place=folder)
    check_files(plan)
    return Sweep(plan)


def _folder(sweep: str | PathLike[str]) -> Path:
    """Return the folder of a sweep; what has a slash, or is a path, is one."""
    given = Path(sweep)
    if isinstance(sweep, str) and len(given.parts) == 1 and not (given / "plan.json").exists():
        return folders_of([sweep])[0]
    if not (given / "plan.json").exists():
        hint = "a sweep's folder lies in multirun/; its name alone does too, such as load('tutorial')."
        raise UsageError(Problem(f"there is no sweep in {given}.", hint))
    return given.absolute()
