"""``lossbench-sync``: writes the results that MLflow does not have yet from disk to MLflow."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lossbench.config.mlflow_environment import ADDRESS, configure_mlflow
from lossbench.config.paths import default_store
from lossbench.findings.number_formats import counted
from lossbench.ground.errors import NOT_THERE, SUCCESS, MissingEnvironmentError, Problem, UsageError
from lossbench.ground.leases import leases_of
from lossbench.ground.secrets import without_secrets
from lossbench.jobs.sharing import is_at_work, writer_of
from lossbench.planning.known_sweeps import folders_of, known_sweeps
from lossbench.planning.plan import Plan, read_plan
from lossbench.results.damage import check_files
from lossbench.tracking.local_store import is_damaged, store_path, store_problem
from lossbench.tracking.process import follow, synchronise, tracking_uri

if TYPE_CHECKING:
    from lossbench.tracking.rebuild import OldStore


def run(argv: list[str]) -> int:
    """Write the named sweeps, or all, to MLflow; return the exit status.

    ``--follow`` is how a running sweep starts this command beside itself (``tracking.process``).
    """
    parser = argparse.ArgumentParser("lossbench-sync", description="Send results on disk that MLflow lacks to MLflow.")
    parser.add_argument("sweep", nargs="*", help="names of sweeps; without one, all of multirun/")
    parser.add_argument(
        "--rebuild", action="store_true", help="set a damaged store aside, and write a new one from all sweeps"
    )
    parser.add_argument("--yes", action="store_true", help="with --rebuild: do not ask, even if something is lost")
    parser.add_argument("--follow", metavar="LEASE", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.rebuild:
        if arguments.sweep:
            raise UsageError(Problem("--rebuild takes no names: a new store has all sweeps.", "leave them out."))
        return _rebuild(yes=arguments.yes)
    folders = folders_of(arguments.sweep or list(known_sweeps()))
    if arguments.follow:
        problem = follow(read_plan(folders[0]), arguments.follow)
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
    writer = writer_of(leases_of(folder))
    if writer is not None and not writer.is_here:
        # Of a process of this machine it is waited for the end.
        print(f"{plan.name}: {writer} is at work on it, and sends it to MLflow")
        return NOT_THERE
    problem = synchronise(plan)
    said = "MLflow has everything" if problem is None else problem or "sent to MLflow"
    print(f"{plan.name}: {said}")
    return NOT_THERE if problem else SUCCESS


# ---- A damaged store.


def _rebuild(*, yes: bool) -> int:
    uri = os.environ.get(ADDRESS) or default_store()
    path = store_path(uri)
    if path is None:
        message = f"--rebuild is for a store on this disk; {ADDRESS} is {without_secrets(uri)}."
        raise UsageError(Problem(message, "whoever runs the server repairs its store."))
    if not path.exists() or not is_damaged(path):
        problem = store_problem(uri)
        if problem:
            raise MissingEnvironmentError(problem)
        what = "intact" if path.exists() else "not there"
        print(f"{path} is {what}: nothing to rebuild; lossbench-sync sends what is missing")
        return SUCCESS
    plans = _plans(uri)
    configure_mlflow()
    # Imported after the environment is set, which MLflow reads when it is imported.
    from lossbench.tracking.rebuild import processes_with, read_old, rebuild

    _check_unused(path, plans, processes_with(path))
    old = read_old(path, [plan.name for plan in plans])
    print("\n".join(_what_is_lost(path, plans, old)), flush=True)
    if not yes and not _asked():
        print("nothing is changed.")
        return SUCCESS
    status = SUCCESS
    for line, went_well in rebuild(uri, path, plans, old):
        print(line, flush=True)
        status = status if went_well else NOT_THERE
    return status


def _plans(uri: str) -> list[Plan]:
    """Return the plans of all sweeps whose results belong into a store; damaged ones are named and left out."""
    plans = []
    for folder in known_sweeps().values():
        try:
            plan = read_plan(folder)
            check_files(plan)
        except UsageError as error:
            print(f"{folder.name}: cannot be sent\n{error}")
            continue
        if plan.tracking.enabled and (tracking_uri(plan) or default_store()) == uri:
            plans.append(plan)
    return plans


def _check_unused(path: Path, plans: list[Plan], processes: list[int]) -> None:
    busy = [plan.name for plan in plans if is_at_work(plan.folder)]
    if busy:
        message = f"a lossbench is at work on {', '.join(busy)}."
        raise MissingEnvironmentError(Problem(message, "wait for it, then give this command again."))
    if processes:
        numbers = ", ".join(map(str, processes))
        message = f"another process has {path} open: {numbers}."
        raise MissingEnvironmentError(Problem(message, "end it (lossbench-ui, mlflow server); then give this again."))


def _what_is_lost(path: Path, plans: list[Plan], old: "OldStore") -> list[str]:
    lines = [f"{path} is damaged. It is set aside, not deleted; a new store is written from the results of:"]
    lines += [f"  {plan.name}: {counted(plan.n_runs, 'run')}" for plan in plans] or ["  no sweep"]
    lines += ["not in the new store:"]
    lines += [f"  experiment {name}: {counted(n, 'run')}, not of a sweep here" for name, n in old.others.items()]
    lines += [f"  {counted(old.n_models, 'registered model')}"] if old.n_models else []
    lines += ["  notes, tags and names that you gave in MLflow's UI", "  what the damaged file can no longer tell"]
    return lines


def _asked() -> bool:
    if not sys.stdin.isatty():
        raise UsageError(Problem("nobody can be asked whether to go on.", "add --yes"))
    try:
        return input("go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
