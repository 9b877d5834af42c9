"""Compares two sweeps over the cells and the seeds that they share."""

import csv
import io
import textwrap
from dataclasses import dataclass

import numpy as np

from lossbench.comparison import Comparison, Sample, compare_pairs, mean_interval
from lossbench.console.text_tables import WIDTH, text_table
from lossbench.findings.number_formats import number
from lossbench.findings.tables import margin, sample
from lossbench.ground.errors import Problem, UsageError
from lossbench.ground.run_ids import RunId
from lossbench.metrics.catalogue import lower_is_better
from lossbench.planning.plan import Plan, changes
from lossbench.report.caveats import difference_text
from lossbench.report.page import p_value
from lossbench.results.cells import CellResults, read_results


@dataclass(frozen=True)
class Shared:
    """A cell that both sweeps have, with the difference of the second sweep's runs less the first's.

    Attributes
    ----------
    changed : list of str
        The settings that differ between the two sweeps' cells.
    """

    name: str
    data: str
    metric: str
    first: Sample
    second: Sample
    comparison: Comparison
    changed: list[str]


def shared_cells(first: Plan, second: Plan) -> list[Shared]:
    """Return comparisons of the cells with the same name in two sweeps, over the seeds that both have.

    Raises
    ------
    UsageError
        If the sweeps share no cell or no seed.
    """
    ours = {result.cell.name: result for result in read_results(first)}
    theirs = {result.cell.name: result for result in read_results(second)}
    names = [name for name in ours if name in theirs]
    runs = {name: _shared_runs(first, second, ours[name], theirs[name]) for name in names}
    if not any(runs.values()):
        what = "cell" if not names else "seed"
        hint = f"{first.name} has {', '.join(list(ours)[:3])}; {second.name} has {', '.join(list(theirs)[:3])}."
        raise UsageError(Problem(f"{first.name} and {second.name} must share a {what}; they share none.", hint))
    found = []
    for data in dict.fromkeys(ours[name].cell.data for name in names):
        chosen = [name for name in names if ours[name].cell.data == data and runs[name]]
        if chosen:
            found += _compared(second, [(ours[n], theirs[n]) for n in chosen], runs[chosen[0]])
    return found


def _shared_runs(first: Plan, second: Plan, a: CellResults, b: CellResults) -> list[RunId]:
    """Return the runs that two cells share; none if their folds are others."""
    one, other = a.cell.settings.folds, b.cell.settings.folds
    if one and other and (one.folds, one.seed) != (other.folds, other.seed):
        return []
    there = set(second.runs(b.cell))
    return [run for run in first.runs(a.cell) if run in there]


def _compared(plan: Plan, pairs: list[tuple[CellResults, CellResults]], runs: list[RunId]) -> list[Shared]:
    metric = pairs[0][0].cell.metric
    samples = [(sample(a, f"test/{metric}", runs), sample(b, f"test/{metric}", runs)) for a, b in pairs]
    margins = [margin(plan.report, metric, a) for a, _ in samples]
    comparisons = compare_pairs(samples, margins=margins, lower_is_better=lower_is_better(metric))
    return [
        Shared(a.cell.name, a.cell.data, metric, *both, comparison, changes(a.cell.settings, b.cell.settings))
        for (a, b), both, comparison in zip(pairs, samples, comparisons, strict=True)
    ]


def against_lines(first: Plan, second: Plan, cells: list[Shared]) -> list[str]:
    """Return the comparison as lines for the terminal."""
    seeds, folds = len(cells[0].first.values), cells[0].first.folds is not None
    what, on = ("runs in folds", "another sample") if folds else ("seeds", "these test rows")
    lines = [f"{second.name} against {first.name}: {len(cells)} shared cells, {seeds} shared {what}"]
    for data in dict.fromkeys(cell.data for cell in cells):
        chosen = [cell for cell in cells if cell.data == data]
        lines += ["", f"{data}: test {chosen[0].metric}"]
        rows = [["cell", first.name[:14], second.name[:14], "difference", "verdict"]]
        rows += [
            [
                "/".join(cell.name.split("/")[1:]),
                *(number(mean_interval(one.working).mean) for one in (cell.first, cell.second)),
                difference_text(cell.metric, cell.comparison.difference).replace("−", "-"),
                cell.comparison.verdict,
            ]
            for cell in chosen
        ]
        lines += text_table(rows, left=1)
    changed = list(dict.fromkeys(change for cell in cells for change in cell.changed))
    said = f"changed: {'; '.join(changed[:8])}" if changed else "no setting differs: the same runs"
    note = f"difference: second less first, paired by seed (accuracy in points), with its 95 % interval for {on}"
    return [*lines, "", *textwrap.wrap(note, WIDTH), *textwrap.wrap(said, WIDTH)]


def against_csv(first: Plan, second: Plan, cells: list[Shared]) -> str:
    """Return the comparison as CSV, with a row for each shared cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = [
        "cell",
        "metric",
        first.name,
        second.name,
        "difference",
        "low",
        "high",
        "seeds",
        "p",
        "p_holm",
        "verdict",
    ]
    writer.writerow(columns)
    for cell in cells:
        found = cell.comparison
        means = [mean_interval(one.working).mean for one in (cell.first, cell.second)]
        numbers = [*means, found.difference.mean, found.difference.low, found.difference.high]
        row = [cell.name, cell.metric, *(f"{v:.9g}" if np.isfinite(v) else "" for v in numbers), found.difference.n]
        writer.writerow([*row, p_value(found.p), p_value(found.p_corrected), found.verdict])
    return file.getvalue()
