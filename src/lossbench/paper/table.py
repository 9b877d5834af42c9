"""The table of each data set for a paper: the losses with intervals, differences and verdicts, the best in bold."""

import csv
import io
import math
from dataclasses import dataclass
from string import ascii_lowercase

from lossbench.console.text_tables import interval_text, value_text
from lossbench.findings.number_formats import IN_POINTS, counted
from lossbench.findings.sentences import name_in, outside_domain, what_went_wrong
from lossbench.findings.tables import Table, tables
from lossbench.paper.markup import Latex, Markdown, Markup
from lossbench.paper.populations import design, population
from lossbench.planning.plan import Plan
from lossbench.report.caveats import difference_text
from lossbench.report.page import p_value
from lossbench.results.cells import CellResults

FORMATS = {"latex": "tex", "markdown": "md", "csv": "csv"}
CSV_COLUMNS = (
    *("data", "metric", "loss", "head", "mean", "low", "high", "n_working", "n_runs", "difference", "difference_low"),
    *("difference_high", "p_holm", "verdict", "about", "best_group", "notes"),
)


@dataclass(frozen=True)
class Line:
    """A line of a table, in plain words.

    Attributes
    ----------
    name : str
        The loss with its swept settings, or the yardstick.
    head : str
        Empty for a yardstick.
    value, n, difference, p, verdict : str
        The main metric with its interval, the number of runs that work, and the comparison with the baseline.
    is_best : bool
        Whether it is the best loss or one that the runs cannot tell from it.
    notes : list of str
        A footnote for each kind of dead or missing run.
    """

    name: str
    head: str
    value: str
    n: str
    difference: str = ""
    p: str = ""
    verdict: str = ""
    is_best: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PaperTable:
    """The table of a data set, in plain words: its caption, its lines, and those of models that are no networks."""

    table: Table
    caption: list[str]
    lines: list[Line]
    yardsticks: list[Line]

    @property
    def header(self) -> list[str]:
        """The names of the columns; heads have one only where they differ."""
        difference = "difference, points" if self.table.metric in IN_POINTS else "difference"
        head = ["head"] if self.has_heads else []
        return ["loss", *head, f"test {self.table.metric}", "n", difference, "p (Holm)", "verdict"]

    @property
    def has_heads(self) -> bool:
        """Whether the losses differ in their heads."""
        return len({line.head for line in self.lines}) > 1

    @property
    def place_of_value(self) -> int:
        """The place of the main metric's column."""
        return 2 if self.has_heads else 1

    def cells(self, line: Line) -> list[str]:
        """Return the texts of a line, one for each column."""
        head = [line.head] if self.has_heads else []
        return [line.name, *head, line.value, line.n, line.difference, line.p, line.verdict]

    @property
    def notes(self) -> dict[str, str]:
        """The footnotes, to their letters."""
        texts = dict.fromkeys(note for line in self.lines for note in line.notes)
        return {text: _letter(place) for place, text in enumerate(texts)}


def _letter(place: int) -> str:
    return (_letter(place // 26 - 1) if place >= 26 else "") + ascii_lowercase[place % 26]


def paper_tables(plan: Plan, results: list[CellResults]) -> list[PaperTable]:
    """Return the table of each data set of a sweep, in the plan's order."""
    return [
        PaperTable(
            table,
            _caption(table),
            [_line(table, place) for place in range(len(table.results))],
            [
                Line(f"{each.label} (no network)", "", interval_text(own := each.interval(table.metric)), str(own.n))
                for each in table.yardsticks
            ],
        )
        for table in tables(plan, results)
    ]


def _line(table: Table, place: int) -> Line:
    result, own, found = table.results[place], table.samples[place], table.comparisons[place]
    name = name_in(table, place)
    notes = what_went_wrong(result, name, causes=False)
    missing = len(table.runs) - len(result.runs)
    notes += [f"{name}: {missing} of {counted(len(table.runs), 'run')} missing"] if missing else []
    return Line(
        name,
        result.cell.head,
        value_text(result, f"test/{table.metric}", own.interval),
        str(own.interval.n),
        difference_text(table.metric, found.difference) if found else "",
        p_value(found.p_corrected) if found and math.isfinite(found.p_corrected) else "",
        table.verdict(place).replace("-", ""),
        place in table.group,
        tuple(notes),
    )


def _caption(table: Table) -> list[str]:
    """Return the sentences of a caption: what is shown, the design, the population, and what bold means."""
    better = "lower" if table.lower_is_better else "higher"
    said = [
        f"Test {table.metric} on {table.data}, mean ± 95 % interval over the n runs that work ({better} is better)."
    ]
    said += [design(table), population(table)]
    if table.refused:
        return [*said, f"Nothing is compared: {table.refused}."]
    bases = list(dict.fromkeys(name_in(table, base) for base in table.baseline))
    if len(table.results) > 1:
        said.append(
            f"Differences are to {bases[0] if len(bases) == 1 else 'the baseline of the same settings'}, over the same "
            f"{table.runs_are}; p values are corrected by Holm for the table."
        )
    if len(table.group) > 1:
        said.append(
            f"Bold: the best loss by its mean, and those that these {table.runs_are} cannot tell from it, all pairs "
            "corrected together."
        )
    elif table.group:
        said.append("Bold: the best loss.")
    outside = outside_domain([result.cell for result in table.results])
    return [*said, *([f"† outside the loss's domain: {outside}."] if outside else [])]


def latex(plan: Plan, found: list[PaperTable]) -> str:
    """Return tables as LaTeX, for a document that uses the package booktabs."""
    first = f"% lossbench-export table {plan.name}; needs \\usepackage{{booktabs}} and \\usepackage[T1]{{fontenc}}"
    return "\n".join([first, *(_latex_table(plan, each) for each in found)])


def _latex_table(plan: Plan, found: PaperTable) -> str:
    tex = Latex()
    header, notes = found.header, found.notes
    left = "ll" if found.has_heads else "l"
    columns = left + "r" * (len(header) - len(left) - 1) + "l"
    lines = ["", "\\begin{table}", "  \\centering", "  \\small", f"  \\caption{{{tex.text(' '.join(found.caption))}}}"]
    lines += [f"  \\label{{tab:{_label(plan.name)}-{_label(found.table.data)}}}"]
    lines += [f"  \\begin{{tabular}}{{{columns}}}", "    \\toprule"]
    lines += [f"    {' & '.join(map(tex.text, header))} \\\\", "    \\midrule"]
    lines += [f"    {' & '.join(_row(found, line, tex))} \\\\" for line in found.lines]
    lines += ["    \\midrule"] if found.yardsticks else []
    lines += [f"    {' & '.join(_row(found, line, tex))} \\\\" for line in found.yardsticks]
    lines += ["    \\bottomrule", "  \\end{tabular}"]
    if notes:
        # Below the table and not in it, so that a long one is broken at the width of the column.
        texts = [f"{tex.mark(letter)} {tex.text(note)}." for note, letter in notes.items()]
        shown = "\\\\ ".join(texts)
        lines += ["  \\par\\smallskip", f"  \\parbox{{\\linewidth}}{{\\footnotesize {shown}}}"]
    return "\n".join([*lines, "\\end{table}", ""])


def _row(found: PaperTable, line: Line, markup: Markup) -> list[str]:
    """Return the cells of a line, escaped; the name and the value of the best losses in bold."""
    cells, shown = found.cells(line), markup.bold if line.is_best else markup.text
    texts = [
        shown(cell) if place in (0, found.place_of_value) else markup.text(cell) for place, cell in enumerate(cells)
    ]
    if line.notes:
        texts[0] += markup.mark(",".join(found.notes[note] for note in line.notes))
    return texts


def _label(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)


def markdown(found: list[PaperTable]) -> str:
    """Return tables as Markdown."""
    return "\n\n".join(_markdown_table(each) for each in found) + "\n"


def _markdown_table(found: PaperTable) -> str:
    md, header, notes = Markdown(), found.header, found.notes
    left = 2 if found.has_heads else 1
    ruler = ["---"] * left + ["---:"] * (len(header) - left - 1) + ["---"]
    lines = [f"| {' | '.join(map(md.text, header))} |", f"|{'|'.join(ruler)}|"]
    lines += [f"| {' | '.join(_row(found, line, md))} |" for line in [*found.lines, *found.yardsticks]]
    lines += ["", *(f"{md.mark(letter)} {md.text(note)}.  " for note, letter in notes.items())] if notes else []
    return "\n".join([md.text(" ".join(found.caption)), "", *lines])


def csv_text(found: list[PaperTable]) -> str:
    """Return tables as one CSV: numbers as they were computed, a row for each loss."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for each in found:
        writer.writerows(_csv_row(each.table, place, line) for place, line in enumerate(each.lines))
        for yardstick, line in zip(each.table.yardsticks, each.yardsticks, strict=True):
            own = yardstick.interval(each.table.metric)
            row = [each.table.data, each.table.metric, line.name, "", own.mean, own.low, own.high, own.n]
            writer.writerow([*map(_value, row), *[""] * (len(CSV_COLUMNS) - len(row))])
    return file.getvalue()


def _csv_row(table: Table, place: int, line: Line) -> list[object]:
    own, found = table.samples[place], table.comparisons[place]
    row: list[object] = [table.data, table.metric, line.name, line.head]
    row += [own.interval.mean, own.interval.low, own.interval.high, own.interval.n, int(own.there.sum())]
    if found is None:
        row += ["", "", "", ""]
    else:
        row += [found.difference.mean, found.difference.low, found.difference.high, found.p_corrected]
    row += [line.verdict, table.about, str(line.is_best).lower(), "; ".join(line.notes)]
    return list(map(_value, row))


def _value(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.9g}" if math.isfinite(value) else ""
    return value
