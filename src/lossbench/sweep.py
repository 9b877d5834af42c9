"""A sweep from its plan to its exit status."""

import fcntl
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lossbench.arguments import encode
from lossbench.config import KEY_SETTINGS, conf_folder, home
from lossbench.errors import MissingEnvironmentError, Problem
from lossbench.plan import Cell, Plan, read_plan, search_path_override
from lossbench.results import (
    FAILED,
    CellResults,
    Run,
    other_cells,
    part_path,
    read_results,
    read_run,
    read_runs,
    write_results,
    write_text,
)
from lossbench.terminal import Terminal, summary_lines

log = logging.getLogger(__name__)

SUCCESS, SOME_FAILED, INTERRUPTED = 0, 1, 130
# How often the parent looks for finished parts.
POLL_SECONDS = 0.1


def run_sweep(plan: Plan) -> int:
    """Run what of a plan is not finished, show the answer, and return the exit status."""
    terminal = Terminal(plan)
    before = {cell.folder: read_runs(plan.folder / cell.folder, plan.seeds) for cell in plan.cells}
    open_seeds = {cell.folder: _open_seeds(plan, before[cell.folder]) for cell in plan.cells}
    for text in first_lines(plan, before, open_seeds):
        terminal.line(text)
    if plan.only_plan:
        for cell in plan.cells:
            terminal.line(f"  {cell.name}: {len(open_seeds[cell.folder])} of {len(plan.seeds)} runs to do")
        return SUCCESS
    with sweep_lock(plan):
        return _run(plan, terminal, open_seeds)


def _run(plan: Plan, terminal: Terminal, open_seeds: dict[str, list[int]]) -> int:
    _set_earlier_aside(plan, open_seeds)
    write_text(plan.folder / "plan.json", plan.to_json())
    watcher = Watcher(plan, terminal, open_seeds)
    interrupted = False
    try:
        if any(open_seeds.values()):
            watcher.start()
            _launch(plan, open_seeds)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        watcher.stop()
    results = read_results(plan)
    path = write_results(plan, results)
    tracked = _finish_tracking(plan, watcher, results, terminal, interrupted=interrupted)
    if interrupted:
        n_runs = sum(len(result.runs) for result in results)
        terminal.line(f"interrupted: {n_runs} of {_n_runs(plan)} runs are finished; the same command continues.")
        return INTERRUPTED
    terminal.summary(results)
    return _conclude(plan, results, terminal, path, tracked)


def _conclude(plan: Plan, results: list[CellResults], terminal: Terminal, path: Path, tracked: str | None) -> int:
    terminal.line()
    missing = _n_runs(plan) - sum(len(result.runs) for result in results)
    failed = sum(result.count(FAILED) for result in results)
    if missing:
        terminal.line(f"{missing} runs are missing (see the logs in {_shown(plan.folder)}); the same command runs them.")
    if failed:
        terminal.line(f"{failed} runs failed; add rerun=failed to run them again.")
    if tracked is not None:
        terminal.line(tracked)
    terminal.line(f"results: {_shown(path)}")
    terminal.line("browse them in MLflow: make ui (or lossbench-ui)")
    return SOME_FAILED if missing or failed else SUCCESS


def first_lines(plan: Plan, before: dict[str, dict[int, Run]], open_seeds: dict[str, list[int]]) -> list[str]:
    """Return what is said first: the plan, what is there, what runs and why; then what is left out."""
    n_finished = sum(len(runs) for runs in before.values())
    line = f"{plan.name}: {_count(len(plan.cells), 'cell')}, {_count(_n_runs(plan), 'run')}, {n_finished} finished"
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
    reasons += _other_runs(plan)
    failed = sum(run.info.status == FAILED for runs in before.values() for run in runs.values())
    if failed and plan.rerun == "none":
        reasons.append(f"{failed} of them failed (rerun=failed runs these again)")
    lines = [line + "".join(f"; {reason}" for reason in reasons)]
    lines += [f"  {note}" for note in plan.notes]
    return lines + [f"  left out: {name}: {reason}" for name, reason in plan.skipped]


def _other_runs(plan: Plan) -> list[str]:
    """Say what else lies in the sweep's folder: other seeds, and other settings with what changed."""
    said = []
    planned = set(plan.seeds)
    more = sum(
        part_path(plan.folder / cell.folder, 0).parent.exists()
        and sum(1 for p in (plan.folder / cell.folder / "parts").glob("seed=*.npz") if _seed(p) not in planned)
        for cell in plan.cells
    )
    if more:
        said.append(f"{_count(more, 'run')} of other seeds on disk")
    others = list(other_cells(plan))
    if others:
        n_runs = sum(len(seeds) for _, seeds in others)
        changes = dict.fromkeys(change for other, _ in others for change in _changes(plan, other))
        shown = ", ".join(list(changes)[:3]) + (", …" if len(changes) > 3 else "")
        said.append(f"{_count(n_runs, 'run')} of other settings on disk" + (f" (changed: {shown})" if shown else ""))
    return said


def _seed(path: Path) -> int:
    digits = path.stem.removeprefix("seed=")
    return int(digits) if digits.isdigit() else -1


def _changes(plan: Plan, other: dict[str, Any]) -> list[str]:
    same_name = [cell for cell in plan.cells if cell.name == other["name"]]
    if not same_name:
        return []
    old = _flat({key: other["settings"].get(key) for key in KEY_SETTINGS})
    new = _flat({key: same_name[0].settings[key] for key in KEY_SETTINGS})
    return [f"{key} {old.get(key)} -> {new.get(key)}" for key in (old | new) if old.get(key) != new.get(key)]


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(settings, dict):
        return {prefix: settings}
    children = [_flat(value, f"{prefix}.{key}" if prefix else key) for key, value in settings.items()]
    return {key: value for child in children for key, value in child.items()}


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
                aside = plan.folder / folder / "earlier" / f"seed={seed}-{int(run.info.ended * 1000)}.npz"
                aside.parent.mkdir(exist_ok=True)
                part.rename(aside)


def _n_runs(plan: Plan) -> int:
    return len(plan.cells) * len(plan.seeds)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def _shown(path: Path) -> str:
    """Return a path relative to the working directory where it lies in it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


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


# ---- Launching: Hydra, its launcher, and what a job does.


def _launch(plan: Plan, open_seeds: dict[str, list[int]]) -> None:
    launcher = next((text.partition("=")[2] for text in plan.hydra if text.startswith("hydra/launcher=")), "basic")
    in_process = launcher == "basic"
    content = {"threads": 0 if in_process else _threads(plan), "seeds": open_seeds}
    write_text(plan.folder / "open.json", json.dumps(content))
    if in_process:
        from lossbench.cell import compile_ahead

        cells = [cell for cell in plan.cells if open_seeds[cell.folder]]
        compile_ahead([cell for cell in cells if cell.settings["trainer"] == "compiled"])
    overrides = [*search_path_override(), *plan.hydra]
    if plan.experiment:
        overrides.append(f"experiment={plan.experiment}")
    overrides.append(encode("name", plan.name))
    overrides.append(encode("hydra.sweep.dir", str(plan.folder)))
    argv, sys.argv = sys.argv, [sys.argv[0], "--multirun", *overrides]
    full_error = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")(job)()
    except Exception as error:
        raise MissingEnvironmentError(_launcher_problem(launcher, error)) from error
    finally:
        sys.argv = argv
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]


def _launcher_problem(launcher: str, error: Exception) -> Problem:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    package = f"hydra-{launcher.partition('_')[2] or launcher}-launcher"
    return Problem(
        f"the launcher {launcher!r} could not run the jobs: {first}",
        f"is it installed? pip install {package} (lossbench[joblib] brings joblib's)."
        if launcher != "basic"
        else "this is not an error of your sweep; please report it.",
    )


def _threads(plan: Plan) -> int:
    """Return how many threads a worker of a parallel launcher may use."""
    workers = [text.partition("=")[2] for text in plan.hydra if text.startswith("hydra.launcher.n_jobs=")]
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    n_workers = int(workers[0]) if workers and workers[0].isdigit() else n_cores
    return max(1, n_cores // max(1, n_workers))


def job_overrides(folder: Path) -> list[list[str]]:
    """Return what each open job of the sweep in a folder is told."""
    plan = read_plan(folder)
    seeds = json.loads((folder / "open.json").read_text())["seeds"]
    experiment = [f"experiment={plan.experiment}"] if plan.experiment else []
    return [
        [*experiment, *cell.overrides, encode("name", plan.name), encode("hydra.sweep.subdir", cell.folder)]
        for cell in plan.cells
        if seeds[cell.folder]
    ]


def job(config: DictConfig) -> None:
    """Train one cell: the task function that every launcher runs. Never raises for what goes wrong in a run."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    opened = json.loads((folder.parent / "open.json").read_text())
    cell = next(cell for cell in read_plan(folder.parent).cells if cell.folder == folder.name)
    try:
        from lossbench.cell import run_cell

        n_threads = opened["threads"] or len(os.sched_getaffinity(0))
        run_cell(cell, folder, opened["seeds"][cell.folder], n_threads)
    except Exception:
        log.exception("%s ended", cell.name)


# ---- Watching: one thread sees finished parts, prints and tracks them.


@dataclass
class Watcher:
    """Sees parts as they are finished, whatever process wrote them; prints lines and feeds the tracking thread."""

    plan: Plan
    terminal: Terminal
    open_seeds: dict[str, list[int]]
    tracking: "TrackingThread | None" = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _n_done: int = 0

    def start(self) -> None:
        """Start watching, in a thread of its own."""
        if self.plan.tracking["enabled"]:
            self.tracking = TrackingThread(self.plan)
            self.tracking.start()
        n_open = sum(map(len, self.open_seeds.values()))
        self._n_done = _n_runs(self.plan) - n_open
        self.terminal.start_progress(_n_runs(self.plan))
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look a last time, and stop."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self.terminal.stop_progress()

    def _watch(self) -> None:
        waiting = {cell.folder: set(self.open_seeds[cell.folder]) for cell in self.plan.cells}
        while True:
            last = self._stopped.is_set()
            for cell in self.plan.cells:
                if waiting[cell.folder]:
                    self._look(cell, waiting[cell.folder])
            if last:
                return
            self._stopped.wait(POLL_SECONDS)

    def _look(self, cell: Cell, waiting: set[int]) -> None:
        folder = self.plan.folder / cell.folder
        names = set(os.listdir(folder / "parts")) if (folder / "parts").is_dir() else set()
        for seed in sorted(waiting):
            if f"seed={seed}.npz" not in names:
                continue
            run = read_run(part_path(folder, seed))
            if run is None:
                continue
            waiting.discard(seed)
            self._n_done += 1
            if run.info.status == FAILED:
                self.terminal.run_failed(cell, run)
            if self.tracking is not None:
                self.tracking.put(cell, run)
        self.terminal.advance(self._n_done)
        if not waiting:
            self._cell_finished(cell)

    def _cell_finished(self, cell: Cell) -> None:
        runs = read_runs(self.plan.folder / cell.folder, self.plan.seeds)
        self.terminal.cell_finished(CellResults(cell, list(runs.values())))


class TrackingThread(threading.Thread):
    """The one writer to MLflow. What it cannot write stays on disk, and no training waits for it."""

    def __init__(self, plan: Plan):
        super().__init__(name="tracking", daemon=True)
        self.plan = plan
        self.error: BaseException | None = None
        self._queue: queue.Queue[tuple[Cell, Run] | None] = queue.Queue()
        self._interrupted = False
        self._results: list[CellResults] = []
        self._note = ""

    def put(self, cell: Cell, run: Run) -> None:
        """Give a finished run to be written."""
        self._queue.put((cell, run))

    def finish(self, results: list[CellResults], note: str, *, interrupted: bool = False) -> None:
        """Write what is left and wait for it."""
        self._results, self._note, self._interrupted = results, note, interrupted
        self._queue.put(None)
        self.join()

    def run(self) -> None:
        """Write until told to finish."""
        try:
            from lossbench.tracking import Tracker, default_uri

            tracker = Tracker(self.plan, tracking_uri(self.plan) or default_uri())
            try:
                self._write(tracker)
            finally:
                tracker.close()
        except Exception as error:
            log.warning("MLflow could not be written", exc_info=True)
            self.error = error

    def _write(self, tracker: Any) -> None:
        seen: dict[str, list[Run]] = {}
        n_written = 0
        while (item := self._queue.get()) is not None:
            cell, run = item
            tracker.add_run(cell, run)
            seen.setdefault(cell.folder, []).append(run)
            n_written += 1
            if len(seen[cell.folder]) == len(self.plan.seeds):
                runs = sorted(seen[cell.folder], key=lambda run: self.plan.seeds.index(run.info.seed))
                tracker.add_cell(CellResults(cell, runs))
                tracker.progress(n_written)
        if self._interrupted:
            return
        for result in self._results:
            for run in result.runs:
                tracker.add_run(result.cell, run)
            if len(result.runs) == len(self.plan.seeds):
                tracker.add_cell(result)
        tracker.finish(self._results, self._note)


def tracking_uri(plan: Plan) -> str | None:
    """Return the tracking server or store that the user named, if any."""
    return plan.tracking["uri"] or os.environ.get("MLFLOW_TRACKING_URI")


def _finish_tracking(
    plan: Plan, watcher: Watcher, results: list[CellResults], terminal: Terminal, *, interrupted: bool
) -> str | None:
    """Bring MLflow up to date and return what there is to say if that did not work."""
    if not plan.tracking["enabled"]:
        return None
    if watcher.tracking is None and is_tracked(plan, results):
        return None
    return track(plan, results, watcher.tracking, interrupted=interrupted)


def track(
    plan: Plan, results: list[CellResults], thread: TrackingThread | None = None, *, interrupted: bool = False
) -> str | None:
    """Write to MLflow what is not in it, and return what there is to say if that did not work."""
    if thread is None:
        thread = TrackingThread(plan)
        thread.start()
    thread.finish(results, _note(plan, results), interrupted=interrupted)
    if thread.error is not None:
        reason = str(thread.error).strip().splitlines() or [type(thread.error).__name__]
        return f"MLflow could not be written: {reason[0][:300]}\n  hint: nothing is lost; lossbench-sync sends the rest."
    if not interrupted:
        write_text(_marker(plan), _state(plan, results))
    return None


def is_tracked(plan: Plan, results: list[CellResults]) -> bool:
    """Say, without asking MLflow, whether all of this was written to the store that is still there."""
    store = home() / "mlruns" / "mlflow.db"
    there = tracking_uri(plan) is not None or store.exists()
    return there and _marker(plan).exists() and _marker(plan).read_text() == _state(plan, results)


def _marker(plan: Plan) -> Path:
    return plan.folder / "tracked.json"


def _state(plan: Plan, results: list[CellResults]) -> str:
    runs = {result.cell.key: {run.info.key: run.info.started for run in result.runs} for result in results}
    store = tracking_uri(plan) or str(home() / "mlruns" / "mlflow.db")
    return json.dumps({"store": store, "seeds": plan.seeds, "runs": runs}, indent=1)


def _note(plan: Plan, results: list[CellResults]) -> str:
    tables = "\n".join(summary_lines(plan, results))
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime())
    return f"`{plan.command}` (written {moment})\n\n```\n{tables.strip()}\n```\n"
