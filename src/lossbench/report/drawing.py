"""What figures are drawn with: colours by name, one colour and marker for each loss, and SVG that can change theme.

Figures are drawn in stand-in colours. In the page they become CSS variables, so that one drawing is right in light and
in dark; in files they become the light theme's colours.
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

from lossbench.losses.choice import COMPOSITE, CUSTOM
from lossbench.losses.pairing import LOSSES

# Eight colours that colour-blind readers tell apart (after Okabe and Ito), with contrast on white and on black.
LIGHT = ("#0072b2", "#c8500a", "#008a66", "#b0528c", "#b07900", "#3f8fc4", "#4a4a4a", "#7f7a00")
DARK = ("#56a8e8", "#ff8f52", "#35c7a0", "#e59aca", "#efb73e", "#9fd4f7", "#d5d5d5", "#d3cc4b")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# The colours of things that are no loss: in light and in dark.
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
NAMES = [*THINGS, *(f"loss-{i}" for i in range(len(LIGHT)))]
# The stand-ins: no figure has these colours by chance.
STAND_INS = {name: f"#0{i // 16:x}{i % 16:x}0{i // 16:x}{i % 16:x}"[:7] for i, name in enumerate(NAMES, start=1)}
INK, QUIET, LINE, PAPER = (STAND_INS[name] for name in ("ink", "quiet", "line", "paper"))
CLASSES = tuple(STAND_INS[f"class-{i}"] for i in range(3))
# Points; a panel is shown in about its own size, so that its letters are as large as the text's.
WIDTH, HEIGHT = 5.0, 3.3
SIZE = 9.0
# Pixels for a point, at most: letters of 9 points are then 14 pixels high.
LARGEST = 1.5
LINES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1.5, 2)))

STYLE: Any = {
    "svg.fonttype": "none",
    # Names of users may have dollar signs.
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
    """How a loss is drawn wherever it is: its colour (a number of the palette) and its marker."""

    number: int
    marker: str

    @property
    def colour(self) -> str:
        """The stand-in of its colour."""
        return STAND_INS[f"loss-{self.number}"]


def mark(loss: str) -> Mark:
    """Return the mark of a loss: by its place in the catalogue, so that it is the same in every report."""
    names = [*LOSSES, COMPOSITE, CUSTOM]
    place = names.index(loss) if loss in names else len(names)
    return Mark(place % len(LIGHT), MARKERS[(place + place // len(LIGHT)) % len(MARKERS)])


def panel(width: float = WIDTH, height: float = HEIGHT, *, left: float = 0.62, bottom: float = 0.5) -> tuple:
    """Return a figure of one panel, in inches, with room at its left and below for labels."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + 0.12) / width, 1 - (bottom + 0.32) / height))
    return figure, axes


def finish(axes: Axes, title: str, x: str, y: str) -> None:
    """Give a panel its title and labels, and a light grid."""
    # A given height: looking for one measures every tick, a third of the time that a drawing takes.
    axes.set_title(title, y=1.0, pad=8)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(True)
    axes.tick_params(length=0)
    if axes.get_xscale() == "linear":
        axes.locator_params(axis="x", nbins=6)


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG in stand-in colours; the same figure gives the same text."""
    file = io.StringIO()
    # Names inside the drawing are hashes of what they name and this salt: unique in a page of many drawings.
    with matplotlib.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # Letters stay letters in the file: it does not matter that a font here lacks one.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    # Names that nothing refers to would be the same in every drawing.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    # Hundredths of a point are enough for what is drawn; what is written stays.
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d+\.\d\d)\d+", r"\1", tag[0]), text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "sans-serif", text)
    return re.sub(r"\n\s*", "\n", text)


def _coloured(svg: str, colours: dict[str, str]) -> str:
    stand_ins = {STAND_INS[name]: colour for name, colour in colours.items()}
    return re.sub(r"#[0-9a-f]{6}\b", lambda match: stand_ins.get(match[0], match[0]), svg)


def for_file(svg: str) -> str:
    """Return a drawing as a file of its own, in the light theme's colours."""
    colours = {name: pair[0] for name, pair in THINGS.items()} | {f"loss-{i}": c for i, c in enumerate(LIGHT)}
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _coloured(svg, colours)


def for_page(svg: str, description: str) -> str:
    """Return a drawing as a part of the page, in its theme's colours; readers who cannot see it are told what it is."""
    text = _coloured(svg, {name: f"var(--{name})" for name in NAMES})
    # A style in a drawing would be the whole page's, and its size is the page's business.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.S)
    opening = re.sub(r' (width|height|version)="[^"]*"', "", text[: text.index(">")])
    width = float(re.search(r'width="([\d.]+)pt"', text)[1]) * LARGEST  # type: ignore[index]
    attributes = f'class="drawing" role="img" aria-label="{escape(description)}" style="max-width: {width:.0f}px"'
    return f"{opening} {attributes}{text[text.index('>') :]}"


def palette(theme: int) -> dict[str, str]:
    """Return the CSS variables of a theme: 0 light, 1 dark."""
    losses = (LIGHT, DARK)[theme]
    return {name: pair[theme] for name, pair in THINGS.items()} | {f"loss-{i}": c for i, c in enumerate(losses)}
