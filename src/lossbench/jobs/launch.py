"""Starts Hydra's multirun for the open cells of a plan, and defines the job that each cell runs.

Hydra's command line was parsed while planning. Here only a sweeper of our own (``hydra_plugins.lossbench``) is run,
which hands the open cells to the configured launcher.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing import util
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lossbench.config.paths import conf_folder
from lossbench.ground.cores import n_cores
from lossbench.ground.errors import MissingEnvironmentError, Problem, UsageError
from lossbench.ground.files import write_text
from lossbench.ground.machine import host_name
from lossbench.ground.run_ids import RunId, read_run_id
from lossbench.jobs.cell_leases import leased
from lossbench.jobs.cluster.submission import OpenCell
from lossbench.jobs.early_start import BASIC, launcher_of
from lossbench.jobs.failing_alike import common_failure
from lossbench.jobs.launching_process import end_with_launching_process, ending_with_this_process
from lossbench.jobs.open_runs import OpenRuns, OpenYardsticks, names_of
from lossbench.jobs.worker.supervision import supervisor
from lossbench.jobs.worker.tasks import CellTask, Task, YardsticksTask
from lossbench.planning.command_line import encode
from lossbench.planning.composition import search_path_override
from lossbench.planning.plan import Cell, Plan, read_plan
from lossbench.planning.yardsticks import yardsticks
from lossbench.results.part_files import part_path
from lossbench.results.yardsticks import yardstick_path

log = logging.getLogger(__name__)

# Each job reads its cell's open runs from this file of the sweep's folder, in whatever process the launcher runs it; of
# a process that shares a sweep with its writer from another one, which the environment of the jobs names.
OPEN, OWN_OPEN = "open.json", "LOSSBENCH_OPEN"
# Hydra's launchers whose jobs are processes of this machine.
ON_THIS_MACHINE = ("joblib", "submitit_local")


def launch(plan: Plan, open_runs: OpenRuns, open_yardsticks: OpenYardsticks) -> None:
    """Run a job for each cell with open runs and one for each data set's yardsticks; return when all have ended.

    ``plan.json`` must be written before, because jobs read their cell from it.

    Raises
    ------
    MissingEnvironmentError
        If the launcher is not installed or cannot run the jobs.
    """
    launcher = launcher_of(plan.hydra)
    content = {
        "threads": _threads(plan, launcher),
        "runs": names_of(open_runs),
        "yardsticks": {
            folder: [[model, run.name] for model, run in parts] for folder, parts in open_yardsticks.items()
        },
        "process": os.getpid(),
    }
    write_text(_list_of_jobs(plan.folder), json.dumps(content))
    overrides = [*search_path_override(), *plan.hydra, encode("name", plan.name)]
    overrides.append(encode("hydra.sweep.dir", str(plan.folder)))
    if plan.experiment:
        overrides.append(f"experiment={plan.experiment}")
    try:
        if launcher == BASIC:
            # It runs the jobs in this process, one by one; those of other launchers start workers of their own.
            cells = [cell for cell in plan.cells if open_runs[cell.folder]]
            supervisor.compile_ahead([_task(plan, cell, open_runs[cell.folder]) for cell in cells])
        with ending_with_this_process() if launcher in ON_THIS_MACHINE else nullcontext():
            _multirun(overrides)
        if supervisor.problem is not None:
            raise supervisor.problem
    except UsageError:
        raise
    except Exception as error:
        raise MissingEnvironmentError(_launcher_problem(launcher, error)) from error


def _list_of_jobs(folder: Path) -> Path:
    return folder / os.environ.get(OWN_OPEN, OPEN)


@contextmanager
def own_list_of_jobs(folder: Path) -> Iterator[None]:
    """Have this process list its open jobs in a file of its own during the block: the sweep's is the writer's."""
    os.environ[OWN_OPEN] = f"open-{host_name()}-{os.getpid()}.json"
    try:
        yield
    finally:
        _list_of_jobs(folder).unlink(missing_ok=True)
        del os.environ[OWN_OPEN]


def remove_lists_of_jobs(folder: Path) -> bool:
    """Remove those that killed processes which shared a sweep have left, and return whether there were any."""
    left = list(folder.glob("open-*.json"))
    for path in left:
        path.unlink(missing_ok=True)
    return bool(left)


def _task(plan: Plan, cell: Cell, runs: list[RunId]) -> CellTask:
    return CellTask(cell, plan.folder / cell.folder, runs)


def _multirun(overrides: list[str]) -> None:
    """Run Hydra's multirun with our sweeper.

    ``hydra.main`` takes its arguments from ``sys.argv``, and ends the process on an error unless ``HYDRA_FULL_ERROR``
    is set. Both are restored afterwards.
    """
    argv, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [sys.argv[0], "--multirun", *overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")(job)()
    finally:
        sys.argv = argv
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]


def _launcher_problem(launcher: str, error: Exception) -> Problem:
    said = str(error).strip().splitlines() or [type(error).__name__]
    hint = "its settings are hydra.launcher.…; `lossbench --cfg hydra hydra/launcher=…` shows them."
    return Problem(f"the launcher {launcher!r} could not run the jobs: {said[0]}", hint)


def _threads(plan: Plan, launcher: str) -> int | None:
    """Return how many runs a job trains at the same time; None: as many as it has cores where it runs."""
    if launcher == BASIC:
        return n_cores()
    if launcher not in ON_THIS_MACHINE:
        return None
    # The jobs share the cores of this machine.
    workers = [text.partition("=")[2] for text in plan.hydra if text.startswith("hydra.launcher.n_jobs=")]
    n_workers = int(workers[0]) if workers and workers[0].isdigit() else n_cores()
    return max(1, n_cores() // max(1, n_workers))


def open_cells(folder: Path) -> list[OpenCell]:
    """Return a cell for each open job of the sweep in a folder, those of yardsticks last."""
    plan = read_plan(folder)
    opened = json.loads(_list_of_jobs(folder).read_text())
    common = [f"experiment={plan.experiment}"] if plan.experiment else []
    jobs = [(cell.overrides, cell.folder) for cell in plan.cells if opened["runs"][cell.folder]]
    jobs += [(each.cell.overrides, each.folder) for each in yardsticks(plan) if each.folder in opened["yardsticks"]]
    return [
        OpenCell(
            name,
            list(_open_task(plan, name, opened).paths.values()),
            [*common, *overrides, encode("name", plan.name), encode("hydra.sweep.subdir", name)],
        )
        for overrides, name in jobs
    ]


def job(config: DictConfig) -> None:
    """Have one cell trained, or the yardsticks of a data set: the task function that the launcher runs for each job.

    It raises nothing: the summary and the exit status of a sweep follow from its plan and its files. A run that failed
    has a part file that says so; a run without a part file counts as missing.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    end_with_launching_process()
    try:
        plan = read_plan(folder.parent)
        opened = json.loads(_list_of_jobs(folder.parent).read_text())
        if opened["process"] != os.getpid():
            # Launchers end their processes by themselves, those of joblib without the functions of ``atexit``.
            util.Finalize(None, supervisor.end, exitpriority=1)
        task = _open_task(plan, folder.name, opened)
        reason = common_failure(plan, opened["runs"], before=folder.name)
        if reason:
            log.error("%s is not trained: the cells before it failed (%s)", task.name, reason)
            return
        with leased(folder, is_alone=opened["process"] != os.getpid()) as is_ours:
            if is_ours:
                # What another process has trained since then is left out.
                task = _open_task(plan, folder.name, opened)
                supervisor.train(task, opened["threads"] or n_cores(), plan.timeout)
    except Exception:
        log.exception("%s ended", folder.name)


def _open_task(plan: Plan, folder: str, opened: dict[str, Any]) -> Task:
    """Return what a job has to train: the yardsticks of a data set, or a cell; what it has trained before is left out.

    A job may begin anew, and one that has waited long may find what another has trained.
    """
    if folder not in opened["yardsticks"]:
        cell = next(cell for cell in plan.cells if cell.folder == folder)
        runs = [run for name in opened["runs"][folder] if (run := read_run_id(name)) is not None]
        return _task(plan, cell, [run for run in runs if not part_path(plan.folder / folder, run).exists()])
    wanted = next(each for each in yardsticks(plan) if each.folder == folder)
    named = [(model, read_run_id(name)) for model, name in opened["yardsticks"][folder]]
    parts = [(model, run) for model, run in named if run is not None]
    own = plan.folder / folder
    return YardsticksTask(wanted, own, [part for part in parts if not yardstick_path(own, *part).exists()])
