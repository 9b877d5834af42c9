"""The jobs of a sweep on a cluster, as ``jobs.json`` in its folder lists them, and which of them are still at work.

Slurm's queue alone is asked (``squeue``), not its accounting, which a cluster may lack: a job that is no longer in the
queue has ended, and its part files say what it has done.
"""

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lossbench.ground.errors import MissingEnvironmentError, Problem, UsageError
from lossbench.ground.files import write_text
from lossbench.planning.plan import Plan

NAME = "jobs.json"
SLURM, LOCAL = "slurm", "local"
# How long the queue is asked again if it does not answer, and how long cancelled jobs are waited for.
SILENT_SECONDS, CANCEL_SECONDS = 300, 60
PENDING = "PENDING"


@dataclass(frozen=True)
class ClusterJob:
    """A job, and the folders of the cells that it trains.

    Attributes
    ----------
    id : str
        Slurm's (``17_3`` in an array), or the id of a process of ``host``.
    cluster : str
        ``slurm``, or ``local``: a process of this machine.
    runs : list of str
        The names of its runs, if they are a share of its only cell's; none: all that were open.
    """

    id: str
    cluster: str
    host: str
    cells: list[str]
    runs: list[str] = field(default_factory=list)


def read_jobs(folder: Path) -> list[ClusterJob]:
    """Return the jobs that the last start of a sweep submitted or found at work; none if there is no list."""
    try:
        return [ClusterJob(**job) for job in json.loads((folder / NAME).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def write_jobs(folder: Path, jobs: list[ClusterJob]) -> None:
    """Write the list of a sweep's jobs."""
    write_text(folder / NAME, json.dumps([asdict(job) for job in jobs], indent=1) + "\n")


def at_work(jobs: list[ClusterJob]) -> dict[str, str]:
    """Return the states of those jobs that wait or run, by their ids.

    Raises
    ------
    MissingEnvironmentError
        If Slurm's queue cannot be asked.
    """
    queue = _queue() if any(job.cluster == SLURM for job in jobs) else {}
    found = {job.id: queue[job.id] for job in jobs if job.cluster == SLURM and job.id in queue}
    here = socket.gethostname()
    own = [job.id for job in jobs if job.cluster == LOCAL and job.host == here]
    return found | {job: "RUNNING" for job in own if _is_alive(int(job))}


def jobs_at_work(folder: Path) -> list[ClusterJob]:
    """Return the jobs of a sweep that wait or run."""
    jobs = read_jobs(folder)
    there = at_work(jobs)
    return [job for job in jobs if job.id in there]


def refuse_rerun(plan: Plan, jobs: list[ClusterJob]) -> None:
    """Raise UsageError if runs shall be trained again while jobs are at work, which would find theirs moved away."""
    if jobs and plan.rerun != "none":
        ids = ", ".join(job.id for job in jobs)
        message = f"rerun={plan.rerun} cannot be while jobs of {plan.name} are at work: {ids}."
        raise UsageError(Problem(message, "wait for them (the command without rerun=), or cancel them with scancel."))


def _queue() -> dict[str, str]:
    """Return the states of this user's jobs in Slurm's queue, by their ids."""
    command, deadline = ["squeue", "--me", "--noheader", "--array", "--format=%i %T"], time.monotonic() + SILENT_SECONDS
    while True:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            return dict(line.split() for line in done.stdout.splitlines())
        except FileNotFoundError:
            hint = f"give the command on the cluster; if its jobs have ended, {NAME} in the sweep's folder can go."
            raise MissingEnvironmentError(Problem("there is no Slurm here: squeue is not found.", hint)) from None
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            # The controller may be starting anew. A job that nobody can ask about must not count as ended.
            if time.monotonic() > deadline:
                said = (error.stderr or str(error)).strip() if isinstance(error.stderr, str) else str(error)
                hint = "its jobs go on; the same command finds them once `squeue` answers."
                message = f"Slurm has not answered for {SILENT_SECONDS} s: {said}"
                raise MissingEnvironmentError(Problem(message, hint)) from None
        time.sleep(5)


def _is_alive(process: int) -> bool:
    """Return whether a process runs; one of our own that has ended is asked for its status, so that it is gone."""
    with suppress(ChildProcessError):
        return os.waitpid(process, os.WNOHANG)[0] == 0
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def cancel(jobs: list[ClusterJob]) -> None:
    """Cancel jobs, and wait until they have ended; a cluster that does not answer is not waited for."""
    ids = [job.id for job in jobs if job.cluster == SLURM]
    with suppress(OSError, subprocess.TimeoutExpired):
        # Those that run at once: submitit's jobs do not end by the signal that Slurm gives them 30 seconds for.
        for options in (["--signal=KILL"], []) if ids else []:
            subprocess.run(["scancel", "--quiet", *options, *ids], capture_output=True, check=False, timeout=60)
    for job in jobs:
        with suppress(ProcessLookupError):
            if job.cluster == LOCAL:
                os.kill(int(job.id), signal.SIGINT)
    deadline = time.monotonic() + CANCEL_SECONDS
    with suppress(MissingEnvironmentError):
        while at_work(jobs) and time.monotonic() < deadline:
            time.sleep(0.2)
