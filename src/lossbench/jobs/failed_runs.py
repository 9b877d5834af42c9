"""Names runs in part files, and writes those that have no result as failed."""

import logging
import time
from dataclasses import replace
from pathlib import Path

from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell
from lossbench.planning.yardsticks import Yardsticks
from lossbench.results.part_files import FAILED, RunInfo, write_run

log = logging.getLogger(__name__)


def run_key(cell: Cell, run: RunId) -> str:
    """Return the identifier of a run in part files and in MLflow: digits of the cell's key, and those of the run."""
    return f"{cell.key[:16]}-{run.short}"


def yardstick_key(wanted: Yardsticks, model: str, run: RunId) -> str:
    """Return the identifier of a yardstick's training in its part file."""
    return f"{wanted.key[:16]}-{model}-{run.short}"


def write_failed(path: Path, key: str, run: RunId, started: float, error: str) -> None:
    """Write a part file of a run that failed.

    Parameters
    ----------
    key : str
        Its identifier, of ``run_key`` or ``yardstick_key``.
    started : float
        When it was started, in seconds since 1970.
    error : str
        What ended it.
    """
    info = RunInfo(run.seed, key, FAILED, started, time.time(), error=error)
    try:
        write_run(path, replace(info, repetition=run.repetition, fold=run.fold), {})
    except OSError:
        # The disk may be full. Without a part file it stays open, and the next start trains it.
        log.exception("%s could not be written", path.stem)
