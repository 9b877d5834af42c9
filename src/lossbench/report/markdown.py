"""The report as Markdown, and its comparisons as CSV for other programs."""

import csv
import io

from lossbench.comparison import Comparison
from lossbench.findings.number_formats import number
from lossbench.findings.tables import Table, metric_table
from lossbench.planning.plan import Plan
from lossbench.report.caveats import difference_text, rate_text
from lossbench.report.content import Content
from lossbench.report.page import p_value
from lossbench.results.cells import CellResults
from lossbench.results.yardsticks import YardstickResults

COLUMNS = (
    *("data", "metric", "cell", "loss", "head", "baseline", "n", "mean", "low", "high", "difference", "difference_low"),
    *("difference_high", "difference_with_stuck", "pairs", "p", "p_holm", "seeds_won", "detectable", "seeds_needed"),
    *("margin", "verdict", "best_group", "runs", "not_working", "p_not_working", "outside_domain"),
    # The population of the columns above, and the same for these test rows.
    *("verdict_about", "these_rows_low", "these_rows_high", "these_rows_p", "these_rows_p_holm", "these_rows_verdict"),
    "rows_needed",
)


def summary(content: Content) -> str:
    """Return the report's answers and tables in Markdown."""
    plan = content.plan
    lines = [f"# {plan.name}", "", f"`{plan.command}`", ""]
    lines += [f"- {section.sentence}" for section in content.sections if section.sentence]
    lines += [f"- {line}" for section in content.sections for line in section.advice]
    for section in content.sections:
        metric = section.table.metric
        lines += ["", f"## {_cell(section.table.data)}", ""]
        lines += [f"Test {metric}, {section.arrow}; naive {number(section.naive)}"]
        lines[-1] += f", best possible {number(section.ceiling)}." if section.ceiling == section.ceiling else "."
        columns = (section.table.heading, "head", f"test {metric}", "n", "difference", "p (Holm)", "verdict")
        lines += ["", f"| {' | '.join(columns)} | diverged or stuck |"]
        lines += ["|---|---|---:|---:|---:|---:|---|---:|"]
        for row in section.rows:
            found = row.comparison
            cells = [row.label, row.cell.head, row.value, str(row.n)]
            cells += [
                difference_text(metric, found.difference) if found else "",
                p_value(found.p_corrected) if found else "",
            ]
            cells += [row.verdict, rate_text(row.n_not_working, row.n_runs) if row.n_not_working else "0"]
            lines.append("| " + " | ".join(map(_cell, cells)) + " |")
        lines += [f"| {_cell(name)}, no network | | {value} | {n} | | | | |" for name, value, n in section.yardsticks]
        lines += ["", *filter(None, [section.left_out]), *section.hints, *section.tuning]
    if content.published:
        lines += ["", "## Published, and over our seeds", ""]
        lines += [
            "| loss | metric | split | published | mean | range | below | inside |",
            "|---|---|---|--:|--:|--:|--:|---|",
        ]
        lines += [
            f"| {_cell(row.label)} | {row.data} {row.metric} | {row.split} | {row.value:.3f} | "
            f"{row.mean:.3f} | {row.low:.3f} to {row.high:.3f} | {100 * row.below:.0f} % | "
            f"{'yes' if row.inside else 'no'} |"
            for row in content.published
        ]
    if content.findings:
        lines += ["", "## Fact-checked", ""]
        lines += [f"- **{finding.word}**: “{finding.claim}” {finding.evidence}" for finding in content.findings]
    if content.wrong:
        lines += ["", "## What did not go well", "", *(f"- {line}" for line in content.wrong)]
    lines += ["", "## How to reproduce it", "", *(f"- {name}: {value}" for name, value in content.facts)]
    return "\n".join(_single_blank(lines)) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _single_blank(lines: list[str]) -> list[str]:
    return [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]


def comparison_csv(plan: Plan, results: list[CellResults]) -> str:
    """Return CSV with a row for each cell and test metric: the mean, and the comparison with the baseline."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    by_data: dict[str, list[CellResults]] = {}
    for result in results:
        by_data.setdefault(result.cell.data, []).append(result)
    for chosen in by_data.values():
        names = dict.fromkeys(name for r in chosen for run in r.runs for name in run.info.scores)
        for metric in (name.removeprefix("test/") for name in names if name.startswith("test/")):
            having = [r for r in chosen if any(f"test/{metric}" in run.info.scores for run in r.runs)]
            writer.writerows(_rows(plan, having, metric))
    return file.getvalue()


YARDSTICK_COLUMNS = (
    *("data", "metric", "yardstick", "n", "mean", "low", "high", "seconds"),
    # The cell with the best mean less the yardstick, and what that is about; for the main metric only.
    *("best_cell", "difference", "difference_low", "difference_high", "difference_about"),
)


def yardsticks_csv(tables: list[Table]) -> str:
    """Return CSV with a row for each yardstick and test metric; '' if there are no yardsticks."""
    if not any(table.yardsticks for table in tables):
        return ""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(YARDSTICK_COLUMNS)
    for table in tables:
        for each in table.yardsticks:
            names = dict.fromkeys(name for run in each.results.runs for name in run.info.scores)
            for metric in (name.removeprefix("test/") for name in names if name.startswith("test/")):
                own = each.interval(metric)
                row: list[object] = [table.data, metric, each.model, own.n]
                row += [*map(_float, (own.mean, own.low, own.high)), f"{each.seconds:.3f}"]
                writer.writerow(row + _difference(table, each, metric))
    return file.getvalue()


def _difference(table: Table, yardstick: YardstickResults, metric: str) -> list[object]:
    found = table.over_yardstick(table.best, yardstick) if metric == table.metric and table.best is not None else None
    if table.best is None or found is None:
        return [""] * 5
    ends = (found.interval.mean, found.interval.low, found.interval.high)
    return [table.results[table.best].cell.name, *map(_float, ends), table.about]


def _rows(plan: Plan, results: list[CellResults], metric: str) -> list[list[object]]:
    table = metric_table(plan, results, metric)
    rows = []
    for i, result in enumerate(table.results):
        own, found, cell = table.samples[i].interval, table.comparisons[i], result.cell
        base = table.results[table.baseline[i]].cell.name
        row: list[object] = [table.data, metric, cell.name, cell.loss, cell.head, base]
        row += [own.n, *(_float(v) for v in (own.mean, own.low, own.high))]
        if found is None:
            row += [""] * 11 + [table.verdict(i)]
        else:
            d = found.difference
            row += [_float(v) for v in (d.mean, d.low, d.high, found.difference_of_all)]
            row += [d.n, *(_float(v) for v in (found.p, found.p_corrected, found.won, found.detectable))]
            row += [found.needed.seeds or "", _float(found.margin), found.verdict]
        row += [
            str(i in table.group).lower() if table.group else "",
            len(result.runs),
            int(table.samples[i].fails.sum()),
        ]
        row += ["" if found is None else _float(found.failures_p), str(cell.outside_domain).lower()]
        row += _about(table, found)
        rows.append(row)
    return rows


def _about(table: Table, found: Comparison | None) -> list[object]:
    """Return what the verdict is about, then the statement about these rows, and how many rows would tell."""
    if found is None:
        return [""] * 7
    here = found.on_these_rows
    if here is None:
        return [table.about, *[""] * 5, found.needed.rows or ""]
    numbers = (here.difference.low, here.difference.high, here.tested.p, here.p_corrected)
    return [table.about, *map(_float, numbers), here.verdict, found.needed.rows or ""]


def _float(value: float) -> str:
    return f"{value:.9g}" if value == value else ""
