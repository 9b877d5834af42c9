"""``lossbench-export``: what a sweep found, as a file: learning rates for later sweeps, a training for plain Keras."""

import argparse
from pathlib import Path

from lossbench.config import home
from lossbench.errors import Problem, UsageError, unknown
from lossbench.metrics.table import MAIN_METRICS
from lossbench.plan import Plan, read_plan
from lossbench.presets import write_preset
from lossbench.results import CellResults, read_results, write_text
from lossbench.studies import outcomes


def run(argv: list[str]) -> int:
    """Write what was asked for and return the exit status."""
    parser = argparse.ArgumentParser("lossbench-export", description="Write what a sweep found, for use elsewhere.")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="tuned|keras")
    tuned = kinds.add_parser("tuned", help="learning rates, as the choice tuned=<sweep>")
    tuned.add_argument("sweep", help="a sweep of multirun/ with tune=learning_rate")
    keras = kinds.add_parser("keras", help="the recommended training, as a script that needs Keras and no lossbench")
    keras.add_argument("sweep", help="a sweep of multirun/")
    keras.add_argument(
        "cell", nargs="?", help="the name of a cell (circles/hinge/tanh), instead of the recommended one"
    )
    arguments = parser.parse_args(argv)
    name = arguments.sweep
    known = sorted(path.parent.name for path in (home() / "multirun").glob("*/plan.json"))
    if name not in known:
        missing = Problem(f"there is no sweep in {home() / 'multirun'}.", "is LOSSBENCH_HOME right?")
        raise UsageError(unknown("sweep", name, known) if known else missing)
    plan = read_plan(home() / "multirun" / name)
    return _export_tuned(plan) if arguments.kind == "tuned" else _export_keras(plan, arguments.cell)


def _export_tuned(plan: Plan) -> int:
    found = outcomes(plan)
    if not any(outcome.parameters for outcome in found.values()):
        message = f"no study of {plan.name} has found a learning rate."
        hint = "tune it: " if any(cell.is_tuned for cell in plan.cells) else "add tune=learning_rate: "
        raise UsageError(Problem(message, f"{hint}{plan.command}"))
    path = write_preset(plan, found)
    for cell in plan.cells:
        if cell.is_tuned and (cell.key not in found or not found[cell.key].parameters):
            reason = found[cell.key].problem if cell.key in found else "its study has not ended"
            print(f"left out: {cell.name}: {reason}")
    print(f"written: {_shown(path)}\nuse it: lossbench -m dataset=… loss=… tuned={plan.name}")
    return 0


def _export_keras(plan: Plan, cell_name: str | None) -> int:
    from lossbench.advice import typical_seed
    from lossbench.keras_script import keras_script

    results = _chosen(plan, cell_name)
    metric = MAIN_METRICS[results.cell.task]
    try:
        seed = typical_seed(results, metric)
    except ValueError as error:
        raise UsageError(Problem(f"{error}: there is nothing to write.")) from None
    score = next(run.info.scores[f"test/{metric}"] for run in results.runs if run.info.seed == seed)
    text = keras_script(results.cell, results.tuned, seed, score)
    path = Path(f"{results.cell.folder}.py").absolute()
    write_text(path, text)
    print(f"written: {_shown(path)}, {results.cell.name} with seed {seed}: test {metric} {score:.4f}")
    return 0


def _chosen(plan: Plan, cell_name: str | None) -> CellResults:
    """Return the cell that is named, or the one that is recommended where the sweep has one data set."""
    from lossbench.advice import advice
    from lossbench.samples import tables

    results = read_results(plan)
    if cell_name is not None:
        named = {result.cell.name: result for result in results}
        if cell_name not in named:
            raise UsageError(unknown("cell", cell_name, named))
        return named[cell_name]
    found = tables(plan, results)
    if len(found) > 1:
        cells = ", ".join(result.cell.name for result in results[:4])
        message = f"{plan.name} has {len(found)} data sets: which cell is meant?"
        raise UsageError(
            Problem(message, f"lossbench-export keras {plan.name} {results[0].cell.name}; there is {cells}")
        )
    recommended = advice(found[0])
    if recommended is None:
        message = f"{plan.name} has no recommendation: its runs do not say which loss is best."
        raise UsageError(Problem(message, f"name a cell: lossbench-export keras {plan.name} {results[0].cell.name}"))
    return recommended.results


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
