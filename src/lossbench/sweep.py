"""A sweep from its plan to its exit status."""

import fcntl
import os
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lossbench.config.paths import shown
from lossbench.console.progress import Terminal
from lossbench.console.text_tables import WIDTH
from lossbench.console.watcher import Watcher
from lossbench.datasets.catalogue import DATASETS
from lossbench.findings.sentences import counted
from lossbench.ground.errors import MissingEnvironmentError, Problem
from lossbench.ground.files import write_text
from lossbench.jobs.launch import launch
from lossbench.planning.plan import Plan, changes
from lossbench.results.cells import CellResults, other_cells, read_results
from lossbench.results.part_files import FAILED, Run, part_path, read_run, read_runs, remove_unfinished, seeds_on_disk
from lossbench.results.table import write_results
from lossbench.tracking.process import TrackingProcess, is_tracked
from lossbench.tuning.study_files import open_studies, read_outcome, read_trials

# How many reasons for leaving cells out are shown before a sweep runs.
LEFT_OUT_SHOWN = 5
SUCCESS, SOME_FAILED, INTERRUPTED = 0, 1, 130


def run_sweep(plan: Plan) -> int:
    """Run what of a plan is not finished, show the answer, and return the exit status."""
    terminal = Terminal(plan)
    if plan.only_plan:
        open_seeds = _begin(plan, terminal)
        for cell in plan.cells:
            first = (
                f", after {cell.settings['tune']['trials']} trials" if cell in open_studies(plan, open_seeds) else ""
            )
            terminal.line(f"  {cell.name}: {len(open_seeds[cell.folder])} of {len(plan.seeds)} runs to do{first}")
        return SUCCESS
    with sweep_lock(plan):
        _find_renamed(plan)
        return _run(plan, terminal, _begin(plan, terminal))


def _find_renamed(plan: Plan) -> None:
    """Give folders of cells that were called otherwise (a file that was renamed) the names that they have now."""
    # A folder's name ends in digits of its cell's key.
    there = {path.parent.name[-8:]: path.parent for path in plan.folder.glob("*/cell.json")}
    for cell in plan.cells:
        earlier = there.get(cell.key[:8])
        if earlier is not None and not (plan.folder / cell.folder).exists():
            earlier.rename(plan.folder / cell.folder)


def _begin(plan: Plan, terminal: Terminal) -> dict[str, list[int]]:
    """Say what there is and what is to do, and return the open seeds of each cell's folder."""
    before = {cell.folder: read_runs(plan.folder / cell.folder, plan.seeds) for cell in plan.cells}
    open_seeds = {cell.folder: _open_seeds(plan, before[cell.folder]) for cell in plan.cells}
    for text in first_lines(plan, before, open_seeds):
        terminal.line(text)
    return open_seeds


def _run(plan: Plan, terminal: Terminal, open_seeds: dict[str, list[int]]) -> int:
    for cell in plan.cells:
        remove_unfinished(plan.folder / cell.folder)
    _download(plan, open_seeds, terminal)
    _set_earlier_aside(plan, open_seeds)
    write_text(plan.folder / "plan.json", plan.to_json())
    has_work = any(open_seeds.values())
    has_studies = bool(open_studies(plan, open_seeds))
    tracking = None
    if plan.tracking["enabled"] and (has_work or not is_tracked(plan, read_results(plan))):
        tracking = TrackingProcess(plan)
    interrupted = False
    try:
        if has_work:
            with Watcher(plan, terminal, open_seeds):
                launch(plan, open_seeds)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        results = read_results(plan)
        path = write_results(plan, results)
        if has_studies:
            from lossbench.tuning.proposals import write_storage

            write_storage(plan)
        unwritten = "" if interrupted else _write_report(plan, results)
        untracked = tracking.finish(interrupted=interrupted) if tracking is not None else ""
    if interrupted:
        n_runs = sum(len(result.runs) for result in results)
        terminal.line(f"interrupted: {n_runs} of {plan.n_runs} runs are finished; the same command continues.")
        return INTERRUPTED
    terminal.summary(results)
    if unwritten:
        terminal.line(f"\nthe report could not be written: {unwritten}")
    return _conclude(plan, results, terminal, path, untracked)


def _download(plan: Plan, open_seeds: dict[str, list[int]], terminal: Terminal) -> None:
    """Have Keras download data that is not here yet, before any job needs it."""
    names = {cell.settings["dataset"]["name"] for cell in plan.cells if open_seeds[cell.folder]}
    for info in (DATASETS[name] for name in sorted(names)):
        path = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / info.download
        if not info.download or path.exists():
            continue
        terminal.line(f"{info.name}: not here yet; Keras downloads it once ...")
        try:
            from lossbench.datasets.loading import load_function

            load_function(info.maker)()
        except Exception as error:
            message = f"dataset={info.name} could not be downloaded: {' '.join(str(error).split())[:300]}"
            hint = f"it needs a network once; or put the file there yourself: {path}"
            raise MissingEnvironmentError(Problem(message, hint)) from None


def _write_report(plan: Plan, results: list[CellResults]) -> str:
    """Write the report if it is not there yet, and return what went wrong: its results are safe whatever happens."""
    # 0.5 s, and only where there is something new to draw.
    from lossbench.report.freshness import PAGE, is_written

    if is_written(plan, results):
        return ""
    try:
        from lossbench.report.writing import write_report

        write_report(plan, results)
    except Exception:
        (plan.folder / PAGE).unlink(missing_ok=True)
        log = plan.folder / "report.log"
        log.write_text(traceback.format_exc())
        return f"see {log}; lossbench-report {plan.name} tries again."
    return ""


def _conclude(plan: Plan, results: list[CellResults], terminal: Terminal, path: Path, untracked: str) -> int:
    terminal.line()
    missing = plan.n_runs - sum(len(result.runs) for result in results)
    failed = sum(result.count(FAILED) for result in results)
    if missing:
        terminal.line(f"{missing} runs are missing (see the logs in {shown(plan.folder)}); the same command runs them.")
    if failed:
        terminal.line(f"{failed} runs failed; add rerun=failed to run them again.")
    if untracked:
        terminal.line(f"MLflow could not be written: {untracked}")
        terminal.line("  hint: nothing is lost; lossbench-sync sends it.")
    terminal.line(f"results: {shown(path)}")
    if (plan.folder / "report.html").exists():
        terminal.line(f"report: {shown(plan.folder / 'report.html')}")
    if plan.tracking["enabled"] and not untracked:
        terminal.line(f"browse them in MLflow: {'make ui' if Path('Makefile').exists() else 'lossbench-ui'}")
    return SOME_FAILED if missing or failed else SUCCESS


def first_lines(plan: Plan, before: dict[str, dict[int, Run]], open_seeds: dict[str, list[int]]) -> list[str]:
    """Return what is said first: the plan, what is there, what runs and why; then what is left out."""
    n_finished = sum(len(runs) for runs in before.values())
    line = f"{plan.name}: {counted(len(plan.cells), 'cell')}, {counted(plan.n_runs, 'run')}, {n_finished} finished"
    n_open = sum(map(len, open_seeds.values()))
    reasons = []
    if n_finished and n_open:
        rerun = sum(seed in before[folder] for folder, seeds in open_seeds.items() for seed in seeds)
        if rerun:
            reasons.append(f"{rerun} run again (rerun={plan.rerun})")
        if n_open > rerun:
            reasons.append(f"{n_open - rerun} to run")
    if not n_open:
        reasons.append("nothing to run")
    reasons += [*_studies(plan, open_seeds), *_other_runs(plan)]
    failed = sum(run.info.status == FAILED for runs in before.values() for run in runs.values())
    if failed and plan.rerun == "none":
        reasons.append(f"{failed} of them failed (rerun=failed runs these again)")
    lines = [line + "".join(f"; {reason}" for reason in reasons)]
    lines += [line for note in plan.notes for line in textwrap.wrap(f"  {note}", WIDTH, subsequent_indent="    ")]
    left_out = [
        f"  left out: {dataset}/{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {reason}"
        for dataset, names, reason in plan.left_out
    ]
    first = left_out if plan.only_plan or len(left_out) <= LEFT_OUT_SHOWN else left_out[:LEFT_OUT_SHOWN]
    lines += [line for text in first for line in textwrap.wrap(text, WIDTH, subsequent_indent="    ")]
    more = len(left_out) - len(first)
    return lines + ([f"  left out: {more} more (plan=true shows all)"] if more else [])


def _studies(plan: Plan, open_seeds: dict[str, list[int]]) -> list[str]:
    """Say how many studies come first, and how far they are."""
    studies = open_studies(plan, open_seeds)
    if not studies:
        return []
    n_trials = sum(cell.settings["tune"]["trials"] for cell in studies)
    n_there = sum(len(read_trials(cell, plan.folder / cell.folder)) for cell in studies)
    there = f" ({n_there} finished)" if n_there else ""
    return [f"first {counted(len(studies), 'study')} of {counted(n_trials, 'trial')}{there}"]


def _other_runs(plan: Plan) -> list[str]:
    """Say what else lies in the sweep's folder: other seeds, and other settings with what changed."""
    said = []
    more = sum(len(set(seeds_on_disk(plan.folder / cell.folder)) - set(plan.seeds)) for cell in plan.cells)
    if more:
        said.append(f"{counted(more, 'run')} of other seeds on disk")
    others = list(other_cells(plan))
    if others:
        n_runs = sum(len(seeds) for _, seeds in others)
        changed = dict.fromkeys(change for other, _ in others for change in _changes(plan, other))
        named = ", ".join(list(changed)[:3]) + (", …" if len(changed) > 3 else "")
        said.append(f"{counted(n_runs, 'run')} of other settings on disk" + (f" (changed: {named})" if named else ""))
    return said


def _changes(plan: Plan, other: dict[str, Any]) -> list[str]:
    same_name = [cell for cell in plan.cells if cell.name == other["name"]]
    return changes(other["settings"], same_name[0].settings) if same_name else []


def _open_seeds(plan: Plan, runs: dict[int, Run]) -> list[int]:
    def is_open(seed: int) -> bool:
        if plan.rerun == "all" or seed not in runs:
            return True
        return plan.rerun == "failed" and runs[seed].info.status == FAILED

    return [seed for seed in plan.seeds if is_open(seed)]


def _set_earlier_aside(plan: Plan, open_seeds: dict[str, list[int]]) -> None:
    """Move the parts of what runs again to ``earlier/``: nothing is lost, and a kill leaves them open."""
    for folder, seeds in open_seeds.items():
        for seed in seeds:
            part = part_path(plan.folder / folder, seed)
            run = read_run(part)
            if run is not None:
                _set_study_aside(plan, plan.folder / folder)
                aside = plan.folder / folder / "earlier" / f"seed={seed}-{int(run.info.ended * 1000)}.npz"
                aside.parent.mkdir(exist_ok=True)
                part.rename(aside)


def _set_study_aside(plan: Plan, folder: Path) -> None:
    """Move the study of a cell that runs again: always for rerun=all, else if it is why its runs failed."""
    outcome = read_outcome(folder)
    if outcome is not None and (plan.rerun == "all" or outcome.problem):
        aside = folder / "earlier" / f"study-{int(outcome.ended * 1000)}"
        aside.parent.mkdir(exist_ok=True)
        (folder / "study").rename(aside)


@contextmanager
def sweep_lock(plan: Plan) -> Iterator[None]:
    """Keep a second process out of the sweep's folder; the lock goes with the process, however it ends."""
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        file = open(plan.folder / ".lock", "w")  # noqa: SIM115
    except OSError as error:
        raise MissingEnvironmentError(
            Problem(f"{plan.folder} cannot be written: {error.strerror}.", "set LOSSBENCH_HOME to another folder.")
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another lossbench is at work on {plan.name} in {plan.folder}."
            raise MissingEnvironmentError(Problem(message, "wait for it, or choose another name=…")) from None
        yield
