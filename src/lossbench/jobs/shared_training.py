"""Trains the open cells of a sweep beside other processes that may be at work on it (``sharing``)."""

import time
from collections import Counter
from collections.abc import Callable

from lossbench.findings.number_formats import counted
from lossbench.ground.errors import MissingEnvironmentError, Problem
from lossbench.ground.leases import Holder, Leases
from lossbench.jobs.cell_leases import holder_of
from lossbench.jobs.early_start import BASIC, launcher_of
from lossbench.jobs.failing_alike import common_failure
from lossbench.jobs.launch import ON_THIS_MACHINE, launch
from lossbench.jobs.open_runs import OpenRuns, OpenYardsticks, names_of
from lossbench.planning.plan import Plan, read_plan
from lossbench.results.part_files import part_path
from lossbench.results.yardsticks import yardstick_path

POLL_SECONDS = 0.5


def refuse_beside(plan: Plan, others: list[Holder]) -> None:
    """Raise MissingEnvironmentError unless a plan can be carried out beside others who are at work on its sweep."""
    if not others:
        return
    named = " and ".join(map(str, others))
    wait = "wait for it, or end it (Ctrl-C)"
    if plan.rerun != "none":
        message = f"rerun={plan.rerun} cannot be while another lossbench is at work on {plan.name}: {named}."
        raise MissingEnvironmentError(Problem(message, f"{wait}; without rerun= this command shares its cells."))
    launcher = launcher_of(plan.hydra)
    if launcher not in (BASIC, *ON_THIS_MACHINE):
        message = f"hydra/launcher={launcher} cannot be while another lossbench is at work on {plan.name}: {named}."
        raise MissingEnvironmentError(Problem(message, f"{wait}; without the launcher this command shares its cells."))
    theirs = read_plan(plan.folder)
    if differing := _differing(plan, theirs):
        message = f"another lossbench is at work on {plan.name}, with other {' and '.join(differing)}: {named}."
        hint = f"its command shares the cells with it ({theirs.command}); else {wait}, or choose another name=…"
        raise MissingEnvironmentError(Problem(message, hint))


def _differing(plan: Plan, theirs: Plan) -> list[str]:
    parts = {
        "cells": ([cell.key for cell in plan.cells], [cell.key for cell in theirs.cells]),
        "seeds": (plan.seeds, theirs.seeds),
        "settings of the report": (plan.report, theirs.report),
    }
    return [name for name, (mine, other) in parts.items() if mine != other]


def train(
    plan: Plan, open_runs: OpenRuns, open_yardsticks: OpenYardsticks, leases: Leases, say: Callable[[str], None]
) -> str:
    """Have all open cells trained, here or by others at work; return the reason if all would fail for one, else ''.

    A cell that another process has begun is waited for, and trained here if that process ends without finishing it.
    """
    launcher = launcher_of(plan.hydra)
    is_here = launcher in (BASIC, *ON_THIS_MACHINE)
    # Launchers with processes of their own do not tell which cells were another's when their turn came.
    most = 2 if launcher in ON_THIS_MACHINE else 1
    opened, launches, is_said = names_of(open_runs), Counter[str](), False
    while names := {*(name for name, runs in open_runs.items() if runs), *open_yardsticks}:
        # Jobs elsewhere wait for such cells by themselves.
        held = {name: holder for name in names if is_here and (holder := holder_of(leases, name)) is not None}
        mine = {name for name in names - set(held) if launches[name] < most}
        if mine:
            leases.refused.clear()
            own = {name: runs if name in mine else [] for name, runs in open_runs.items()}
            launch(plan, own, {name: parts for name, parts in open_yardsticks.items() if name in mine})
            launches.update(mine - leases.refused)
            if reason := common_failure(plan, opened):
                return reason
        elif not held:
            return ""
        if held and not is_said:
            is_said = True
            others = " and ".join(dict.fromkeys(map(str, held.values())))
            say(f"{counted(len(held), 'cell')} in training elsewhere: {others}")
        if mine <= leases.refused:
            time.sleep(POLL_SECONDS)
        open_runs, open_yardsticks = _still_open(plan, open_runs, open_yardsticks)
    return ""


def _still_open(plan: Plan, open_runs: OpenRuns, open_yardsticks: OpenYardsticks) -> tuple[OpenRuns, OpenYardsticks]:
    runs = {
        name: [run for run in wanted if not part_path(plan.folder / name, run).exists()]
        for name, wanted in open_runs.items()
    }
    yardsticks = {
        name: [part for part in parts if not yardstick_path(plan.folder / name, *part).exists()]
        for name, parts in open_yardsticks.items()
    }
    return runs, {name: parts for name, parts in yardsticks.items() if parts}
