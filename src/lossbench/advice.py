"""What to train with, in words: the recommendation that follows from a table, and the command that trains it."""

import shlex
from dataclasses import dataclass

import numpy as np

from lossbench.answer import ends, listed, name_in
from lossbench.comparison.verdict import LEAST_SEEDS
from lossbench.results import FINISHED, CellResults
from lossbench.samples import Table
from lossbench.studies import Outcome


@dataclass(frozen=True)
class Advice:
    """What is recommended for one data set.

    Attributes
    ----------
    results : CellResults
        Of the recommended cell.
    reason : str
        Why that one: a sentence.
    """

    results: CellResults
    reason: str


def advice(table: Table) -> Advice | None:
    """Return what to train with on a data set; None where these runs cannot say.

    The baseline is recommended as long as it cannot be told from the best: a loss that is not better is not worth
    the change. Else the best is.
    """
    if table.best is None or table.refused or len(table.seeds) < LEAST_SEEDS:
        return None
    best, baseline = table.best, table.baseline[table.best]
    if baseline in table.group:
        others = [name_in(table, i) for i in table.group if i != baseline]
        reason = (
            f"no other loss is better ({listed(others[:3])} cannot be told from it)"
            if others
            else ("it is better than every other loss here")
        )
        return Advice(table.results[baseline], reason)
    found = table.comparisons[best]
    reason = "it has the best mean"
    if found is not None:
        low, high = sorted(abs(end) for end in (found.difference.low, found.difference.high))
        difference = f"{ends(table.metric, low, high)}{' points' if table.metric == 'accuracy' else ''}"
        reason = f"it is {found.verdict} than {name_in(table, baseline)} in test {table.metric}, by {difference}"
    return Advice(table.results[best], reason)


def advice_lines(table: Table, outcome: Outcome | None, sweep: str) -> list[str]:
    """Return the recommendation as it is printed, with what trains it."""
    found = advice(table)
    if found is None:
        return [f"No recommendation for {table.data}: with {LEAST_SEEDS} seeds or more, all there, there is one."]
    cell = found.results.cell
    return [
        f"Recommendation for {table.data}: train with {cell.loss}; {found.reason}.",
        f"  it is trained by: {training_command(found.results, outcome)}",
        f"  and by plain Keras: lossbench-export keras {sweep}",
    ]


def training_command(results: CellResults, outcome: Outcome | None) -> str:
    """Return the command that trains a cell with what its study chose."""
    left_out = ("seeds=", "tune=", "tune.", "name=", "report.", "tracking.")
    given = [text for text in results.cell.overrides if not text.startswith(left_out)]
    chosen = outcome.parameters if outcome else {}
    kept = [text for text in given if text.partition("=")[0] not in chosen]
    return shlex.join(["lossbench", *kept, *(f"{key}={_written(value)}" for key, value in chosen.items())])


def _written(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def typical_seed(results: CellResults, metric: str) -> int:
    """Return the seed of a cell's run in the middle by a metric, on the validation split if there is one.

    Raises
    ------
    ValueError
        If no run works.
    """
    runs = [run.info for run in results.runs if run.info.status == FINISHED and not run.info.stuck]
    if not runs:
        raise ValueError(f"no run of {results.cell.name} works")
    name = f"validation/{metric}" if f"validation/{metric}" in runs[0].scores else f"test/{metric}"
    order = np.argsort([info.scores[name] for info in runs], kind="stable")
    return runs[int(order[(len(runs) - 1) // 2])].seed
