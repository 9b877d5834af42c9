"""Results over several tables: ranks of losses over data sets, and the main metric over a swept number."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lossbench.comparison import Sample, mean_interval
from lossbench.comparison.ranks import LEAST_DATASETS, Ranks, rank_groups, rank_losses
from lossbench.comparison.swept import crossings
from lossbench.findings.number_formats import number
from lossbench.findings.tables import Table
from lossbench.metrics.catalogue import lower_is_better
from lossbench.planning.plan import Cell, Plan
from lossbench.report import drawing as ink
from lossbench.report.figures.frame import Figure, Panel


@dataclass(frozen=True)
class Ranking:
    """The ranks of the losses that several data sets with the same main metric share, the best mean rank first."""

    metric: str
    data: list[str]
    labels: list[str]
    losses: list[str]
    ranks: Ranks
    groups: list[list[int]]

    @property
    def text(self) -> str:
        """A sentence that says which ranks differ significantly."""
        if len(self.data) < LEAST_DATASETS:
            return f"{len(self.data)} data sets are too few for a test of ranks ({LEAST_DATASETS} would do)."
        text = f"Mean ranks that differ by less than {self.ranks.critical_difference:.2f} are not told apart (Nemenyi)."
        if np.isfinite(self.ranks.p):
            text = f"Friedman's test that all rank alike: p = {self.ranks.p:.2g}. " + text
        return text


def rankings(tables: list[Table]) -> list[Ranking]:
    """Return a ranking for each main metric that several data sets have, over the losses that all of them share."""
    found = []
    for metric in dict.fromkeys(table.metric for table in tables):
        chosen = [table for table in tables if table.metric == metric and not table.refused]
        labels = [_labels(table) for table in chosen]
        shared = [name for name in labels[0] if all(name in other for other in labels)] if labels else []
        if len(chosen) < 2 or len(shared) < 2:
            continue
        means = np.array(
            [
                [mean_interval(table.samples[own[name]].working).mean for name in shared]
                for table, own in zip(chosen, labels, strict=True)
            ]
        )
        ranks = rank_losses(means, lower_is_better=lower_is_better(metric))
        order = np.argsort(ranks.mean, kind="stable")
        ranks = Ranks(ranks.mean[order], ranks.by_dataset[:, order], ranks.p, ranks.critical_difference)
        groups = rank_groups(ranks.mean, ranks.critical_difference) if np.isfinite(ranks.critical_difference) else []
        cells = [chosen[0].results[labels[0][shared[i]]].cell for i in order]
        alone = [sum(other == shared[i][0] for other, _ in shared) == 1 for i in order]
        names = [cell.label if one else f"{cell.label} ({cell.head})" for cell, one in zip(cells, alone, strict=True)]
        losses = [cell.loss for cell in cells]
        found.append(Ranking(metric, [table.data for table in chosen], names, losses, ranks, groups))
    return found


def _labels(table: Table) -> dict[tuple[str, str], int]:
    """Return the indices of a table's cells by label and head, which identify the same loss on other data sets."""
    return {(r.cell.label.replace("†", ""), r.cell.head): i for i, r in enumerate(table.results)}


def overall_figures(plan: Plan, tables: list[Table], found: list[Ranking]) -> list[Figure]:
    """Return the figures of ranks over data sets, and of metrics over swept numbers."""
    ranks = [rank_figure(ranking) for ranking in found if len(ranking.data) >= LEAST_DATASETS]
    keys = dict.fromkeys(key for cell in plan.cells for key, value in cell.swept.items() if _is_number(value))
    swept = [figure for key in keys for figure in _swept_figures(plan, tables, key)]
    return ranks + swept


def rank_figure(ranking: Ranking) -> Figure:
    """Draw a critical-difference diagram: mean ranks with bars, which overlap where losses cannot be told apart."""
    figure = Figure(
        f"ranks-{ranking.metric}",
        f"Mean ranks over {len(ranking.data)} data sets ({ranking.metric})",
        "1 is best. Bars are half the critical difference to each side: losses whose bars overlap are not told apart. "
        + ranking.text,
        ["loss", "mean_rank", *ranking.data],
    )
    n = len(ranking.labels)
    drawn, axes = ink.panel(5.4, 0.9 + 0.42 * n, left=0.15)
    half = ranking.ranks.critical_difference / 2
    for i, (label, loss) in enumerate(zip(ranking.labels, ranking.losses, strict=True)):
        mark, mean, height = ink.mark(loss), float(ranking.ranks.mean[i]), n - 1 - i
        axes.plot([mean - half, mean + half], [height, height], color=mark.colour, linewidth=2)
        axes.plot([mean], [height], mark.marker, color=mark.colour, markersize=7)
        axes.text(0, height + 0.25, label, transform=axes.get_yaxis_transform(), fontsize=ink.SIZE)
        figure.rows.append([label, mean, *ranking.ranks.by_dataset[:, i]])
    ink.finish(axes, "mean rank", "rank (1 is best)", "")
    axes.set_yticks([])
    axes.set_ylim(-0.5, n - 0.3)
    axes.spines["left"].set_visible(False)
    ordered = ", ".join(f"{label} {mean:.2f}" for label, mean in zip(ranking.labels, ranking.ranks.mean, strict=True))
    figure.panels.append(Panel(figure.name, f"Mean ranks: {ordered}.", drawn))
    return figure


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rest(cell: Cell, key: str) -> tuple[str, ...]:
    """Return what identifies a cell apart from the swept number: data set, loss, head and other swept settings."""
    others = [f"{k.split('.')[-1]}={v}" for k, v in cell.swept.items() if k != key]
    return (cell.dataset, cell.loss, cell.head, *others)


def _swept_figures(plan: Plan, tables: list[Table], key: str) -> list[Figure]:
    """Draw the main metric of each data set over a swept number, with a line for each loss."""
    samples = {r.cell.name: s for table in tables for r, s in zip(table.results, table.samples, strict=True)}
    figures = []
    for dataset in dict.fromkeys(cell.dataset for cell in plan.cells):
        cells = [cell for cell in plan.cells if cell.dataset == dataset and _is_number(cell.swept.get(key))]
        x = sorted({cell.swept[key] for cell in cells})
        lines: dict[tuple[str, ...], dict[float, Cell]] = {}
        for cell in cells:
            lines.setdefault(_rest(cell, key), {})[cell.swept[key]] = cell
        lines = {name: line for name, line in lines.items() if len(line) > 1}
        if len(x) > 1 and lines:
            figures.append(_swept_figure(dataset, key, np.array(x, np.float64), lines, samples))
    return figures


def _swept_figure(
    dataset: str, key: str, x: np.ndarray, lines: dict[tuple[str, ...], dict[float, Cell]], samples: dict[str, Sample]
) -> Figure:
    metric = next(iter(next(iter(lines.values())).values())).metric
    name = f"{dataset}-over-{key.replace('.', '-')}"
    drawn, axes = ink.panel(5.4, 3.6)
    labels = ["/".join(rest[1:2] + rest[3:]) for rest in lines]
    rows: list[list[Any]] = []
    seen: dict[int, int] = {}
    for (rest, line), label in zip(lines.items(), labels, strict=True):
        mark = ink.mark(rest[1])
        seen[mark.number] = seen.get(mark.number, -1) + 1
        own = sorted(line)
        found = [samples[line[value].name].interval for value in own]
        mean, low, high = (np.array([getattr(interval, end) for interval in found]) for end in ("mean", "low", "high"))
        style = ink.LINES[seen[mark.number] % len(ink.LINES)]
        axes.plot(own, mean, color=mark.colour, marker=mark.marker, markersize=5, linestyle=style, label=label)
        axes.fill_between(own, low, high, color=mark.colour, alpha=0.18, linewidth=0)
        rows += [[line[v].name, v, i.mean, i.low, i.high, i.n] for v, i in zip(own, found, strict=True)]
    if x[0] > 0 and x[-1] / x[0] >= 20:
        axes.set_xscale("log")
    ink.finish(axes, dataset, key, f"test {metric}")
    if len(lines) <= 10:
        axes.legend(fontsize=ink.SIZE - 1)
    grid = [[samples[line[v].name] if v in line else None for v in x.tolist()] for line in lines.values()]
    crossed = [
        f"{labels[c.first]} is better at {number(c.low)}, {labels[c.second]} at {number(c.high)}"
        for c in crossings(x, grid, lower_is_better=lower_is_better(metric))
    ]
    caption = "Mean over the working runs with its 95 % interval."
    if len(lines) > 1:
        order = "The order changes: " + "; ".join(crossed) if crossed else "Nowhere does the order surely change"
        caption = f"{caption} {order}."
    columns = ["cell", key, "mean", "low", "high", "runs"]
    description = f"Test {metric} on {dataset} over {key}, for {', '.join(labels)}. {caption}"
    panel = Panel(name, description, drawn)
    return Figure(name, f"{dataset} over {key}", caption, columns, [panel], rows)
