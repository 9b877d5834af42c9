"""A figure of the report as Matplotlib's own figures, which a notebook shows with its title and caption."""

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from lossbench.report import drawing as ink
from lossbench.report.figures.frame import Figure, Panel, as_svg


@dataclass(frozen=True)
class Drawing:
    """A figure of the report.

    Attributes
    ----------
    name, title, caption : str
        Of the figure, as on the page.
    panels : dict of str to matplotlib.figure.Figure
        Its panels by their names: a panel for each loss, or a single one.
    data : pandas.DataFrame
        The numbers behind it.
    """

    name: str
    title: str
    caption: str
    panels: dict[str, MatplotlibFigure]
    data: pd.DataFrame

    @property
    def figure(self) -> MatplotlibFigure:
        """The first panel: the figure itself, where it has one panel."""
        return next(iter(self.panels.values()))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the panels side by side with their caption."""
        with matplotlib.rc_context(ink.STYLE):
            panels = [Panel(name, name, drawn) for name, drawn in self.panels.items()]
            drawn = as_svg(Figure[Panel](self.name, self.title, self.caption, [], panels))
        # Each in an image of its own, so that no style or id of one applies to another.
        images = "".join(_image(each.svg, each.name) for each in drawn.panels)
        return (
            f"<figure><b>{escape(self.title)}</b><br>{images}<figcaption>{escape(self.caption)}</figcaption></figure>"
        )

    def __repr__(self) -> str:
        return f"{self.title}: {', '.join(self.panels)}"


def _image(svg: str, name: str) -> str:
    content = b64encode(ink.for_file(svg).encode()).decode()
    return f'<img alt="{escape(name)}" src="data:image/svg+xml;base64,{content}" style="display: inline-block">'


def as_drawing(figure: Figure[Panel]) -> Drawing:
    """Return a figure of the report for users of Python."""
    panels = {panel.name: panel.drawn for panel in figure.panels}
    rows: Any = figure.rows
    return Drawing(figure.name, figure.title, figure.caption, panels, pd.DataFrame(rows, columns=figure.columns))
