"""Writes the answer of a sweep as sentences: the best loss of a data set, its lead, and the runs that went wrong."""

import numpy as np

from lossbench.comparison import Interval, compare_pairs, share_interval
from lossbench.comparison.power import LEAST_SEEDS, Needed
from lossbench.comparison.verdict import EQUIVALENT, FEW_SEEDS, INCONCLUSIVE, NO_VERDICT
from lossbench.findings.number_formats import IN_POINTS, counted, ends, joined, number, size
from lossbench.findings.tables import FEW_WORK, MOST_IN_GROUP, Table
from lossbench.ground.run_ids import RunId
from lossbench.losses.choice import chosen_rows
from lossbench.losses.definition import Loss
from lossbench.losses.heads import NUMBER_TASKS
from lossbench.metrics.catalogue import MAIN_METRICS, lower_is_better
from lossbench.planning.plan import Cell
from lossbench.results.causes import cause, last_finite_loss
from lossbench.results.cells import CellResults
from lossbench.results.part_files import DIVERGED, FAILED, Run
from lossbench.results.yardsticks import YardstickResults

# The most losses that one sentence names; further ones are only counted.
MOST_NAMED = 5
# With fewer test rows than this, the answer warns of the error that they leave.
FEW_ROWS = 100


def answer(table: Table) -> str:
    """Return a sentence that names the best loss on a data set; '' if there is nothing to compare."""
    if len(table.results) < 2:
        return ""
    all_fail = any(result.runs for result in table.results) and not any(each.works.any() for each in table.samples)
    if table.refused and not all_fail:
        hint = "report.allow_missing=true compares what is there"
        return f"On {table.data} nothing is compared: {table.refused} ({hint})."
    inside = [result for result in table.results if not result.cell.outside_domain]
    if table.best is None:
        return f"On {table.data} no run works." if len(inside) > 1 else ""
    if len(inside) < 2:
        return f"On {table.data} {name_in(table, table.best)} is the only loss inside its domain."
    n = int(table.samples[table.best].works.sum())
    if table.n_units < table.least_units:
        most = max((c.needed.seeds or 0 for c in table.comparisons if c), default=0) or table.least_units
        few = counted(n if table.runs_are == "seeds" else table.n_units, table.runs_are[:-1])
        return (
            f"On {table.data} {name_in(table, table.best)} has the best mean; {few} are too few for a verdict ({most} "
            "would do)."
            if n != 1
            else f"On {table.data} {name_in(table, table.best)} is best with the one seed; that is no verdict."
        )
    if not table.group:
        return (
            f"On {table.data} {name_in(table, table.best)} has the best mean of {table.n_cells} cells; which others it "
            f"cannot be told from is tested among up to {MOST_IN_GROUP}."
        )
    if table.beats_naive(table.best):
        text = f"On {table.data} {_leaders(table)}{_others(table)}."
    else:
        first = f"On {table.data} no {table.noun} is surely better than the naive predictor"
        text = f"{first}; among them {_leaders(table)}{_others(table)}."
    return text + (f" Under 10 {table.runs_are}: take it with care." if table.n_units < FEW_SEEDS else "")


def outside_domain(cells: list[Cell]) -> str:
    """Return which losses are marked with a dagger, on which data sets and why; empty where none is."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        for loss in _limited(cell) if cell.outside_domain else ():
            found.setdefault(f"{loss.name} is made for {loss.domain}", []).append(cell.dataset)
    return "; ".join(f"{what}, which those of {joined(list(dict.fromkeys(on)))} are not" for what, on in found.items())


def _limited(cell: Cell) -> list[Loss]:
    """Return the cell's loss, or the terms of its sum, that are not made for any targets of its task."""
    are_numbers = cell.task in NUMBER_TASKS
    rows = chosen_rows(cell.settings.loss)
    return [loss for loss in rows if loss.ordered or (are_numbers and loss.y_true[0] > -np.inf)]


def _leaders(table: Table) -> str:
    assert table.best is not None
    names = [name_in(table, i) for i in table.group]
    if len(names) == 1:
        return f"{names[0]} is best"
    best = table.samples[table.best].working
    shown = joined([*names[:MOST_NAMED], *([f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else [])])
    if all(np.array_equal(table.samples[i].working, best, equal_nan=True) for i in table.group):
        alone = len(names) < len(table.results)
        return f"{shown} give the same runs" + (" and are best" if alone else ": none is better")
    verdicts = {c.verdict for i in table.group if (c := table.comparisons[i])}
    margin = next((c.margin for c in table.comparisons if c), 0.0)
    if verdicts == {EQUIVALENT} and any(table.baseline[i] == i for i in table.group):
        return f"{shown} do equally well (within {size(table.metric, margin)})"
    on = f" on {table.n_rows} test rows" if table.n_rows else ""
    return f"{shown} are best, and these {table.n_units} {table.runs_are}{on} cannot tell them apart"


def _others(table: Table) -> str:
    """Return clauses that say by how much each loss outside the best group is worse, the nearest loss first."""
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
    # Whether it is worse where it works these runs cannot tell: it is out of the group for how often it fails.
    if low <= 0:
        return f"{name_in(table, place)} fails more often ({failing} of {n_runs} runs)"
    return f"{text} ({counted(found.n, table.runs_are[:-1])}, {ends(table.metric, low, high)}{_population(table)})"


def _population(table: Table) -> str:
    return f" on {table.about}" if table.about != "these rows" else ""


def difference_to_best(table: Table, place: int) -> Interval:
    """Return the mean difference of a cell to the best one, with the interval that verdicts rest on."""
    assert table.best is not None
    pair = (table.samples[table.best], table.samples[place])
    return compare_pairs([pair], margins=[0.0], lower_is_better=table.lower_is_better)[0].difference


def name_in(table: Table, place: int) -> str:
    """Return a cell's label, followed by its head if another cell has the same label."""
    return table.names[place]


def what_went_wrong(results: CellResults, name: str = "", *, causes: bool = True) -> list[str]:
    """Return a line for each kind of run that went wrong in a cell: diverged, stuck or failed.

    Each line has the number of such runs, names them and, except for failed ones, gives an interval of their rate.

    Parameters
    ----------
    causes : bool
        Whether lines with the likely causes follow.
    """
    name = name or results.cell.label
    groups = {
        DIVERGED: [run.info.id for run in results.runs if run.info.status == DIVERGED],
        "stuck": [run.info.id for run in results.runs if run.info.stuck],
        FAILED: [run.info.id for run in results.runs if run.info.status == FAILED],
    }
    lines = []
    for word, ids in groups.items():
        if not ids:
            continue
        rate = share_interval(len(ids), len(results.runs))
        shown = ", ".join(each.short for each in ids[:6]) + (", …" if len(ids) > 6 else "")
        what = "repetition.fold.seed" if ids[0].split else "seed" if len(ids) == 1 else "seeds"
        chance = f"; a rate of {100 * rate.low:.1f} to {100 * rate.high:.1f} %" if word != FAILED else ""
        lines.append(f"{name}: {len(ids)} of {len(results.runs)} {word} ({what} {shown}{chance})")
        lines += [f"{name}: {line}" for line in _causes(results, ids)] if causes and word != FAILED else []
    return lines


def _causes(results: CellResults, ids: list[RunId]) -> list[str]:
    """Return a line for each of the likely causes of runs that diverged or got stuck, the most frequent first."""
    found: dict[str, list[Run]] = {}
    texts: dict[str, str] = {}
    for run in results.runs:
        known = cause(results.cell, run) if run.info.id in ids else None
        if known is not None:
            # Runs with other magnitudes have one remedy: the first one's words stand for all.
            texts.setdefault(known.remedy, known.text)
            found.setdefault(known.remedy, []).append(run)
    ordered = sorted(found.items(), key=lambda entry: -len(entry[1]))
    return [f"{_when(runs)}likely {texts[remedy]}" for remedy, runs in ordered]


def _when(runs: list[Run]) -> str:
    """Return in which epochs runs diverged, and at which loss; '' for stuck ones."""
    epochs = sorted(run.info.diverged_epoch for run in runs)
    if not epochs[0]:
        return ""
    when = f"in epoch {epochs[0]}" if epochs[0] == epochs[-1] else f"in epochs {epochs[0]} to {epochs[-1]}"
    losses = [loss for run in runs if (loss := last_finite_loss(run)) is not None]
    last = f" after a loss of up to {max(losses):.1e}" if losses else ", before its first evaluation"
    return f"{when}{last}: "


def verdict_hints(table: Table) -> list[str]:
    """Return what a reader of the verdicts must know: other verdicts on these rows, few rows, and what would help."""
    failed = [f"yardstick: {each.failed}" for each in table.yardsticks if each.failed]
    if table.refused:
        return failed
    said = [
        *_other_metric(table),
        *_rates_of_optimizers(table),
        *_all_baselines(table),
        *_on_these_rows(table),
        *nothing_learned(table),
        *behind_yardsticks(table),
        *failed,
    ]
    said += _folds_left_out(table)
    return [*said, *_few_rows(table), *_what_would_help(table)]


def _other_metric(table: Table) -> list[str]:
    """Return a line if runs are judged by another metric than the task's usual one, with the best constant's score."""
    usual = MAIN_METRICS[table.results[0].cell.task]
    if table.metric == usual:
        return []
    naive = next((each.naive[name] for each in table.results if (name := f"test/{usual}") in each.naive), None)
    if naive is None or lower_is_better(usual):
        return [f"judged by {table.metric}, not by {usual}, the usual metric."]
    return [f"judged by {table.metric}, not by {usual}, of which the best constant has {number(naive)} already."]


def _rates_of_optimizers(table: Table) -> list[str]:
    """Say that a comparison of optimizers, each at its configured learning rate, is one of learning rates too."""
    settings = [result.cell.settings for result in table.results]
    if table.compare != "optimizer" or any(each.is_tuned for each in settings):
        return []
    rates = {each.optimizer.name: each.optimizer.learning_rate for each in settings}
    if len({(each.optimizer.name, each.optimizer.learning_rate) for each in settings}) > len(rates):
        return []
    shown = joined([f"{name} {rate:g}" for name, rate in rates.items()])
    return [f"each optimizer has its configured learning rate ({shown}): tune=learning_rate finds one for each."]


def nothing_learned(table: Table) -> list[str]:
    """Return a line if the best loss is not surely better than the naive predictor, with the difference."""
    if table.best is None or table.n_units < table.least_units or table.beats_naive(table.best):
        return []
    found = table.over_naive(table.best)
    assert found is not None
    sign = -1 if table.lower_is_better else 1
    low, high = sorted((sign * found.interval.low, sign * found.interval.high))
    unit = " points" if table.metric in IN_POINTS else f" in {table.metric}"
    return [
        f"no {table.noun} is surely better than the naive predictor{_population(table)}: "
        f"{name_in(table, table.best)}, which has the best mean, gains {ends(table.metric, low, high)}{unit} over it."
    ]


def ahead(table: Table) -> list[YardstickResults]:
    """Return the yardsticks that the loss with the best mean is surely behind, the best first."""
    if table.best is None or table.refused or table.n_units < table.least_units:
        return []
    best = table.best
    return [each for each in table.yardsticks if table.is_behind(best, each)]


def behind_yardsticks(table: Table) -> list[str]:
    """Return a line for each yardstick that the best loss is surely behind, with the difference."""
    return [f"{each.name} {reaches(table, each)}." for each in ahead(table)]


def reaches(table: Table, yardstick: YardstickResults) -> str:
    """Return what a yardstick reaches, beside the network with the best loss, as words that follow its name."""
    assert table.best is not None
    found = table.over_yardstick(table.best, yardstick)
    assert found is not None
    low, high = sorted(abs(end) for end in (found.interval.low, found.interval.high))
    worse = f"{ends(table.metric, low, high)}{' points' if table.metric in IN_POINTS else ''} worse"
    about = f", for {table.about}" if table.about != "these rows" else ""
    own = number(table.samples[table.best].interval.mean)
    return (
        f"reaches {number(yardstick.interval(table.metric).mean)}; your network with the best {table.noun}, "
        f"{name_in(table, table.best)}, {own} ({worse}{about})"
    )


def _all_baselines(table: Table) -> list[str]:
    """Say how to compare rows of which each is a baseline, because they have one loss and differ in other settings."""
    settings = [f"report.compare={key}" for key in table.swept if key != table.compare]
    if not settings or len(table.results) < 2 or any(i != place for place, i in enumerate(table.baseline)):
        return []
    same = f"each row is a baseline, as the {table.compare} is the same in all"
    return [f"{same}; {' or '.join(settings)} compares them, with lossbench-report too."]


def _on_these_rows(table: Table) -> list[str]:
    """Name the losses whose verdict is another one if the test rows are taken as they are."""
    if not table.n_rows:
        return []
    said = []
    for i, found in enumerate(table.comparisons):
        here = found.on_these_rows if found else None
        if found and here and here.verdict != found.verdict:
            said.append(f"{name_in(table, i)} {here.verdict}")
    n, named = counted(table.n_rows, "test row"), said[:MOST_NAMED]
    named += [f"{len(said) - MOST_NAMED} more another verdict"] if len(said) > MOST_NAMED else []
    return [f"verdicts are about new rows; on these {n} alone: {', '.join(named)}."] if said else []


def _folds_left_out(table: Table) -> list[str]:
    """Name the losses whose difference rests on fewer folds than there are, because no run of the others works."""
    if table.samples[0].folds is None:
        return []
    found = [(i, c.difference.n) for i, c in enumerate(table.comparisons) if c and c.difference.n < table.n_units]
    named = [f"{name_in(table, i)} ({n} of {table.n_units})" for i, n in found]
    return [f"compared over the folds in which both losses work: {', '.join(named)}."] if named else []


def _few_rows(table: Table) -> list[str]:
    """Warn of a test split that is too small to tell much, with the error that it leaves in a single mean."""
    if table.best is None or not 0 < table.n_rows < FEW_ROWS:
        return []
    found = table.samples[table.best]
    assert found.rows is not None
    error = float(np.std(found.rows[found.works].mean(axis=0), ddof=1)) / table.n_rows**0.5
    return [f"{table.n_rows} test rows are few: they alone leave an error of ± {size(table.metric, 1.96 * error)}."]


def _what_would_help(table: Table) -> list[str]:
    """Return how many seeds, or how many test rows, would settle the verdicts that are open."""
    needed = [c.needed for c in table.comparisons if c and c.verdict in (INCONCLUSIVE, NO_VERDICT)]
    if not needed:
        return []
    if all(c.verdict == NO_VERDICT for c in table.comparisons if c):
        if table.n_units >= table.least_units:
            least = f"{table.least_units} {table.runs_are} in which both work"
            return [f"{FEW_WORK} for a verdict, which needs {least}."]
        return [f"too few {table.runs_are}: {max(n.seeds or 0 for n in needed)} would do for a verdict."]
    if not all(n.said() for n in needed):
        return [f"inconclusive: more {table.runs_are} and {table.rows_are} than are practical would be needed."]
    together = Needed(max(n.seeds or 0 for n in needed), max(n.rows or 0 for n in needed))
    return [f"inconclusive: {together.said(table.runs_are, table.rows_are)} would tell."]
