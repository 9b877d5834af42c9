"""Brings MLflow up to date with the results on disk: beside a running sweep, or later with ``lossbench-sync``.

MLflow is written by a process of its own. In a thread its Python code would compete with the training for Python's
lock, and a server that does not answer would hold up the sweep. The process reads everything from the result files, so
it can be ended and started again at any time.
"""

import fcntl
import json
import os
import re
import select
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lossbench.config.mlflow_environment import configure_mlflow, said_by_mlflow, whole_address
from lossbench.config.paths import default_store
from lossbench.console.summary import summary_lines
from lossbench.findings.recommendation import saved_runs
from lossbench.findings.sentences import answer
from lossbench.findings.tables import tables
from lossbench.ground.errors import Problem
from lossbench.ground.files import write_text
from lossbench.ground.garbage import lasting
from lossbench.ground.leases import is_held
from lossbench.ground.run_ids import RunId
from lossbench.ground.secrets import without_secrets
from lossbench.ground.temporary import own_temporary_files
from lossbench.jobs.sharing import WRITER
from lossbench.planning.plan import Cell, Plan
from lossbench.report.freshness import SUMMARY, is_written
from lossbench.results.cells import CellResults, read_results
from lossbench.results.part_files import read_runs
from lossbench.tracking.local_store import has_experiment, store_problem
from lossbench.tuning.study_files import most_trials_in_all, outcomes, read_outcome, read_trial, read_trials

# Runs that end in this time are written together; a run is in MLflow after this time and a little more.
POLL_SECONDS = 1.0
# The most runs that are written together: they hold the database for a fifth of a second.
MOST_AT_ONCE = 50
# What a running sweep says: all its runs are there, and its report is too.
TRAINED, FINISH = "trained", "finish"
# Stands for the outcome of a study among the numbers of its trials.
CONCLUSION = -1
# The most characters of a description; a little less than MLflow keeps.
MOST_IN_NOTE = 7500
# What to do about the status of a server's answer. An experiment has the sweep's name, and belongs to who made it.
ANSWER = re.compile(r"failed with error code (\d+)")
WAYS_OUT = {
    "401": "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; "
    "then lossbench-sync sends it.",
    "403": "this account probably may not write the experiment of this name: have it permitted, then lossbench-sync "
    "sends it; or run the sweep anew with another name=…",
}


def synchronise(plan: Plan) -> str | None:
    """Write the results of a sweep that MLflow lacks; return the error, '' without one, None if nothing was missing."""
    if is_tracked(plan, read_results(plan)):
        return None
    return _write(plan, lambda: True, running=False)


def follow(plan: Plan, lease: str) -> str:
    """Write the results of a running sweep as they come, until standard input says that it has ended.

    Parameters
    ----------
    lease : str
        The token of the sweep's lease to write; nothing is written once another process has it.
    """
    return _write(plan, lambda: is_held(plan.folder, WRITER, lease), running=True)


class TrackingProcess:
    """A process that runs ``lossbench-sync --follow`` beside a sweep.

    The sweep writes ``trained`` to its standard input once it has trained, and ``finish`` when the report is written.
    If the sweep is killed, that input ends without the word, and the process closes its open MLflow runs and ends too.
    """

    def __init__(self, plan: Plan, lease: str):
        command = [
            sys.executable,
            "-c",
            "from lossbench.commands.main import sync_main; sync_main()",
            plan.name,
            "--follow",
            lease,
        ]
        self._log = open(plan.folder / "tracking.log", "wb")  # noqa: SIM115
        # A session of its own: Ctrl-C reaches every process of the terminal's group, but must end the sweep only. The
        # sweep then ends this process in order.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # MLflow writes files in the system's encoding, which may not have the signs of ours.
            env={**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"},
            encoding="utf-8",
            start_new_session=True,
        )

    def note_trained(self) -> None:
        """Let the process write what does not need the report, while that is written."""
        assert self._process.stdin is not None
        # A process that has ended says why when it is waited for. Written past the buffer, which would keep the word
        # and fail again when it is closed.
        with suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), f"{TRAINED}\n".encode())

    def finish(self, *, interrupted: bool) -> str:
        """Let the process write the rest, wait for it, and return its error, '' without one."""
        try:
            said, _ = self._process.communicate("" if interrupted else f"{FINISH}\n")
        except KeyboardInterrupt:
            # A second Ctrl-C: do not wait for MLflow any longer. The next start sends the rest.
            self._process.kill()
            said = "interrupted"
        self._log.close()
        if self._process.returncode and not said.strip():
            said = f"its process ended with status {self._process.returncode}; see {self._log.name}"
        return said.strip()


def _write(plan: Plan, may_write: Callable[[], bool], *, running: bool) -> str:
    """Write the plan's results to MLflow, those of a running sweep as they come; return the error, '' without one.

    A lock keeps two processes of this machine from writing the same runs twice. ``may_write`` is asked before each
    batch.
    """
    store = tracking_uri(plan) or default_store()
    with open(plan.folder / ".tracking-lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        problem = store_problem(store)
        if problem:
            return said_of_store(problem)
        try:
            configure_mlflow()
            # Imported after the environment is set, which MLflow reads when it is imported.
            with lasting():
                from lossbench.tracking.tracker import Tracker

                # MLflow imports more when it opens a store.
                tracker = Tracker(plan, store)
            try:
                # MLflow makes artifacts among the temporary files; a kill would leave them there.
                with own_temporary_files("mlflow"):
                    return _send(plan, tracker, may_write, running=running)
            finally:
                # Another process takes over the runs that are open, and may have ended some by now.
                if may_write():
                    tracker.close()
        except Exception as error:
            if running:
                import traceback

                print(said_by_mlflow(traceback.format_exc()), file=sys.stderr)
            problem = store_problem(store, thorough=True)
            return said_of_store(problem) if problem else _said_of_server(error)


def said_of_store(problem: Problem) -> str:
    """Return the problem of a store as a line with its hint below it."""
    return f"{problem.message}\n  hint: {problem.hint}"


def _said_of_server(error: Exception) -> str:
    """Return an error of MLflow as a line, with a hint below it where the server refused the account."""
    status = ANSWER.search(str(error))
    hint = WAYS_OUT.get(status[1]) if status else None
    return said_of_store(Problem(first_line(error), hint)) if hint else first_line(error)


def first_line(error: Exception) -> str:
    """Return the first line of an error of MLflow, without secrets."""
    said = (said_by_mlflow(str(error)).strip().splitlines() or [type(error).__name__])[0]
    return textwrap.shorten(said, 300, placeholder=" …")


def _send(plan: Plan, tracker: Any, may_write: Callable[[], bool], *, running: bool) -> str:
    waiting = {cell.folder: set(plan.runs(cell)) for cell in plan.cells}
    trials = {cell.folder: _of_study(cell) for cell in plan.cells}
    message = None if running else FINISH
    n_waiting = plan.n_runs
    while may_write():
        for cell in plan.cells:
            _send_study(plan, tracker, cell, trials[cell.folder])
        _send_new(plan, tracker, waiting, may_write)
        if running and n_waiting != (n_waiting := sum(map(len, waiting.values()))):
            tracker.progress(plan.n_runs - n_waiting)
        if message is not None:
            break
        # Read before the next look at the folder: after "trained", that look finds every run of the sweep.
        message = _message()
    if message not in (TRAINED, FINISH) or not may_write():
        return ""
    results = read_results(plan)
    tracker.add_figures(results)
    problem = _keep_models(plan, tracker, results)
    while message in (TRAINED, None):
        message = _message()
    if message != FINISH or not may_write():
        return ""
    answers = " ".join(filter(None, map(answer, tables(plan, results))))
    tracker.finish(results, _note(plan, results), answers)
    # Without a report the next start writes one, and it belongs to the artifacts.
    if not problem and not any(waiting.values()) and is_written(plan, results):
        write_text(_marker(plan), _state(plan, results))
    return problem


def _keep_models(plan: Plan, tracker: Any, results: list[CellResults]) -> str:
    """Keep the networks that the plan asks for as models; return the error, '' without one."""
    try:
        chosen = saved_runs(plan, results)
        if chosen:
            tracker.keep_models(chosen)
    except Exception as error:
        return f"all but models: {first_line(error)} (tracking.models=none leaves them out)"
    return ""


def _send_study(plan: Plan, tracker: Any, cell: Cell, waiting: set[int]) -> None:
    """Write the new trials of a cell's study, and its outcome once it has ended; remove them from ``waiting``."""
    folder = plan.folder / cell.folder
    if not waiting:
        return
    outcome = read_outcome(folder)
    found = [trial for number in sorted(waiting - {CONCLUSION}) if (trial := read_trial(folder, number)) is not None]
    if found:
        tracker.studies.add_trials(cell, found)
    waiting -= {trial.number for trial in found}
    if outcome is not None:
        waiting.clear()
        tracker.studies.add_study(cell, outcome, read_trials(cell, folder))


def _send_new(plan: Plan, tracker: Any, waiting: dict[str, set[RunId]], may_write: Callable[[], bool]) -> None:
    """Write the new runs of all cells, and each cell after its last run; remove the runs from ``waiting``."""
    found = [
        (cell, run)
        for cell in plan.cells
        for run in read_runs(
            plan.folder / cell.folder, sorted(waiting[cell.folder], key=lambda run: run.order)
        ).values()
    ]
    for start in range(0, len(found), MOST_AT_ONCE):
        if not may_write():
            return
        tracker.add_runs(found[start : start + MOST_AT_ONCE])
        for cell, run in found[start : start + MOST_AT_ONCE]:
            waiting[cell.folder].discard(run.info.id)
            run.forget()
    ended = {cell.folder: cell for cell, _ in found if not waiting[cell.folder]}
    for cell in ended.values():
        tracker.add_cell(CellResults(cell, list(read_runs(plan.folder / cell.folder, plan.runs(cell)).values())))


def _of_study(cell: Cell) -> set[int]:
    """Return what is still to be written of a cell's study: the numbers of its trials, and ``CONCLUSION``."""
    return {CONCLUSION, *range(most_trials_in_all(cell))} if cell.is_tuned else set()


def _message() -> str | None:
    """Return the sweep's word on standard input; '' if the sweep was interrupted or killed, None while it runs."""
    readable, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
    return sys.stdin.readline().strip() if readable else None


def tracking_uri(plan: Plan) -> str | None:
    """Return the address of the tracking server or store that the user set; None without one."""
    return whole_address(plan.tracking.uri) or None


def is_tracked(plan: Plan, results: list[CellResults]) -> bool:
    """Return whether the store has all these results, by a marker on disk and without loading MLflow."""
    store = tracking_uri(plan) or default_store()
    if not _marker(plan).exists() or not has_experiment(store, plan.name):
        return False
    return _marker(plan).read_text(encoding="utf-8", errors="replace") == _state(plan, results)


def forget_tracked(plan: Plan) -> None:
    """Remove the marker of what the store has, so that everything is written again."""
    _marker(plan).unlink(missing_ok=True)


def _marker(plan: Plan) -> Path:
    return plan.folder / "tracked.json"


def _state(plan: Plan, results: list[CellResults]) -> str:
    runs = {result.cell.key: {run.info.key: run.info.started for run in result.runs} for result in results}
    store = without_secrets(tracking_uri(plan) or default_store())
    studies = {key: outcome.started for key, outcome in outcomes(plan).items()}
    state: dict[str, Any] = {"store": store, "seeds": plan.seeds, "runs": runs}
    state |= {"studies": studies} if studies else {}
    models = plan.tracking.models
    state |= {"models": models} if models != "none" else {}
    return json.dumps(state, indent=1)


def _note(plan: Plan, results: list[CellResults]) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime())
    written = plan.folder / SUMMARY
    if written.exists():
        text = written.read_text(encoding="utf-8", errors="replace")
        if len(text) > MOST_IN_NOTE:
            # Cut between sections.
            text = text[: text.rfind("\n## ", 0, MOST_IN_NOTE)] + "\n\nMore in report.md.\n"
        return f"{text}\n(written {moment}; the page with its figures is among the artifacts)\n"
    tables = "\n".join(summary_lines(plan, results)).strip()
    return f"`{plan.command}` (written {moment})\n\n```\n{tables}\n```\n"
