"""``lossbench-sync``: writes the results that MLflow does not have yet from disk to MLflow."""

import argparse
from pathlib import Path

from lossbench.ground.errors import NOT_THERE, SUCCESS, UsageError
from lossbench.planning.known_sweeps import folders_of, known_sweeps
from lossbench.planning.plan import read_plan
from lossbench.results.damage import check_files
from lossbench.tracking.process import follow, synchronise


def run(argv: list[str]) -> int:
    """Write the named sweeps, or all, to MLflow; return the exit status.

    ``--follow`` is how a running sweep starts this command beside itself (``tracking.process``).
    """
    parser = argparse.ArgumentParser("lossbench-sync", description="Send results on disk that MLflow lacks to MLflow.")
    parser.add_argument("sweep", nargs="*", help="names of sweeps; without one, all of multirun/")
    parser.add_argument("--follow", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    folders = folders_of(arguments.sweep or list(known_sweeps()))
    if arguments.follow:
        problem = follow(read_plan(folders[0]))
        if problem:
            print(problem)
        return NOT_THERE if problem else SUCCESS
    return max(_synchronise(folder) for folder in folders)


def _synchronise(folder: Path) -> int:
    """Write a sweep to MLflow and say how that ended; what is wrong with one sweep does not hold up the others."""
    try:
        plan = read_plan(folder)
        check_files(plan)
    except UsageError as error:
        print(f"{folder.name}: cannot be sent\n{error}")
        return error.exit_status
    problem = synchronise(plan)
    said = "MLflow has everything" if problem is None else problem or "sent to MLflow"
    print(f"{plan.name}: {said}")
    return NOT_THERE if problem else SUCCESS
