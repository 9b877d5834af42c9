"""The style of figures: named colours, a colour and a marker for each loss, and SVG that follows the page's theme.

Figures are drawn in the light theme's colours, as files and notebooks show them. In the page these are replaced by CSS
variables, so that one drawing serves the light and the dark theme.
"""

import io
import re
import warnings
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from lossbench.losses.choice import COMPOSITE, CUSTOM
from lossbench.losses.pairing import LOSSES

# Eight colours that colour-blind readers tell apart (after Okabe and Ito), with contrast on white and on black.
LIGHT = ("#0072b2", "#c8500a", "#008a66", "#b0528c", "#b07900", "#3f8fc4", "#4a4a4a", "#7f7a00")
DARK = ("#56a8e8", "#ff8f52", "#35c7a0", "#e59aca", "#efb73e", "#9fd4f7", "#d5d5d5", "#d3cc4b")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# The colours of everything but losses, for the light and the dark theme.
THINGS = {
    "ink": ("#1d2329", "#e4e7ea"),
    "quiet": ("#5f6a75", "#9aa5b1"),
    "line": ("#d9dde2", "#333b44"),
    "paper": ("#ffffff", "#15191e"),
    "class-0": ("#8a97a6", "#75828f"),
    "class-1": ("#27313c", "#dfe5eb"),
    "class-2": ("#b48a5a", "#c9a274"),
    "good": ("#0b7a4b", "#4cc38a"),
    "bad": ("#b3261e", "#ff8a80"),
}
# What figures are drawn in: each value has one name, and no figure uses another colour.
COLOURS = {name: pair[0] for name, pair in THINGS.items()} | {f"loss-{i}": colour for i, colour in enumerate(LIGHT)}
INK, QUIET, LINE, PAPER = (COLOURS[name] for name in ("ink", "quiet", "line", "paper"))
CLASSES = tuple(COLOURS[f"class-{i}"] for i in range(3))
# Inches and, for ``SIZE``, points. A panel is shown in about its own size, so that its letters match the page's text.
WIDTH, HEIGHT = 5.0, 3.3
SIZE = 9.0
# The most pixels for a point in the page: letters of 9 points are then 14 pixels high.
LARGEST = 1.5
# From here on numbers at an axis are written as 400k, as six digits are wider than the margin.
MANY_DIGITS = 1e5
LINES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1.5, 2)))

STYLE: Any = {
    "svg.fonttype": "none",
    # A user's names may contain dollar signs, which Matplotlib would read as formulas.
    "text.parse_math": False,
    "font.size": SIZE,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.labelsize": SIZE,
    "axes.titlesize": SIZE + 1,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.facecolor": PAPER,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "figure.facecolor": PAPER,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.color": LINE,
    "ytick.labelcolor": QUIET,
    "legend.frameon": False,
    "legend.fontsize": SIZE,
    "lines.linewidth": 1.6,
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
}


@dataclass(frozen=True)
class Mark:
    """The colour (its number in the palette) and the marker of a loss in all figures."""

    number: int
    marker: str

    @property
    def colour(self) -> str:
        """The colour itself."""
        return COLOURS[f"loss-{self.number}"]


def mark(loss: str) -> Mark:
    """Return the mark of a loss; it follows from the loss's place in the catalogue, so every report has the same."""
    names = [*LOSSES, COMPOSITE, CUSTOM]
    return numbered_mark(names.index(loss) if loss in names else len(names))


def numbered_mark(place: int) -> Mark:
    """Return the mark of the n-th of things that are told apart, counted from 0."""
    return Mark(place % len(LIGHT), MARKERS[(place + place // len(LIGHT)) % len(MARKERS)])


def panel(width: float = WIDTH, height: float = HEIGHT, *, left: float = 0.62, bottom: float = 0.5) -> tuple:
    """Return a figure of one panel and its axes; sizes and the margins for labels are in inches."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + 0.12) / width, 1 - (bottom + 0.32) / height))
    return figure, axes


def finish(axes: Axes, title: str, x: str, y: str) -> None:
    """Set the title, the labels and a light grid of a panel."""
    # The title's height is fixed: to find a free one, Matplotlib measures every tick, a third of the drawing time.
    axes.set_title(title, y=1.0, pad=8)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(True)
    axes.tick_params(length=0)
    if axes.get_xscale() == "linear":
        axes.locator_params(axis="x", nbins=6)
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "linear" and max(map(abs, axis.get_view_interval())) >= MANY_DIGITS:
            axis.set_major_formatter(EngFormatter(sep=""))


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG; the same figure gives the same text."""
    file = io.StringIO()
    # Matplotlib hashes ids with this salt; a salt for each figure keeps ids unique in a page of many drawings.
    with matplotlib.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # The SVG keeps text as text, so a letter that the font here lacks does not matter.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    # Ids of groups are not hashed and would repeat in every drawing of the page; nothing refers to them.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    # Round coordinates to hundredths of a point, within tags only: numbers in texts stay as they are.
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d+\.\d\d)\d+", r"\1", tag[0]), text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "sans-serif", text)
    return re.sub(r"\n\s*", "\n", text)


def for_file(svg: str) -> str:
    """Return a drawing as a stand-alone SVG file."""
    return '<?xml version="1.0" encoding="utf-8"?>\n' + svg


def for_page(svg: str, description: str) -> str:
    """Return a drawing as an element of the page, in the theme's colours, with a description for screen readers."""
    variables = {colour: f"var(--{name})" for name, colour in COLOURS.items()}
    text = re.sub(r"#[0-9a-f]{6}\b", lambda match: variables.get(match[0], match[0]), svg)
    # A style element inside a drawing would apply to the whole page; the size is set by the page.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.S)
    opening = re.sub(r' (width|height|version)="[^"]*"', "", text[: text.index(">")])
    width = float(re.search(r'width="([\d.]+)pt"', text)[1]) * LARGEST  # type: ignore[index]
    attributes = f'class="drawing" role="img" aria-label="{escape(description)}" style="max-width: {width:.0f}px"'
    return f"{opening} {attributes}{text[text.index('>') :]}"


def palette(theme: int) -> dict[str, str]:
    """Return the colours of a theme (0 light, 1 dark) by the names of their CSS variables."""
    losses = (LIGHT, DARK)[theme]
    return {name: pair[theme] for name, pair in THINGS.items()} | {f"loss-{i}": c for i, c in enumerate(losses)}
