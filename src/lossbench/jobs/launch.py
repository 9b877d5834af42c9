"""Starts Hydra's multirun for the open cells of a plan, and defines the job that each cell runs.

Hydra's command line was parsed while planning. Here only a sweeper of our own (``hydra_plugins.lossbench``) is run,
which hands the open cells to the configured launcher.
"""

import logging
import os
import sys
from contextlib import nullcontext
from multiprocessing import util
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lossbench.config.paths import conf_folder
from lossbench.ground.cores import n_cores
from lossbench.ground.errors import MissingEnvironmentError, Problem, UsageError
from lossbench.jobs.cell_leases import leased
from lossbench.jobs.cluster.shares import OpenCell
from lossbench.jobs.early_start import BASIC, launcher_of
from lossbench.jobs.failing_alike import common_failure
from lossbench.jobs.launching_process import end_with_launching_process, ending_with_this_process
from lossbench.jobs.open_jobs import is_divisible, read_open_jobs, write_open_jobs
from lossbench.jobs.open_runs import OpenRuns, OpenYardsticks
from lossbench.jobs.share import own_share
from lossbench.jobs.worker.supervision import supervisor
from lossbench.planning.command_line import encode
from lossbench.planning.composition import search_path_override
from lossbench.planning.plan import Plan

log = logging.getLogger(__name__)

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
    opened = write_open_jobs(plan, open_runs, open_yardsticks, _threads(plan, launcher))
    overrides = [*search_path_override(), *plan.hydra, encode("name", plan.name)]
    overrides.append(encode("hydra.sweep.dir", str(plan.folder)))
    if plan.experiment:
        overrides.append(f"experiment={plan.experiment}")
    try:
        if launcher == BASIC:
            # It runs the jobs in this process, one by one; those of other launchers start workers of their own.
            supervisor.compile_ahead([opened.cell_task(folder) for folder in opened.cells])
        with ending_with_this_process() if launcher in ON_THIS_MACHINE else nullcontext():
            _multirun(overrides)
        if supervisor.problem is not None:
            raise supervisor.problem
    except UsageError:
        raise
    except Exception as error:
        raise MissingEnvironmentError(_launcher_problem(launcher, error)) from error


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
    opened = read_open_jobs(folder)
    plan = opened.plan
    common = [f"experiment={plan.experiment}"] if plan.experiment else []
    found = []
    for name, own in opened.overrides.items():
        task = opened.task(name)
        overrides = [*common, *own, encode("name", plan.name), encode("hydra.sweep.subdir", name)]
        found.append(OpenCell(name, task.paths, overrides, is_divisible(task)))
    return found


def job(config: DictConfig) -> None:
    """Have one cell trained, or the yardsticks of a data set: the task function that the launcher runs for each job.

    It raises nothing: the summary and the exit status of a sweep follow from its plan and its files. A run that failed
    has a part file that says so; a run without a part file counts as missing.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    end_with_launching_process()
    try:
        opened = read_open_jobs(folder.parent)
        plan, content = opened.plan, opened.content
        if content.process != os.getpid():
            # Launchers end their processes by themselves, those of joblib without the functions of ``atexit``.
            util.Finalize(None, supervisor.end, exitpriority=1)
        task = opened.task(folder.name)
        reason = common_failure(plan, content.runs, before=folder.name)
        if reason:
            log.error("%s is not trained: the cells before it failed (%s)", task.name, reason)
            return
        with leased(folder, own_share(), is_alone=content.process != os.getpid()) as is_ours:
            if is_ours:
                # Asked again: what another process has trained in between is left out.
                supervisor.train(opened.task(folder.name), content.threads or n_cores(), plan.timeout)
    except Exception:
        log.exception("%s ended", folder.name)
