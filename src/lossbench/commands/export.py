"""``lossbench-export``: writes tuned learning rates, a training in plain Keras, a model, or the parts of a paper."""

import argparse
import shutil
import tempfile
from pathlib import Path

from lossbench.commands import export_for_paper
from lossbench.config.mlflow_environment import configure_mlflow
from lossbench.config.paths import shown
from lossbench.console.text_tables import mean_and_interval
from lossbench.export.preset_file import write_preset
from lossbench.ground.errors import Problem, UsageError, unknown
from lossbench.ground.files import write_text
from lossbench.planning.known_sweeps import folders_of
from lossbench.planning.plan import Plan, read_plan
from lossbench.results.cells import CellResults, read_results
from lossbench.results.damage import check_files
from lossbench.results.part_files import Run
from lossbench.tuning.study_files import outcomes


def run(argv: list[str]) -> int:
    """Write the export that the arguments name and return the exit status."""
    parser = argparse.ArgumentParser("lossbench-export", description="Write what a sweep found, for use elsewhere.")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="tuned|keras|model|table|figure|methods|bibtex")
    tuned = kinds.add_parser("tuned", help="learning rates, as the choice tuned=<sweep>")
    tuned.add_argument("sweep", help="a sweep of multirun/ with tune=learning_rate")
    keras = kinds.add_parser("keras", help="the recommended training, as a script that needs Keras and no lossbench")
    model = kinds.add_parser("model", help="the recommended network, trained, as a model of MLflow for new rows")
    for kind in (keras, model):
        kind.add_argument("sweep", help="a sweep of multirun/")
        kind.add_argument("cell", nargs="?", help="a cell's name (circles/hinge/tanh), instead of the recommended one")
    export_for_paper.add_kinds(kinds)
    arguments = parser.parse_args(argv)
    plan = read_plan(folders_of([arguments.sweep])[0])
    if arguments.kind == "tuned":
        return _export_tuned(plan)
    if arguments.kind in export_for_paper.KINDS:
        return export_for_paper.export(plan, arguments)
    return (_export_keras if arguments.kind == "keras" else _export_model)(*_chosen(plan, arguments))


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
    print(f"written: {shown(path)}\nuse it: lossbench -m dataset=… loss=… tuned={plan.name}")
    return 0


def _export_keras(results: CellResults, run: Run) -> int:
    from lossbench.export.keras_script import keras_script

    text = keras_script(results.cell, run.info.tuned, run.info.seed, _score(results, run)[1], _for_new_rows(results))
    path = Path(f"{results.cell.folder}.py").absolute()
    write_text(path, text)
    print(f"written: {shown(path)}, {_named(results, run)}")
    return 0


def _export_model(results: CellResults, run: Run) -> int:
    configure_mlflow()
    from lossbench.export.saved_model.packing import write_model
    from lossbench.export.saved_model.reading import NoModelError

    path = Path(f"{results.cell.folder}-model").absolute()
    if path.exists() and not (path / "MLmodel").exists():
        raise UsageError(Problem(f"{shown(path)} is there and is no model.", "move it away."))
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as temporary:
            write_model(run, Path(temporary) / "model")
            # Copied over an earlier export, not moved, so that files that the user put beside it stay.
            shutil.copytree(Path(temporary) / "model", path, dirs_exist_ok=True)
    except NoModelError as error:
        raise UsageError(Problem(f"no model can be written of {results.cell.name}: {error}.")) from None
    print(f"written: {shown(path)}, {_named(results, run)}")
    print(f"use it in Python: mlflow.pyfunc.load_model({shown(path)!r}).predict(rows)")
    return 0


def _chosen(plan: Plan, arguments: argparse.Namespace) -> tuple[CellResults, Run]:
    """Return the named cell's results, or without a name the recommended cell's, and its typical run."""
    from lossbench.findings.recommendation import typical_run

    results = _chosen_cell(plan, arguments.kind, arguments.cell)
    run = typical_run(results)
    if run is None:
        raise UsageError(Problem(f"no run of {results.cell.name} works: there is nothing to write."))
    return results, run


def _chosen_cell(plan: Plan, kind: str, name: str | None) -> CellResults:
    from lossbench.findings.recommendation import advice, winner
    from lossbench.findings.tables import tables

    check_files(plan)
    results = read_results(plan)
    if name is not None:
        named = {result.cell.name: result for result in results}
        # A cell's name ends in its swept settings; they may be omitted if only one cell is left to mean.
        meant = [cell for cell in named if cell == name] or [cell for cell in named if cell.startswith(f"{name}/")]
        if len(meant) != 1:
            raise UsageError(unknown("cell", name, meant or named))
        return named[meant[0]]
    if len(results) == 1:
        return results[0]
    found = tables(plan, results)
    command = f"lossbench-export {kind} {plan.name} {results[0].cell.name}"
    if len(found) > 1:
        cells = ", ".join(result.cell.name for result in results[:4])
        message = f"{plan.name} has {len(found)} data sets: which cell is meant?"
        raise UsageError(Problem(message, f"{command}; there is {cells}"))
    best = winner(found[0])
    if best is None:
        raise UsageError(Problem(f"no run of {plan.name} works: there is nothing to write."))
    if advice(found[0]) is None:
        print(f"{plan.name} has no recommendation; this is the cell with the best mean.")
    return best


def _score(results: CellResults, run: Run) -> tuple[str, float]:
    """Return the name and the value of the main metric of a run: on the test split, or if it has none in training."""
    split = "test" if results.cell.settings.folds is None else "train"
    name = f"{split}/{results.cell.metric}"
    return name.replace("/", " "), run.info.scores[name]


def _for_new_rows(results: CellResults) -> str:
    """Return the metric to expect of a network trained on all rows for new ones; empty where runs have a test split."""
    if results.cell.settings.folds is None:
        return ""
    metric = results.cell.metric
    return f"{metric} {mean_and_interval(results, f'test/{metric}')}"


def _named(results: CellResults, run: Run) -> str:
    name, score = _score(results, run)
    said = f"{results.cell.name} with seed {run.info.seed}: {name} {score:.4f}"
    expected = _for_new_rows(results)
    return f"{said}, trained on all rows; expect {expected} for new ones" if expected else said
