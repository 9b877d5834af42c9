"""Builds the table of a data set: its cells' samples, the baseline of each cell, and the comparisons with verdicts.

The statistics are in ``lossbench.comparison``; this module chooses what is compared with what.
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from lossbench.comparison import Comparison, Sample, best_group, compare_pairs, mean_interval
from lossbench.comparison.mean_tests import Tested, fold_means, of_folds, of_new_rows, of_runs
from lossbench.comparison.power import LEAST_SEEDS
from lossbench.comparison.verdict import LEAST_FOLDS, NO_VERDICT
from lossbench.config.settings import ReportSettings
from lossbench.ground.run_ids import RunId
from lossbench.losses.pairing import BASELINES
from lossbench.metrics.catalogue import METRICS, lower_is_better
from lossbench.metrics.rows import has_contributions, step
from lossbench.planning.compared import LOSS, rest_of, swept_keys, value_in
from lossbench.planning.plan import Cell, Plan
from lossbench.results.cells import CellResults, test_per_train
from lossbench.results.part_files import FAILED, FINISHED
from lossbench.results.yardsticks import YardstickResults, read_yardsticks

# A table of more cells names no best group: testing all pairs would take longer than the answer is worth.
MOST_IN_GROUP = 60
# So many cells of a data set are shown where people read, those with the best means; all are in comparison.csv.
MOST_SHOWN = 40
# In place of a verdict: there are enough seeds, but too few in which both losses work.
FEW_WORK = "too few work"
# What a verdict may be about.
NEW_ROWS, THESE_ROWS, FRESH_SAMPLES, ANOTHER_SAMPLE = "new rows", "these rows", "fresh samples", "another sample"


def sample(results: CellResults, name: str, runs: list[RunId]) -> Sample:
    """Return the sample of a final metric (``test/accuracy``) of a cell: one value for each run.

    Runs that diverged have no value but count as failures to train; runs with an error count as missing. Of a
    cross-validation each run has its fold.
    """
    infos = {run.info.id: run.info for run in results.runs if run.info.status != FAILED}
    scores = [infos[run].scores.get(name, math.nan) if run in infos else math.nan for run in runs]
    works = [run in infos and infos[run].works for run in runs]
    finished = [run in infos and infos[run].status == FINISHED for run in runs]
    missing = [run not in infos for run in runs]
    values = np.where(finished, np.array(scores, np.float64), np.nan)
    found = Sample(values, np.array(works, bool), np.array(missing, bool))
    folds = results.cell.settings.folds
    if folds is None:
        return replace(found, fresh=results.cell.settings.draws_samples)
    numbers = np.array([folds.number(run) for run in runs])
    n_rows = results.described.get("n_rows", 0)
    return replace(found, folds=numbers, test_per_train=test_per_train(results.cell.settings), n_rows=n_rows)


def sample_with_rows(results: CellResults, metric: str, runs: list[RunId]) -> Sample:
    """Return a metric of the test split over the plan's runs, with what each test row contributes where it is known.

    With it, a difference can be told for new rows too.
    """
    found = sample(results, f"test/{metric}", runs)
    if results.cell.settings.repeat.has_own_rows:
        return found
    by_run = results.contributions(metric) if has_contributions(metric) else {}
    if not by_run or not found.works.any():
        return found
    nothing = np.full(len(next(iter(by_run.values()))), np.nan, np.float32)
    rows = np.stack([by_run.get(run, nothing) for run in runs])
    # A working run without raw predictions is of another program's making.
    if not np.isfinite(rows[found.works]).all():
        return found
    predictions = [results.predictions.get(run, "") for run in runs]
    n_rows = len(results.targets["test"])
    return replace(found, rows=rows, n_rows=n_rows, step=step(metric), predictions=predictions)


def baselines(cells: list[Cell], report: ReportSettings) -> dict[int, int]:
    """Return the index of each cell's baseline among the cells of a data set; a baseline's is its own.

    The baseline loss is ``report.baseline`` if a cell has it, else the task's canonical loss, else the first cell's. If
    another setting was swept too (a learning rate, an optimizer), a cell is compared with the baseline cell of the same
    settings if there is one, else with the first baseline cell.

    With ``report.compare=optimizer`` the baseline is the cell with the first optimizer and the same loss, head and
    other settings; a cell without one is compared with nothing.
    """
    key = report.compare or LOSS
    values = [value_in(cell, key) for cell in cells]
    canonical = BASELINES[cells[0].task]
    value = next((one for one in (report.baseline, canonical) if one in values), values[0])
    there = [i for i, one in enumerate(values) if one == value]
    rests = [_hashable(rest_of(cell, key)) for cell in cells]
    # Only the first such cell is the baseline. Another cell of the baseline's loss (with another head, or another
    # parameter of the loss) is a candidate.
    first = {rests[i]: i for i in reversed(there)}
    return {i: first.get(rests[i], there[0] if key == LOSS else i) for i in range(len(cells))}


def _hashable(value: Any) -> Hashable:
    """Return what is equal and can be looked up where the value is equal."""
    if isinstance(value, Mapping):
        return frozenset((name, _hashable(each)) for name, each in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Table:
    """The cells of one data set, compared by one metric of the test split.

    Attributes
    ----------
    data : str
        The data set, with its own swept settings.
    compare : str
        The setting that cells are compared by: ``loss``, or a swept key.
    metric : str
        The metric's name without the split (``accuracy``).
    runs : list of RunId
        The runs that the plan has of each cell.
    results : list of CellResults
        The cells' results, the one with the best mean first; the lists below have the same order.
    samples : list of Sample
        The cells' values of the metric, one for each run.
    baseline : list of int
        The index of each cell's baseline; a baseline's is its own.
    comparisons : list of Comparison or None
        The comparison of each cell with its baseline; None for a baseline, and for all cells if ``refused``.
    best, group : int or None, list of int
        The indices of the best cell and of all cells that cannot be told from it; empty for other metrics than the
        main one. Of more than ``MOST_IN_GROUP`` cells the group is not known and empty.
    refused : str
        The reason why nothing is compared; '' if cells are compared.
    missing : dict
        How many runs are missing or failed, by the label of the cell; cells without such runs are absent.
    yardsticks : list of YardstickResults
        scikit-learn's models on the same rows, the best mean first; only in the table of the main metric.
    n_cells : int
        How many cells the data set has, of which these may be some.
    """

    data: str
    compare: str
    metric: str
    runs: list[RunId]
    results: list[CellResults]
    samples: list[Sample]
    baseline: list[int]
    comparisons: list[Comparison | None]
    best: int | None
    group: list[int]
    refused: str
    missing: dict[str, int]
    yardsticks: list[YardstickResults] = field(default_factory=list)
    n_cells: int = 0

    @cached_property
    def names(self) -> list[str]:
        """The cells' labels, each followed by the cell's head if another cell has the same label."""
        labels = Counter(result.cell.label for result in self.results)
        cells = [result.cell for result in self.results]
        return [f"{cell.label} ({cell.head})" if labels[cell.label] > 1 else cell.label for cell in cells]

    def shown(self, most: int = MOST_SHOWN) -> "Table":
        """Return the table of the cells that are shown: those with the best means, and their baselines."""
        if len(self.results) <= most:
            return self
        kept = sorted({*range(most), *(self.baseline[i] for i in range(most))})
        place = {old: new for new, old in enumerate(kept)}
        return replace(
            self,
            results=[self.results[i] for i in kept],
            samples=[self.samples[i] for i in kept],
            baseline=[place[self.baseline[i]] for i in kept],
            comparisons=[self.comparisons[i] for i in kept],
            best=None if self.best is None else place.get(self.best),
            group=[place[i] for i in self.group if i in place],
        )

    @property
    def noun(self) -> str:
        """What one of the compared is called in sentences."""
        return LOSS if self.compare == LOSS else "setting"

    @property
    def nouns(self) -> str:
        """The plural of ``noun``."""
        return "losses" if self.compare == LOSS else "settings"

    @property
    def heading(self) -> str:
        """The heading of the column of labels, which name the loss and the swept settings."""
        return LOSS if self.compare == LOSS else f"{LOSS}/{self.compare.split('.')[-1]}"

    @property
    def lower_is_better(self) -> bool:
        """Whether a smaller value of the metric is better."""
        return lower_is_better(self.metric)

    def over_naive(self, place: int) -> Tested | None:
        """Return the tested difference of a cell to the naive predictor; None where it is not known."""
        result = self.results[place]
        naive_of = {run.info.id: run.info.naive.get(f"test/{self.metric}", math.nan) for run in result.runs}
        scores = np.array([naive_of.get(run, math.nan) for run in self.runs])
        return self._over(place, scores, result.naive_contributions(self.metric))

    def over_yardstick(self, place: int, yardstick: YardstickResults) -> Tested | None:
        """Return the tested difference of a cell to a yardstick; None where it is not known."""
        result, raw = self.results[place], yardstick.raw
        rows = None
        if raw is not None and has_contributions(self.metric) and "test" in result.targets:
            rows = result.contributions_of(yardstick.results.cell.pair, self.metric, raw)
        return self._over(place, yardstick.scores(self.metric, self.runs), rows)

    def is_behind(self, place: int, yardstick: YardstickResults) -> bool:
        """Return whether a cell is surely worse than a yardstick."""
        found = self.over_yardstick(place, yardstick)
        if found is None:
            return False
        return found.interval.low > 0 if self.lower_is_better else found.interval.high < 0

    def _over(self, place: int, scores: np.ndarray, rows: np.ndarray | None) -> Tested | None:
        """Return the tested difference of a cell to a predictor that is the same for all losses; None if not known.

        Parameters
        ----------
        scores : float array, shape (n_runs,)
            The predictor's value of the metric on the rows of each run; NaN where there is none.
        rows : float array, shape (n_shown,), or None
            What each test row contributes to it, where all runs have the same test rows.
        """
        own = self.samples[place]
        differences = own.working - scores
        there = np.isfinite(differences)
        if own.folds is not None:
            return of_folds(fold_means(differences[there], own.folds[there]), own.test_per_train)
        if own.fresh:
            return of_runs(differences[there])
        if rows is None or own.rows is None or not there.any():
            return None
        return of_new_rows(differences[there], own.rows[there].mean(axis=0) - rows, own.n_rows, own.step)

    def beats_naive(self, place: int) -> bool:
        """Return whether a cell is surely better than the naive predictor; True where that is not known."""
        found = self.over_naive(place)
        if found is None:
            return True
        return found.interval.high < 0 if self.lower_is_better else found.interval.low > 0

    @property
    def about(self) -> str:
        """The data that the verdicts are about, such as ``NEW_ROWS``."""
        own = self.samples[0]
        if own.folds is not None:
            return ANOTHER_SAMPLE
        return FRESH_SAMPLES if own.fresh else NEW_ROWS if self.n_rows else THESE_ROWS

    @property
    def runs_are(self) -> str:
        """What a difference is taken over, as a plural noun: ``seeds``, ``folds`` or ``samples``."""
        return {ANOTHER_SAMPLE: "folds", FRESH_SAMPLES: "samples"}.get(self.about, "seeds")

    @property
    def rows_are(self) -> str:
        """The rows of which more would make a statement sharper, as a plural noun."""
        return "test rows" if self.runs_are == "seeds" else "rows"

    @property
    def n_units(self) -> int:
        """The number of ``runs_are``: of seeds, of folds in all repetitions, or of samples."""
        folds = self.samples[0].folds
        return len(self.runs) if folds is None else len(np.unique(folds))

    @property
    def least_units(self) -> int:
        """The least number of ``runs_are`` that a verdict needs."""
        return LEAST_SEEDS if self.samples[0].folds is None else LEAST_FOLDS

    @property
    def n_rows(self) -> int:
        """The number of test rows, if the verdicts are about new rows; else 0."""
        return self.samples[0].n_rows if self.samples[0].folds is None else 0

    @property
    def swept(self) -> list[str]:
        """The swept settings in which the cells differ, besides loss and head."""
        return swept_keys([result.cell for result in self.results])

    def verdict(self, place: int) -> str:
        """Return the verdict in a cell's row: ``baseline``, a comparison's verdict, or ``-`` if nothing is compared.

        Where there are enough seeds and yet no verdict, it is ``FEW_WORK``.
        """
        if self.baseline[place] == place:
            return "baseline"
        comparison = self.comparisons[place]
        if comparison and comparison.verdict == NO_VERDICT and self.n_units >= self.least_units:
            return FEW_WORK
        return comparison.verdict if comparison else "-"


def main_table(plan: Plan, results: list[CellResults]) -> Table:
    """Return the table of one data set's cells by their main metric, with its yardsticks."""
    table = metric_table(plan, results, results[0].cell.metric)
    sign = 1 if table.lower_is_better else -1
    means = [(sign * each.interval(table.metric).mean, each) for each in read_yardsticks(plan, results[0].cell)]
    ordered = sorted(means, key=lambda pair: pair[0] if math.isfinite(pair[0]) else math.inf)
    return replace(table, yardsticks=[each for _, each in ordered])


def metric_table(plan: Plan, results: list[CellResults], metric: str) -> Table:
    """Return the table of one data set's cells by a metric of the test split."""
    runs = plan.runs(results[0].cell)
    samples = [sample_with_rows(result, metric, runs) for result in results]
    lower = lower_is_better(metric)
    order = _best_first(samples, lower)
    results, samples = [results[i] for i in order], [samples[i] for i in order]
    # Baselines are chosen in the plan's order, so that they do not depend on the results that order the table.
    planned = baselines([results[order.index(i)].cell for i in range(len(order))], plan.report)
    baseline = [order.index(planned[i]) for i in order]
    missing = {r.cell.label: n for r in results if (n := len(runs) - len(r.runs) + r.count(FAILED))}
    refused, is_main = "", metric == results[0].cell.metric
    if missing and not plan.report.allow_missing:
        refused = f"{sum(missing.values())} of {len(results) * len(runs)} runs are missing or failed"
    comparisons: list[Comparison | None] = [None] * len(results)
    best: int | None = None
    group: list[int] = []
    if not refused:
        found = _compared(plan, metric, samples, baseline, is_main=is_main)
        comparisons = [found.get(i) for i in range(len(results))]
        if is_main:
            best, group = _best(results, samples, lower)
    compare = plan.report.compare or LOSS
    return Table(
        *(results[0].cell.data, compare, metric, runs, results, samples),
        *(baseline, comparisons, best, group, refused, missing),
        n_cells=len(results),
    )


def _best_first(samples: list[Sample], lower_is_better: bool) -> list[int]:
    means = np.array([mean_interval(sample.working).mean for sample in samples])
    keys = np.where(np.isfinite(means), means if lower_is_better else -means, np.inf)
    return [int(i) for i in np.argsort(keys, kind="stable")]


def _best(results: list[CellResults], samples: list[Sample], lower_is_better: bool) -> tuple[int | None, list[int]]:
    """Return the index of the best cell and those of its group; losses outside their domain are never among them."""
    inside = [i for i, result in enumerate(results) if not result.cell.outside_domain]
    if len(inside) > MOST_IN_GROUP:
        # The table is in the order of the means.
        return (inside[0] if samples[inside[0]].works.any() else None), []
    if not inside:
        return None, []
    best, group = best_group([samples[i] for i in inside], lower_is_better=lower_is_better)
    return (None if best is None else inside[best]), [inside[i] for i in group]


def _compared(
    plan: Plan, metric: str, samples: list[Sample], baseline: list[int], *, is_main: bool
) -> dict[int, Comparison]:
    """Return the comparisons by candidate; only those of the main metric have a margin."""
    candidates = [i for i in range(len(samples)) if baseline[i] != i]
    pairs = [(samples[baseline[i]], samples[i]) for i in candidates]
    margins = [margin(plan.report, metric, first) if is_main else 0.0 for first, _ in pairs]
    found = compare_pairs(pairs, margins=margins, lower_is_better=lower_is_better(metric))
    return dict(zip(candidates, found, strict=True))


def margin(report: ReportSettings, metric: str, baseline: Sample) -> float:
    """Return the margin of a main metric: the difference up to which two losses count as equivalent.

    The default margin of a metric with a unit is a share of the baseline's mean.
    """
    if report.margin is not None:
        return float(report.margin)
    default = float(getattr(report.margins, METRICS[metric].margin))
    if not METRICS[metric].unit_power:
        return default
    mean = mean_interval(baseline.working).mean
    return default * mean if math.isfinite(mean) else 0.0


def tables(plan: Plan, results: list[CellResults]) -> list[Table]:
    """Return the main table of each data set, in the plan's order."""
    by_data: dict[str, list[CellResults]] = {}
    for result in results:
        by_data.setdefault(result.cell.data, []).append(result)
    return [main_table(plan, chosen) for chosen in by_data.values()]
