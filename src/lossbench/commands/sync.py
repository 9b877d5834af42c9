"""``lossbench-sync``: writes the results that MLflow does not have yet from disk to MLflow."""

import argparse

from lossbench.ground.errors import NOT_THERE, SUCCESS
from lossbench.planning.known_sweeps import folders_of, known_sweeps
from lossbench.planning.plan import Plan, read_plan
from lossbench.tracking.process import follow, synchronise


def run(argv: list[str]) -> int:
    """Write the named sweeps, or all, to MLflow; return the exit status.

    ``--follow`` is how a running sweep starts this command beside itself (``tracking.process``).
    """
    parser = argparse.ArgumentParser("lossbench-sync", description="Send results on disk that MLflow lacks to MLflow.")
    parser.add_argument("sweep", nargs="*", help="names of sweeps; without one, all of multirun/")
    parser.add_argument("--follow", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    plans = [read_plan(folder) for folder in folders_of(arguments.sweep or list(known_sweeps()))]
    if arguments.follow:
        problem = follow(plans[0])
        if problem:
            print(problem)
        return NOT_THERE if problem else SUCCESS
    return max(_synchronise(plan) for plan in plans)


def _synchronise(plan: Plan) -> int:
    problem = synchronise(plan)
    said = "MLflow has everything" if problem is None else problem or "sent to MLflow"
    print(f"{plan.name}: {said}")
    return NOT_THERE if problem else SUCCESS
