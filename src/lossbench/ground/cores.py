"""How many cores this process may use."""

import os

# In the environment of a job of ours that no scheduler tells how many cores it was given.
ALLOTTED = "LOSSBENCH_CORES"
# What Slurm tells a job of its share: the cores of each of its tasks if they were asked for, else those of its node.
OF_A_SLURM_JOB = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
# What limits the threads of TensorFlow's operations and of OpenMP.
LIMITS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")


def n_cores() -> int:
    """Return the number of cores that this process may use, which may be fewer than the machine has.

    A Slurm without a plugin that binds tasks lets a job run on every core, so what it was allotted counts too.
    """
    n_here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allotted = n_allotted()
    return n_here if allotted is None else min(n_here, allotted)


def n_allotted() -> int | None:
    """Return the number of cores that the job was given to which this process belongs; None outside of jobs."""
    names = (*OF_A_SLURM_JOB, ALLOTTED) if "SLURM_JOB_ID" in os.environ else (ALLOTTED,)
    given = [text for name in names if (text := os.environ.get(name, "")).isdigit()]
    return max(1, int(given[0])) if given else None


def thread_limits() -> dict[str, str]:
    """Return the environment in which TensorFlow and OpenMP use no more threads than a job was given cores.

    Outside of jobs it is empty: they count the cores that the system lets them use.
    """
    allotted = n_allotted()
    return {} if allotted is None else dict.fromkeys(LIMITS, str(allotted))
