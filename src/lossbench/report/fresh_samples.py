"""Whether the verdicts of a sweep on one split hold over fresh samples from the generator.

Another sweep tells, the same with ``repeat=samples``, if it lies beside this one; else its command is named.
"""

import shlex
from pathlib import Path
from typing import Any

from lossbench.config.settings import SEEDS
from lossbench.findings.sentences import name_in
from lossbench.findings.tables import Table, tables
from lossbench.ground.errors import UsageError
from lossbench.planning.plan import Cell, Plan, read_plan
from lossbench.results.cells import read_results


def folder_of(plan: Plan) -> Path:
    """Return the folder of the sweep over fresh samples that belongs to a sweep."""
    return plan.folder.parent / f"{plan.name}-samples"


def over_fresh_samples(plan: Plan, table: Table) -> str:
    """Return a sentence with the verdicts of a table's losses over fresh samples, or with the command that finds them.

    It is empty where no other sample can be drawn, where runs repeat something else, or where nothing is compared.
    """
    if not all(_can_be_drawn(cell) for cell in plan.cells) or not any(table.comparisons):
        return ""
    there = _verdicts(plan)
    if not there:
        return f"whether the verdicts hold over fresh samples, training and test rows: {_command(plan)}"
    said = []
    for place, result in enumerate(table.results):
        other = there.get(_identity(result.cell))
        if table.comparisons[place] is not None and other is not None:
            here = table.verdict(place)
            beside = "" if other == here else f" (here {here})"
            said.append(f"{name_in(table, place)} {other}{beside}")
    return f"over fresh samples, training and test rows ({folder_of(plan).name}): {', '.join(said)}" if said else ""


def _verdicts(plan: Plan) -> dict[tuple[Any, ...], str]:
    """Return the verdict of each cell over fresh samples, by ``_identity``; empty without such a sweep."""
    folder = folder_of(plan)
    if not (folder / "results.csv").exists():
        return {}
    try:
        other = read_plan(folder)
    except UsageError:
        return {}
    found = tables(other, read_results(other))
    return {_identity(result.cell): table.verdict(i) for table in found for i, result in enumerate(table.results)}


def _identity(cell: Cell) -> tuple[Any, ...]:
    """Return what a cell shares with the one that is trained on fresh samples."""
    swept = sorted((key, str(value)) for key, value in cell.swept.items() if key != "repeat")
    return cell.dataset, cell.loss, cell.head, *swept


def _can_be_drawn(cell: Cell) -> bool:
    return cell.settings.repeat.name == SEEDS and "random_state" in cell.settings.dataset.parameters


def _command(plan: Plan) -> str:
    own = ("name=", "repeat=", "rerun=")
    words = [word for word in shlex.split(plan.command) if not word.startswith(own)]
    return shlex.join([*words, "repeat=samples", f"name={folder_of(plan).name}"])
