"""Finds the open runs of a sweep and prepares its folder; earlier results are moved aside, never deleted."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lossbench.ground.errors import MissingEnvironmentError, Problem
from lossbench.ground.shortages import shortage
from lossbench.planning.plan import Plan
from lossbench.results.part_files import FAILED, Run, part_path, read_run
from lossbench.tuning.study_files import read_outcome


def open_seeds_of(plan: Plan, runs: dict[int, Run]) -> list[int]:
    """Return the seeds of a cell that must be run, given the runs on disk and ``rerun``."""

    def is_open(seed: int) -> bool:
        if plan.rerun == "all" or seed not in runs:
            return True
        failed = runs[seed].info.status == FAILED
        # A run that failed because the machine had no room says nothing of its loss: it is run again unasked.
        return failed and (plan.rerun == "failed" or shortage(runs[seed].info.error) is not None)

    return [seed for seed in plan.seeds if is_open(seed)]


def rename_folders(plan: Plan) -> None:
    """Rename the folders of cells whose name has changed, as after the user renamed a data file."""
    # A folder's name ends in 8 digits of its cell's key, which does not depend on the cell's name.
    there = {path.parent.name[-8:]: path.parent for path in plan.folder.glob("*/cell.json")}
    for cell in plan.cells:
        earlier = there.get(cell.key[:8])
        if earlier is not None and not (plan.folder / cell.folder).exists():
            earlier.rename(plan.folder / cell.folder)


def set_earlier_aside(plan: Plan, open_seeds: dict[str, list[int]]) -> None:
    """Move the part files of runs that are done again to ``earlier/``, before the first job.

    Once its part file is moved a run counts as open. So after a kill the same command runs the rest, and no earlier
    result is taken for a new one.
    """
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
    """Move a cell's study to ``earlier/``, with ``rerun=all`` or if the runs failed because all its trials did."""
    outcome = read_outcome(folder)
    if outcome is not None and (plan.rerun == "all" or outcome.problem):
        aside = folder / "earlier" / f"study-{int(outcome.ended * 1000)}"
        aside.parent.mkdir(exist_ok=True)
        (folder / "study").rename(aside)


@contextmanager
def sweep_lock(folder: Path) -> Iterator[None]:
    """Lock a sweep's folder, which is made if it is not there, against a second process.

    The operating system frees the lock when the process ends, even if it is killed, so no stale lock can remain.

    Raises
    ------
    MissingEnvironmentError
        If the folder cannot be written, or another process holds the lock.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / ".lock", "wb")  # noqa: SIM115
    except OSError as error:
        raise MissingEnvironmentError(
            Problem(f"{folder} cannot be written: {error.strerror}.", "set LOSSBENCH_HOME to another folder.")
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another lossbench is at work on {folder.name} in {folder}."
            raise MissingEnvironmentError(Problem(message, "wait for it, or choose another name=…")) from None
        yield


def is_locked(folder: Path, *, tracking_only: bool = False) -> bool:
    """Return whether a process is at work on a sweep: training (unless ``tracking_only``), or writing it to MLflow."""
    return any(_is_held(folder / name) for name in ([] if tracking_only else [".lock"]) + [".tracking-lock"])


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
