"""The report's figures as files for a paper: vector graphics at the width of a column, with captions in LaTeX."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from lossbench.findings.tables import tables
from lossbench.ground.errors import UsageError, unknown
from lossbench.paper.markup import Latex
from lossbench.paper.populations import design
from lossbench.planning.plan import Plan
from lossbench.report import drawing as ink
from lossbench.report.across_datasets import overall_figures, rankings
from lossbench.report.dataset_section import frame
from lossbench.report.figures.all import all_figures
from lossbench.report.figures.frame import Figure, Panel
from lossbench.results.cells import CellResults

FORMATS = ("pdf", "svg")
# Inches: a column of most journals and conferences with two of them.
COLUMN = 3.4
NARROWEST, WIDEST = 2.0, 10.0
# In PDF, letters as TrueType: many publishers refuse Matplotlib's default, Type 3.
STYLE = ink.STYLE | {"pdf.fonttype": 42, "font.size": 8, "axes.labelsize": 8, "axes.titlesize": 8, "legend.fontsize": 7}


@dataclass(frozen=True)
class PaperFigure:
    """A figure's drawings, by the names of their files, and its place in a document."""

    name: str
    files: dict[str, bytes]
    latex: str


def folder(plan: Plan) -> str:
    """Return the name of the folder that a sweep's figures are put into."""
    return f"{plan.name}-figures"


def paper_figures(
    plan: Plan, results: list[CellResults], wanted: list[str], form: str, width: float
) -> Iterator[PaperFigure]:
    """Yield the wanted figures of a sweep, or without a name all of them, each when it has been drawn.

    Parameters
    ----------
    wanted : list of str
        Names of figures (``circles-runs``) or of kinds of them (``runs``).
    form : str
        One of ``FORMATS``.
    width : float
        In inches.

    Raises
    ------
    UsageError
        With every name that is of no figure.
    """
    with matplotlib.rc_context(STYLE):
        drawn = list(_drawn(plan, results))
        kinds = {kind: name for name, (kind, _, _) in drawn}
        problems = [
            unknown("figure", name, kinds, also=dict(drawn)) for name in wanted if name not in {*kinds, *dict(drawn)}
        ]
        if problems:
            raise UsageError(*problems)
        for name, (kind, figure, said) in drawn:
            if not wanted or name in wanted or kind in wanted:
                files = {f"{_file_name(each.name)}.{form}": _bytes(each, form, width) for each in figure.panels}
                yield PaperFigure(_file_name(name), files, _latex(plan, figure, said))


def _drawn(plan: Plan, results: list[CellResults]) -> Iterator[tuple[str, tuple[str, Figure[Panel], str]]]:
    """Yield each figure's name, with its kind, the figure, and what its runs repeat."""
    found = tables(plan, results)
    for table in found:
        data = frame(plan, table)
        for figure in all_figures(data):
            figure.title = f"{figure.title}, {table.data}"
            yield figure.name, (figure.name.removeprefix(f"{data.slug}-"), figure, design(table))
    for figure in overall_figures(plan, found, rankings(found)):
        yield figure.name, (figure.name, figure, "")


def _file_name(name: str) -> str:
    # LaTeX takes what follows a first dot for the ending of a file.
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_=") else "-" for c in name)


def _bytes(panel: Panel, form: str, width: float) -> bytes:
    fit(panel.drawn, width)
    if form == "svg":
        return ink.for_file(ink.to_svg(panel.drawn, panel.name)).encode()
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, and the file is written.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        panel.drawn.savefig(file, format="pdf", metadata={"CreationDate": None})
    return file.getvalue()


def fit(figure: MatplotlibFigure, width: float) -> None:
    """Give a panel another width in inches; its height and the room for its labels stay, if they fit into it."""
    before = figure.get_figwidth()
    margins = [(axes, axes.get_position().x0 * before, (1 - axes.get_position().x1) * before) for axes in figure.axes]
    figure.set_figwidth(width)
    _place(margins, width, 0.0)
    # Long numbers at the ticks may push the label beyond the edge.
    beyond = max(0.0, 0.02 - figure.get_tightbbox().x0)
    if beyond:
        _place(margins, width, beyond)


def _place(margins: list[tuple[Axes, float, float]], width: float, more: float) -> None:
    """Place axes by their left and right margins in inches, with ``more`` at the left."""
    for axes, left, right in margins:
        place = axes.get_position()
        axes.set_position(((left + more) / width, place.y0, 1 - (left + more + right) / width, place.height))


def _latex(plan: Plan, figure: Figure[Panel], said: str) -> str:
    tex = Latex()
    caption = ". ".join(filter(None, [figure.title.rstrip("."), " ".join(filter(None, [figure.caption, said]))]))
    files = [f"  \\includegraphics{{{folder(plan)}/{_file_name(panel.name)}}}" for panel in figure.panels]
    label = _file_name(f"{plan.name}-{figure.name}")
    lines = ["\\begin{figure}", "  \\centering", "\\\\\n".join(files), f"  \\caption{{{tex.text(caption)}}}"]
    return "\n".join([*lines, f"  \\label{{fig:{label}}}", "\\end{figure}", ""])
