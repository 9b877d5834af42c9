"""The report's figures: each a group of panels on common axes, with the numbers that it is drawn from."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lossbench.answer import IN_POINTS, name_in, number
from lossbench.comparison import mean_intervals
from lossbench.heads import HEADS, NUMBER_TASKS, decide
from lossbench.plots import curve_matrix
from lossbench.report import ink
from lossbench.results import FINISHED, CellResults, Run
from lossbench.samples import Table

# With more cells than this a figure of one panel a cell would be a page of its own.
MOST_PANELS = 12
N_BINS = 10
# Points of a curve beyond these are not drawn: a panel has 300 pixels.
MOST_POINTS = 240
# So many samples say what more would, in a page of a tenth the size.
MOST_SAMPLES = 500


@dataclass(frozen=True)
class Panel:
    """One drawing: its SVG in stand-in colours, and what it shows in a sentence."""

    name: str
    description: str
    svg: str


@dataclass
class Figure:
    """Panels on common axes.

    Attributes
    ----------
    name : str
        Of its files.
    columns, rows : list
        The numbers that it is drawn from.
    folded : bool
        Whether the page shows it only when asked.
    """

    name: str
    title: str
    caption: str
    columns: list[str]
    panels: list[Panel] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    folded: bool = False


@dataclass(frozen=True)
class DataFigures:
    """The figures of one data set.

    Attributes
    ----------
    arrays : dict
        The targets of each split (``y/test``), for two features with the samples (``x/test``).
    shapes : dict
        Each cell's name to the shape of its loss, where it was written.
    trials : dict
        Each tuned cell's name to its trials: learning rate, value on validation samples (NaN if it failed).
    ceiling : float
        The best possible value of the main metric on the test split; NaN where it is not known.
    """

    table: Table
    arrays: dict[str, np.ndarray]
    shapes: dict[str, dict[str, np.ndarray]]
    trials: dict[str, list[tuple[float, float]]]
    ceiling: float

    def all(self) -> list[Figure]:
        """Return all that can be drawn of these results, in the order of the page."""
        makers = (
            self.runs,
            self.differences,
            self.curves,
            self.own_losses,
            self.slices,
            self.boundaries,
            self.predicted,
            self.calibration,
            self.shape,
        )
        figures = [figure for maker in makers if (figure := maker()) is not None]
        for figure in figures:
            if len(figure.panels) == MOST_PANELS < len(self.table.results):
                figure.caption += f" The first {MOST_PANELS} losses of the table are shown."
        return figures

    # ---- What all share.

    @cached_property
    def slug(self) -> str:
        """The data set's name in those of files."""
        return "".join(c if c.isalnum() or c in "._=-" else "-" for c in self.table.data)

    @cached_property
    def metric(self) -> str:
        """The metric that all is drawn by."""
        return self.table.metric

    @cached_property
    def naive(self) -> float:
        """The best constant prediction's value."""
        found = [r.naive.get(f"test/{self.metric}", np.nan) for r in self.table.results if r.naive]
        return found[0] if found else np.nan

    def marks(self) -> Iterator[tuple[CellResults, ink.Mark, Any]]:
        """Yield each cell with its mark, and the line that tells it from others of the same colour."""
        seen: dict[int, int] = {}
        for result in self.table.results:
            mark = ink.mark(result.cell.loss)
            seen[mark.number] = seen.get(mark.number, -1) + 1
            yield result, mark, ink.LINES[seen[mark.number] % len(ink.LINES)]

    def working(self, result: CellResults) -> CellResults:
        """Return a cell with the runs that work only."""
        return CellResults(result.cell, [r for r in result.runs if r.info.status == FINISHED and not r.info.stuck])

    def typical(self, result: CellResults) -> Run | None:
        """Return the working run in the middle by the main metric."""
        runs = self.working(result).runs
        ordered = sorted(runs, key=lambda run: (run.info.scores[f"test/{self.metric}"], run.info.seed))
        return ordered[(len(ordered) - 1) // 2] if ordered else None

    def label(self, result: CellResults) -> str:
        """Return a cell's label, with its head where another cell has the same label."""
        return name_in(self.table, self.table.results.index(result))

    def _lines_across(self) -> str:
        """Say what the lines of ``_references`` are."""
        known = " The dotted line is the best constant's value" if np.isfinite(self.naive) else ""
        return known and f"{known}{', the dashed one the best possible' if np.isfinite(self.ceiling) else ''}."

    def _references(self, axes: Axes, vertical: bool) -> None:
        """Draw the naive predictor's value and the best possible one, where they are in sight."""
        low, high = axes.get_xlim() if vertical else axes.get_ylim()
        for value, line in ((self.naive, (0, (1, 2))), (self.ceiling, (0, (4, 2)))):
            if np.isfinite(value) and low <= value <= high:
                draw = axes.axvline if vertical else axes.axhline
                draw(value, color=ink.QUIET, linewidth=0.9, linestyle=line, zorder=1)

    # ---- Every run.

    def runs(self) -> Figure:
        """Draw every run as a point, with the box of the middle half and the mean with its interval."""
        figure = Figure(
            f"{self.slug}-runs",
            "Every run",
            "A point is a run; the box holds the middle half of the working runs, the diamond is their mean with its "
            "95 % interval. Stuck runs are counted at the right and left out of the scale." + self._lines_across(),
            ["cell", "seed", f"test/{self.metric}", "status", "stuck"],
        )
        rows = list(self.marks())
        drawn, axes = _strip(len(rows))
        for place, (result, mark, _) in enumerate(rows):
            height = len(rows) - 1 - place
            values = self.working(result).scores(f"test/{self.metric}")
            figure.rows += [
                [result.cell.name, r.info.seed, r.info.scores.get(f"test/{self.metric}"), r.info.status, r.info.stuck]
                for r in result.runs
            ]
            _label(axes, height, self.label(result), self._beside(result))
            if len(values):
                # Points beside each other in the order of their values: no chance in the drawing.
                ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
                offsets = ((ranks * 7) % 5 - 2) * 0.055
                axes.plot(values, height + offsets, mark.marker, color=mark.colour, markersize=3.6, alpha=0.55, mew=0)
                low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
                axes.plot([low, high, high, low, low], height + 0.2 * np.array([-1, -1, 1, 1, -1]), lw=0.9, c=ink.QUIET)
                axes.plot([middle, middle], [height - 0.2, height + 0.2], color=ink.QUIET, linewidth=0.9)
                mean, below, above, _ = (float(v[0]) for v in mean_intervals(values[:, None]))
                axes.plot([below, above], [height, height], color=ink.INK, linewidth=1.8)
                axes.plot([mean], [height], "D", color=ink.INK, markersize=4)
        _finish_strip(axes, len(rows), f"test {self.metric} of every run", f"test {self.metric}")
        self._references(axes, vertical=True)
        text = "; ".join(
            f"{self.label(r)}: {_range(self.working(r).scores(f'test/{self.metric}'))}" for r, _, _ in rows
        )
        figure.panels.append(
            Panel(
                figure.name,
                f"Test {self.metric} of every run on {self.table.data}. {text}.",
                ink.to_svg(drawn, figure.name),
            )
        )
        return figure

    def _beside(self, result: CellResults) -> str:
        n_stuck, n_diverged = result.n_stuck, result.count("diverged")
        return ", ".join(f"{n} {word}" for n, word in ((n_stuck, "stuck"), (n_diverged, "diverged")) if n)

    # ---- Differences.

    def differences(self) -> Figure | None:
        """Draw the difference of each candidate to its baseline, with its interval and the margin."""
        table = self.table
        rows = [(i, c) for i, c in enumerate(table.comparisons) if c is not None and c.difference.n > 1]
        if not rows:
            return None
        figure = Figure(
            f"{self.slug}-differences",
            "Differences to the baseline",
            "Mean difference over the same seeds with its 95 % interval. The band is the margin within which a "
            "difference does not matter.",
            ["cell", "baseline", "difference", "low", "high", "seeds", "p", "p_corrected", "margin", "verdict"],
        )
        drawn, axes = _strip(len(rows))
        marks = [mark for _, mark, _ in self.marks()]
        scale, unit = (100, ", in points") if self.metric in IN_POINTS else (1, "")
        for place, (i, found) in enumerate(rows):
            height, mark, difference = len(rows) - 1 - place, marks[i], found.difference
            base = table.results[table.baseline[i]]
            figure.rows.append(
                [
                    *(table.results[i].cell.name, base.cell.name, difference.mean, difference.low, difference.high),
                    *(difference.n, found.p, found.p_corrected, found.margin, found.verdict),
                ]
            )
            _label(axes, height, self.label(table.results[i]), found.verdict)
            axes.fill_between(
                [-scale * found.margin, scale * found.margin],
                height - 0.24,
                height + 0.24,
                color=ink.LINE,
                lw=0,
                alpha=0.6,
            )
            ends = [scale * difference.low, scale * difference.high]
            axes.plot(ends, [height, height], color=mark.colour, linewidth=2.2)
            axes.plot([scale * difference.mean], [height], mark.marker, color=mark.colour, markersize=7)
        axes.axvline(0, color=ink.QUIET, linewidth=0.9, zorder=1)
        bases = list(dict.fromkeys(self.label(table.results[table.baseline[i]]) for i, _ in rows))
        better = "left" if table.lower_is_better else "right"
        title = f"difference to {bases[0]}" if len(bases) == 1 else "difference to the baseline"
        _finish_strip(axes, len(rows), title, f"test {self.metric}{unit}: {better} of 0 is better")
        text = "; ".join(
            f"{self.label(table.results[i])}: {number(c.difference.mean)} "
            f"({number(c.difference.low)} to {number(c.difference.high)}), {c.verdict}"
            for i, c in rows
        )
        description = f"Differences in test {self.metric} to {', '.join(bases)} on {table.data}. {text}."
        figure.panels.append(Panel(figure.name, description, ink.to_svg(drawn, figure.name)))
        return figure

    # ---- Curves.

    def curves(self) -> Figure | None:
        """Draw the common metric over the epochs, one panel a loss, all on the same axes."""
        cells = [r for r in self.table.results if any("epochs" in run.arrays for run in self.working(r).runs)]
        cells = cells[:MOST_PANELS]
        if not cells:
            return None
        figure = Figure(
            f"{self.slug}-curves",
            "Curves",
            f"{self.metric} after each epoch, mean over the working runs; the band holds the middle 90 % of them. "
            "Dashed: train. The other losses' test means stand behind in grey. All panels have the same axes."
            + self._lines_across(),
            ["cell", "split", "epoch", "mean", "low_5_percent", "high_95_percent"],
        )
        curves = {r.cell.name: {s: self._curve(r, f"{s}/{self.metric}") for s in ("train", "test")} for r in cells}
        limits = self._limits(curves)
        for result, mark, _ in self.marks():
            if result.cell.name not in curves:
                continue
            drawn, axes = ink.panel(3.6, 2.5)
            for other, own in curves.items():
                if other != result.cell.name:
                    axes.plot(own["test"][0], own["test"][1], color=ink.LINE, linewidth=1.0, zorder=1)
            for split, line, alpha in (("train", (0, (4, 2)), 0.0), ("test", "-", 0.22)):
                epochs, mean, low, high = curves[result.cell.name][split]
                axes.plot(epochs, mean, color=mark.colour, linestyle=line, linewidth=1.1 if alpha == 0 else 1.7)
                if alpha:
                    axes.fill_between(epochs, low, high, color=mark.colour, alpha=alpha, linewidth=0)
                figure.rows += [[result.cell.name, split, *row] for row in zip(epochs, mean, low, high, strict=True)]
            axes.set_ylim(*limits)
            ink.finish(axes, self.label(result), "epoch", self.metric)
            self._references(axes, vertical=False)
            last = curves[result.cell.name]
            description = (
                f"{self.metric} of {self.label(result)} on {self.table.data} over {int(last['test'][0][-1])} epochs: "
                f"test {number(last['test'][1][-1])}, train {number(last['train'][1][-1])} at the end."
            )
            name = f"{figure.name}-{_slug(self.label(result))}"
            figure.panels.append(Panel(name, description, ink.to_svg(drawn, name)))
        return figure

    def _curve(self, result: CellResults, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        epochs, matrix = curve_matrix(self.working(result), name)
        kept = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), MOST_POINTS)).astype(int))
        low, high = np.quantile(matrix[:, kept], [0.05, 0.95], axis=0)
        return epochs[kept], matrix[:, kept].mean(axis=0), low, high

    def _limits(self, curves: dict[str, dict[str, Any]]) -> tuple[float, float]:
        """Return limits for the common metric, which end a little above the best constant's error."""
        low, high = self._late(curves)
        if self.table.lower_is_better and np.isfinite(self.naive):
            high = min(high, max(1.3 * self.naive, low + 0.1 * self.naive))
        return low, high

    def _late(self, curves: dict[str, dict[str, Any]]) -> tuple[float, float]:
        """Return limits that show every curve but for its first steps, which may be far away."""
        ends = []
        for own in curves.values():
            for epochs, mean, low, high in own.values():
                late = epochs >= epochs[0] + 0.03 * (epochs[-1] - epochs[0])
                ends += [np.nanmin(mean[late]), np.nanmax(mean[late]), np.nanmin(low[-1:]), np.nanmax(high[-1:])]
        low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
        room = 0.05 * (high - low) or 0.01
        return low - room, high + room

    def own_losses(self) -> Figure | None:
        """Draw each loss's own value over the epochs: for how it converges, not to compare."""
        cells = [(r, m) for r, m, _ in self.marks() if any("epochs" in run.arrays for run in self.working(r).runs)]
        if not cells:
            return None
        figure = Figure(
            f"{self.slug}-own-losses",
            "Each loss by its own value",
            "Train (dashed) and test, mean over the working runs; the band holds the middle 90 % of them. Every panel "
            "has its own scale, which starts after the first steps: losses are not compared by their own values.",
            ["cell", "split", "epoch", "mean", "low_5_percent", "high_95_percent"],
            folded=True,
        )
        for result, mark in cells[:MOST_PANELS]:
            drawn, axes = ink.panel(3.6, 2.5)
            curves = {split: self._curve(result, f"{split}/loss") for split in ("train", "test")}
            for split, line in (("train", (0, (4, 2))), ("test", "-")):
                epochs, mean, low, high = curves[split]
                axes.plot(epochs, mean, color=mark.colour, linestyle=line, linewidth=1.1 if split == "train" else 1.7)
                figure.rows += [[result.cell.name, split, *row] for row in zip(epochs, mean, low, high, strict=True)]
            axes.fill_between(*(curves["test"][i] for i in (0, 2, 3)), color=mark.colour, alpha=0.22, linewidth=0)
            axes.set_ylim(*self._late({result.cell.name: curves}))
            ink.finish(axes, self.label(result), "epoch", "loss")
            name = f"{figure.name}-{_slug(self.label(result))}"
            ends = {split: number(float(curve[1][-1])) for split, curve in curves.items()}
            description = f"Own loss of {self.label(result)}: train {ends['train']}, test {ends['test']} at the end."
            figure.panels.append(Panel(name, description, ink.to_svg(drawn, name)))
        return figure

    def slices(self) -> Figure | None:
        """Draw what every trial of a tuned cell's learning rate reached on the validation samples."""
        cells = [(r, m, self.trials[r.cell.name]) for r, m, _ in self.marks() if r.cell.name in self.trials]
        if not cells:
            return None
        figure = Figure(
            f"{self.slug}-learning-rates",
            "Learning rates tried",
            f"{self.metric} on the validation samples of every trial, mean over the tuning seeds; crosses at the edge "
            "are trials that failed. The larger mark was chosen.",
            ["cell", "learning_rate", f"validation/{self.metric}"],
        )
        found = [value for _, _, trials in cells for _, value in trials if np.isfinite(value)]
        if not found:
            return None
        rates = [rate for _, _, trials in cells for rate, _ in trials]
        for result, mark, trials in cells[:MOST_PANELS]:
            figure.rows += [[result.cell.name, rate, value] for rate, value in trials]
            drawn, axes = ink.panel(3.6, 2.5)
            x, y = np.array(sorted(trials)).T
            there = np.isfinite(y)
            axes.plot(x[there], y[there], mark.marker, color=mark.colour, markersize=4.5, alpha=0.8, mew=0)
            worst, best = (max(found), min(found)) if self.table.lower_is_better else (min(found), max(found))
            axes.plot(x[~there], np.full((~there).sum(), worst), "x", color=ink.QUIET, markersize=4.5)
            text = "every trial failed"
            if there.any():
                chosen = int(np.nanargmin(y) if self.table.lower_is_better else np.nanargmax(y))
                axes.plot(x[chosen], y[chosen], mark.marker, color=mark.colour, markersize=9)
                text = f"the best learning rate is {x[chosen]:.3g} with {number(float(y[chosen]))}"
            room = 0.06 * abs(worst - best) or 0.01
            axes.set_ylim(min(worst, best) - room, max(worst, best) + room)
            axes.set_xscale("log")
            axes.set_xlim(min(rates) / 1.3, max(rates) * 1.3)
            ink.finish(axes, self.label(result), "learning rate", f"validation {self.metric}")
            name = f"{figure.name}-{_slug(self.label(result))}"
            description = f"Learning rates tried for {self.label(result)}: {text}."
            figure.panels.append(Panel(name, description, ink.to_svg(drawn, name)))
        return figure

    # ---- What was learned.

    def boundaries(self) -> Figure | None:
        """Draw where the runs decide for which class, over the test samples; for two features."""
        if "x/test" not in self.arrays or self.table.results[0].cell.task not in ("binary", "multiclass"):
            return None
        cells = [r for r in self.table.results if any("grid/raw" in run.arrays for run in self.working(r).runs)]
        figure = Figure(
            f"{self.slug}-boundaries",
            "Decision boundaries",
            "The line is where half of the working runs decide for a class; in the lighter band around it they "
            "disagree (more than one in twenty). Points are the test samples: circles class 0, squares class 1, "
            "triangles class 2.",
            ["cell", "x0", "x1", *(f"share_{k}" for k in range(self._n_classes()))],
        )
        for result in cells[:MOST_PANELS]:
            self._boundary(figure, result)
        return figure if figure.panels else None

    def _n_classes(self) -> int:
        return int(max(y.max() for name, y in self.arrays.items() if name.startswith("y/"))) + 1

    def _boundary(self, figure: Figure, result: CellResults) -> None:
        runs = [run for run in self.working(result).runs if "grid/raw" in run.arrays]
        pair = result.cell.pair
        decided = np.stack(
            [decide(run.arrays["grid/raw"], pair.head, pair.encoding, pair.task) for run in runs]
        ).astype(int)
        first, second = runs[0].arrays["grid/x0"], runs[0].arrays["grid/x1"]
        n_classes = self._n_classes()
        shares = np.stack([(decided == k).mean(axis=0) for k in range(n_classes)], axis=1)
        grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
        # Every third point of the grid is enough for a table of numbers.
        figure.rows += [[result.cell.name, *np.round([*x, *s], 4)] for x, s in zip(grid[::3], shares[::3], strict=True)]
        drawn, axes = ink.panel(3.6, 3.2)
        for k in range(n_classes):
            share = shares[:, k].reshape(len(first), len(second)).T
            colour = ink.CLASSES[k % len(ink.CLASSES)]
            for low, alpha in ((0.05, 0.10), (0.95, 0.14)):
                if share.max() > low:
                    axes.contourf(first, second, share, levels=[low, 1.01], colors=[colour], alpha=alpha)
            if share.min() < 0.5 < share.max():
                axes.contour(first, second, share, levels=[0.5], colors=[ink.INK], linewidths=0.9)
        for k in range(n_classes):
            x = self.arrays["x/test"][self.arrays["y/test"] == k]
            x = x[:: -(-len(self.arrays["x/test"]) // MOST_SAMPLES)]
            axes.plot(*x.T, "os^Dv"[k % 5], color=ink.CLASSES[k % len(ink.CLASSES)], markersize=2.4, mew=0, alpha=0.85)
        ink.finish(axes, self.label(result), "first feature", "second feature")
        axes.set_xlim(first[0], first[-1])
        axes.set_ylim(second[0], second[-1])
        axes.grid(False)
        name = f"{figure.name}-{_slug(self.label(result))}"
        split = float((shares.max(axis=1) < 0.95).mean())
        description = (
            f"Decision boundary of {self.label(result)} on {self.table.data}, {len(runs)} runs; "
            f"they disagree on {100 * split:.0f} % of the plane."
        )
        figure.panels.append(Panel(name, description, ink.to_svg(drawn, name)))

    def predicted(self) -> Figure | None:
        """Draw predictions against targets, of each loss's typical run."""
        if self.table.results[0].cell.task not in NUMBER_TASKS or "y/test" not in self.arrays:
            return None
        figure = Figure(
            f"{self.slug}-predicted",
            "Predicted against true",
            f"The test samples of each loss's run in the middle by {self.metric}; on the line a prediction is right.",
            ["cell", "seed", "true", "predicted"],
        )
        found: list[tuple[CellResults, ink.Mark, Run, np.ndarray]] = []
        for result, mark, _ in self.marks():
            run = self.typical(result)
            if run is not None and "raw/test" in run.arrays and len(found) < MOST_PANELS:
                predicted = HEADS[result.cell.head].activate(run.arrays["raw/test"].astype(np.float64))[:, 0]
                found.append((result, mark, run, result.in_unit(predicted)))
        if not found:
            return None
        true = self.table.results[0].in_unit(self.arrays["y/test"][:, 0].astype(np.float64))
        low, high = true.min(), true.max()
        room = 0.08 * (high - low)
        for result, mark, run, predicted in found:
            drawn, axes = ink.panel(3.6, 3.2)
            axes.plot([low - room, high + room], [low - room, high + room], color=ink.QUIET, linewidth=0.9, zorder=1)
            kept = slice(None, None, -(-len(true) // MOST_SAMPLES))
            axes.plot(true[kept], predicted[kept], "o", color=mark.colour, markersize=2.8, alpha=0.5, mew=0)
            axes.set_xlim(low - room, high + room)
            axes.set_ylim(low - room, high + room)
            ink.finish(axes, self.label(result), "true", "predicted")
            rows = np.stack([true, predicted], axis=1)
            figure.rows += [[result.cell.name, run.info.seed, *(float(f"{v:.6g}") for v in row)] for row in rows]
            outside = float(((predicted < low - room) | (predicted > high + room)).mean())
            score = number(run.info.scores[f"test/{self.metric}"])
            description = f"{self.label(result)}, seed {run.info.seed}: {self.metric} {score}" + (
                f"; {100 * outside:.0f} % of the predictions lie outside the panel." if outside else "."
            )
            name = f"{figure.name}-{_slug(self.label(result))}"
            figure.panels.append(Panel(name, description, ink.to_svg(drawn, name)))
        return figure

    def calibration(self) -> Figure | None:
        """Draw how often the runs are right over how sure they are, for losses that give probabilities."""
        cells = [(r, m, line) for r, m, line in self.marks() if self._probabilities(r)]
        if not cells:
            return None
        figure = Figure(
            f"{self.slug}-calibration",
            "Calibration",
            "The share of right decisions over the probability given to them, all working runs together, in ten bins. "
            "Below the line a network is surer than it is right. ECE: the mean distance to the line, in points.",
            ["cell", "bin_low", "bin_high", "samples", "mean_probability", "share_right", "ece"],
        )
        drawn, axes = ink.panel(4.2, 3.0)
        histogram, beside = ink.panel(4.2, 3.0)
        axes.plot([0, 1], [0, 1], color=ink.QUIET, linewidth=0.9, zorder=1)
        said = []
        for result, mark, line in cells:
            sure, right = self._confidence(result)
            bins = np.clip((sure * N_BINS).astype(int), 0, N_BINS - 1)
            counts = np.bincount(bins, minlength=N_BINS)
            there = counts > 0
            means = np.bincount(bins, sure, N_BINS)[there] / counts[there]
            shares = np.bincount(bins, right, N_BINS)[there] / counts[there]
            error = float((np.abs(means - shares) * counts[there]).sum() / counts.sum())
            label = f"{self.label(result)}: ECE {100 * error:.1f}"
            axes.plot(means, shares, color=mark.colour, linestyle=line, marker=mark.marker, markersize=4, label=label)
            beside.stairs(
                counts / counts.sum(), np.linspace(0, 1, N_BINS + 1), color=mark.colour, linestyle=line, lw=1.5
            )
            edges = np.flatnonzero(there) / N_BINS
            for low, n, mean, share in zip(edges, counts[there], means, shares, strict=True):
                figure.rows.append([result.cell.name, low, low + 1 / N_BINS, n, mean, share, error])
            said.append(label)
        low = 0.0 if self._n_classes() > 2 else 0.48
        axes.set_xlim(low, 1.01)
        axes.set_ylim(low, 1.01)
        beside.set_xlim(low, 1.01)
        beside.set_ylim(bottom=0)
        ink.finish(axes, "how often they are right", "probability of the decision", "share right")
        ink.finish(beside, "how sure they are", "probability of the decision", "share of samples")
        if len(cells) <= 8:
            axes.legend(loc="lower right" if low == 0 else "upper left", fontsize=ink.SIZE - 1)
        description = f"Calibration on {self.table.data}. " + "; ".join(said) + "."
        figure.panels.append(Panel(figure.name, description, ink.to_svg(drawn, figure.name)))
        name = f"{figure.name}-confidence"
        figure.panels.append(Panel(name, "How sure the runs are of their decisions.", ink.to_svg(histogram, name)))
        return figure

    def _probabilities(self, result: CellResults) -> bool:
        runs = self.working(result).runs
        has_classes = result.cell.task in ("binary", "multiclass") and "y/test" in self.arrays
        return has_classes and any("test/log_loss" in r.info.scores and "raw/test" in r.arrays for r in runs)

    def _confidence(self, result: CellResults) -> tuple[np.ndarray, np.ndarray]:
        """Return of all working runs' test samples the probability of the decision, and whether it is right."""
        raw = np.stack([run.arrays["raw/test"] for run in self.working(result).runs]).astype(np.float64)
        p = HEADS[result.cell.head].activate(raw)
        if p.shape[-1] == 1:
            p = np.concatenate([1 - p, p], axis=-1)
        right = p.argmax(axis=-1) == self.arrays["y/test"][None, :]
        return p.max(axis=-1).ravel(), right.ravel().astype(np.float64)

    # ---- The losses themselves.

    def shape(self) -> Figure | None:
        """Draw each loss and its slope, over the error or over the lead of the true class."""
        cells = [(r, m, line, self.shapes[r.cell.name]) for r, m, line in self.marks() if r.cell.name in self.shapes]
        if not cells:
            return None
        errors = bool(np.isfinite(cells[0][3]["target"]))
        where = "error (predicted less true)" if errors else "lead of the true class (raw prediction)"
        figure = Figure(
            f"{self.slug}-shape",
            "The shape of each loss",
            "What one sample costs, and how hard it pulls (the slope), over "
            + (
                "the error, in the unit of the targets. "
                if errors
                else "how far the true class is ahead; below 0 the decision is wrong. "
            )
            + "Losses differ in scale: compare where a curve is flat and where it is steep.",
            ["cell", "target", "x", "loss", "slope"],
        )
        slopes = [np.gradient(own["loss"], own["x"]) for *_, own in cells]
        for name, values in (("loss", [own["loss"] for *_, own in cells]), ("slope", slopes)):
            drawn, axes = ink.panel(4.2, 3.0)
            for (result, mark, line, own), y in zip(cells, values, strict=True):
                drawn_as = {"color": mark.colour, "linestyle": line, "marker": mark.marker, "markersize": 4}
                axes.plot(own["x"], y, markevery=20, label=self._with_target(result, own), **drawn_as)
            finite = np.concatenate([y[np.isfinite(y)] for y in values])
            low, high = np.quantile(finite, [0.01, 0.99])
            above = 0.06 + (0.09 * len(cells) if name == "loss" and errors and len(cells) <= 8 else 0.0)
            axes.set_ylim(low - 0.06 * (high - low), high + above * (high - low))
            axes.axvline(0, color=ink.LINE, linewidth=1.4, zorder=1)
            ink.finish(axes, name, where, "")
            if name == "loss" and len(cells) <= 8:
                axes.legend(loc="upper center" if errors else "upper right", fontsize=ink.SIZE - 1.5)
            panel = f"{figure.name}-{name}"
            labels = ", ".join(self.label(r) for r, *_ in cells)
            figure.panels.append(Panel(panel, f"The {name} of {labels} over the {where}.", ink.to_svg(drawn, panel)))
        for (result, _, _, own), slope in zip(cells, slopes, strict=True):
            target = float(own["target"])
            figure.rows += [
                [result.cell.name, target, *(float(f"{v:.6g}") for v in row)]
                for row in zip(own["x"], own["loss"], slope, strict=True)
            ]
        return figure

    def _with_target(self, result: CellResults, own: dict[str, np.ndarray]) -> str:
        target = float(own["target"])
        return self.label(result) + (f", true value {target:g}" if np.isfinite(target) and target else "")


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._=" else "-" for c in text).strip("-")


def _range(values: np.ndarray) -> str:
    return f"{number(values.min())} to {number(values.max())}" if len(values) else "no working run"


def _strip(n_rows: int) -> tuple[Any, Axes]:
    """Return a panel of rows: what each one is stands above it, so that names may be long."""
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
