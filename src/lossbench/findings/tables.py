"""Builds the table of a data set: its cells' samples, the baseline of each cell, and the comparisons with verdicts.

The statistics are in ``lossbench.comparison``; this module chooses what is compared with what.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lossbench.comparison import Comparison, Sample, best_group, compare_pairs, mean_interval
from lossbench.config.settings import ReportSettings
from lossbench.losses.pairing import BASELINES
from lossbench.metrics.catalogue import MAIN_METRICS, lower_is_better
from lossbench.metrics.rows import has_contributions, step
from lossbench.planning.plan import Cell, Plan
from lossbench.results.cells import CellResults
from lossbench.results.part_files import FAILED, FINISHED

# A table of more cells names no best group: testing all pairs would take longer than the answer is worth.
MOST_IN_GROUP = 60


def sample(results: CellResults, name: str, seeds: list[int]) -> Sample:
    """Return the sample of a final metric (``test/accuracy``) of a cell: one value for each seed.

    Runs that diverged have no value but count as failures to train; runs with an error count as missing.
    """
    infos = {run.info.seed: run.info for run in results.runs if run.info.status != FAILED}
    scores = [infos[seed].scores.get(name, math.nan) if seed in infos else math.nan for seed in seeds]
    works = [seed in infos and infos[seed].works for seed in seeds]
    finished = [seed in infos and infos[seed].status == FINISHED for seed in seeds]
    missing = [seed not in infos for seed in seeds]
    values = np.where(finished, np.array(scores, np.float64), np.nan)
    return Sample(values, np.array(works, bool), np.array(missing, bool))


def sample_with_rows(results: CellResults, metric: str, seeds: list[int]) -> Sample:
    """Return a metric of the test split over the plan's seeds, with what each test row contributes where it is known.

    With it, a difference can be told for new rows too.
    """
    found = sample(results, f"test/{metric}", seeds)
    by_seed = results.contributions(metric) if has_contributions(metric) else {}
    if not by_seed or not found.works.any():
        return found
    nothing = np.full(len(next(iter(by_seed.values()))), np.nan, np.float32)
    rows = np.stack([by_seed.get(seed, nothing) for seed in seeds])
    # A working run without raw predictions is of another program's making.
    if not np.isfinite(rows[found.works]).all():
        return found
    assert results.test_targets is not None
    return replace(found, rows=rows, n_rows=len(results.test_targets), step=step(metric))


def baselines(cells: list[Cell], wanted: str | None) -> dict[int, int]:
    """Return the index of each cell's baseline among the cells of a data set; a baseline's is its own.

    The baseline loss is ``wanted`` if a cell has it, else the task's canonical loss, else the first cell's. If another
    setting was swept too (a learning rate, an optimizer), a cell is compared with the baseline cell of the same
    settings if there is one, else with the first baseline cell.
    """
    losses = [cell.loss for cell in cells]
    canonical = BASELINES[cells[0].task]
    loss = next((name for name in (wanted, canonical) if name in losses), losses[0])
    there = [i for i, name in enumerate(losses) if name == loss]
    found = {}
    for i, cell in enumerate(cells):
        same = [j for j in there if _common(cells[j]) == _common(cell)]
        # Only the first such cell is the baseline. Another cell of the baseline's loss (with another head, or another
        # parameter of the loss) is a candidate.
        found[i] = same[0] if same else there[0]
    return found


def _common(cell: Cell) -> dict[str, Any]:
    """Return a cell's swept settings, except those of the data set, the loss and the head."""
    return {key: value for key, value in cell.swept.items() if not key.startswith(("dataset.", "loss.", "head"))}


@dataclass(frozen=True)
class Table:
    """The cells of one data set, compared by one metric of the test split.

    Attributes
    ----------
    data : str
        The data set, with its own swept settings.
    metric : str
        The metric's name without the split (``accuracy``).
    seeds : list of int
        The plan's seeds.
    results : list of CellResults
        The cells' results, the one with the best mean first; the lists below have the same order.
    samples : list of Sample
        The cells' values of the metric, one for each seed.
    baseline : list of int
        The index of each cell's baseline; a baseline's is its own.
    comparisons : list of Comparison or None
        The comparison of each cell with its baseline; None for a baseline, and for all cells if ``refused``.
    best, group : int or None, list of int
        The indices of the best cell and of all cells that cannot be told from it; empty for other metrics than the
        main one.
    refused : str
        The reason why nothing is compared; '' if cells are compared.
    missing : dict
        How many runs are missing or failed, by the label of the cell; cells without such runs are absent.
    """

    data: str
    metric: str
    seeds: list[int]
    results: list[CellResults]
    samples: list[Sample]
    baseline: list[int]
    comparisons: list[Comparison | None]
    best: int | None
    group: list[int]
    refused: str
    missing: dict[str, int]

    @property
    def lower_is_better(self) -> bool:
        """Whether a smaller value of the metric is better."""
        return lower_is_better(self.metric)

    @property
    def n_rows(self) -> int:
        """The number of test rows, if the verdicts are about new rows; 0 if they are about these."""
        return self.samples[0].n_rows

    def verdict(self, place: int) -> str:
        """Return the verdict in a cell's row: ``baseline``, a comparison's verdict, or ``-`` if nothing is compared."""
        if self.baseline[place] == place:
            return "baseline"
        comparison = self.comparisons[place]
        return comparison.verdict if comparison else "-"


def main_table(plan: Plan, results: list[CellResults]) -> Table:
    """Return the table of one data set's cells by the main metric of their task."""
    return metric_table(plan, results, MAIN_METRICS[results[0].cell.task])


def metric_table(plan: Plan, results: list[CellResults], metric: str) -> Table:
    """Return the table of one data set's cells by a metric of the test split."""
    samples = [sample_with_rows(result, metric, plan.seeds) for result in results]
    lower = lower_is_better(metric)
    order = _best_first(samples, lower)
    results, samples = [results[i] for i in order], [samples[i] for i in order]
    # Baselines are chosen in the plan's order, so that they do not depend on the results that order the table.
    planned = baselines([results[order.index(i)].cell for i in range(len(order))], plan.report.baseline)
    baseline = [order.index(planned[i]) for i in order]
    missing = {r.cell.label: n for r in results if (n := len(plan.seeds) - len(r.runs) + r.count(FAILED))}
    refused = ""
    if missing and not plan.report.allow_missing:
        refused = f"{sum(missing.values())} of {len(results) * len(plan.seeds)} runs are missing or failed"
    comparisons: list[Comparison | None] = [None] * len(results)
    best: int | None = None
    group: list[int] = []
    if not refused:
        found = _compared(plan, metric, samples, baseline)
        comparisons = [found.get(i) for i in range(len(results))]
        if metric == MAIN_METRICS[results[0].cell.task]:
            best, group = _best(results, samples, lower)
    return Table(
        results[0].cell.data, metric, plan.seeds, results, samples, baseline, comparisons, best, group, refused, missing
    )


def _best_first(samples: list[Sample], lower_is_better: bool) -> list[int]:
    means = np.array([mean_interval(sample.working).mean for sample in samples])
    keys = np.where(np.isfinite(means), means if lower_is_better else -means, np.inf)
    return [int(i) for i in np.argsort(keys, kind="stable")]


def _best(results: list[CellResults], samples: list[Sample], lower_is_better: bool) -> tuple[int | None, list[int]]:
    """Return the index of the best cell and those of its group; losses outside their domain are never among them."""
    inside = [i for i, result in enumerate(results) if not result.cell.outside_domain]
    if not inside or len(inside) > MOST_IN_GROUP:
        return None, []
    best, group = best_group([samples[i] for i in inside], lower_is_better=lower_is_better)
    return (None if best is None else inside[best]), [inside[i] for i in group]


def _compared(plan: Plan, metric: str, samples: list[Sample], baseline: list[int]) -> dict[int, Comparison]:
    candidates = [i for i in range(len(samples)) if baseline[i] != i]
    pairs = [(samples[baseline[i]], samples[i]) for i in candidates]
    margins = [margin(plan.report, metric, first) for first, _ in pairs]
    found = compare_pairs(pairs, margins=margins, lower_is_better=lower_is_better(metric))
    return dict(zip(candidates, found, strict=True))


def margin(report: ReportSettings, metric: str, baseline: Sample) -> float:
    """Return the margin of a metric: the difference up to which two losses count as equivalent.

    Only main metrics have a margin; it is 0 for all others. ``rmse`` has the unit of the targets, so its default margin
    is a share of the baseline's mean.
    """
    if metric not in MAIN_METRICS.values():
        return 0.0
    if report.margin is not None:
        return float(report.margin)
    default = float(getattr(report.margins, metric))
    if metric != "rmse":
        return default
    mean = mean_interval(baseline.working).mean
    return default * mean if math.isfinite(mean) else 0.0


def tables(plan: Plan, results: list[CellResults]) -> list[Table]:
    """Return the main table of each data set, in the plan's order."""
    by_data: dict[str, list[CellResults]] = {}
    for result in results:
        by_data.setdefault(result.cell.data, []).append(result)
    return [main_table(plan, chosen) for chosen in by_data.values()]
