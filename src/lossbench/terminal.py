"""What a sweep says in the terminal: 80 columns, readable without colour, plain lines where nobody watches."""

import math
from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lossbench.comparison import mean_interval
from lossbench.metrics.table import MAIN_METRICS, lower_is_better
from lossbench.plan import Cell, Plan
from lossbench.results import DIVERGED, FAILED, CellResults, Run

WIDTH = 80


def number(value: float) -> str:
    """Write a value with three decimals, from 1000 with none, or with three digits where that says nothing."""
    if not math.isfinite(value):
        return "-"
    if 1e3 <= abs(value) < 1e7:
        return f"{value:.0f}"
    return f"{value:.3f}" if value == 0 or 5e-4 <= abs(value) < 1e3 else f"{value:.2e}"


def mean_and_interval(results: CellResults, name: str) -> str:
    """Return ``0.842 ± 0.003`` of a final metric over the finite runs."""
    interval = mean_interval(results.scores(name))
    if interval.n == 0:
        return "-"
    return number(interval.mean) + (f" ± {number(interval.half_width)}" if interval.n > 1 else "")


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

    def start_progress(self, n_finished: int, n_runs: int) -> None:
        """Show a bar with the time left, on a terminal."""
        if not self.console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("runs, time left"),
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
        heading = f"{cell.data}: test {metric}"
        if heading != self._heading:
            self._heading = heading
            self.line(heading)
        self.line("  " + "  ".join([*names[1:], n_runs, value.ljust(15), tail]))

    def summary(self, results: list[CellResults]) -> None:
        """Print a table for each data set, best first, and the published values where there are some."""
        for text in summary_lines(self.plan, results):
            self.line(text)


def _names(cell: Cell) -> list[str]:
    return [cell.data, cell.label, cell.head]


def _notes(results: CellResults) -> list[str]:
    counts = {DIVERGED: results.count(DIVERGED), "stuck": results.n_stuck, FAILED: results.count(FAILED)}
    return [f"{count} {word}" for word, count in counts.items() if count]


def summary_lines(plan: Plan, results: list[CellResults]) -> list[str]:
    """Return the tables at the end of a sweep."""
    lines: list[str] = []
    for data in dict.fromkeys(result.cell.data for result in results):
        lines += ["", *_data_table([result for result in results if result.cell.data == data])]
    if any(result.cell.outside_domain for result in results):
        lines += ["", "† the targets lie outside the loss's domain: its formula does not mean there what it says."]
    if plan.published:
        lines += ["", *_published_table(plan, results)]
    return lines


def ranked(results: list[CellResults]) -> list[CellResults]:
    """Return the cells of one data set by their main metric, best first; those without a value last."""
    metric = MAIN_METRICS[results[0].cell.task]
    sign = 1 if lower_is_better(metric) else -1

    def rank(result: CellResults) -> float:
        mean = mean_interval(result.scores(f"test/{metric}")).mean
        return sign * mean if math.isfinite(mean) else math.inf

    return sorted(results, key=rank)


def _data_table(results: list[CellResults]) -> list[str]:
    metric = MAIN_METRICS[results[0].cell.task]
    order = "lower" if lower_is_better(metric) else "higher"
    floor = next((r.naive.get(f"test/{metric}", math.nan) for r in results if r.naive), math.nan)
    ceiling = next((r.ceiling[f"test/{metric}"] for r in results if f"test/{metric}" in r.ceiling), None)
    rows = [
        [
            result.cell.label,
            result.cell.head,
            mean_and_interval(result, f"test/{metric}"),
            str(len(result.runs)),
            str(result.count(DIVERGED)),
            str(result.n_stuck),
        ]
        for result in ranked(results)
    ]
    failed = sum(result.count(FAILED) for result in results)
    heading = f"{results[0].cell.data}: test {metric}, mean ± 95 % interval"
    known = "" if ceiling is None else f"; ceiling {number(ceiling)}"
    explained = f"({order} is better; naive {number(floor)}{known})"
    together = f"{heading} {explained}"
    return [
        *([together] if len(together) <= WIDTH else [heading, explained]),
        *table([["loss", "head", f"test {metric}", "n", "diverged", "stuck"], *rows], left=2),
        *([f"{failed} failed runs are not in it."] if failed else []),
        *_scaling_lines(results[0].cell.settings["dataset"]["standardize"]),
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
