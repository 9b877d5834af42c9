"""A sweep from its plan to its exit status.

In: a validated ``Plan``. The open runs are found and trained by Hydra jobs, the result files are collected, the report
is written and the answer is printed. Out: the exit status. Everything shown at the end is read from the files on disk,
so an interrupted sweep loses nothing but the runs that were in training.
"""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from lossbench.console.closing import last_lines, n_failed, n_missing
from lossbench.console.cluster_jobs import jobs_line, lost_lines
from lossbench.console.opening import first_lines, open_lines, yardstick_lines
from lossbench.console.progress import Terminal
from lossbench.console.watcher import Watcher
from lossbench.findings.tables import Table, tables
from lossbench.ground.errors import INTERRUPTED, SOME_FAILED, SUCCESS, DamagedFileError, UsageError
from lossbench.ground.files import remove_unfinished, set_aside, write_text
from lossbench.ground.garbage import lasting
from lossbench.ground.leases import Leases
from lossbench.ground.temporary import remove_left_folders
from lossbench.jobs.cluster.job_list import ClusterJob, at_work, jobs_at_work, read_jobs, refuse_rerun
from lossbench.jobs.download import download, missing_downloads
from lossbench.jobs.failing_alike import MOST_CELLS
from lossbench.jobs.open_jobs import own_open_jobs, remove_open_jobs
from lossbench.jobs.open_runs import (
    OpenRuns,
    OpenYardsticks,
    open_runs_of,
    open_runs_of_all_rows,
    open_yardsticks_of,
    rename_folders,
    set_earlier_aside,
    set_yardsticks_aside,
)
from lossbench.jobs.repair import repair
from lossbench.jobs.shared_training import refuse_beside, train
from lossbench.jobs.sharing import (
    READY,
    WRITER,
    beside,
    is_of_a_command,
    joined,
    sharing,
    wait_until_prepared,
    writer_of,
)
from lossbench.jobs.worker.supervision import supervisor
from lossbench.planning.plan import Plan, read_plan
from lossbench.results.cells import CellResults, read_results
from lossbench.results.part_files import read_runs
from lossbench.results.table import write_results
from lossbench.tracking.process import TrackingProcess, forget_tracked, is_tracked
from lossbench.tuning.study_files import open_studies


def run_sweep(plan: Plan) -> int:
    """Run the unfinished runs of a plan, show the answer, and return the exit status."""
    terminal = Terminal(plan)
    if plan.only_plan:
        for line in [*open_lines(plan, _open_runs(plan, terminal)), *yardstick_lines(plan, open_yardsticks_of(plan))]:
            terminal.line(line)
        return SUCCESS
    with sharing(plan.folder) as leases:
        status = None
        while status is None:
            status = (_run_as_writer if leases.take(WRITER) else _help)(plan, leases, terminal)
        return status


def _run_as_writer(plan: Plan, leases: Leases, terminal: Terminal) -> int | None:
    """Prepare the sweep's folder, train, and write the table, the report and MLflow; return the exit status.

    None if this process was stopped for so long that another one took over, and has ended too.
    """
    jobs = jobs_at_work(plan.folder)
    # Of an earlier start, whose writer has ended.
    others = beside(leases)
    refuse_rerun(plan, jobs)
    refuse_beside(plan, others)
    if not others:
        rename_folders(plan)
        _repair(plan, terminal)
    open_runs = _open_runs(plan, terminal)
    if jobs:
        terminal.line(f"at work since an earlier start: {jobs_line(at_work(jobs))}")
    if others:
        terminal.line(f"shared with {' and '.join(map(str, others))}")
    open_yardsticks = open_yardsticks_of(plan)
    busy = {*open_runs, *open_yardsticks} if others else {name for job in jobs for name in job.cells}
    _prepare(plan, open_runs, open_yardsticks, terminal, busy)
    leases.note(WRITER, READY)
    has_studies = bool(open_studies(plan, open_runs)) or _lacks_storage(plan)
    is_work = any(open_runs.values()) or bool(open_yardsticks)
    tracking = _start_tracking(plan, leases.token(WRITER), is_work=is_work)
    interrupted, left = False, []
    try:
        interrupted = _run(plan, open_runs, open_yardsticks, leases, terminal)
        left = [] if interrupted else jobs_at_work(plan.folder)
        if not interrupted and not left and leases.holds(WRITER):
            interrupted = _train_on_all_rows(plan, leases, terminal)
            left = [] if interrupted else jobs_at_work(plan.folder)
    finally:
        supervisor.end()
        if leases.holds(WRITER):
            if not leases.others(is_of_a_command) and remove_open_jobs(plan.folder):
                remove_unfinished(plan.folder, lambda host: False)
            collected = _collect(plan, tracking, is_whole=not (interrupted or left), has_studies=has_studies)
        elif tracking is not None:
            tracking.finish(interrupted=True)
    if not leases.holds(WRITER):
        return _conclude_beside(plan, open_runs, leases, terminal, interrupted=interrupted)
    if interrupted or left:
        return _conclude_early(plan, collected, terminal, left)
    return _conclude(plan, collected, terminal)


def _help(plan: Plan, leases: Leases, terminal: Terminal) -> int | None:
    """Train cells of a sweep beside the process that writes it; return the exit status.

    None if that process has ended: then this one writes, if no other is quicker.
    """
    writer = wait_until_prepared(leases)
    if writer is None:
        return None
    with joined(leases), own_open_jobs(plan.folder):
        refuse_beside(plan, [writer])
        open_runs = _open_runs(plan, terminal)
        terminal.line(f"shared with {writer}, which writes the results")
        interrupted = _run(plan, open_runs, open_yardsticks_of(plan), leases, terminal)
        supervisor.end()
    return _conclude_beside(plan, open_runs, leases, terminal, interrupted=interrupted)


def _conclude_beside(
    plan: Plan, open_runs: OpenRuns, leases: Leases, terminal: Terminal, *, interrupted: bool
) -> int | None:
    """Say that this process is done with a sweep that another one writes; return the exit status of its own work.

    None if nobody writes it now.
    """
    writer, results = writer_of(leases), read_results(plan)
    if interrupted:
        n_runs = sum(len(result.runs) for result in results)
        goes_on = f"{writer} goes on" if writer else "the same command continues"
        terminal.line(f"interrupted: {n_runs} of {plan.n_runs} runs are finished; {goes_on}.")
        return INTERRUPTED
    if writer is None:
        terminal.line("who wrote the results has ended; this process finishes.")
        return None
    terminal.line(f"done here; {writer} is finishing.")
    ours = [result for result in results if result.cell.folder in leases.taken and open_runs[result.cell.folder]]
    is_well = not n_failed(ours) and all(len(result.runs) == len(plan.runs(result.cell)) for result in ours)
    return SUCCESS if is_well else SOME_FAILED


def _lacks_storage(plan: Plan) -> bool:
    """Return whether nobody has written Optuna's storage of a tuned sweep: who would have was killed."""
    return any(cell.is_tuned for cell in plan.cells) and not (plan.folder / "studies.log").exists()


def _repair(plan: Plan, terminal: Terminal) -> None:
    """Write damaged files of the sweep again, and say so; ``_prepare`` writes the plan."""
    try:
        if (plan.folder / "plan.json").exists():
            read_plan(plan.folder)
    except DamagedFileError as error:
        kept = f"; what was there is now {set_aside(error.path).name}" if error.path.is_dir() else ""
        terminal.line(f"plan.json was damaged: written again{kept}")
    except UsageError:
        # It is of a later lossbench.
        pass
    for line in repair(plan):
        terminal.line(line)


def _open_runs(plan: Plan, terminal: Terminal) -> OpenRuns:
    """Print how many runs are finished and how many are left, and return the open runs by cell folder."""
    before = {cell.folder: read_runs(plan.folder / cell.folder, plan.runs(cell)) for cell in plan.cells}
    open_runs = {cell.folder: open_runs_of(plan, cell, before[cell.folder]) for cell in plan.cells}
    for line in first_lines(plan, before, open_runs):
        terminal.line(line)
    return open_runs


def _prepare(
    plan: Plan, open_runs: OpenRuns, open_yardsticks: OpenYardsticks, terminal: Terminal, busy: set[str]
) -> None:
    """Clean the sweep's folder, download missing data sets, and write ``plan.json``, before the first job.

    Jobs and the tracking process read the cells from ``plan.json``, so it is on disk before either of them starts.

    Parameters
    ----------
    busy : set of str
        The folders in which jobs or processes of an earlier start write; nothing there is moved or removed. A run that
        was open a moment ago may be finished by now.
    """
    if not busy:
        remove_unfinished(plan.folder, lambda host: False)
        remove_open_jobs(plan.folder)
        for name in (".files", ".programs"):
            # Other sweeps write there too.
            remove_unfinished(plan.folder.parent / name)
    remove_left_folders()
    for info in missing_downloads(plan, open_runs):
        terminal.line(f"{info.name}: not here yet; Keras downloads it once ...")
        download(info)
    set_earlier_aside(plan, {folder: runs for folder, runs in open_runs.items() if folder not in busy})
    set_yardsticks_aside(plan, {folder: parts for folder, parts in open_yardsticks.items() if folder not in busy})
    write_text(plan.folder / "plan.json", plan.to_json())


def _start_tracking(plan: Plan, token: str, *, is_work: bool) -> TrackingProcess | None:
    if not plan.tracking.enabled or (not is_work and is_tracked(plan, read_results(plan))):
        return None
    # If this start is killed and the next one wants what an earlier one had finished, MLflow has to be put in order.
    forget_tracked(plan)
    return TrackingProcess(plan, token)


def _run(plan: Plan, open_runs: OpenRuns, open_yardsticks: OpenYardsticks, leases: Leases, terminal: Terminal) -> bool:
    """Have the open cells trained, and return whether the user interrupted it."""
    try:
        if any(open_runs.values()) or open_yardsticks:
            with Watcher(plan, terminal, open_runs, open_yardsticks):
                reason = train(plan, open_runs, open_yardsticks, leases, terminal.line)
            if reason:
                terminal.line(f"ended early: {MOST_CELLS} cells in a row failed for one reason: {reason}")
    except KeyboardInterrupt:
        return True
    return False


def _train_on_all_rows(plan: Plan, leases: Leases, terminal: Terminal) -> bool:
    """Train the networks that are kept of cross-validated cells, and return whether the user interrupted it.

    Each run of a cross-validation lacks the rows of its fold. Which cells' networks are kept is known now.
    """
    if not any(cell.settings.folds for cell in plan.cells):
        return False
    try:
        train(plan, open_runs_of_all_rows(plan, read_results(plan)), {}, leases, terminal.line)
    except KeyboardInterrupt:
        return True
    return False


@dataclass(frozen=True)
class _Collected:
    """The results of a sweep after its jobs have ended, and what could not be written about them.

    Attributes
    ----------
    results : list of CellResults
        The results of every cell, in the plan's order.
    tables : list of Table
        The table of each data set; none if the sweep has not ended.
    table : Path
        The path of ``results.csv``.
    unreported, untracked : str
        Why the report or MLflow could not be written; '' if both were.
    began, report_seconds, tracking_seconds : float
        When this began, by the monotonic clock; how long the report took, and MLflow.
    """

    results: list[CellResults]
    tables: list[Table]
    table: Path
    unreported: str
    untracked: str
    began: float
    report_seconds: float
    tracking_seconds: float


def _collect(plan: Plan, tracking: TrackingProcess | None, *, is_whole: bool, has_studies: bool) -> _Collected:
    """Write the table of results, Optuna's storage and the report, then wait until MLflow is written.

    The tracking process ends last: it attaches the table and the report to the sweep's MLflow run, so they must exist.
    """
    began = time.monotonic()
    if tracking is not None and is_whole:
        tracking.note_trained()
    with lasting():
        results = read_results(plan)
    table = write_results(plan, results)
    if has_studies:
        from lossbench.tuning.proposals import write_storage

        write_storage(plan)
    found = tables(plan, results) if is_whole else []
    unreported = _write_report(plan, results, found) if is_whole else ""
    reported = time.monotonic()
    untracked = tracking.finish(interrupted=not is_whole) if tracking is not None else ""
    seconds = (began, reported - began, time.monotonic() - reported)
    return _Collected(results, found, table, unreported, untracked, *seconds)


def _write_report(plan: Plan, results: list[CellResults], found: list[Table]) -> str:
    """Write the report unless it is up to date, and return the reason if that fails.

    A failing report does not fail the sweep, because its results are already on disk.
    """
    # Imported here: the report's module loads matplotlib (0.5 s), which an up-to-date report does not need.
    from lossbench.report.freshness import PAGE, is_written

    if is_written(plan, results):
        return ""
    try:
        with lasting():
            from lossbench.report.writing import write_report

        write_report(plan, results, found)
    except Exception:
        # A page of earlier results would be taken for the report of these.
        (plan.folder / PAGE).unlink(missing_ok=True)
        log = plan.folder / "report.log"
        write_text(log, traceback.format_exc())
        return f"see {log}; lossbench-report {plan.name} tries again."
    return ""


def _conclude_early(plan: Plan, collected: _Collected, terminal: Terminal, jobs: list[ClusterJob]) -> int:
    """Say how far an interrupted sweep is, or one whose jobs on a cluster go on, and return the exit status."""
    n_runs = sum(len(result.runs) for result in collected.results)
    if not jobs:
        terminal.line(f"interrupted: {n_runs} of {plan.n_runs} runs are finished; the same command continues.")
        return INTERRUPTED
    terminal.line(f"{n_runs} of {plan.n_runs} runs are finished; {jobs_line(at_work(jobs))}.")
    terminal.line("The jobs go on; the same command says how far they are, and collects when they have ended.")
    return SUCCESS


def _missing(plan: Plan, results: list[CellResults]) -> dict[str, set[str]]:
    """Return the names of the missing runs of each unfinished cell, by its folder."""
    return {
        each.cell.folder: {run.name for run in plan.runs(each.cell)} - {run.info.id.name for run in each.runs}
        for each in results
        if len(each.runs) < len(plan.runs(each.cell))
    }


def _conclude(plan: Plan, collected: _Collected, terminal: Terminal) -> int:
    """Show the answer, and return the exit status."""
    results = collected.results
    terminal.summary(results, collected.tables)
    if collected.unreported:
        terminal.line(f"\nthe report could not be written: {collected.unreported}")
    for line in lost_lines(read_jobs(plan.folder), _missing(plan, results)):
        terminal.line(line)
    terminal.durations.note_collected(collected.began, collected.report_seconds, collected.tracking_seconds)
    took = terminal.durations.lines()
    for line in last_lines(plan, results, collected.table, collected.untracked, took):
        terminal.line(line)
    return SOME_FAILED if n_missing(plan, results) or n_failed(results) else SUCCESS
