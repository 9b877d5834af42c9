"""``lossbench-export``: what a sweep found, as a file that later sweeps use."""

import argparse
from pathlib import Path

from lossbench.config import home
from lossbench.errors import Problem, UsageError, unknown
from lossbench.plan import read_plan
from lossbench.presets import write_preset
from lossbench.studies import outcomes


def run(argv: list[str]) -> int:
    """Write what was asked for and return the exit status."""
    parser = argparse.ArgumentParser("lossbench-export", description="Write what a sweep found, for later sweeps.")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="tuned")
    tuned = kinds.add_parser("tuned", help="learning rates, as the choice tuned=<sweep>")
    tuned.add_argument("sweep", help="a sweep of multirun/ with tune=learning_rate")
    name = parser.parse_args(argv).sweep
    known = sorted(path.parent.name for path in (home() / "multirun").glob("*/plan.json"))
    if name not in known:
        hint = "lossbench -m tune=learning_rate … makes one; is LOSSBENCH_HOME right?"
        missing = Problem(f"there is no sweep in {home() / 'multirun'}.", hint)
        raise UsageError(unknown("sweep", name, known) if known else missing)
    return _export_tuned(name)


def _export_tuned(name: str) -> int:
    plan = read_plan(home() / "multirun" / name)
    found = outcomes(plan)
    if not any(outcome.parameters for outcome in found.values()):
        message = f"no study of {name} has found a learning rate."
        hint = "tune it: " if any(cell.is_tuned for cell in plan.cells) else "add tune=learning_rate: "
        raise UsageError(Problem(message, f"{hint}{plan.command}"))
    path = write_preset(plan, found)
    for cell in plan.cells:
        if cell.is_tuned and (cell.key not in found or not found[cell.key].parameters):
            reason = found[cell.key].problem if cell.key in found else "its study has not ended"
            print(f"left out: {cell.name}: {reason}")
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    print(f"written: {shown}\nuse it: lossbench -m dataset=… loss=… tuned={name}")
    return 0
