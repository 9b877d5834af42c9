"""Finds the open runs of a sweep and prepares its folder; earlier results are moved aside, never deleted."""

from pathlib import Path

from lossbench.findings.recommendation import saved_cells
from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, Plan
from lossbench.planning.yardsticks import yardsticks
from lossbench.results.cells import CellResults
from lossbench.results.part_files import FAILED, Run, part_path, read_run, read_runs
from lossbench.results.yardsticks import yardstick_path
from lossbench.tuning.study_files import read_outcome

# The open runs of each cell, by its folder.
OpenRuns = dict[str, list[RunId]]
# The open models of each data set's yardsticks with the run on whose rows each is trained, by their folder.
OpenYardsticks = dict[str, list[tuple[str, RunId]]]


def names_of(open_runs: OpenRuns) -> dict[str, list[str]]:
    """Return the names of open runs, by their cell's folder, as jobs are told them."""
    return {folder: [run.name for run in runs] for folder, runs in open_runs.items()}


def open_runs_of(plan: Plan, cell: Cell, there: dict[RunId, Run]) -> list[RunId]:
    """Return the runs of a cell that must be trained, given the runs on disk and ``rerun``."""

    def is_open(run: RunId) -> bool:
        if plan.rerun == "all" or run not in there:
            return True
        info = there[run].info
        return info.lacked_room or (plan.rerun == "failed" and info.status == FAILED)

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


def open_yardsticks_of(plan: Plan) -> OpenYardsticks:
    """Return the yardsticks that must be trained, given those on disk and ``rerun``; data sets without any are absent.

    With ``rerun`` they are those that ``set_yardsticks_aside`` moves away.
    """
    found: OpenYardsticks = {}
    for wanted in yardsticks(plan):
        folder = plan.folder / wanted.folder
        there = {part: read_run(yardstick_path(folder, *part)) for part in wanted.parts}
        parts = [
            part
            for part, run in there.items()
            if run is None or plan.rerun == "all" or (plan.rerun == "failed" and run.info.status == FAILED)
        ]
        if parts:
            found[wanted.folder] = parts
    return found


def set_yardsticks_aside(plan: Plan, opened: OpenYardsticks) -> None:
    """Move the part files of yardsticks that are trained again to ``earlier/``, as those of runs."""
    for folder, parts in opened.items():
        for model, run in parts:
            _set_aside(plan.folder / folder, yardstick_path(plan.folder / folder, model, run))


def rename_folders(plan: Plan) -> None:
    """Rename the folders of cells and yardsticks whose name has changed, as after the user renamed a data file."""
    # A folder's name ends in 8 digits of a key, which does not depend on the name.
    planned = {cell.key[:8]: cell.folder for cell in plan.cells}
    planned |= {wanted.key[:8]: wanted.folder for wanted in yardsticks(plan)}
    for path in [*plan.folder.glob("*/cell.json"), *plan.folder.glob("*/yardsticks.json")]:
        folder = planned.get(path.parent.name[-8:])
        if folder is not None and not (plan.folder / folder).exists():
            path.parent.rename(plan.folder / folder)


def set_earlier_aside(plan: Plan, open_runs: OpenRuns) -> None:
    """Move the part files of runs that are done again to ``earlier/``, before the first job.

    Once its part file is moved a run counts as open. So after a kill the same command runs the rest, and no earlier
    result is taken for a new one.
    """
    for folder, runs in open_runs.items():
        for each in runs:
            if _set_aside(plan.folder / folder, part_path(plan.folder / folder, each)):
                _set_study_aside(plan, plan.folder / folder)


def _set_aside(folder: Path, part: Path) -> bool:
    """Move a part file to its folder's ``earlier/``, and return whether there was one; a torn one is removed."""
    run = read_run(part)
    if run is None:
        part.unlink(missing_ok=True)
        return False
    aside = folder / "earlier" / f"{part.stem}-{int(run.info.ended * 1000)}.npz"
    aside.parent.mkdir(exist_ok=True)
    part.rename(aside)
    return True


def _set_study_aside(plan: Plan, folder: Path) -> None:
    """Move a cell's study to ``earlier/``, with ``rerun=all`` or if the runs failed because all its trials did."""
    outcome = read_outcome(folder)
    if outcome is not None and (plan.rerun == "all" or outcome.problem):
        aside = folder / "earlier" / f"study-{int(outcome.ended * 1000)}"
        aside.parent.mkdir(exist_ok=True)
        (folder / "study").rename(aside)
