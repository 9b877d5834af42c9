"""The data that all figures of a data set share, and the types of figures."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from lossbench.findings.sentences import name_in
from lossbench.findings.tables import Table
from lossbench.ground.files import shortened
from lossbench.planning.compared import LOSS, value_in
from lossbench.planning.plan import Cell
from lossbench.report import drawing as ink
from lossbench.results.cells import CellResults
from lossbench.results.part_files import Run

# With more lines than this, their names do not fit beside them.
MOST_NAMED = 8
# The lines of values that are no network's: the best constant and the best possible one, then the yardsticks.
DOTTED, DASHED = (0, (1, 2)), (0, (4, 2))
YARDSTICK_LINES: dict[str, tuple[Any, str]] = {
    "linear": ((0, (4, 1.5, 1, 1.5)), "dash-dotted"),
    "boosting": ("-", "solid"),
}
# The most panels of a figure with a panel for each cell, and where only the best cells are shown.
MOST_PANELS, MOST_PANELS_OF_MANY = 12, 4


@dataclass(frozen=True)
class Panel:
    """A drawing with a sentence that describes it."""

    name: str
    description: str
    drawn: MatplotlibFigure


@dataclass(frozen=True)
class SvgPanel:
    """A drawing as SVG, which takes much less memory, with a sentence that describes it."""

    name: str
    description: str
    svg: str


AnyPanel = TypeVar("AnyPanel", Panel, SvgPanel)


@dataclass
class Figure(Generic[AnyPanel]):
    """Panels on common axes.

    Attributes
    ----------
    name : str
        The name of the figure's files.
    columns, rows : list
        The numbers behind the figure, as a table for its CSV file.
    folded : bool
        Whether the page hides the figure until the reader opens it.
    """

    name: str
    title: str
    caption: str
    columns: list[str]
    panels: list[AnyPanel] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    folded: bool = False


def as_svg(figure: Figure[Panel]) -> Figure[SvgPanel]:
    """Return the same figure with its drawings as SVG."""
    panels = [SvgPanel(each.name, each.description, ink.to_svg(each.drawn, each.name)) for each in figure.panels]
    return Figure(figure.name, figure.title, figure.caption, figure.columns, panels, figure.rows, figure.folded)


@dataclass(frozen=True)
class TriedRates:
    """The learning rates that a study tried.

    Attributes
    ----------
    metric : str
    points : list of (rate, value, standard error, whether it does as well as the best)
        By rate; NaN where a value is not known.
    chosen : float
        NaN if none was.
    default : float or None
        The configured rate, if it was tried.
    """

    metric: str
    points: list[tuple[float, float, float, bool]]
    chosen: float
    default: float | None


@dataclass(frozen=True)
class Frame:
    """The results of one data set, as its figures need them.

    Attributes
    ----------
    arrays : dict
        The targets of each split (``y/test``); for data with two features also the samples (``x/test``).
    shapes : dict
        The loss of each cell as a curve, by the cell's name; absent if it could not be computed.
    tried : dict
        The learning rates that the study of each tuned cell tried, by the cell's name.
    ceiling : float
        The best possible value of the main metric on the test split; NaN where it is not known.
    """

    table: Table
    arrays: dict[str, np.ndarray]
    shapes: dict[str, dict[str, np.ndarray]]
    tried: dict[str, TriedRates]
    ceiling: float

    @cached_property
    def slug(self) -> str:
        """The data set's name as part of a file name."""
        return shortened("".join(c if c.isalnum() or c in "._=-" else "-" for c in self.table.data))

    @property
    def most_panels(self) -> int:
        """The most panels of a figure with a panel for each cell."""
        return MOST_PANELS if self.table.n_cells <= len(self.table.results) else MOST_PANELS_OF_MANY

    @cached_property
    def metric(self) -> str:
        """The main metric, which all figures show."""
        return self.table.metric

    @cached_property
    def naive(self) -> float:
        """The main metric of the best constant prediction; NaN if it is not known."""
        found = [r.naive.get(f"test/{self.metric}", np.nan) for r in self.table.results if r.naive]
        return found[0] if found else np.nan

    def marks(self) -> Iterator[tuple[CellResults, ink.Mark, Any]]:
        """Yield each cell with its mark and its line style, which differs between cells of the same colour."""
        seen: dict[int, int] = {}
        for result in self.table.results:
            mark = mark_in(self.table, result.cell)
            seen[mark.number] = seen.get(mark.number, -1) + 1
            yield result, mark, ink.LINES[seen[mark.number] % len(ink.LINES)]

    def typical(self, result: CellResults) -> Run | None:
        """Return the working run with the median of the main metric; None if no run works."""
        runs = result.working.runs
        ordered = sorted(runs, key=lambda run: (run.info.scores[f"test/{self.metric}"], run.info.id.order))
        return ordered[(len(ordered) - 1) // 2] if ordered else None

    def label(self, result: CellResults) -> str:
        """Return a cell's label, followed by its head if another cell has the same label."""
        return name_in(self.table, self.table.results.index(result))

    @cached_property
    def references(self) -> list[tuple[float, Any, str]]:
        """The values beside which losses are drawn: value, line style, and the line in words; unknown ones left out."""
        found: list[tuple[float, Any, str]] = [
            (self.naive, DOTTED, "the dotted line is the best constant's value"),
            (self.ceiling, DASHED, "the dashed one the best possible"),
        ]
        for yardstick in self.table.yardsticks:
            line, how = YARDSTICK_LINES[yardstick.model]
            found.append((yardstick.interval(self.metric).mean, line, f"the {how} one that of {yardstick.name}"))
        return [reference for reference in found if np.isfinite(reference[0])]

    def lines_across(self) -> str:
        """Return a sentence that explains the lines of ``draw_references``."""
        words = [said for _, _, said in self.references]
        return f" {words[0].capitalize()}{''.join(f', {said}' for said in words[1:])}." if words else ""

    def draw_references(self, axes: Axes, vertical: bool) -> None:
        """Draw lines at the values of ``references`` that lie within the axes."""
        low, high = axes.get_xlim() if vertical else axes.get_ylim()
        for value, line, _ in self.references:
            if low <= value <= high:
                draw = axes.axvline if vertical else axes.axhline
                draw(value, color=ink.QUIET, linewidth=0.9, linestyle=line, zorder=1)

    @cached_property
    def n_classes(self) -> int:
        """The number of classes."""
        return self.table.results[0].cell.n_outputs


def mark_in(table: Table, cell: Cell) -> ink.Mark:
    """Return the mark of a cell: that of its loss, or where another setting is compared, of its value of that."""
    if table.compare == LOSS:
        return ink.mark(cell.loss)
    values = sorted({value_in(result.cell, table.compare) for result in table.results})
    return ink.numbered_mark(values.index(value_in(cell, table.compare)))


def key_panel(figure: Figure, axes: Axes) -> Panel:
    """Return a panel with the legend of another one, which has no room for it."""
    handles, labels = axes.get_legend_handles_labels()
    drawn, own = ink.panel(4.2, 0.9 + 0.22 * len(labels), left=0.2)
    own.set_axis_off()
    own.legend(handles, labels, loc="upper left")
    name = f"{figure.name}-key"
    return Panel(name, f"The lines are {', '.join(labels)}.", drawn)


def slug(text: str) -> str:
    """Return a name as part of a file name."""
    return shortened("".join(c if c.isalnum() or c in "._=" else "-" for c in text).strip("-"))
