"""The first lines of a sweep: its size, the finished and the open runs, and the cells that are left out."""

import textwrap
from typing import Any

from lossbench.console.text_tables import WIDTH
from lossbench.findings.number_formats import counted
from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, Plan, changes
from lossbench.planning.yardsticks import yardsticks
from lossbench.results.cells import other_cells
from lossbench.results.part_files import FAILED, Run, runs_on_disk
from lossbench.tuning.study_files import n_repetitions, open_studies, read_trials

# The most left-out cells that are listed before a sweep runs; ``plan=true`` lists all.
LEFT_OUT_SHOWN = 5


def first_lines(plan: Plan, before: dict[str, dict[RunId, Run]], open_runs: dict[str, list[RunId]]) -> list[str]:
    """Return the first lines: how many runs are finished and open and why, then notes and left-out cells."""
    n_finished = sum(len(runs) for runs in before.values())
    line = f"{plan.name}: {counted(len(plan.cells), 'cell')}, {counted(plan.n_runs, 'run')}, {n_finished} finished"
    n_open = sum(map(len, open_runs.values()))
    reasons = []
    if n_finished and n_open:
        rerun = sum(run in before[folder] for folder, runs in open_runs.items() for run in runs)
        if rerun:
            why = "there was no room for them" if plan.rerun == "none" else f"rerun={plan.rerun}"
            reasons.append(f"{rerun} run again ({why})")
        if n_open > rerun:
            reasons.append(f"{n_open - rerun} to run")
    if not n_open:
        # Runs that diverged or got stuck are results, and would end so again.
        reasons.append("nothing to run" + (": no run ended in an error" if plan.rerun == "failed" else ""))
    reasons += [*_studies(plan, open_runs), *_other_runs(plan)]
    failed = sum(
        run.info.status == FAILED and each not in open_runs[folder]
        for folder, runs in before.items()
        for each, run in runs.items()
    )
    if failed and plan.rerun == "none":
        reasons.append(f"{failed} of them failed (rerun=failed runs these again)")
    lines = [line + "".join(f"; {reason}" for reason in reasons)]
    lines += [line for note in plan.notes for line in textwrap.wrap(f"  {note}", WIDTH, subsequent_indent="    ")]
    left_out = [
        f"  left out: {dataset}/{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {reason}"
        for dataset, names, reason in plan.left_out
    ]
    first = left_out if plan.only_plan or len(left_out) <= LEFT_OUT_SHOWN else left_out[:LEFT_OUT_SHOWN]
    lines += [line for text in first for line in textwrap.wrap(text, WIDTH, subsequent_indent="    ")]
    more = len(left_out) - len(first)
    return lines + ([f"  left out: {more} more (plan=true shows all)"] if more else [])


def _studies(plan: Plan, open_runs: dict[str, list[RunId]]) -> list[str]:
    """Return a clause with the number of studies that come before the runs and of their finished trials, if any."""
    studies = open_studies(plan, open_runs)
    if not studies:
        return []
    n_trials = sum(cell.settings.study.trials * n_repetitions(cell) for cell in studies)
    n_there = sum(len(read_trials(cell, plan.folder / cell.folder)) for cell in studies)
    there = f", {n_there} finished" if n_there else ""
    return [f"first {counted(len(studies), 'study')} ({counted(n_trials, 'trial')}{there})"]


def _other_runs(plan: Plan) -> list[str]:
    """Return clauses about runs in the sweep's folder that the plan does not have: of other seeds or settings."""
    said = []
    more = sum(len(_others(plan, cell)) for cell in plan.cells)
    if more:
        said.append(f"{counted(more, 'run')} of other seeds on disk")
    others = list(other_cells(plan))
    if others:
        n_runs = sum(len(runs) for _, runs in others)
        changed = dict.fromkeys(change for other, _ in others for change in _changes(plan, other))
        named = ", ".join(list(changed)[:3]) + (", …" if len(changed) > 3 else "")
        said.append(f"{counted(n_runs, 'run')} of other settings on disk" + (f" (changed: {named})" if named else ""))
    return said


def _others(plan: Plan, cell: Cell) -> set[RunId]:
    """Return the runs of a cell on disk that the plan does not have, but for that on all rows."""
    known = {*plan.runs(cell), *([cell.settings.folds.of_all_rows] if cell.settings.folds else [])}
    return set(runs_on_disk(plan.folder / cell.folder)) - known


def _changes(plan: Plan, other: dict[str, Any]) -> list[str]:
    same_name = [cell for cell in plan.cells if cell.name == other["name"]]
    return changes(other["settings"], same_name[0].settings) if same_name else []


def yardstick_lines(plan: Plan, opened: dict[str, list[tuple[str, RunId]]]) -> list[str]:
    """Return a line for each data set with its yardsticks that are open, for ``plan=true``."""
    return [
        f"  {each.data}/yardsticks: {len(opened.get(each.folder, []))} of {len(each.parts)} to do ({each.size})"
        for each in yardsticks(plan)
    ]


def open_lines(plan: Plan, open_runs: dict[str, list[RunId]]) -> list[str]:
    """Return a line for each cell with the number of its open runs, for ``plan=true``."""
    studies = {cell.folder for cell in open_studies(plan, open_runs)}
    lines = []
    for cell in plan.cells:
        first = f", after {cell.settings.study.trials * n_repetitions(cell)} trials" if cell.folder in studies else ""
        lines.append(f"  {cell.name}: {len(open_runs[cell.folder])} of {len(plan.runs(cell))} runs to do{first}")
    return lines
