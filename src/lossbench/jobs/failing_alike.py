"""Notices when one cell after the other fails for one reason: then the rest of a sweep would fail too."""

import re

from lossbench.ground.run_ids import NAME, read_run_id
from lossbench.planning.plan import Cell, Plan
from lossbench.results.part_files import FAILED, part_path, read_run

# So many cells in a row that fail for one reason end a sweep.
MOST_CELLS = 10


def common_failure(plan: Plan, open_runs: dict[str, list[str]], before: str = "") -> str:
    """Return the reason for which the last cells of this start have failed, all for the same one; else ''.

    '' too if no cell is left that could be spared.

    Parameters
    ----------
    open_runs : dict
        The names of the runs that were open when the sweep was started, by their cell's folder.
    before : str
        Only cells before the one with this folder count; all if there is none.
    """
    folders = [cell.folder for cell in plan.cells]
    cells = plan.cells[: folders.index(before)] if before in folders else plan.cells
    reasons: list[str] = []
    for cell in reversed([cell for cell in cells if open_runs[cell.folder]]):
        reason = _reason(plan, cell, open_runs)
        if reason is None:
            continue
        reasons.append(reason)
        if not reason or reason != reasons[0]:
            return ""
        if len(reasons) == MOST_CELLS:
            return reason if _is_one_left(plan, open_runs) else ""
    return ""


def _is_one_left(plan: Plan, open_runs: dict[str, list[str]]) -> bool:
    return any(_reason(plan, cell, open_runs) is None for cell in plan.cells if open_runs[cell.folder])


def _reason(plan: Plan, cell: Cell, open_runs: dict[str, list[str]]) -> str | None:
    """Return why all open runs of a cell failed; '' if not all did or for several reasons, None if not all ended."""
    reasons = set()
    for run in map(read_run_id, open_runs[cell.folder]):
        found = read_run(part_path(plan.folder / cell.folder, run)) if run else None
        if found is None:
            return None
        if found.info.status != FAILED:
            return ""
        reasons.add(_without_run(found.info.error))
    return reasons.pop() if len(reasons) == 1 else ""


def _without_run(error: str) -> str:
    """Return an error without the run that it names, and without that it was not tried."""
    last = error.strip().splitlines()[-1] if error.strip() else ""
    last = last.removeprefix("not tried: ").partition(", as with ")[0]
    return re.sub(rf" while training {NAME.pattern}.*", "", last)
