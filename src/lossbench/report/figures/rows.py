"""The figures with a row for each loss: all its runs, and its difference to the baseline."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lossbench.findings.number_formats import IN_POINTS, number, size
from lossbench.report import drawing as ink
from lossbench.report.figures.frame import Figure, Frame, Panel
from lossbench.results.cells import CellResults


def runs(frame: Frame) -> Figure:
    """Draw every run as a point, the middle half of the runs as a box, and the mean with its interval."""
    figure = Figure(
        f"{frame.slug}-runs",
        "Every run",
        "A point is a run; the box holds the middle half of the working runs, the diamond is their mean with its "
        "95 % interval. Stuck runs are counted at the right and left out of the scale." + frame.lines_across(),
        ["cell", "seed", f"test/{frame.metric}", "status", "stuck"],
    )
    rows = list(frame.marks())
    drawn, axes = _strip(len(rows))
    for place, (result, mark, _) in enumerate(rows):
        height = len(rows) - 1 - place
        values = result.working.scores(f"test/{frame.metric}")
        figure.rows += [
            [result.cell.name, r.info.id.short, r.info.scores.get(f"test/{frame.metric}"), r.info.status, r.info.stuck]
            for r in result.runs
        ]
        _label(axes, height, frame.label(result), _beside(frame, result))
        if len(values):
            # Points are spread by the ranks of their values, not at random, so that every drawing is the same.
            ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
            offsets = ((ranks * 7) % 5 - 2) * 0.055
            axes.plot(values, height + offsets, mark.marker, color=mark.colour, markersize=3.6, alpha=0.55, mew=0)
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            axes.plot([low, high, high, low, low], height + 0.2 * np.array([-1, -1, 1, 1, -1]), lw=0.9, c=ink.QUIET)
            axes.plot([middle, middle], [height - 0.2, height + 0.2], color=ink.QUIET, linewidth=0.9)
            found = result.interval(f"test/{frame.metric}")
            axes.plot([found.low, found.high], [height, height], color=ink.INK, linewidth=1.8)
            axes.plot([found.mean], [height], "D", color=ink.INK, markersize=4)
    _finish_strip(axes, len(rows), f"test {frame.metric} of every run", f"test {frame.metric}")
    _make_room(axes, [each.interval(frame.metric).mean for each in frame.table.yardsticks])
    frame.draw_references(axes, vertical=True)
    text = "; ".join(f"{frame.label(r)}: {_range(r.working.scores(f'test/{frame.metric}'))}" for r, _, _ in rows)
    figure.panels.append(
        Panel(
            figure.name,
            f"Test {frame.metric} of every run on {frame.table.data}. {text}.",
            drawn,
        )
    )
    return figure


def _make_room(axes: Axes, values: list[float]) -> None:
    """Widen the axes for values beside the data, but not for those further away than the data are wide."""
    low, high = axes.get_xlim()
    near = [value for value in values if 2 * low - high <= value <= 2 * high - low]
    room = 0.03 * (high - low)
    axes.set_xlim(min([low, *(value - room for value in near)]), max([high, *(value + room for value in near)]))


def _beside(frame: Frame, result: CellResults) -> str:
    n_stuck, n_diverged = result.n_stuck, result.count("diverged")
    return ", ".join(f"{n} {word}" for n, word in ((n_stuck, "stuck"), (n_diverged, "diverged")) if n)


def differences(frame: Frame) -> Figure | None:
    """Draw the difference of each candidate to its baseline, with its interval and the margin."""
    table = frame.table
    rows = [(i, c) for i, c in enumerate(table.comparisons) if c is not None and c.difference.n > 1]
    if not rows:
        return None
    figure = Figure(
        f"{frame.slug}-differences",
        "Differences to the baseline",
        f"Mean difference over the same {table.runs_are} with its 95 % interval"
        + (": the thick line for these test rows, the thin one for new rows" if table.n_rows else "")
        + ". The band is the margin within which a difference does not matter.",
        ["cell", "baseline", "difference", "low", "high", "seeds", "p", "p_corrected", "margin", "verdict"],
    )
    drawn, axes = _strip(len(rows))
    marks = [mark for _, mark, _ in frame.marks()]
    scale, unit = (100, ", in points") if frame.metric in IN_POINTS else (1, "")
    for place, (i, found) in enumerate(rows):
        height, mark, difference = len(rows) - 1 - place, marks[i], found.difference
        base = table.results[table.baseline[i]]
        figure.rows.append(
            [
                *(table.results[i].cell.name, base.cell.name, difference.mean, difference.low, difference.high),
                *(difference.n, found.p, found.p_corrected, found.margin, found.verdict),
            ]
        )
        _label(axes, height, frame.label(table.results[i]), found.verdict)
        axes.fill_between(
            [-scale * found.margin, scale * found.margin],
            height - 0.24,
            height + 0.24,
            color=ink.LINE,
            lw=0,
            alpha=0.6,
        )
        widths = [(difference, 1.0 if table.n_rows else 2.4)]
        widths += [(found.on_these_rows.difference, 3.4)] if table.n_rows and found.on_these_rows else []
        for interval, width in widths:
            ends = [scale * interval.low, scale * interval.high]
            axes.plot(ends, [height, height], color=mark.colour, linewidth=width)
        axes.plot([scale * difference.mean], [height], mark.marker, color=mark.colour, markersize=7)
    axes.axvline(0, color=ink.QUIET, linewidth=0.9, zorder=1)
    bases = list(dict.fromkeys(frame.label(table.results[table.baseline[i]]) for i, _ in rows))
    better = "left" if table.lower_is_better else "right"
    title = f"difference to {bases[0]}" if len(bases) == 1 else "difference to the baseline"
    _finish_strip(axes, len(rows), title, f"test {frame.metric}{unit}: {better} of 0 is better")
    text = "; ".join(
        f"{frame.label(table.results[i])}: {number(c.difference.mean)} "
        f"({number(c.difference.low)} to {number(c.difference.high)}), {c.verdict}"
        for i, c in rows
    )
    description = f"Differences in test {frame.metric} to {', '.join(bases)} on {table.data}. {text}."
    figure.panels.append(Panel(figure.name, description, drawn))
    return figure


def variances(frame: Frame) -> Figure | None:
    """Draw for each candidate which part of a difference's uncertainty more runs reduce, and which more rows only."""
    table = frame.table
    rows = [(i, c) for i, c in enumerate(table.comparisons) if c is not None and c.statement.tested.of_rows > 0]
    if not rows:
        return None
    in_folds = table.samples[0].folds is not None
    caption = (
        "The variance of the mean difference for another sample, divided: the filled part becomes smaller with more "
        "repetitions, the empty part, which all folds share because they share training rows, with more rows only."
        if in_folds
        else "The variance of the mean difference on new rows, divided: the filled part varies with the seeds and "
        f"becomes smaller with more of them, the empty part varies with the {table.n_rows} test rows and becomes "
        "smaller with more rows only."
    )
    figure = Figure(
        f"{frame.slug}-variances",
        "What the uncertainty of a difference is made of",
        caption,
        ["cell", "half_width", "variance_of_seeds", "variance_of_rows"],
    )
    drawn, axes = _strip(len(rows))
    marks = [mark for _, mark, _ in frame.marks()]
    texts = []
    for place, (i, found) in enumerate(rows):
        height, tested = len(rows) - 1 - place, found.statement.tested
        share = 100 * tested.of_seeds / (tested.of_seeds + tested.of_rows)
        half = found.difference.half_width
        figure.rows.append([table.results[i].cell.name, half, tested.of_seeds, tested.of_rows])
        _label(axes, height, frame.label(table.results[i]), f"± {size(frame.metric, half)}")
        axes.barh(height, share, 0.3, color=marks[i].colour)
        axes.barh(height, 100, 0.3, fill=False, edgecolor=ink.QUIET, linewidth=0.9)
        texts.append(f"{frame.label(table.results[i])}: {share:.0f} % {table.runs_are}")
    title = f"of {table.runs_are}, and of {'' if in_folds else 'test '}rows"
    _finish_strip(axes, len(rows), title, "% of the variance of the difference")
    figure.panels.append(Panel(figure.name, f"{'; '.join(texts)}; the rest is the rows'.", drawn))
    return figure


def _range(values: np.ndarray) -> str:
    return f"{number(values.min())} to {number(values.max())}" if len(values) else "no working run"


def _strip(n_rows: int) -> tuple[Any, Axes]:
    """Return a panel of rows; labels stand above their rows, so that long names fit."""
    return ink.panel(4.2, 0.85 + 0.48 * n_rows, left=0.1, bottom=0.5)


def _label(axes: Axes, height: float, text: str, beside: str) -> None:
    transform = axes.get_yaxis_transform()
    box = {"facecolor": ink.PAPER, "edgecolor": "none", "pad": 0.8}
    axes.text(0, height + 0.3, text, transform=transform, color=ink.INK, bbox=box)
    if beside:
        axes.text(1, height + 0.3, beside, transform=transform, color=ink.QUIET, ha="right", bbox=box)


def _finish_strip(axes: Axes, n_rows: int, title: str, x: str) -> None:
    ink.finish(axes, title, x, "")
    axes.set_yticks([])
    axes.set_ylim(-0.4, n_rows - 0.3)
    axes.spines["left"].set_visible(False)
