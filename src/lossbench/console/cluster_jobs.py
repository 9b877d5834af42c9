"""What is said of a sweep's jobs on a cluster."""

from lossbench.findings.number_formats import counted
from lossbench.jobs.cluster.job_list import PENDING, ClusterJob
from lossbench.jobs.cluster.submission import LOGS

# Of more jobs that ended early only the first are named.
MOST_NAMED = 5


def jobs_line(states: dict[str, str]) -> str:
    """Return how many jobs wait and run, given the states of jobs by their ids."""
    n_waiting = sum(state == PENDING for state in states.values())
    n_running = len(states) - n_waiting
    return f"{counted(n_running, 'job')} at work, {n_waiting} waiting"


def lost_lines(jobs: list[ClusterJob], missing: dict[str, set[str]]) -> list[str]:
    """Return a line for each job that ended before its cells were finished: cancelled, killed, or out of its limits.

    Parameters
    ----------
    missing : dict of set of str
        The names of the missing runs of each unfinished cell, by its folder.
    """
    lost = [job.id for job in jobs if any(_lacks(job, missing.get(cell, set())) for cell in job.cells)]
    lines = [f"job {each} ended before its cells were finished; see {LOGS}/{each}_0_log.out" for each in lost]
    more = [f"so did {counted(len(lost) - MOST_NAMED, 'other job')}"] if len(lost) > MOST_NAMED else []
    return ["", *lines[:MOST_NAMED], *more] if lost else []


def _lacks(job: ClusterJob, missing: set[str]) -> bool:
    """Return whether a job was to train missing runs of a cell of its."""
    return bool(missing.intersection(job.runs) if job.runs else missing)
