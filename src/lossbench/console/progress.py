"""What a sweep says in the terminal: 80 columns, readable without colour, plain lines where nobody watches."""

from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lossbench.console.summary import summary_lines
from lossbench.console.text_tables import WIDTH, mean_and_interval
from lossbench.metrics.catalogue import MAIN_METRICS
from lossbench.planning.plan import Cell, Plan
from lossbench.results.cells import CellResults
from lossbench.results.part_files import DIVERGED, FAILED, Run
from lossbench.tuning.study_files import Outcome


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
