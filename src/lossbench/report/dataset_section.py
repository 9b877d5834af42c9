"""The section of a report about one data set: its table, sentences, hints and figures."""

import math
import zipfile
from dataclasses import dataclass

import numpy as np

from lossbench.comparison import Comparison, mean_interval
from lossbench.comparison.diagnosis import Diagnosis
from lossbench.config.settings import FileSettings, OwnArraysSettings
from lossbench.console.text_tables import interval_text, mean_and_interval, value_text
from lossbench.datasets.catalogue import DATASETS, n_samples
from lossbench.findings.number_formats import counted, joined
from lossbench.findings.recommendation import advice_lines, plain_answer
from lossbench.findings.sentences import answer, verdict_hints, what_went_wrong
from lossbench.findings.tables import MOST_SHOWN, Table
from lossbench.losses.heads import TASKS
from lossbench.losses.pairing import LOSSES
from lossbench.planning.plan import Cell, Plan
from lossbench.report.cell_measures import diagnosis, metrics_of
from lossbench.report.drawing import MARKERS, Mark
from lossbench.report.figures.all import all_figures
from lossbench.report.figures.frame import Figure, Frame, SvgPanel, TriedRates, as_svg, mark_in
from lossbench.report.fresh_samples import over_fresh_samples
from lossbench.results.cells import CellResults
from lossbench.tuning.study_files import read_outcome, read_trials, study_metric

SYMBOLS = dict(zip(MARKERS, "●■▲◆▼✚✖★", strict=True))


@dataclass(frozen=True)
class Row:
    """The row of a cell in its data set's table.

    Attributes
    ----------
    mean, n : float, int
        The mean of the main test metric over the ``n`` working runs.
    value : str
        The same with its interval; where no run works, the mean of the stuck ones.
    train : float
        The mean of the main metric on the training split.
    wrong : list of str
        A line for each kind of run that went wrong, with the seeds: diverged, stuck or failed.
    """

    cell: Cell
    label: str
    mark: Mark
    mean: float
    n: int
    value: str
    train: float
    comparison: Comparison | None
    verdict: str
    in_group: bool
    diagnosis: Diagnosis
    wrong: list[str]
    n_not_working: int
    n_runs: int

    @property
    def symbol(self) -> str:
        """The marker of the loss in figures, as a character."""
        return SYMBOLS[self.mark.marker]

    @property
    def meaning(self) -> str:
        """The formula and the meaning of the loss; '' for a loss of the user's own."""
        loss = LOSSES.get(self.cell.settings.loss.name)
        return f"{loss.formula}: {loss.meaning}" if loss else ""


@dataclass(frozen=True)
class Section:
    """The content of a data set's section.

    Attributes
    ----------
    table : Table
        Of the cells that are shown.
    hidden_wrong : str
        How many runs of the other cells went wrong; '' if none did.
    """

    table: Table
    rows: list[Row]
    sentence: str
    plain: str
    advice: list[str]
    tuning: list[str]
    hints: list[str]
    yardsticks: list[tuple[str, str, int]]
    naive: float
    ceiling: float
    about: str
    metrics: list[str]
    other: list[tuple[Row, list[str]]]
    figures: list[Figure[SvgPanel]]
    hidden_wrong: str

    @property
    def slug(self) -> str:
        """The data set's name as the target of a link in the page."""
        return "".join(c if c.isalnum() else "-" for c in self.table.data)

    @property
    def n_hidden(self) -> int:
        """How many cells are not shown."""
        return self.table.n_cells - len(self.table.results)

    @property
    def left_out(self) -> str:
        """A sentence about the cells that are not shown; '' if all are."""
        cells = f"{counted(self.n_hidden, 'cell')} of {self.table.n_cells}"
        return f"{cells}, with worse means, are not shown: comparison.csv has all." if self.n_hidden else ""

    @property
    def arrow(self) -> str:
        """Whether lower or higher values of the main metric are better, in words."""
        return "lower is better" if self.table.lower_is_better else "higher is better"


def section(plan: Plan, whole: Table) -> Section:
    """Return the report's section of the data set that a table is of: its answer, rows, hints and figures.

    Of many cells the best are shown; the answer and the hints are about all.
    """
    table = whole.shown()
    name = f"test/{table.metric}"
    naive = next((r.naive.get(name, math.nan) for r in table.results if r.naive), math.nan)
    drawn = frame(plan, table)
    rows = [_row(table, i, drawn.label(result)) for i, result in enumerate(table.results)]
    metrics = metrics_of(table)
    return Section(
        table=table,
        rows=rows,
        sentence=answer(whole),
        plain=plain_answer(whole) if plan.report.recommend else "",
        advice=[line.strip() for line in advice_lines(plan, whole)] if plan.report.recommend else [],
        hints=[
            *verdict_hints(whole),
            *_missing(whole),
            *filter(None, [over_fresh_samples(plan, table)]),
        ],
        tuning=[text for result in table.results for text in _tuning_hints(plan, result)],
        yardsticks=[
            (each.label, interval_text(own := each.interval(table.metric)), own.n) for each in table.yardsticks
        ],
        naive=naive,
        ceiling=drawn.ceiling,
        about=about_data(table.results[0].cell, drawn.arrays),
        metrics=metrics,
        other=[(row, _means(result, metrics)) for row, result in zip(rows, table.results, strict=True)],
        figures=[as_svg(figure) for figure in all_figures(drawn)],
        hidden_wrong=_hidden_wrong(whole, table),
    )


def _hidden_wrong(whole: Table, shown: Table) -> str:
    there = {result.cell.key for result in shown.results}
    samples = [own for r, own in zip(whole.results, whole.samples, strict=True) if r.cell.key not in there]
    n_failing = sum(int(own.fails.sum()) for own in samples)
    n_runs = sum(int(own.there.sum()) for own in samples)
    cells = f"the {counted(len(samples), 'cell')} that are not shown"
    return f"of {cells}, {n_failing} of {n_runs} runs diverged or are stuck (results.csv)" if n_failing else ""


def _missing(table: Table) -> list[str]:
    lines = [f"{label}: {n} runs missing or failed" for label, n in table.missing.items()]
    left = len(lines) - MOST_SHOWN
    return lines if left <= 0 else [*lines[:MOST_SHOWN], f"{counted(left, 'cell')} more with runs missing or failed"]


def frame(plan: Plan, table: Table) -> Frame:
    """Return what the figures of a data set need, from its table and the files of its cells."""
    name = f"test/{table.metric}"
    ceiling = next((r.ceiling[name] for r in table.results if name in r.ceiling), math.nan)
    arrays = next(filter(None, (_arrays(plan, r.cell, "data.npz") for r in table.results)), {})
    shapes = {r.cell.name: found for r in table.results if "loss" in (found := _arrays(plan, r.cell, "shape.npz"))}
    studies = ((result.cell.name, _tried(plan, result.cell)) for result in table.results)
    return Frame(table, arrays, shapes, {name: study for name, study in studies if study is not None}, ceiling)


def _row(table: Table, place: int, label: str) -> Row:
    result, own = table.results[place], table.samples[place]
    interval = own.interval
    return Row(
        cell=result.cell,
        label=label,
        mark=mark_in(table, result.cell),
        mean=interval.mean,
        n=interval.n,
        value=value_text(result, f"test/{table.metric}", interval),
        train=mean_interval(result.working_scores(f"train/{table.metric}")).mean,
        comparison=table.comparisons[place],
        verdict=table.verdict(place),
        in_group=place in table.group,
        diagnosis=diagnosis(result),
        wrong=what_went_wrong(result, label),
        n_not_working=int(own.fails.sum()),
        n_runs=int(own.there.sum()),
    )


def _means(result: CellResults, metrics: list[str]) -> list[str]:
    return [mean_and_interval(result, f"test/{metric}") for metric in metrics]


def _arrays(plan: Plan, cell: Cell, name: str) -> dict[str, np.ndarray]:
    try:
        with np.load(plan.folder / cell.folder / name, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return {}


def _tried(plan: Plan, cell: Cell) -> TriedRates | None:
    """Return the learning rates that a cell's study tried; None for an untuned cell."""
    folder = plan.folder / cell.folder
    trials = read_trials(cell, folder) if cell.is_tuned else []
    if not trials:
        return None
    outcome, unknown = read_outcome(folder), math.nan
    # Outcomes of earlier versions have no points, and those that have not ended have no outcome.
    points = list(outcome.points) if outcome else []
    points = points or sorted(
        (trial.learning_rate, unknown if trial.value is None else trial.value, unknown, False) for trial in trials
    )
    if outcome is None:
        return TriedRates(study_metric(cell), points, unknown, None)
    return TriedRates(outcome.metric, points, outcome.learning_rate, outcome.default)


def about_data(cell: Cell, arrays: dict[str, np.ndarray]) -> str:
    """Return what the data of a cell are: their description, their parameters and the sizes of their splits.

    Parameters
    ----------
    arrays : dict
        The targets of each split (``y/test``), where all runs have the same.
    """
    settings = cell.settings.dataset
    counts = [f"{len(arrays[f'y/{s}'])} {s}" for s in ("train", "validation", "test") if f"y/{s}" in arrays]
    if cell.settings.draws_samples:
        counts = ["a fresh sample for each run"]
    if cell.settings.folds:
        folds = cell.settings.folds
        counts = [f"{n_samples(settings)} rows in {folds.repetitions} x {folds.folds} folds"]
    if isinstance(settings, FileSettings):
        return "; ".join(filter(None, [_about_file(settings), ", ".join(counts)]))
    if isinstance(settings, OwnArraysSettings):
        return "; ".join(filter(None, [_about_arrays(settings), ", ".join(counts)]))
    own = [f"{key} {value}" for key, value in settings.parameters.items()]
    return "; ".join(filter(None, [DATASETS[settings.name].description, ", ".join(own), ", ".join(counts)]))


def _about_file(settings: FileSettings) -> str:
    facts = settings.facts
    kinds = ((facts.numbers, "number"), (facts.categories, "text"), (list(facts.prose), "running text"))
    features = joined([counted(len(names), noun) for names, noun in kinds if names])
    parts = [f"{settings.path}: {', '.join(settings.target)} ({TASKS[settings.task]}) from {features} a row"]
    parts += [f"missing values: {settings.missing}"] if settings.missing != "error" else []
    parts += [f"left out: {', '.join(facts.left_out)}"] if facts.left_out else []
    return "; ".join(parts)


def _about_arrays(settings: OwnArraysSettings) -> str:
    facts = settings.facts
    picture = " x ".join(map(str, facts.shape))
    what = f"a picture of {picture}" if picture else counted(facts.n_features, "feature")
    parts = [f"{settings.label}: {TASKS[settings.task]} from {what}"]
    given = ", ".join(f"{key}={value}" for key, value in settings.parameters.items())
    parts += [f"called with {given}"] if given else []
    parts += [f"missing values: {settings.on_missing}"] if settings.on_missing != "error" else []
    return "; ".join(parts)


def _tuning_hints(plan: Plan, result: CellResults) -> list[str]:
    """Return lines about a tuned cell: the chosen learning rate, its tolerance, and a warning if there is one."""
    outcome = read_outcome(plan.folder / result.cell.folder) if result.cell.is_tuned else None
    if outcome is None:
        return []
    if not outcome.parameters:
        return [f"{result.cell.label}: {outcome.problem}."]
    low, high = outcome.tolerance[0], outcome.tolerance[-1]
    label = result.cell.label
    text = f"{label}: learning rate {outcome.learning_rate:.2g}"
    text += " kept: nothing tried was clearly better" if outcome.kept else f", chosen from {outcome.n_trials}"
    lines = [f"{text}; rates from {low:.2g} to {high:.2g} are {outcome.as_good}."]
    if rates := outcome.rates_of_folds:
        lines.append(
            f"{label}: each fold chose from rows that it does not judge, from {rates[0]:.2g} to {rates[-1]:.2g}; the "
            "network that is kept has their median. How far they differ is part of the intervals."
        )
    if outcome.widened:
        searched = f"[{outcome.low:.2g}, {outcome.high:.2g}]"
        lines.append(f"{label}: its best rate was the {outcome.widened}est, so the search went on, over {searched}.")
    return [*lines, *([f"{label}: {outcome.warning}."] if outcome.warning else [])]
