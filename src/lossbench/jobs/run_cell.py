"""Trains one cell, from its settings to its part files: the work of a Hydra job."""

import logging
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from lossbench.config.search_space import LEARNING_RATE, dimensions
from lossbench.config.settings import CUSTOM
from lossbench.ground import quiet_tensorflow  # noqa: F401
from lossbench.ground.at_work import Doing
from lossbench.ground.cores import n_cores
from lossbench.ground.run_ids import RunId
from lossbench.ground.user_functions import make_importable
from lossbench.jobs.cell_files import write_cell
from lossbench.jobs.evaluate import evaluated
from lossbench.jobs.failed_runs import run_key, write_failed
from lossbench.jobs.prepare import PreparedCell
from lossbench.jobs.worker.tasks import AHEAD, PREPARATION, STUDY, CellTask
from lossbench.planning.plan import Cell
from lossbench.results.part_files import part_path, write_part
from lossbench.training import specification
from lossbench.training.compiled import program_for
from lossbench.training.specification import Structure
from lossbench.training.trainers import TRAIN
from lossbench.tuning.study import prepared_study, search
from lossbench.tuning.study_files import Outcome, read_outcome

log = logging.getLogger(__name__)

# Each program that is being compiled takes memory, and a loop that is one function is compiled by one thread.
MOST_COMPILERS = 4


def compile_ahead(tasks: list[CellTask], doing: Doing = nullcontext) -> None:
    """Compile the programs of the open runs of these cells, in their order, in threads beside the trainings.

    User's own functions are not called ahead: if one takes the process down, it takes no other cell along.
    """
    with doing(AHEAD), ThreadPoolExecutor(min(n_cores(), MOST_COMPILERS)) as pool:
        list(pool.map(_compile_ahead, tasks))


def _compile_ahead(task: CellTask) -> None:
    settings = task.cell.settings
    if settings.trainer != "compiled" or CUSTOM in (settings.loss.name, settings.model.name):
        return
    try:
        for structure in _structures(task.cell, task.folder, task.runs):
            program_for(structure)
    except Exception:
        # The cell's own job meets the same error and reports it to the user.
        log.debug("compiling ahead failed for %s", task.cell.name, exc_info=True)


def _structures(cell: Cell, folder: Path, runs: list[RunId]) -> Iterator[Structure]:
    """Yield the structures of the programs of a cell's open runs, in the order in which the cell needs them.

    Before a tuned cell's study has ended, structures that the study may still change cannot be known and are left out.
    """
    outcome = read_outcome(folder) if cell.is_tuned else None
    if cell.is_tuned and (outcome is None or not outcome.serves(runs)):
        searched = {dimension.key for dimension in dimensions(cell.settings)}
        if not all(key == LEARNING_RATE or key.startswith("loss.") for key in searched):
            return
        yield prepared_study(cell, 0 if cell.settings.folds else None).structure({})
    yield from PreparedCell(cell, outcome).structures(runs)


def run_cell(
    cell: Cell,
    folder: Path,
    runs: list[RunId],
    n_threads: int,
    doing: Doing = nullcontext,
    all_runs: list[RunId] | None = None,
) -> None:
    """Run the study of a tuned cell, then train its runs and write each one's part file as soon as it has ended.

    An error is never raised: the runs that it concerns are written as failed, and the log has the traceback.

    Parameters
    ----------
    folder : Path
        The cell's folder.
    runs : list of RunId
        The open runs.
    n_threads : int
        The number of trainings that run at the same time.
    doing : callable
        Told what is at work: the preparation of the cell, its study and each of that's trainings, each run by its name.
    all_runs : list of RunId or None
        The runs that the study is made for, if these are only some of them.
    """
    started = time.time()
    try:
        make_importable()
        folder.mkdir(parents=True, exist_ok=True)
        if cell.settings.loss.name == CUSTOM:
            with doing(PREPARATION):
                _check_custom_loss(PreparedCell(cell), runs[0])
        outcome = _search(cell, folder, all_runs or runs, n_threads, doing) if cell.is_tuned else None
        started = time.time()
        with doing(PREPARATION):
            prepared = PreparedCell(cell, outcome)
            write_cell(prepared, folder)
            if cell.settings.trainer == "compiled":
                for structure in prepared.structures(runs):
                    _compile(structure)
    except Exception as error:
        log.exception("%s cannot be trained", cell.name)
        for each in runs:
            _write_failed(cell, folder, each, started, error)
        return
    _train_all(prepared, folder, runs, n_threads, doing)


def _search(cell: Cell, folder: Path, runs: list[RunId], n_threads: int, doing: Doing) -> Outcome:
    if cell.settings.trainer == "compiled":
        # Compiled before the first trial: an error in compiling is reported as itself, not as a failure of every trial.
        with doing(PREPARATION):
            for structure in islice(_structures(cell, folder, runs), 1):
                _compile(structure)
    with doing(STUDY):
        outcome = search(cell, folder, runs, n_threads, lambda training: doing(f"{STUDY}: {training}"))
    if outcome.problem:
        raise NoLearningRateError(outcome.problem)
    return outcome


def _compile(structure: Structure) -> None:
    try:
        program_for(structure)
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise RuntimeError(
            f"this training cannot be compiled; trainer=fit trains it as Keras does. {type(error).__name__}: {said}"
        ) from error


def _check_custom_loss(prepared: PreparedCell, run: RunId) -> None:
    batch = slice(0, prepared.cell.settings.batch_size)
    x, y = (part["train"][batch] for part in (prepared.data.x, prepared.data.y))
    seed = run.training_seed
    specification.check_loss(prepared.structure, prepared.cell.pair, x, y, seed, prepared.hyperparameters.loss)


class NoLearningRateError(Exception):
    """Every trial of a cell's study failed, so its runs cannot be trained."""


def _train_all(prepared: PreparedCell, folder: Path, runs: list[RunId], n_threads: int, doing: Doing) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(n_threads, thread_name_prefix="train") as pool:
        futures: list[Future] = [pool.submit(_run, prepared, folder, each, stop, doing) for each in runs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            # An interrupt: drop the waiting runs, and ask those in training to stop between epochs.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _run(prepared: PreparedCell, folder: Path, run: RunId, stop: threading.Event, doing: Doing) -> None:
    cell, started = prepared.cell, time.time()
    try:
        own = prepared.run(run)
        structure, hyperparameters = own.cell.structure, own.cell.hyperparameters
        with doing(run.name):
            trained = TRAIN[cell.settings.trainer](structure, own.data, hyperparameters, run.training_seed, stop.is_set)
            info, arrays = evaluated(own, trained, started)
            if not write_part(folder, info, arrays):
                log.info("%s %s: another process has recorded it", cell.name, run.name)
    except specification.StoppedError:
        # The user interrupted the sweep: without a part file the run stays open.
        return
    except Exception as error:
        log.exception("%s %s failed", cell.name, run.name)
        _write_failed(cell, folder, run, started, error)


def _write_failed(cell: Cell, folder: Path, run: RunId, started: float, error: Exception) -> None:
    text = "".join(traceback.format_exception_only(error)).strip()
    text = str(error) if isinstance(error, NoLearningRateError) else text
    write_failed(part_path(folder, run), run_key(cell, run), run, started, text)
