"""``lossbench-sync``: sends to MLflow what is on disk and not in it yet."""

import argparse

from lossbench.config import home
from lossbench.errors import Problem, UsageError, unknown
from lossbench.plan import read_plan
from lossbench.results import read_results
from lossbench.sweep import is_tracked, sweep_lock, track


def run(argv: list[str]) -> int:
    """Synchronise the named sweeps, or all; return the exit status."""
    parser = argparse.ArgumentParser("lossbench-sync", description=__doc__.splitlines()[0])
    parser.add_argument("sweep", nargs="*", help="names of sweeps; all of multirun/ without one")
    names = parser.parse_args(argv).sweep
    known = sorted(path.parent.name for path in (home() / "multirun").glob("*/plan.json"))
    if not known:
        raise UsageError(Problem(f"there is no sweep in {home() / 'multirun'}.", "is LOSSBENCH_HOME right?"))
    problems = [unknown("sweep", name, known) for name in names if name not in known]
    if problems:
        raise UsageError(*problems)
    statuses = [_sync(name) for name in names or known]
    return max(statuses)


def _sync(name: str) -> int:
    plan = read_plan(home() / "multirun" / name)
    with sweep_lock(plan):
        results = read_results(plan)
        if is_tracked(plan, results):
            print(f"{name}: MLflow has everything")
            return 0
        problem = track(plan, results)
    print(f"{name}: {problem or 'sent to MLflow'}")
    return 3 if problem else 0
