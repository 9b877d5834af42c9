"""Has tasks trained by the worker of this process: gives it orders, listens, and starts another one when it is lost."""

import logging

from lossbench.ground.shortages import KILLED_FOR_MEMORY, shortage
from lossbench.jobs.worker.attempts import Attempts
from lossbench.jobs.worker.process import CompileAhead, DiedError, Train, Worker
from lossbench.jobs.worker.tasks import AHEAD, CellTask, Task

log = logging.getLogger(__name__)

# So often a worker may be killed before it could begin.
MOST_STARTS = 3


class NoWorkerError(Exception):
    """The worker cannot be started."""


class Supervisor:
    """The worker of this process, and what it compiles ahead.

    Attributes
    ----------
    problem : NoWorkerError or None
        Why no worker can be started, once that is known.
    """

    def __init__(self) -> None:
        self.problem: NoWorkerError | None = None
        self._worker: Worker | None = None
        self._ahead: list[CellTask] = []
        self._n_unready = 0

    @property
    def is_ready(self) -> bool:
        """Whether the worker has loaded all that it needs."""
        return self._worker is not None and self._worker.is_ready

    def start(self) -> Worker:
        """Return the worker, which is started if there is none."""
        self._worker = self._worker or Worker()
        return self._worker

    def end(self, *, keep: bool = True) -> None:
        """End the worker if there is one, and keep the programs that it has compiled, unless they may be to blame."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end(keep=keep)

    def compile_ahead(self, tasks: list[CellTask]) -> None:
        """Have the programs of these cells compiled in this order, while others train."""
        self._ahead = tasks
        self.start().order(CompileAhead(tasks))

    def train(self, task: Task, n_threads: int, timeout: float | None) -> None:
        """Have a task trained; afterwards each part is on disk, or could not be written.

        Parameters
        ----------
        n_threads : int
            The number of trainings that run at the same time.
        timeout : float or None
            Seconds after which a training is given up; None: never.

        Raises
        ------
        NoWorkerError
            If no worker can be started; the parts stay open.
        """
        self._ahead = [other for other in self._ahead if other.folder != task.folder]
        attempts = Attempts(task, timeout)
        while attempts.left:
            if self.problem is not None:
                raise self.problem
            worker = self.start()
            if self._ahead and not worker.compiles_ahead and not attempts.alone:
                worker.order(CompileAhead(self._ahead))
            is_one = attempts.alone or (timeout is not None and task.is_serial)
            worker.order(Train(task, attempts.next, 1 if is_one else n_threads, _level()))
            try:
                self._follow(worker, attempts)
            except KeyboardInterrupt:
                self._worker = None
                worker.interrupt()
                raise

    def _follow(self, worker: Worker, attempts: Attempts) -> None:
        """Follow an attempt to its end."""
        try:
            while not worker.is_done():
                if late := attempts.late(worker.doing):
                    attempts.stood_still(late, worker.doing)
                    self._lose(worker)
                    return
        except DiedError as error:
            if worker.is_ready:
                attempts.died(error, worker.doing)
            else:
                self._note_unready(error, worker)
            self._lose(worker)
        else:
            attempts.ended()
            if said := worker.said():
                log.info("the process that trains said:\n%s", said)

    def _note_unready(self, error: DiedError, worker: Worker) -> None:
        """Note that a worker has ended before it could begin: killed, or by an error that the next one meets too."""
        self._n_unready += 1
        if self._n_unready == MOST_STARTS or not error.is_signal:
            lines = worker.said().splitlines() or ["it said nothing"]
            said = next((line for line in reversed(lines) if shortage(line)), lines[-1])
            if error.is_signal and not shortage(said):
                said = f"{KILLED_FOR_MEMORY}; {said}"
            self.problem = NoWorkerError(f"the process that trains ended at its start with {error}: {said.strip()}")

    def _lose(self, worker: Worker) -> None:
        """Give up a worker; what it was compiling ahead, which may have been to blame, is not compiled ahead again."""
        if AHEAD in worker.doing and worker.is_ready:
            self._ahead = []
        if said := worker.said():
            log.error("the process that trains said:\n%s", said)
        self.end(keep=False)


def _level() -> int:
    """Return the level from which on a logger of this job records something, as Hydra has set them."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    return min(each.level for each in loggers if isinstance(each, logging.Logger) and each.level)


# A process has one worker, which trains one task after the other.
supervisor = Supervisor()
