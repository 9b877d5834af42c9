"""Finds the open runs of a sweep and prepares its folder; earlier results are moved aside, never deleted."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lossbench.findings.recommendation import saved_cells
from lossbench.ground.errors import MissingEnvironmentError, Problem
from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, Plan
from lossbench.results.cells import CellResults
from lossbench.results.part_files import FAILED, Run, part_path, read_run, read_runs
from lossbench.tuning.study_files import read_outcome

# The open runs of each cell, by its folder.
OpenRuns = dict[str, list[RunId]]


def open_runs_of(plan: Plan, cell: Cell, there: dict[RunId, Run]) -> list[RunId]:
    """Return the runs of a cell that must be trained, given the runs on disk and ``rerun``."""

    def is_open(run: RunId) -> bool:
        if plan.rerun == "all" or run not in there:
            return True
        return plan.rerun == "failed" and there[run].info.status == FAILED

    return [run for run in plan.runs(cell) if is_open(run)]


def open_runs_of_all_rows(plan: Plan, results: list[CellResults]) -> OpenRuns:
    """Return for each cross-validated cell of which a network is kept the run on all rows, if it must be trained."""
    chosen = {result.cell.folder: result for result in saved_cells(plan, results) if result.working.runs}
    found: OpenRuns = {cell.folder: [] for cell in plan.cells}
    for folder, result in chosen.items():
        if result.cell.settings.folds is not None:
            run = result.cell.settings.folds.of_all_rows
            there = read_runs(plan.folder / folder, [run])
            # Runs that were trained again belong to another version of the code, and so does this one.
            is_old = plan.rerun == "all" and run in there
            found[folder] = [run] if run not in there or is_old else []
    return found


def rename_folders(plan: Plan) -> None:
    """Rename the folders of cells whose name has changed, as after the user renamed a data file."""
    # A folder's name ends in 8 digits of its cell's key, which does not depend on the cell's name.
    there = {path.parent.name[-8:]: path.parent for path in plan.folder.glob("*/cell.json")}
    for cell in plan.cells:
        earlier = there.get(cell.key[:8])
        if earlier is not None and not (plan.folder / cell.folder).exists():
            earlier.rename(plan.folder / cell.folder)


def set_earlier_aside(plan: Plan, open_runs: OpenRuns) -> None:
    """Move the part files of runs that are done again to ``earlier/``, before the first job.

    Once its part file is moved a run counts as open. So after a kill the same command runs the rest, and no earlier
    result is taken for a new one.
    """
    for folder, runs in open_runs.items():
        for each in runs:
            part = part_path(plan.folder / folder, each)
            run = read_run(part)
            if run is not None:
                _set_study_aside(plan, plan.folder / folder)
                aside = plan.folder / folder / "earlier" / f"{each.name}-{int(run.info.ended * 1000)}.npz"
                aside.parent.mkdir(exist_ok=True)
                part.rename(aside)


def _set_study_aside(plan: Plan, folder: Path) -> None:
    """Move a cell's study to ``earlier/``, with ``rerun=all`` or if the runs failed because all its trials did."""
    outcome = read_outcome(folder)
    if outcome is not None and (plan.rerun == "all" or outcome.problem):
        aside = folder / "earlier" / f"study-{int(outcome.ended * 1000)}"
        aside.parent.mkdir(exist_ok=True)
        (folder / "study").rename(aside)


@contextmanager
def sweep_lock(plan: Plan) -> Iterator[None]:
    """Lock the sweep's folder against a second process.

    The operating system frees the lock when the process ends, even if it is killed, so no stale lock can remain.

    Raises
    ------
    MissingEnvironmentError
        If the folder cannot be written, or another process holds the lock.
    """
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        file = open(plan.folder / ".lock", "w")  # noqa: SIM115
    except OSError as error:
        raise MissingEnvironmentError(
            Problem(f"{plan.folder} cannot be written: {error.strerror}.", "set LOSSBENCH_HOME to another folder.")
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another lossbench is at work on {plan.name} in {plan.folder}."
            raise MissingEnvironmentError(Problem(message, "wait for it, or choose another name=…")) from None
        yield
