"""``lossbench-list sweeps``: the sweeps of ``multirun/`` with their size, date and state."""

import time
from pathlib import Path

from lossbench.config.paths import home, shown
from lossbench.console.text_tables import text_table
from lossbench.ground.errors import UsageError
from lossbench.ground.leases import FOLDER as LEASES
from lossbench.jobs.sharing import is_at_work
from lossbench.planning.known_sweeps import folders_of
from lossbench.planning.plan import Plan, read_plan
from lossbench.results.cells import CellResults, read_results
from lossbench.results.damage import check_files
from lossbench.results.part_files import DIVERGED, FAILED

STUCK = "stuck"
UNITS = ("B", "kB", "MB", "GB", "TB")


def lines() -> list[str]:
    """Return a table of all sweeps, the newest first."""
    folders = by_date()
    if not folders:
        return [f"there is no sweep in {shown(home() / 'multirun')} yet."]
    rows = [[folder.name, size(n_bytes(folder)), date(folder), state(folder)] for folder in folders]
    return [*text_table([["sweep", "on disk", "date", "state"], *rows], left=1), "", "lossbench-remove removes one"]


def summaries(names: list[str]) -> list[str]:
    """Return what each of these sweeps said at its end: tables, what went wrong, and answers.

    Raises
    ------
    UsageError
        If there is no such sweep, or its files are damaged.
    """
    from lossbench.console.summary import summary_lines

    found = []
    for folder in folders_of(names):
        plan = read_plan(folder)
        check_files(plan)
        results = read_results(plan)
        found += [f"{plan.name}: {_state_of(plan, results)}", *summary_lines(plan, results), ""]
    return found[:-1]


def by_date() -> list[Path]:
    """Return the folders of all sweeps, the newest first."""
    return sorted(sweep_folders(), key=_moment, reverse=True)


def sweep_folders() -> list[Path]:
    """Return the folders of ``multirun/`` that a sweep has made, those without a plan too."""
    marks = ("plan.json", LEASES)
    found = (home() / "multirun").glob("*/")
    return [path for path in found if path.is_dir() and any((path / mark).exists() for mark in marks)]


def state(folder: Path) -> str:
    """Return how many of a sweep's runs are finished and how many of these failed, or why that is not known."""
    if not (folder / "plan.json").exists():
        return "no plan.json: its command writes it anew"
    try:
        plan = read_plan(folder)
    except UsageError:
        return "damaged plan.json: its command writes it anew"
    return _state_of(plan, read_results(plan))


def _state_of(plan: Plan, results: list[CellResults]) -> str:
    runs = [run for result in results for run in result.runs]
    words = [f"{len(runs)} of {plan.n_runs} runs"]
    for word in (FAILED, DIVERGED, STUCK):
        n = sum(run.info.stuck if word == STUCK else run.info.status == word for run in runs)
        words += [f"{n} {word}"] if n else []
    words += ["at work"] if is_at_work(plan.folder) else []
    return ", ".join(words)


def n_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder and in those below it."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def size(number: float) -> str:
    """Return a number of bytes in a unit that leaves at most three digits before the point."""
    for unit in UNITS:
        if number < 999.5 or unit == UNITS[-1]:
            break
        number /= 1000
    return f"{number:.3g} {unit}"


def _moment(folder: Path) -> float:
    path = folder / "plan.json"
    return (path if path.exists() else folder).stat().st_mtime


def date(folder: Path) -> str:
    """Return when a sweep was last planned, to the minute, in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(_moment(folder)))
