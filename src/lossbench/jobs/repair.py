"""Writes damaged files again that all runs of a cell share, without training anything."""

from collections.abc import Iterator

from lossbench.ground.user_functions import make_importable
from lossbench.planning.plan import Cell, Plan
from lossbench.results.damage import damaged_files
from lossbench.tuning.study_files import read_outcome


def repair(plan: Plan) -> Iterator[str]:
    """Write the damaged files of a plan's cells again, and yield a line about each cell."""
    for cell in plan.cells:
        damaged = [error.path.name for error in damaged_files(plan, cell)]
        if not damaged:
            continue
        said = f"{cell.folder}: {', '.join(damaged)} {'was' if len(damaged) == 1 else 'were'} damaged"
        try:
            _write_again(plan, cell)
        except Exception as error:
            yield f"{said}, and cannot be written again: {' '.join(str(error).split())[:200]}"
        else:
            yield f"{said}: written again"


def _write_again(plan: Plan, cell: Cell) -> None:
    # Imported here: they load TensorFlow, which a sweep without damaged files does not need.
    from lossbench.jobs.cell_files import write_cell
    from lossbench.jobs.prepare import PreparedCell

    make_importable()
    folder = plan.folder / cell.folder
    write_cell(PreparedCell(cell, read_outcome(folder) if cell.is_tuned else None), folder)
