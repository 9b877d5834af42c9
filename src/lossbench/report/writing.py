"""Writes the files of a sweep's report."""

import csv
import io
from pathlib import Path
from typing import Any

import matplotlib

from lossbench.findings.tables import Table
from lossbench.ground.files import write_text
from lossbench.planning.plan import Plan
from lossbench.report import drawing as ink
from lossbench.report.content import Content
from lossbench.report.freshness import FIGURES, MARKER, PAGE, SUMMARY, TABLE, YARDSTICKS, report_state
from lossbench.report.markdown import comparison_csv, summary, yardsticks_csv
from lossbench.report.page import page
from lossbench.results.cells import CellResults


def write_report(plan: Plan, results: list[CellResults], found: list[Table] | None = None) -> Path:
    """Write the report's page, its Markdown, its CSV files and ``figures/``, and return the page's path.

    Everything comes from the sweep's files: written again, all bytes are the same. The marker of freshness is written
    last, so that a report that was cut off by a kill counts as out of date.

    Parameters
    ----------
    found : list of Table or None
        The tables of the results, if they are there already.
    """
    with matplotlib.rc_context(ink.STYLE):
        content = Content(plan, results, found)
        texts = {PAGE: page(content), SUMMARY: summary(content), TABLE: comparison_csv(plan, results)}
        beside, figures = yardsticks_csv(content.tables), content.figures
    folder = plan.folder / FIGURES
    folder.mkdir(exist_ok=True)
    files = {f"{panel.name}.svg": ink.for_file(panel.svg) for figure in figures for panel in figure.panels}
    files |= {f"{figure.name}.csv": _csv(figure.columns, figure.rows) for figure in figures}
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        # Written without a flush to disk for each: a drawing lost in a power cut is quickly made again.
        (folder / name).write_text(text, encoding="utf-8")
    for name, text in texts.items():
        write_text(plan.folder / name, text)
    if beside:
        write_text(plan.folder / YARDSTICKS, beside)
    else:
        (plan.folder / YARDSTICKS).unlink(missing_ok=True)
    write_text(plan.folder / MARKER, report_state(plan, results))
    return plan.folder / PAGE


def _csv(columns: list[str], rows: list[list[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_value(value) for value in row] for row in rows)
    return file.getvalue()


def _value(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else value
