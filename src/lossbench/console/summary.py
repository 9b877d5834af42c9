"""The tables at the end of a sweep: the losses of each data set with the answer, tuning, and published values."""

import math
import textwrap

from lossbench.comparison import mean_interval
from lossbench.config.settings import FOLDS, SAMPLES, SEEDS, OwnSettings, StandardizeSettings, TuneSettings
from lossbench.console.text_tables import WIDTH, interval_text, mean_and_interval, text_table
from lossbench.findings.number_formats import counted, joined, number
from lossbench.findings.published import published
from lossbench.findings.recommendation import advice_lines
from lossbench.findings.sentences import answer, name_in, outside_domain, verdict_hints, what_went_wrong
from lossbench.findings.tables import ANOTHER_SAMPLE, FRESH_SAMPLES, NEW_ROWS, Table, tables
from lossbench.metrics.catalogue import METRICS, lower_is_better
from lossbench.planning.keys import cell_key, untuned
from lossbench.planning.plan import Plan
from lossbench.results.cells import CellResults
from lossbench.tuning.study_files import Outcome, n_repetitions, outcomes, trainings_of_a_trial

# By what a cell's runs repeat: what verdicts are about, and what ± is of.
MEANING = {
    SEEDS: (NEW_ROWS, "over seeds, on these test rows"),
    FOLDS: (f"{ANOTHER_SAMPLE} of this size", "over folds, for another sample"),
    SAMPLES: (FRESH_SAMPLES, "over samples"),
}


def summary_lines(plan: Plan, results: list[CellResults], found: list[Table] | None = None) -> list[str]:
    """Return the tables at the end of a sweep, each with its answer.

    Parameters
    ----------
    found : list of Table or None
        The tables of the results, if they are there already.
    """
    found = tables(plan, results) if found is None else found
    lines: list[str] = []
    for table in found:
        lines += ["", *_data_table(table), *_further_tables(plan, table.shown().results)]
    lines += tuning_lines(plan, results)
    if lines:
        lines += ["", *textwrap.wrap(_legend(plan), WIDTH)]
    if outside := outside_domain([result.cell for result in results]):
        lines += ["", *textwrap.wrap(f"† outside the loss's domain: {outside}.", WIDTH)]
    if plan.published:
        lines += ["", *_published_table(plan, results)]
    return lines + (_advice_lines(plan, found) if plan.report.recommend else [])


def _legend(plan: Plan) -> str:
    """Return the meaning of the columns of the tables."""
    repeated = dict.fromkeys(cell.settings.repeat.name for cell in plan.cells)
    about, over = ([MEANING[name][i] for name in repeated] for i in (0, 1))
    paired = joined(list(dict.fromkeys("fold" if name == "folds" else "seed" for name in repeated)))
    return (
        f"verdict: on the difference to the baseline, paired by {paired}, for {joined(about)}; ±: {joined(over)}; n: "
        f"runs that neither diverged nor are stuck.{_one_rate(plan)}"
    )


def _one_rate(plan: Plan) -> str:
    """Return a sentence about losses of a user's file that are compared at one learning rate; '' for all others."""
    of_files = [cell for cell in plan.cells if isinstance(cell.settings.dataset, OwnSettings)]
    rates = {cell.settings.optimizer.learning_rate for cell in of_files}
    if len({cell.loss for cell in of_files}) < 2 or any(cell.is_tuned for cell in of_files) or len(rates) != 1:
        return ""
    return f" All losses have one learning rate, {rates.pop():g}, which may suit one better: tune=learning_rate."


def _advice_lines(plan: Plan, found: list[Table]) -> list[str]:
    lines = []
    for data in found:
        for text in advice_lines(plan, data):
            # Commands are not wrapped, so that they can be copied.
            lines += [text] if text.startswith("  ") else ["", *textwrap.wrap(text, WIDTH)]
    return lines


def tuning_lines(plan: Plan, results: list[CellResults]) -> list[str]:
    """Return for each data set a table of the tuned learning rates, beside the untuned cells that the plan has."""
    found, by_key = outcomes(plan), {result.cell.key: result for result in results}
    lines: list[str] = []
    for data in dict.fromkeys(result.cell.data for result in results if result.cell.key in found):
        tuned = [result for result in results if result.cell.data == data and result.cell.key in found]
        lines += ["", *_tuned_table(tuned, found, by_key)]
    return lines


def _tuned_table(tuned: list[CellResults], found: dict[str, Outcome], by_key: dict[str, CellResults]) -> list[str]:
    cell, metric = tuned[0].cell, tuned[0].cell.metric
    name, outcome = f"test/{metric}", found[cell.key]
    rows, notes, kept = [], [], []
    for result in ranked(tuned):
        label, its = result.cell.label.replace("/tuned", ""), found[result.cell.key]
        beside = by_key.get(cell_key(untuned(result.cell.settings)))
        values = [mean_and_interval(beside, name) if beside else "", mean_and_interval(result, name)]
        of_folds = its.rates_of_folds
        ends = (of_folds[0], of_folds[-1]) if of_folds else its.tolerance
        rates = [f"{rate:.2g}" for rate in (its.learning_rate, *ends)] if its.parameters else ["-"] * 3
        rows.append([label, *values, *rates])
        kept += [label] if its.kept else []
        notes += [f"{label}: {text}." for text in (its.problem, its.warning) if text]
    if kept:
        notes.insert(0, f"kept as configured, because nothing tried was clearly better: {joined(kept)}.")
    rows = [["loss", "untuned", "tuned", "rate", "from", "to"], *rows]
    if not any(row[1] for row in rows[1:]):
        rows = [[row[0], *row[2:]] for row in rows]
    study = cell.settings.study
    each = (
        f"{study.repetitions} x {study.folds} folds" if isinstance(study, TuneSettings) else f"{len(study.seeds)} seeds"
    )
    meaning = f"rates {outcome.as_good}"
    if cell.settings.folds:
        each, meaning = f"{trainings_of_a_trial(cell)} pairs of folds, {n_repetitions(cell)} times", "over the folds"
    explained = f"({outcome.n_trials} trials x {each}; from, to: {meaning})"
    return [
        f"{cell.data}: test {metric} at the learning rate {outcome.chosen_by}",
        *textwrap.wrap(explained, WIDTH),
        *text_table(rows, left=1, gap=" "),
        *(line for note in notes for line in textwrap.wrap(note, WIDTH, subsequent_indent="  ")),
    ]


def ranked(results: list[CellResults], metric: str = "") -> list[CellResults]:
    """Return the cells of one data set in the order of a metric (default: the main one), best first, none last."""
    metric = metric or results[0].cell.metric
    sign = 1 if lower_is_better(metric) else -1

    def rank(result: CellResults) -> float:
        mean = mean_interval(result.working_scores(f"test/{metric}")).mean
        return sign * mean if math.isfinite(mean) else math.inf

    return sorted(results, key=rank)


def _further_tables(plan: Plan, results: list[CellResults]) -> list[str]:
    """Return a table of one data set for each of ``report.metrics`` that is not its main metric."""
    lines: list[str] = []
    task = results[0].cell.task
    for metric in plan.report.metrics:
        if task in METRICS[metric].tasks and metric != results[0].cell.metric:
            name, order = f"test {metric}", "lower" if lower_is_better(metric) else "higher"
            rows = [
                [r.cell.label, r.cell.head, mean_and_interval(r, f"test/{metric}")] for r in ranked(results, metric)
            ]
            heading = f"{results[0].cell.data}: {name}, mean ± 95 % interval ({order} is better)"
            lines += ["", heading, *text_table([["loss", "head", name], *rows], left=2)]
    return lines


def _data_table(whole: Table) -> list[str]:
    found = whole.shown()
    metric = f"test {found.metric}"
    order = "lower" if found.lower_is_better else "higher"
    name = f"test/{found.metric}"
    naive = next((r.naive.get(name, math.nan) for r in found.results if r.naive), math.nan)
    ceiling = next((r.ceiling[name] for r in found.results if name in r.ceiling), None)
    rows = [
        [
            result.cell.label,
            result.cell.head,
            mean_and_interval(result, f"test/{found.metric}"),
            str(int(found.samples[i].works.sum())),
            found.verdict(i),
        ]
        for i, result in enumerate(found.results)
    ]
    beside = [
        [f"  {each.label}", "", interval_text(own := each.interval(found.metric)), str(own.n), ""]
        for each in found.yardsticks
    ]
    rows += [["yardsticks, no networks:", *[""] * 4], *beside] if beside else []
    heading = f"{found.data}: {metric}, mean ± 95 % interval"
    known = "" if ceiling is None else f"; ceiling {number(ceiling)}"
    explained = f"({order} is better; naive {number(naive)}{known})"
    together = f"{heading} {explained}"
    n_hidden = whole.n_cells - len(found.results)
    notes = [f"{counted(n_hidden, 'cell')} with worse means not shown: comparison.csv has all."] if n_hidden else []
    notes += [t for i, r in enumerate(found.results) for t in what_went_wrong(r, name_in(found, i))]
    notes += verdict_hints(whole)
    said = answer(whole)
    lines = text_table([[found.heading, "head", metric, "n", "verdict"], *rows], left=2)
    if max(map(len, lines)) > WIDTH and len({row[1] for row in rows} - {""}) == 1:
        # The table is too wide. Drop the column of heads, which are all the same.
        lines = text_table([[found.heading, metric, "n", "verdict"], *([row[0], *row[2:]] for row in rows)], left=1)
    return [
        *([together] if len(together) <= WIDTH else [heading, explained]),
        *lines,
        *(line for note in notes for line in textwrap.wrap(note, WIDTH, subsequent_indent="  ")),
        *_scaling_lines(found.results[0].cell.settings.dataset.standardize),
        *textwrap.wrap(said, WIDTH),
    ]


def _scaling_lines(standardize: StandardizeSettings) -> list[str]:
    """Return a line that names unsound scaling, which experiments use to reproduce tutorials; none if it is sound."""
    marks = []
    if standardize.fitted_on == "all_rows" and (standardize.x, standardize.y) != ("none", "none"):
        marks.append("scaling fitted on all rows, as tutorials do")
    if standardize.metrics == "scaled" and standardize.y != "none":
        marks.append("errors in units of scaled targets")
    return ["; ".join(marks)] if marks else []


def _published_table(plan: Plan, results: list[CellResults]) -> list[str]:
    rows = [["", "split", "published", "mean", "range", "below", "inside"]]
    heading = ""
    for row in published(plan, results):
        if heading != (heading := f"{row.data}: {row.metric}"):
            rows.append([heading, *[""] * 6])
        rows.append(
            [
                row.label if row.split == "train" else "",
                row.split,
                f"{row.value:.3f}",
                f"{row.mean:.3f}",
                f"{row.low:.3f}-{row.high:.3f}",
                f"{100 * row.below:.0f} %",
                "yes" if row.inside else "no",
            ]
        )
    n_seeds = len(plan.seeds[SEEDS])
    said = f"published, and over our {n_seeds} seeds (range: least to greatest run; below: share of runs)"
    return [said, *text_table(rows, left=2, gap=" ")]
