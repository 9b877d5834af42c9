"""Submits the open cells of a sweep in groups, and waits for their jobs."""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossbench.ground.errors import MissingEnvironmentError, Problem, UsageError
from lossbench.jobs.cluster.job_list import LOCAL, SLURM, ClusterJob, cancel, jobs_at_work, read_jobs, write_jobs
from lossbench.jobs.cluster.shares import OpenCell, Share, Taken, in_groups
from lossbench.jobs.launching_process import ending_with_this_process

# Below the sweep's folder: what submitit writes of each job, its output among it.
LOGS = ".submitit"
# How often the queue is asked.
POLL_SECONDS = {SLURM: 5.0, LOCAL: 0.2}
# A shared folder may show a file so much later than the queue shows the end of its job.
FILE_SECONDS = {SLURM: 15.0, LOCAL: 0.0}
# A job is warned so many seconds before its time limit, and put back into the queue.
WARNING_SECONDS = 30
SAID = "sbatch: error: "
# Slurm's usual limit (MaxArraySize) is 1001.
MOST_IN_AN_ARRAY = 1000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of ``conf/hydra/launcher/slurm.yaml``, which explains them."""

    cluster: str
    cells_per_job: int
    seeds_per_job: int | None
    cores: int
    memory_gb: float | None
    minutes: int
    requeues: int
    partition: str | None
    account: str | None
    options: dict[str, Any]
    setup: list[str]
    detach: bool
    wait_minutes: float

    def check(self) -> None:
        """Raise UsageError if they cannot be, MissingEnvironmentError if there is no such cluster here."""
        problems = [
            Problem(f"hydra.launcher.{name} must be a whole number above 0; got {value!r}.")
            for name in ("cells_per_job", "seeds_per_job", "cores", "minutes")
            if (type(value := getattr(self, name)) is not int or value < 1) and (name, value) != ("seeds_per_job", None)
        ]
        if self.cluster not in (SLURM, LOCAL):
            problems.append(Problem(f"hydra.launcher.cluster must be slurm or local; got {self.cluster!r}."))
        if problems:
            raise UsageError(*problems)
        lacking = [name for name in ("sbatch", "srun", "squeue") if shutil.which(name) is None]
        if self.cluster == SLURM and lacking:
            hint = "give the command on the cluster; hydra.launcher.cluster=local runs the same jobs on this machine."
            raise MissingEnvironmentError(Problem(f"there is no Slurm here: {lacking[0]} is not found.", hint))


# Makes what a job calls, of the shares of a group.
Grouped = Callable[[list[Share]], Callable[[], None]]


def run_jobs(folder: Path, cells: list[OpenCell], settings: Settings, grouped: Grouped) -> None:
    """Submit what is open and no job has yet, and return when all jobs have ended, unless they are to be left.

    What a job of an earlier start leaves open when it ends is submitted once more. An interrupt cancels all.
    """
    settings.check()
    deadline = time.monotonic() + settings.wait_minutes * 60
    submitted: list[ClusterJob] = []
    # Those that have ended are forgotten.
    write_jobs(folder, jobs_at_work(folder))
    try:
        while True:
            there = jobs_at_work(folder)
            taken = Taken([*submitted, *there])
            left = [
                share
                for number, cell in enumerate(cells)
                for share in taken.shares(number, cell, settings.seeds_per_job)
            ]
            if left:
                for jobs in _submitted(folder, left, settings, grouped):
                    write_jobs(folder, [*read_jobs(folder), *jobs])
                    submitted += jobs
            elif not there:
                break
            if settings.detach or time.monotonic() > deadline:
                return
            time.sleep(POLL_SECONDS[settings.cluster])
    except KeyboardInterrupt:
        cancel(jobs_at_work(folder))
        raise
    _wait_for_files(cells, FILE_SECONDS[settings.cluster])


def _submitted(folder: Path, shares: list[Share], settings: Settings, grouped: Grouped) -> Iterator[list[ClusterJob]]:
    """Submit what is open in groups, and yield the jobs of each array of groups once it is submitted."""
    executor = _executor(folder, settings)
    groups = in_groups(shares, settings.cells_per_job)
    stays = settings.cluster == SLURM or settings.detach
    for start in range(0, len(groups), MOST_IN_AN_ARRAY):
        some = groups[start : start + MOST_IN_AN_ARRAY]
        with nullcontext() if stays else ending_with_this_process():
            jobs = _accepted(executor, [grouped(group) for group in some])
        yield [
            ClusterJob(
                job.job_id,
                settings.cluster,
                socket.gethostname(),
                [share.cell.name for share in group],
                [name for share in group for name in share.runs],
            )
            for job, group in zip(jobs, some, strict=True)
        ]


def _accepted(executor: Any, calls: list[Callable[[], None]]) -> list[Any]:
    """Return the jobs that submitit has made of calls.

    Raises
    ------
    MissingEnvironmentError
        If the cluster does not accept them; it says why.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        return executor.submit_array(calls)
    except (FailedJobError, FailedSubmissionError) as error:
        lines = str(error).strip().splitlines()
        said = [line.removeprefix(SAID) for line in lines if line.startswith(SAID)]
        message = "; ".join(said or lines[-1:])
        hint = "its settings are hydra.launcher.partition, .account, .minutes, .cores, .memory_gb and .options."
        raise MissingEnvironmentError(Problem(f"Slurm does not accept the jobs: {message}", hint)) from None


def _executor(folder: Path, settings: Settings) -> Any:
    import submitit

    limits: dict[str, Any] = {f"{settings.cluster}_max_num_timeout": settings.requeues}
    executor = submitit.AutoExecutor(folder=folder / LOGS, cluster=settings.cluster, **limits)
    given = {
        "name": f"lossbench-{folder.name}",
        "timeout_min": settings.minutes,
        "cpus_per_task": settings.cores,
        "mem_gb": settings.memory_gb,
        "stderr_to_stdout": True,
        "slurm_partition": settings.partition,
        "slurm_account": settings.account,
        "slurm_signal_delay_s": WARNING_SECONDS,
        "slurm_additional_parameters": settings.options,
        "slurm_setup": settings.setup or None,
    }
    executor.update_parameters(**{name: value for name, value in given.items() if value is not None})
    return executor


def _wait_for_files(cells: list[OpenCell], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(cell.is_open for cell in cells) and time.monotonic() < deadline:
        time.sleep(0.5)
