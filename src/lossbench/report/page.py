"""The report as one HTML page, which loads nothing from a network."""

import math
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lossbench.findings.number_formats import IN_POINTS, number, size
from lossbench.report import drawing as ink
from lossbench.report.caveats import difference_text
from lossbench.report.content import Content
from lossbench.report.figures.frame import SvgPanel


def page(content: Content) -> str:
    """Return the page; names that users chose (columns, files, cells) are escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name, function in FILTERS.items():
        environment.filters[name] = function
    css = Markup(environment.get_template("page.css").render(palette=ink.palette))
    return environment.get_template("page.html.j2").render(
        content=content,
        plan=content.plan,
        css=css,
        js=Markup((Path(__file__).parent / "page.js").read_text(encoding="utf-8")),
        in_points=IN_POINTS,
        nan=math.nan,
        difference=difference_text,
        size=size,
        signed=_signed,
    )


def _sortable(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, int | float) and math.isfinite(value) else ""


def p_value(value: float) -> str:
    """Format a p-value with three or four decimals, or as ``< 0.0001``."""
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def _signed(metric: str, value: float) -> str:
    return f"{'−' if value < 0 else '+'}{size(metric, value)}"


def _drawing(panel: SvgPanel) -> Markup:
    # Matplotlib escaped the texts inside the drawing, and ``for_page`` escapes the description.
    return Markup(ink.for_page(panel.svg, panel.description))


def _breakable(name: str) -> Markup:
    """Allow line breaks after the underscores of a name."""
    return Markup(str(escape(name)).replace("_", "_<wbr>"))


def _unbroken(text: str) -> str:
    """Prevent a line break between a number and its percent sign."""
    return text.replace(" %", "\u00a0%")


FILTERS: dict[str, Any] = {
    "number": number,
    "sortable": _sortable,
    "p_value": p_value,
    "drawing": _drawing,
    "breakable": _breakable,
    "unbroken": _unbroken,
}
