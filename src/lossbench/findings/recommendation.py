"""Recommends a loss for each data set, with the command that trains it, and chooses the runs to keep as models."""

import shlex
from dataclasses import dataclass

import numpy as np

from lossbench.comparison.verdict import BETTER
from lossbench.export.saved_model.reading import has_model
from lossbench.findings.number_formats import IN_POINTS, ends, joined, number
from lossbench.findings.sentences import ahead, name_in, nothing_learned, reaches
from lossbench.findings.tables import Table, tables
from lossbench.planning.compared import LOSS
from lossbench.planning.plan import Cell, Plan
from lossbench.results.cells import CellResults
from lossbench.results.part_files import Run, read_run
from lossbench.tuning.study_files import Outcome, read_outcome


@dataclass(frozen=True)
class Advice:
    """The recommendation for one data set.

    Attributes
    ----------
    results : CellResults
        The results of the recommended cell.
    reason : str
        The reason, as a clause that follows "train with <loss>;".
    """

    results: CellResults
    reason: str


def advice(table: Table) -> Advice | None:
    """Return the recommendation for a data set; None if runs are missing, the seeds too few, or nothing was learned.

    The baseline is recommended if the comparison cannot tell it from the best loss, because a change that brings no
    gain is not worth making. Otherwise the best loss is recommended.
    """
    if table.best is None or table.refused or table.n_units < table.least_units:
        return None
    best, baseline = table.best, table.baseline[table.best]
    if not table.beats_naive(best):
        return None
    if not table.group and best != baseline and table.verdict(best) != BETTER:
        return Advice(table.results[baseline], f"no other {table.noun} is surely better")
    if baseline in table.group:
        others = [name_in(table, i) for i in table.group if i != baseline]
        reason = (
            f"no other {table.noun} is better ({joined(others[:3])} cannot be told from it)"
            if others
            else (f"it is better than every other {table.noun} here")
        )
        return Advice(table.results[baseline], reason)
    found = table.comparisons[best]
    reason = "it has the best mean"
    if found is not None and found.verdict == BETTER:
        low, high = sorted(abs(end) for end in (found.difference.low, found.difference.high))
        difference = f"{ends(table.metric, low, high)}{' points' if table.metric in IN_POINTS else ''}"
        on = f" on {table.about}" if table.about != "these rows" else ""
        reason = f"it is better than {name_in(table, baseline)} in test {table.metric}, by {difference}{on}"
    return Advice(table.results[best], reason)


def advice_lines(plan: Plan, table: Table) -> list[str]:
    """Return the printed recommendation for a data set, with the commands that train it and export its model."""
    found, better = advice(table), ahead(table)
    if found is None:
        if better:
            return [f"Recommendation for {table.data}: {_no_network(table)} No loss can be recommended."]
        nothing = nothing_learned(table)
        why = nothing[0] if nothing else f"it needs {table.least_units} {table.runs_are} or more, and no run missing."
        return [f"No recommendation for {table.data}: {why}"]
    cell = found.results.cell
    alone = len({other.data for other in plan.cells}) == 1
    kept = has_model(plan.folder / cell.folder)
    exported = shlex.join([plan.name] if alone else [plan.name, cell.name])
    outcome = read_outcome(plan.folder / cell.folder) if cell.is_tuned else None
    network = f"train with {_name(table, found)}; {found.reason}."
    first = f"{_no_network(table)} If it must be this network, {network}" if better else network
    return [
        f"Recommendation for {table.data}: {first}",
        f"  it is trained by: {training_command(found.results, outcome)}",
        f"  and by plain Keras: lossbench-export keras {exported}",
        *([f"  trained already, for new rows: lossbench-export model {exported}"] if kept else []),
    ]


def plain_answer(table: Table) -> str:
    """Return the recommendation in two sentences for readers without statistics; '' if there is none."""
    found, better, metric = advice(table), ahead(table), table.metric
    if found is None and not nothing_learned(table):
        return ""
    if found is None and not better:
        return (
            f"From {table.data} no loss taught this network anything that is sure to hold for new rows. The best "
            "constant guess does about as well."
        )
    assert table.best is not None
    best = number(table.samples[table.best].interval.mean)
    if better:
        reached = number(better[0].interval(metric).mean)
        first = f"On {table.data} {better[0].name} does better than this network with any of the {table.nouns}:"
        second = f"If it must be the network, train it with {_name(table, found)}." if found else ""
        return f"{first} {metric} {reached} against {best}. {second}".strip()
    assert found is not None
    place = table.results.index(found.results)
    own, is_usual = table.samples[place].interval, table.baseline[place] == place
    ends_of = f", probably between {number(own.low)} and {number(own.high)}" if own.n > 1 else ""
    said = f"Train on {table.data} with {_name(table, found)}: expect a {metric} of about {number(own.mean)}{ends_of}."
    if is_usual:
        return f"{said} No other {table.noun} is surely better."
    return f"{said} It is surely better than {name_in(table, table.baseline[place])}, the usual choice."


def _name(table: Table, found: Advice) -> str:
    """Return the name of what is recommended: the loss, or the cell where another setting is compared."""
    cell = found.results.cell
    return cell.loss if table.compare == LOSS else name_in(table, table.results.index(found.results))


def _no_network(table: Table) -> str:
    """Return sentences that say which yardsticks are better than the network, and by how much the best one is."""
    better = ahead(table)
    names = joined([each.name for each in better])
    verb = "is" if len(better) == 1 else "are"
    first = better[0].name[:1].upper() + better[0].name[1:]
    return f"no network; {names} {verb} better here. {first} {reaches(table, better[0])}."


def training_command(results: CellResults, outcome: Outcome | None) -> str:
    """Return the command that trains a cell, with the values that its study chose instead of the study itself."""
    left_out = ("seeds=", "tune=", "tune.", "name=", "report.", "tracking.")
    # The plan marks new mappings with Hydra's ``++``; lossbench adds it itself, so users need not type it.
    overrides = [text.removeprefix("++") for text in results.cell.overrides]
    given = [text for text in overrides if not text.startswith(left_out)]
    chosen = outcome.parameters if outcome else {}
    kept = [text for text in given if text.partition("=")[0] not in chosen]
    return shlex.join(["lossbench", *kept, *(f"{key}={_written(value)}" for key, value in chosen.items())])


def _written(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def typical_run(results: CellResults) -> Run | None:
    """Return the run whose network stands for a cell; None if no run works.

    Of a cross-validation it is the one that was trained on all rows, None before it has been; else the working run with
    the median value of ``judged_by``.
    """
    runs, folds = results.working.runs, results.cell.settings.folds
    if not runs:
        return None
    if folds is not None:
        return read_run(runs[0].path.parent / f"{folds.of_all_rows.name}.npz")
    name = judged_by(runs[0], results.cell)
    order = np.argsort([run.info.scores[name] for run in runs], kind="stable")
    return runs[int(order[(len(runs) - 1) // 2])]


def judged_by(run: Run, cell: Cell) -> str:
    """Return the main metric by which one of a cell's runs is chosen, on the validation split if there is one."""
    metric = cell.metric
    return f"validation/{metric}" if f"validation/{metric}" in run.info.scores else f"test/{metric}"


def saved_runs(plan: Plan, results: list[CellResults]) -> list[tuple[CellResults, Run]]:
    """Return the runs whose networks are kept as models, each with its cell's results."""
    runs = ((result, typical_run(result)) for result in saved_cells(plan, results))
    return [(result, run) for result, run in runs if run is not None]


def saved_cells(plan: Plan, results: list[CellResults]) -> list[CellResults]:
    """Return the cells of which a network is kept.

    ``tracking.models`` decides: every cell (``all``), each data set's ``winner`` (``best``), or none (``none``).
    """
    wanted = plan.tracking.models
    if wanted == "none":
        return []
    return results if wanted == "all" else [found for table in tables(plan, results) if (found := winner(table))]


def winner(table: Table) -> CellResults | None:
    """Return the recommended cell of a data set, or without a recommendation the one with the best mean.

    A loss outside its domain is taken only if all losses are. If no run works the result is None.
    """
    found = advice(table)
    if found is not None:
        return found.results
    # The table lists the cells with the best mean first, so the first one with a run that neither failed nor is stuck
    # is the best.
    working = [result for result in table.results if result.working.runs]
    inside = [result for result in working if not result.cell.outside_domain]
    return next(iter(inside or working), None)
