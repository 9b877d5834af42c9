"""The answer in words: which loss is best on a data set, by how much, and which runs went wrong."""

import math

import numpy as np

from lossbench.comparison import Interval, mean_interval, share_interval
from lossbench.comparison.verdict import EQUIVALENT, FEW_SEEDS, LEAST_SEEDS, NO_VERDICT, WORSE
from lossbench.findings.tables import Table
from lossbench.results.cells import CellResults
from lossbench.results.part_files import DIVERGED, FAILED

# Metrics between 0 and 1 whose differences are read in percentage points.
IN_POINTS = ("accuracy", "rounded_accuracy", "subset_accuracy")
# So many of the losses that are worse are named.
MOST_NAMED = 5


def number(value: float) -> str:
    """Write a value with three decimals, from 1000 with none, or with three digits where that says nothing."""
    if not math.isfinite(value):
        return "-"
    if 1e3 <= abs(value) < 1e7:
        return f"{value:.0f}"
    return f"{value:.3f}" if value == 0 or 5e-4 <= abs(value) < 1e3 else f"{value:.2e}"


def spread(value: float, mean: float) -> str:
    """Write a half width beside its mean, to the same decimal where that says something."""
    if 1e3 <= abs(mean) < 1e7 and value >= 1:
        return f"{value:.0f}"
    return f"{value:.4f}" if 5e-5 <= value < 5e-4 else number(value)


def size(metric: str, value: float) -> str:
    """Write a difference without its sign: accuracy in points, others in their unit."""
    return f"{100 * abs(value):.1f} points" if metric in IN_POINTS else number(abs(value))


def ends(metric: str, low: float, high: float) -> str:
    """Write the ends of an interval of differences, ``0.6 to 1.2``."""
    if metric in IN_POINTS:
        return f"{_plain(100 * low, 1)} to {_plain(100 * high, 1)}"
    places = decimals(low, high)
    return f"{number(low)} to {number(high)}" if places is None else f"{_plain(low, places)} to {_plain(high, places)}"


def decimals(low: float, high: float) -> int | None:
    """Return how many decimals the ends of an interval need, so that one that is not 0 does not read as 0."""
    most = max(abs(low), abs(high))
    if most < 5e-4 or most >= 1e7:
        return None
    least = 0 if most >= 1e3 else 1 if most >= 100 else 3
    if low == high:
        return least

    def reads(places: int) -> bool:
        first, second = f"{low:.{places}f}", f"{high:.{places}f}"
        return first != second and (low == 0 or float(first) != 0) and (high == 0 or float(second) != 0)

    return next((places for places in range(least, 5) if reads(places)), 5)


def _plain(value: float, decimals: int) -> str:
    """Write a number without a minus sign before a 0."""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def listed(names: list[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def answer(table: Table) -> str:
    """Return one sentence that answers which loss is best on a data set; empty where there is nothing to compare."""
    if len(table.results) < 2:
        return ""
    if table.refused:
        hint = "report.allow_missing=true compares what is there"
        return f"On {table.data} nothing is compared: {table.refused} ({hint})."
    inside = [result for result in table.results if not result.cell.outside_domain]
    if table.best is None:
        return f"On {table.data} no run works." if len(inside) > 1 else ""
    if len(inside) < 2:
        return f"On {table.data} {name_in(table, table.best)} is the only loss inside its domain."
    n = int(table.samples[table.best].works.sum())
    if len(table.seeds) < LEAST_SEEDS:
        most = max((c.seeds_needed or 0 for c in table.comparisons if c), default=0) or LEAST_SEEDS
        return (
            f"On {table.data} {name_in(table, table.best)} has the best mean; {counted(n, 'seed')} are too few for a "
            f"verdict ({most} would do)."
            if n != 1
            else f"On {table.data} {name_in(table, table.best)} is best with the one seed; that is no verdict."
        )
    text = f"On {table.data} {_leaders(table)}{_others(table)}."
    return text + (" Under 10 seeds: take it with care." if len(table.seeds) < FEW_SEEDS else "")


def _leaders(table: Table) -> str:
    assert table.best is not None
    names = [name_in(table, i) for i in table.group]
    if len(names) == 1:
        return f"{names[0]} is best"
    best = table.samples[table.best].working
    shown = listed([*names[:MOST_NAMED], *([f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else [])])
    if all(np.array_equal(table.samples[i].working, best, equal_nan=True) for i in table.group):
        alone = len(names) < len(table.results)
        return f"{shown} give the same runs" + (" and are best" if alone else ": none is better")
    verdicts = {c.verdict for i in table.group if (c := table.comparisons[i])}
    margin = next((c.margin for c in table.comparisons if c), 0.0)
    if verdicts == {EQUIVALENT} and any(table.baseline[i] == i for i in table.group):
        return f"{shown} do equally well (within {size(table.metric, margin)})"
    return f"{shown} are best, and these {len(table.seeds)} seeds cannot tell them apart"


def _others(table: Table) -> str:
    """Say by how much the losses outside the group are worse, the nearest first."""
    assert table.best is not None
    inside = [i for i, result in enumerate(table.results) if not result.cell.outside_domain]
    others = [i for i in inside if i not in table.group]
    named = [_behind(table, i) for i in others[:MOST_NAMED]]
    more = f" and {counted(len(others) - MOST_NAMED, 'other')} still further behind" if len(others) > MOST_NAMED else ""
    return ("; " + ", ".join(named) + more) if named else ""


def _behind(table: Table, place: int) -> str:
    found = difference_to_best(table, place)
    own = table.samples[place]
    n_runs, failing = int(own.there.sum()), int(own.fails.sum())
    if not n_runs:
        return f"{name_in(table, place)} has no run"
    if found.n < LEAST_SEEDS:
        return f"{name_in(table, place)} works in {n_runs - failing} of {n_runs} runs"
    sign = 1 if table.lower_is_better else -1
    low, high = sorted((sign * found.low, sign * found.high))
    unit = "" if table.metric in IN_POINTS else f" in {table.metric}"
    text = f"{name_in(table, place)} is {size(table.metric, found.mean)} worse{unit}"
    if sign * found.mean <= 0:
        return f"{name_in(table, place)} fails more often ({failing} of {n_runs} runs)"
    return f"{text} ({counted(found.n, 'seed')}, {ends(table.metric, low, high)})"


def difference_to_best(table: Table, place: int) -> Interval:
    """Return how far a cell is from the best one, over the seeds with which both work."""
    assert table.best is not None
    return mean_interval(table.samples[place].working - table.samples[table.best].working)


def name_in(table: Table, place: int) -> str:
    """Return a cell's label, with its head where another cell bears the same."""
    cell = table.results[place].cell
    same = [result for result in table.results if result.cell.label == cell.label]
    return f"{cell.label} ({cell.head})" if len(same) > 1 else cell.label


def counted(n: int, noun: str) -> str:
    """Return ``1 study``, ``3 studies``, ``30 seeds``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun[:-1]}ies" if noun.endswith("y") else f"{n} {noun}s"


def what_went_wrong(results: CellResults, name: str = "") -> list[str]:
    """Say how many runs of a cell diverged, are stuck or failed, with which seeds, and what rate that may mean."""
    name = name or results.cell.label
    groups = {
        DIVERGED: [run.info.seed for run in results.runs if run.info.status == DIVERGED],
        "stuck": [run.info.seed for run in results.runs if run.info.stuck],
        FAILED: [run.info.seed for run in results.runs if run.info.status == FAILED],
    }
    lines = []
    for word, seeds in groups.items():
        if not seeds:
            continue
        rate = share_interval(len(seeds), len(results.runs))
        shown = ", ".join(map(str, seeds[:6])) + (", …" if len(seeds) > 6 else "")
        which = f"seed{'s' if len(seeds) > 1 else ''} {shown}"
        chance = f"; a rate of {100 * rate.low:.1f} to {100 * rate.high:.1f} %" if word != FAILED else ""
        lines.append(f"{name}: {len(seeds)} of {len(results.runs)} {word} ({which}{chance})")
    return lines


def verdict_hint(table: Table) -> list[str]:
    """Say what a reader of the verdicts must know: how many seeds would do where they do not tell."""
    lines = []
    open_ = [c for c in table.comparisons if c and c.verdict not in (EQUIVALENT, WORSE, "better")]
    if open_ and not table.refused:
        needed = [c.seeds_needed for c in open_]
        if all(c.verdict == NO_VERDICT for c in open_):
            lines.append(f"too few seeds: {max(n or 0 for n in needed)} would do for a verdict.")
        elif None not in needed:
            lines.append(f"inconclusive: about {max(n or 0 for n in needed)} seeds would tell.")
        else:
            lines.append("inconclusive: more seeds than are practical would be needed.")
    return lines
