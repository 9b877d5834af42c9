"""The kinds of ``lossbench-export`` that a paper needs: tables, figures, a text on methods, and references."""

import argparse
from pathlib import Path
from typing import Any

from lossbench.config.paths import shown
from lossbench.findings.number_formats import counted
from lossbench.ground.errors import Problem, UsageError
from lossbench.ground.files import replace_file, write_text
from lossbench.planning.plan import Plan
from lossbench.results.cells import read_results
from lossbench.results.damage import check_files

KINDS = ("table", "figure", "methods", "bibtex")


def add_kinds(kinds: Any) -> None:
    """Add the kinds to the parser of ``lossbench-export``."""
    table = kinds.add_parser("table", help="the table of each data set, for a paper")
    figure = kinds.add_parser("figure", help="the report's figures at the width of a column, with their captions")
    methods = kinds.add_parser("methods", help="a paragraph on what was trained, how it was tuned, repeated and judged")
    bibtex = kinds.add_parser("bibtex", help="the sources of the sweep's losses, data sets and statistics")
    for kind in (table, figure, methods, bibtex):
        kind.add_argument("sweep", help="a sweep of multirun/")
    figure.add_argument("figure", nargs="*", help="figures (circles-runs) or kinds of them (runs); else all")
    figure.add_argument("--format", choices=("pdf", "svg"), default="pdf")
    figure.add_argument("--width", type=float, default=3.4, help="in inches; the default is that of a column")
    table.add_argument(
        "--format", choices=("latex", "markdown", "csv"), default="latex", help="default: latex, for booktabs"
    )
    methods.add_argument("--format", choices=("latex", "markdown"), default="latex")


def export(plan: Plan, arguments: argparse.Namespace) -> int:
    """Write what a paper needs of a sweep and return the exit status."""
    check_files(plan)
    {"table": _table, "figure": _figure, "methods": _methods, "bibtex": _bibtex}[arguments.kind](plan, arguments)
    return 0


def _table(plan: Plan, arguments: argparse.Namespace) -> None:
    from lossbench.paper.table import csv_text, latex, markdown, paper_tables

    found = paper_tables(plan, read_results(plan))
    if arguments.format == "latex":
        _write(f"{plan.name}-table.tex", latex(plan, found))
        print(f"use it: \\usepackage{{booktabs}}, \\usepackage[T1]{{fontenc}} and \\input{{{plan.name}-table}}")
    elif arguments.format == "markdown":
        _write(f"{plan.name}-table.md", markdown(found))
    else:
        _write(f"{plan.name}-table.csv", csv_text(found))


def _figure(plan: Plan, arguments: argparse.Namespace) -> None:
    from lossbench.paper.figures import NARROWEST, WIDEST, folder, paper_figures

    if not NARROWEST <= arguments.width <= WIDEST:
        message = f"--width must be from {NARROWEST:g} to {WIDEST:g} inches; got {arguments.width:g}."
        raise UsageError(Problem(message, "a column of a paper has about 3.4, a page 7."))
    into = Path(folder(plan)).absolute()
    names, n_drawings = [], 0
    for found in paper_figures(plan, read_results(plan), arguments.figure, arguments.format, arguments.width):
        into.mkdir(exist_ok=True)
        for name, content in found.files.items():
            replace_file(into / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
        write_text(into / f"{found.name}.tex", found.latex)
        names.append(found.name)
        n_drawings += len(found.files)
    print(f"written: {n_drawings} drawings of {counted(len(names), 'figure')} with their captions, in {shown(into)}")
    if arguments.format == "pdf" and names:
        print(f"use them: \\usepackage{{graphicx}} and \\input{{{into.name}/{names[0]}}}")


def _methods(plan: Plan, arguments: argparse.Namespace) -> None:
    from lossbench.paper.markup import MARKUPS
    from lossbench.paper.methods import methods

    markup = MARKUPS[arguments.format]
    _write(f"{plan.name}-methods.{markup.extension}", methods(plan, read_results(plan), markup))
    print(f"its references: lossbench-export bibtex {plan.name}")


def _bibtex(plan: Plan, arguments: argparse.Namespace) -> None:
    from lossbench.paper.references import bibtex

    _write(f"{plan.name}.bib", bibtex(plan))
    print("it names authors by surname; a reference manager completes the entries by their DOI")


def _write(name: str, text: str) -> None:
    path = Path(name).absolute()
    write_text(path, text)
    print(f"written: {shown(path)}")
