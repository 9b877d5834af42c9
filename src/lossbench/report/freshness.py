"""The files of a report, and the check whether they are up to date.

It imports no Matplotlib, so that a sweep with nothing new to report does not load it.
"""

import hashlib
import json
from dataclasses import asdict

from lossbench import __version__
from lossbench.planning.plan import Plan
from lossbench.report.fresh_samples import folder_of
from lossbench.results.cells import CellResults
from lossbench.results.yardsticks import read_yardsticks

PAGE, SUMMARY, TABLE, FIGURES, MARKER = "report.html", "report.md", "comparison.csv", "figures", "report.json"
YARDSTICKS = "yardsticks.csv"


def is_written(plan: Plan, results: list[CellResults]) -> bool:
    """Return whether a complete report of exactly these results is on disk."""
    marker = plan.folder / MARKER
    there = all((plan.folder / name).exists() for name in (PAGE, SUMMARY, TABLE, FIGURES, MARKER))
    return there and marker.read_text(encoding="utf-8", errors="replace") == report_state(plan, results)


def report_state(plan: Plan, results: list[CellResults]) -> str:
    """Return a digest of everything that a report depends on: plan, runs, yardsticks, fresh samples and version."""
    runs = {result.cell.key: {run.info.key: run.info.started for run in result.runs} for result in results}
    first = {result.cell.data: result.cell for result in reversed(results)}
    beside = [
        run.info.started for cell in first.values() for each in read_yardsticks(plan, cell) for run in each.results.runs
    ]
    samples = folder_of(plan) / "results.csv"
    elsewhere = [hashlib.sha256(samples.read_bytes()).hexdigest()] if samples.exists() else []
    content = json.dumps([asdict(plan), runs, *([beside] if beside else []), *elsewhere, __version__], sort_keys=True)
    return json.dumps({"made_from": hashlib.sha256(content.encode()).hexdigest()}) + "\n"
