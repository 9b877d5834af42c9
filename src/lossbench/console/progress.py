"""Prints the progress of a sweep: lines of 80 columns without colour, and on a terminal a bar below them."""

import sys
from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lossbench.console.durations import Durations
from lossbench.console.streams import drop_output
from lossbench.console.summary import summary_lines
from lossbench.console.text_tables import WIDTH, mean_and_interval
from lossbench.findings.tables import Table
from lossbench.planning.plan import Cell, Plan
from lossbench.results.cells import CellResults
from lossbench.results.part_files import DIVERGED, FAILED, Run
from lossbench.tuning.study_files import Outcome


class QuietConsole(Console):
    """A console that falls silent when the reader of its output has ended: the sweep goes on, its results are files."""

    def on_broken_pipe(self) -> None:
        """Print nothing from now on."""
        self.quiet = True
        drop_output()


class Terminal:
    """The output of one sweep to a console."""

    def __init__(self, plan: Plan, console: Console | None = None):
        self.plan = plan
        self.durations = Durations()
        self.console = console or QuietConsole(highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._bar: Progress | None = None
        self._heading = ""
        self._failures: set[tuple[str, str]] = set()
        self._columns = [max(len(text) for text in column) for column in zip(*map(_names, plan.cells), strict=True)]
        longest = sum(self._columns) + 2 * len(self._columns) + len("30 runs  test accuracy 0.842 ± 0.003  10.1 s")
        # If a whole line would not fit, the data set and its metric become a heading above the lines of its cells.
        self._grouped = longest > WIDTH

    def line(self, text: str = "") -> None:
        """Print a line; a progress bar stays below it. Output that cannot be written does not end the sweep."""
        try:
            self.console.print(text)
        except OSError as error:
            # Such as a full disk that the output was redirected to.
            self.console.quiet = True
            drop_output()
            print(f"warning: the output cannot be written: {error.strerror}; the sweep goes on.", file=sys.stderr)

    @property
    def shows_progress(self) -> bool:
        """Whether there is a progress bar."""
        return self._bar is not None

    def start_progress(self) -> None:
        """Show a progress bar; nothing if the output is not a terminal."""
        if not self.console.is_terminal:
            return
        self._bar = Progress(BarColumn(bar_width=20), TextColumn("{task.description}"), console=self.console)
        self._bar.live.transient = True
        self._bar.add_task("", total=None)
        self._bar.start()

    def show_progress(self, share: float, text: str) -> None:
        """Set the progress bar to a share of the trainings, and the text beside it."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=share, total=1.0, description=text)

    def stop_progress(self) -> None:
        """Remove the progress bar."""
        if self._bar is not None:
            # A second Ctrl-C while the bar is removed must not end the sweep before its last lines.
            with suppress(KeyboardInterrupt):
                self._bar.stop()
            self._bar = None

    def run_failed(self, cell: Cell, run: Run) -> None:
        """Print a run's error and the path of its log; the same error of other seeds of the cell is not repeated."""
        error = run.info.error.splitlines()[-1][:400]
        if (cell.name, error) in self._failures:
            return
        self._failures.add((cell.name, error))
        self.line(f"FAILED  {cell.name} {run.info.id.name}: {error}")
        self.line(f"        log: {self.plan.folder / cell.folder / 'lossbench.log'}")

    def study_finished(self, cell: Cell, outcome: Outcome, seconds: float) -> None:
        """Print the learning rate that a study chose, with a warning if it lies at the edge of the searched range."""
        if not outcome.parameters:
            # Every trial failed: the cell's runs fail too, and their error gives the reason.
            return
        failed = f" ({outcome.n_failed} failed)" if outcome.n_failed else ""
        found = f"rate {outcome.learning_rate:.3g} of {outcome.n_trials} tried{failed}"
        if rates := outcome.rates_of_folds:
            found += f", {rates[0]:.2g} to {rates[-1]:.2g} over folds"
        if outcome.kept:
            found = f"kept {outcome.learning_rate:.3g}, nothing clearly better{failed}"
        self.line(f"{self._place(cell)}{cell.label}: {found}, {seconds:.1f} s")
        if outcome.widened:
            self.line(
                f"  its best rate was the {outcome.widened}est: widened to [{outcome.low:.3g}, {outcome.high:.3g}]."
            )
        for text in outcome.warnings:
            self.line(f"  warning: {text}.")
        if outcome.edge:
            self.line(f"  hint: widen the range with tune.{outcome.edge}=…")

    def _place(self, cell: Cell) -> str:
        """Return the start of a cell's line: its data set, or an indent below a heading, which is printed if new."""
        if not self._grouped:
            return f"{cell.data}  "
        heading = f"{cell.data}: test {cell.metric}"
        if heading != self._heading:
            self._heading = heading
            self.line(heading)
        return "  "

    def cell_finished(self, results: CellResults, seconds: float) -> None:
        """Print the line of a finished cell: its runs, its mean test metric, and the seconds that it took."""
        cell, metric = results.cell, results.cell.metric
        names = [text.ljust(width) for text, width in zip(_names(cell), self._columns, strict=True)]
        n_runs = f"{len(results.runs):3d} runs" if len(results.runs) != 1 else "  1 run "
        value = mean_and_interval(results, f"test/{metric}")
        tail = f"{seconds:.1f} s" + "".join(f", {note}" for note in _notes(results))
        if not self._grouped:
            self.line("  ".join([*names, n_runs, f"test {metric} {value}", tail]))
            return
        self.line(self._place(cell) + "  ".join([*names[1:], n_runs, value.ljust(15), tail]))

    def summary(self, results: list[CellResults], found: list[Table]) -> None:
        """Print the tables at the end of a sweep."""
        for text in summary_lines(self.plan, results, found):
            self.line(text)


def _names(cell: Cell) -> list[str]:
    return [cell.data, cell.label, cell.head]


def _notes(results: CellResults) -> list[str]:
    counts = {DIVERGED: results.count(DIVERGED), "stuck": results.n_stuck, FAILED: results.count(FAILED)}
    return [f"{count} {word}" for word, count in counts.items() if count]
