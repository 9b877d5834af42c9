"""What a sweep says in the terminal: 80 columns, readable without colour, plain lines where nobody watches."""

import math
import textwrap
from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lossbench.advice import advice_lines
from lossbench.answer import answer, name_in, number, verdict_hint, what_went_wrong
from lossbench.comparison import mean_interval
from lossbench.config import cell_key, untuned
from lossbench.metrics.table import MAIN_METRICS, METRICS, lower_is_better
from lossbench.plan import Cell, Plan
from lossbench.results import DIVERGED, FAILED, CellResults, Run
from lossbench.samples import Table, tables
from lossbench.studies import TOLERANCE, Outcome, outcomes

WIDTH = 80


def mean_and_interval(results: CellResults, name: str) -> str:
    """Return ``0.842 ± 0.003`` of a final metric over the working runs."""
    interval = mean_interval(results.working_scores(name))
    if interval.n == 0:
        return "-"
    # Equal runs differ by the rounding of their mean: no interval to speak of.
    half = interval.half_width if interval.half_width > 1e-12 * abs(interval.mean) else 0.0
    return number(interval.mean) + (f" ± {number(half)}" if interval.n > 1 else "")


class Terminal:
    """Prints a sweep as it goes."""

    def __init__(self, plan: Plan, console: Console | None = None):
        self.plan = plan
        self.console = console or Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._bar: Progress | None = None
        self._heading = ""
        self._failures: set[tuple[str, str]] = set()
        self._columns = [max(len(text) for text in column) for column in zip(*map(_names, plan.cells), strict=True)]
        longest = sum(self._columns) + 2 * len(self._columns) + len("30 runs  test accuracy 0.842 ± 0.003  10.1 s")
        # Where a whole line would not fit, the data set and its metric stand above its cells.
        self._grouped = longest > WIDTH

    def line(self, text: str = "") -> None:
        """Print a line, above the progress bar if there is one."""
        self.console.print(text)

    def start_progress(self, n_finished: int, n_runs: int, what: str = "runs") -> None:
        """Show a bar with the time left, on a terminal."""
        if not self.console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn(f"{what}, time left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self._bar.add_task("runs", completed=n_finished, total=n_runs)
        self._bar.start()

    def advance(self, n_finished: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=n_finished)

    def stop_progress(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            with suppress(KeyboardInterrupt):
                self._bar.stop()
            self._bar = None

    def run_failed(self, cell: Cell, run: Run) -> None:
        """Say at once that a run failed, and where its log is; the same failure of other seeds is not said again."""
        error = run.info.error.splitlines()[-1][:400]
        if (cell.name, error) in self._failures:
            return
        self._failures.add((cell.name, error))
        self.line(f"FAILED  {cell.name} seed={run.info.seed}: {error}")
        self.line(f"        log: {self.plan.folder / cell.folder / 'lossbench.log'}")

    def study_finished(self, cell: Cell, outcome: Outcome, seconds: float) -> None:
        """Print what a study chose, and whether that lies at the edge of what was searched."""
        if not outcome.parameters:
            # The cell's runs fail with the reason.
            return
        failed = f" ({outcome.n_failed} failed)" if outcome.n_failed else ""
        best = f"{cell.label}: rate {outcome.learning_rate:.3g} is best of {outcome.n_trials} trials{failed}"
        self.line(f"{self._place(cell)}{best}, {seconds:.1f} s")
        if outcome.edge:
            self.line(f"  warning: it lies at the edge of [{outcome.low:g}, {outcome.high:g}].")
            self.line(f"  hint: widen the range with tune.{outcome.edge}=…")

    def _place(self, cell: Cell) -> str:
        """Return what stands before a cell's label: its data set, or where lines are grouped an indent."""
        if not self._grouped:
            return f"{cell.data}  "
        heading = f"{cell.data}: test {MAIN_METRICS[cell.task]}"
        if heading != self._heading:
            self._heading = heading
            self.line(heading)
        return "  "

    def cell_finished(self, results: CellResults, seconds: float) -> None:
        """Print a cell's line, with the seconds that it took."""
        cell, metric = results.cell, MAIN_METRICS[results.cell.task]
        names = [text.ljust(width) for text, width in zip(_names(cell), self._columns, strict=True)]
        n_runs = f"{len(results.runs):3d} runs" if len(results.runs) != 1 else "  1 run "
        value = mean_and_interval(results, f"test/{metric}")
        tail = f"{seconds:.1f} s" + "".join(f", {note}" for note in _notes(results))
        if not self._grouped:
            self.line("  ".join([*names, n_runs, f"test {metric} {value}", tail]))
            return
        self.line(self._place(cell) + "  ".join([*names[1:], n_runs, value.ljust(15), tail]))

    def summary(self, results: list[CellResults]) -> None:
        """Print tables for each data set, best first, and the published values where there are some."""
        for text in summary_lines(self.plan, results):
            self.line(text)


def _names(cell: Cell) -> list[str]:
    return [cell.data, cell.label, cell.head]


def _notes(results: CellResults) -> list[str]:
    counts = {DIVERGED: results.count(DIVERGED), "stuck": results.n_stuck, FAILED: results.count(FAILED)}
    return [f"{count} {word}" for word, count in counts.items() if count]


def summary_lines(plan: Plan, results: list[CellResults]) -> list[str]:
    """Return the tables at the end of a sweep, each with its answer."""
    lines: list[str] = []
    for found in tables(plan, results):
        lines += ["", *_data_table(found), *_further_tables(plan, found.results)]
    lines += tuning_lines(plan, results)
    if lines:
        text = (
            "verdict: on the difference to the baseline, paired by seed; n: runs that neither diverged nor are stuck."
        )
        lines += ["", *textwrap.wrap(text, WIDTH)]
    if any(result.cell.outside_domain for result in results):
        text = "† the targets lie outside the loss's domain: its formula does not mean there what it says."
        lines += ["", *textwrap.wrap(text, WIDTH)]
    if plan.published:
        lines += ["", *_published_table(plan, results)]
    return lines + (_advice_lines(plan, results) if plan.report["recommend"] else [])


def _advice_lines(plan: Plan, results: list[CellResults]) -> list[str]:
    lines = []
    for data in tables(plan, results):
        for text in advice_lines(plan, data):
            # A command is not broken: it is copied.
            lines += [text] if text.startswith("  ") else ["", *textwrap.wrap(text, WIDTH)]
    return lines


def tuning_lines(plan: Plan, results: list[CellResults]) -> list[str]:
    """Return for each data set what its studies chose, with the untuned cells beside where the plan has them."""
    found, by_key = outcomes(plan), {result.cell.key: result for result in results}
    lines: list[str] = []
    for data in dict.fromkeys(result.cell.data for result in results if result.cell.key in found):
        tuned = [result for result in results if result.cell.data == data and result.cell.key in found]
        lines += ["", *_tuned_table(tuned, found, by_key)]
    return lines


def _tuned_table(tuned: list[CellResults], found: dict[str, Outcome], by_key: dict[str, CellResults]) -> list[str]:
    cell, metric = tuned[0].cell, MAIN_METRICS[tuned[0].cell.task]
    name, outcome = f"test/{metric}", found[cell.key]
    rows, notes = [], []
    for result in ranked(tuned):
        label, its = result.cell.label.replace("/tuned", ""), found[result.cell.key]
        beside = by_key.get(cell_key(untuned(result.cell.settings)))
        values = [mean_and_interval(beside, name) if beside else "", mean_and_interval(result, name)]
        rates = [f"{rate:.2g}" for rate in (its.learning_rate, *its.tolerance)] if its.parameters else ["-"] * 3
        rows.append([label, *values, *rates])
        notes += [f"{label}: {text}." for text in (its.problem, its.warning) if text]
    rows = [["loss", "untuned", "tuned", "rate", "from", "to"], *rows]
    if not any(row[1] for row in rows[1:]):
        rows = [[row[0], *row[2:]] for row in rows]
    budget = f"{outcome.n_trials} trials x {len(cell.settings['tune']['seeds'])} seeds"
    return [
        f"{cell.data}: test {metric} at the learning rate best for validation {outcome.metric}",
        f"({budget}; from, to: rates within {TOLERANCE * 100:.0f} % of the best value)",
        *table(rows, left=1, gap=" "),
        *(line for note in notes for line in textwrap.wrap(note, WIDTH, subsequent_indent="  ")),
    ]


def ranked(results: list[CellResults], metric: str = "") -> list[CellResults]:
    """Return the cells of one data set by a metric, their main one if none is named: best first, no value last."""
    metric = metric or MAIN_METRICS[results[0].cell.task]
    sign = 1 if lower_is_better(metric) else -1

    def rank(result: CellResults) -> float:
        mean = mean_interval(result.working_scores(f"test/{metric}")).mean
        return sign * mean if math.isfinite(mean) else math.inf

    return sorted(results, key=rank)


def _further_tables(plan: Plan, results: list[CellResults]) -> list[str]:
    """Return a table of one data set for each metric that is shown beside the main one."""
    lines: list[str] = []
    task = results[0].cell.task
    for metric in plan.report["metrics"]:
        if task in METRICS[metric].tasks and metric != MAIN_METRICS[task]:
            name, order = f"test {metric}", "lower" if lower_is_better(metric) else "higher"
            rows = [
                [r.cell.label, r.cell.head, mean_and_interval(r, f"test/{metric}")] for r in ranked(results, metric)
            ]
            heading = f"{results[0].cell.data}: {name}, mean ± 95 % interval ({order} is better)"
            lines += ["", heading, *table([["loss", "head", name], *rows], left=2)]
    return lines


def _data_table(found: Table) -> list[str]:
    metric = f"test {found.metric}"
    order = "lower" if found.lower_is_better else "higher"
    name = f"test/{found.metric}"
    naive = next((r.naive.get(name, math.nan) for r in found.results if r.naive), math.nan)
    ceiling = next((r.ceiling[name] for r in found.results if name in r.ceiling), None)
    rows = [
        [
            result.cell.label,
            result.cell.head,
            mean_and_interval(result, f"test/{found.metric}"),
            str(int(found.samples[i].works.sum())),
            found.verdict(i),
        ]
        for i, result in enumerate(found.results)
    ]
    heading = f"{found.data}: {metric}, mean ± 95 % interval"
    known = "" if ceiling is None else f"; ceiling {number(ceiling)}"
    explained = f"({order} is better; naive {number(naive)}{known})"
    together = f"{heading} {explained}"
    notes = [t for i, r in enumerate(found.results) for t in what_went_wrong(r, name_in(found, i))]
    notes += verdict_hint(found)
    said = answer(found)
    lines = table([["loss", "head", metric, "n", "verdict"], *rows], left=2)
    if max(map(len, lines)) > WIDTH and len({row[1] for row in rows}) == 1:
        # The head that all have is what a reader misses least.
        lines = table([["loss", metric, "n", "verdict"], *([row[0], *row[2:]] for row in rows)], left=1)
    return [
        *([together] if len(together) <= WIDTH else [heading, explained]),
        *lines,
        *(line for note in notes for line in textwrap.wrap(note, WIDTH, subsequent_indent="  ")),
        *_scaling_lines(found.results[0].cell.settings["dataset"]["standardize"]),
        *textwrap.wrap(said, WIDTH),
    ]


def _scaling_lines(standardize: dict[str, str]) -> list[str]:
    """Say what is not as it should be in how x and y are scaled."""
    marks = []
    if standardize["fitted_on"] == "all_rows" and (standardize["x"], standardize["y"]) != ("none", "none"):
        marks.append("scaling fitted on all rows, as tutorials do")
    if standardize["metrics"] == "scaled" and standardize["y"] != "none":
        marks.append("errors in units of scaled targets")
    return ["; ".join(marks)] if marks else []


def _published_table(plan: Plan, results: list[CellResults]) -> list[str]:
    lines = [f"published, and over our {len(plan.seeds)} seeds (range: least to greatest run; below: share of runs)"]
    rows = [["", "split", "published", "mean", "range", "below", "inside"]]
    heading = ""
    for entry in plan.published:
        found = [r for r in results if (r.cell.dataset, r.cell.loss) == (entry["dataset"], entry["loss"])]
        for split in ("train", "test") if found else ():
            name = f"{split}/{entry['metric']}"
            values = found[0].scores(name)
            values = values[[math.isfinite(value) for value in values]]
            if not len(values):
                continue
            if heading != (heading := f"{entry['dataset']}: {entry['metric']}"):
                rows.append([heading, *[""] * 6])
            value = entry[split]
            # Published with three decimals: ours are rounded alike before they are compared.
            low, high = round(float(values.min()), 3), round(float(values.max()), 3)
            label = found[0].cell.label if split == "train" else ""
            rows.append(
                [
                    label,
                    split,
                    f"{value:.3f}",
                    f"{values.mean():.3f}",
                    f"{low:.3f}-{high:.3f}",
                    f"{100 * (values < value).mean():.0f} %",
                    "yes" if low <= value <= high else "no",
                ]
            )
    return lines + table(rows, left=2, gap=" ")


def table(rows: list[list[str]], *, left: int, gap: str = "  ") -> list[str]:
    """Return rows of text as aligned lines: the first ``left`` columns to the left, the others to the right."""
    full = [row for row in rows if any(row[1:])]
    widths = [max(len(row[i]) for row in full) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(w) if i < left else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(gap.join(cells).rstrip())
    return lines
