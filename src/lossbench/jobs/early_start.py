"""Starts the process that trains while the sweep is still planned, because loading TensorFlow takes as long.

It is imported before anything is planned, so it imports little itself.
"""

import os
from pathlib import Path
from typing import Any

from lossbench.config.paths import home
from lossbench.ground.seeds import parse_seeds
from lossbench.jobs.worker.supervision import supervisor
from lossbench.planning.plan import Cell, Plan, read_plan
from lossbench.results.part_files import part_path

# Hydra's launcher where none is named: it runs the jobs in the process that launches them, one by one.
BASIC = "basic"


def start_early(hydra: list[str], name: str, seeds: Any) -> None:
    """Start the process that trains for a sweep of a name, if its runs are trained in this process's jobs.

    Where all runs may be finished it is not started, nor with other launchers, whose jobs start processes of their own.

    Parameters
    ----------
    hydra : list of str
        Overrides of Hydra's own configuration.
    seeds : int, list of int, str or None
        The seeds as they were given, unchecked.
    """
    if launcher_of(hydra) == BASIC and _is_open(home() / "multirun" / name, seeds):
        supervisor.start()


def _is_open(folder: Path, seeds: Any) -> bool:
    """Return whether runs are open of a sweep that is started with these seeds, as far as its last plan tells."""
    try:
        if not folder.exists():
            return True
        plan = read_plan(folder)
        planned = {seed for each in plan.seeds.values() for seed in each}
        wanted = planned if seeds is None else set(parse_seeds(seeds))
        return not wanted <= planned or any(_lacks_parts(plan, cell, wanted) for cell in plan.cells)
    except Exception:
        # Only time is lost. What is wrong is said by the planning, which comes next.
        return False


def _lacks_parts(plan: Plan, cell: Cell, seeds: set[int]) -> bool:
    paths = [part_path(plan.folder / cell.folder, run) for run in plan.runs(cell) if run.seed in seeds]
    # One listing instead of a look at each file.
    there = set(os.listdir(paths[0].parent)) if paths and paths[0].parent.is_dir() else set()
    return not {path.name for path in paths} <= there


def launcher_of(hydra: list[str]) -> str:
    """Return the name of the launcher in overrides of Hydra's own configuration."""
    return next((text.partition("=")[2] for text in hydra if text.startswith("hydra/launcher=")), BASIC)
