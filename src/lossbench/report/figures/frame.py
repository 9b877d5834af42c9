"""What all figures of a data set share: its table, its arrays, and how its losses are drawn."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lossbench.findings.sentences import name_in
from lossbench.findings.tables import Table
from lossbench.report import drawing as ink
from lossbench.results.cells import CellResults
from lossbench.results.part_files import Run

# More lines than this leave no room for their names beside them.
MOST_NAMED = 8
# With more cells than this a figure of one panel a cell would be a page of its own.
MOST_PANELS = 12


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
class Frame:
    """What the figures of one data set are drawn from.

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

    def typical(self, result: CellResults) -> Run | None:
        """Return the working run in the middle by the main metric."""
        runs = result.working.runs
        ordered = sorted(runs, key=lambda run: (run.info.scores[f"test/{self.metric}"], run.info.seed))
        return ordered[(len(ordered) - 1) // 2] if ordered else None

    def label(self, result: CellResults) -> str:
        """Return a cell's label, with its head where another cell has the same label."""
        return name_in(self.table, self.table.results.index(result))

    def lines_across(self) -> str:
        """Say what the lines of ``draw_references`` are."""
        known = " The dotted line is the best constant's value" if np.isfinite(self.naive) else ""
        return known and f"{known}{', the dashed one the best possible' if np.isfinite(self.ceiling) else ''}."

    def draw_references(self, axes: Axes, vertical: bool) -> None:
        """Draw the naive predictor's value and the best possible one, where they are in sight."""
        low, high = axes.get_xlim() if vertical else axes.get_ylim()
        for value, line in ((self.naive, (0, (1, 2))), (self.ceiling, (0, (4, 2)))):
            if np.isfinite(value) and low <= value <= high:
                draw = axes.axvline if vertical else axes.axhline
                draw(value, color=ink.QUIET, linewidth=0.9, linestyle=line, zorder=1)

    @cached_property
    def n_classes(self) -> int:
        """How many classes there are."""
        return int(max(y.max() for name, y in self.arrays.items() if name.startswith("y/"))) + 1


def key_panel(figure: Figure, axes: Axes) -> Panel:
    """Return a panel that says which line is which, for panels that have no room for it."""
    handles, labels = axes.get_legend_handles_labels()
    drawn, own = ink.panel(4.2, 0.9 + 0.22 * len(labels), left=0.2)
    own.set_axis_off()
    own.legend(handles, labels, loc="upper left")
    name = f"{figure.name}-key"
    return Panel(name, f"The lines are {', '.join(labels)}.", ink.to_svg(drawn, name))


def slug(text: str) -> str:
    """Return a name as it stands in those of files."""
    return "".join(c if c.isalnum() or c in "._=" else "-" for c in text).strip("-")
