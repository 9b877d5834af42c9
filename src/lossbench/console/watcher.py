"""Follows the part files of a running sweep and prints cells, studies and failures as they are finished.

It looks at the files, because with a parallel launcher other processes write them.
"""

import os
import threading
import time

from lossbench.console.counts import progress_text
from lossbench.console.measured import Measured
from lossbench.console.progress import Terminal
from lossbench.ground.run_ids import RunId
from lossbench.jobs.cluster.job_list import read_jobs
from lossbench.jobs.worker.supervision import supervisor
from lossbench.planning.plan import Cell, Plan
from lossbench.planning.yardsticks import Yardsticks, yardsticks
from lossbench.results.cells import CellResults
from lossbench.results.part_files import FAILED, part_path, read_run, read_runs
from lossbench.results.yardsticks import read_yardsticks, yardstick_path
from lossbench.tuning.study_files import open_studies, read_outcome

# How often the folder is searched for new part files: in the first of these seconds, but for at most this share of the
# time, up to the last. A sweep may have thousands of cells, and the search competes with the training.
POLL_SECONDS, MOST_OF_THE_TIME, LONGEST_PAUSE = 0.1, 0.1, 2.0
# How often the progress is shown anew.
SHOW_SECONDS = 0.4
# After so many seconds in which no training has ended a line says so.
STILL_SECONDS = 60


class Watcher:
    """A thread that follows the open runs of a plan while the block runs."""

    def __init__(self, plan: Plan, terminal: Terminal, open_runs: dict[str, list[RunId]], open_yardsticks: dict):
        self.plan = plan
        self._folder = plan.folder
        self.terminal = terminal
        self._waiting = {folder: set(runs) for folder, runs in open_runs.items()}
        self._studies = open_studies(plan, open_runs)
        self._yardsticks = [each for each in yardsticks(plan) if each.folder in open_yardsticks]
        terminal.durations.note_planned()
        n_yardsticks = {folder: len(parts) for folder, parts in open_yardsticks.items()}
        self._measured = Measured(plan, open_runs, self._studies, self._yardsticks, n_yardsticks)
        # The open yardsticks that have not ended.
        self._open_yardsticks = {folder: set(parts) for folder, parts in open_yardsticks.items()}
        # The seconds of a cell count only runs of this start, not those that were finished before.
        self._started = time.time()
        # What is left since a training last ended, when that was, and whether it was said that none has since.
        self._left, self._since, self._is_said = self._n_left(), time.monotonic(), False
        self._shown = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def __enter__(self) -> "Watcher":
        self.terminal.start_progress()
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        """Look a last time for runs that have just ended, and stop the thread."""
        self._stopped.set()
        self._thread.join()
        self.terminal.stop_progress()
        self.terminal.durations.note_trained(self._measured.seconds())

    def _watch(self) -> None:
        last, pause = False, POLL_SECONDS
        while not last:
            last = self._stopped.wait(pause)
            began = time.monotonic()
            if supervisor.is_ready:
                self._measured.note_ready()
            for cell in list(self._studies):
                self._look_at_study(cell)
            for cell in self.plan.cells:
                if self._waiting[cell.folder]:
                    self._look(cell)
            for each in list(self._yardsticks):
                self._look_at_yardsticks(each)
            self._show_progress()
            self._say_if_still()
            pause = min(max(POLL_SECONDS, (time.monotonic() - began) / MOST_OF_THE_TIME), LONGEST_PAUSE)

    def _show_progress(self) -> None:
        now = time.monotonic()
        # Seldom, and only for a terminal: a sweep may have thousands of cells.
        if self.terminal.shows_progress and now - self._shown > SHOW_SECONDS:
            left = self._measured.left()
            text = progress_text(self._measured.counts(self._waiting), left)
            self.terminal.show_progress(self._measured.share_done(left), text)
            self._shown = now

    def _say_if_still(self) -> None:
        """Say once that nothing goes on, and which setting gives up what does not end."""
        left, now = self._n_left(), time.monotonic()
        if left != self._left:
            self._left, self._since, self._is_said = left, now, False
        elif not self._is_said and now - self._since > STILL_SECONDS:
            self._is_said = True
            self.terminal.line(f"no training has ended for {STILL_SECONDS} s; {self._hint()}.")

    def _hint(self) -> str:
        if read_jobs(self.plan.folder):
            return "the jobs may be waiting (squeue)"
        limit = self.plan.timeout
        return f"{'timeout=… gives up' if limit is None else f'timeout={limit:g} will give up'} one that does not end"

    def _n_left(self) -> tuple[int, ...]:
        """Return numbers that change whenever a training ends: of a run, of a study or of a yardstick."""
        trials = [len(list((self.plan.folder / cell.folder / "study").glob("trial=*"))) for cell in self._studies]
        parts = [part for each in self._yardsticks for part in each.parts if not self._is_there(each, part)]
        return sum(map(len, self._waiting.values())), len(parts), *trials

    def _look_at_yardsticks(self, wanted: Yardsticks) -> None:
        """Print the line of a data set's yardsticks once all are there: what they are, and the seconds they took."""
        opened = self._open_yardsticks[wanted.folder]
        for part in [part for part in opened if self._is_there(wanted, part)]:
            run = read_run(yardstick_path(self.plan.folder / wanted.folder, *part))
            if run is not None:
                opened.discard(part)
                self._measured.note_yardstick(wanted, run.info)
        if not all(self._is_there(wanted, part) for part in wanted.parts):
            return
        self._yardsticks.remove(wanted)
        found = read_yardsticks(self.plan, wanted.cell)
        seconds = sum(each.seconds for each in found)
        self.terminal.line(f"{wanted.data}  yardsticks  {wanted.size}  {seconds:.1f} s")

    def _is_there(self, wanted: Yardsticks, part: tuple[str, RunId]) -> bool:
        return yardstick_path(self.plan.folder / wanted.folder, *part).exists()

    def _look_at_study(self, cell: Cell) -> None:
        outcome = read_outcome(self.plan.folder / cell.folder)
        self._measured.note_trials(cell, is_last=outcome is not None)
        if outcome is not None:
            self._studies.remove(cell)
            self.terminal.study_finished(cell, outcome, outcome.ended - max(outcome.started, self._started))

    def _look(self, cell: Cell) -> None:
        folder, waiting = self._folder / cell.folder, self._waiting[cell.folder]
        parts = folder / "parts"
        # One listing instead of a look at the file of every open run.
        names = set(os.listdir(parts)) if parts.is_dir() else set()
        for each in sorted((each for each in waiting if f"{each.name}.npz" in names), key=lambda each: each.order):
            run = read_run(part_path(folder, each))
            if run is None:
                continue
            waiting.discard(each)
            self._measured.note_run(cell, run.info)
            if run.info.status == FAILED:
                self.terminal.run_failed(cell, run)
        if not waiting:
            results = CellResults(cell, list(read_runs(folder, self.plan.runs(cell)).values()))
            self.terminal.cell_finished(results, results.seconds(since=self._started))
