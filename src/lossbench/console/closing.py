"""The last lines of a sweep: the missing and failed runs, and the paths of table and report."""

from collections.abc import Sequence
from pathlib import Path

from lossbench.config.paths import shown
from lossbench.planning.plan import Plan
from lossbench.results.cells import CellResults
from lossbench.results.part_files import FAILED


def n_missing(plan: Plan, results: list[CellResults]) -> int:
    """Return the number of the plan's runs that are not on disk."""
    return plan.n_runs - sum(len(result.runs) for result in results)


def n_failed(results: list[CellResults]) -> int:
    """Return the number of failed runs."""
    return sum(result.count(FAILED) for result in results)


def last_lines(
    plan: Plan, results: list[CellResults], path: Path, untracked: str, took: Sequence[str] = ()
) -> list[str]:
    """Return the last lines of a sweep.

    Parameters
    ----------
    path : Path
        The path of ``results.csv``.
    untracked : str
        Why MLflow could not be written, with a hint below it if there is another way out than to send it later; '' if
        it was.
    took : sequence of str
        What is said of how long the parts of the sweep took.
    """
    lines = [""]
    missing, failed = n_missing(plan, results), n_failed(results)
    if missing:
        lines.append(f"{missing} runs are missing (see the logs in {shown(plan.folder)}); the same command runs them.")
    lacked_room = sum(run.info.lacked_room for result in results for run in result.runs)
    if lacked_room:
        lines.append(f"{lacked_room} runs failed for want of room; the same command runs them again.")
    if failed > lacked_room:
        lines.append(f"{failed - lacked_room} runs failed; add rerun=failed to run them again.")
    if untracked:
        said, _, hint = untracked.partition("\n  hint: ")
        lines.append(f"MLflow could not be written: {said}")
        lines.append(f"  hint: nothing is lost; {hint or 'lossbench-sync sends it.'}")
    lines += [*took, f"results: {shown(path)}"]
    if (plan.folder / "report.html").exists():
        lines.append(f"report: {shown(plan.folder / 'report.html')}")
    if plan.tracking.enabled and not untracked:
        lines.append(f"browse them in MLflow: {'make ui' if Path('Makefile').exists() else 'lossbench-ui'}")
    return lines
