"""What runs inside the worker process: it takes orders, trains, and tells its parent what it is at work on."""

import faulthandler
import logging
import logging.handlers
import os
import pickle
import queue
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from lossbench.ground.errors import INTERRUPTED
from lossbench.ground.garbage import lasting

log = logging.getLogger(__name__)

# prctl's option "send this signal to me when my parent ends" (Linux).
PR_SET_PDEATHSIG = 1
# The bytes of address space that all imports take on two cores. With a little less, Python never ends in TensorFlow's.
LEAST_MEMORY = 1.9e9


def main() -> None:
    """Take orders until the parent ends; the arguments are the connection's descriptor and the parent's id."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    _end_with(parent)
    os.set_inheritable(descriptor, False)
    # Set here: a shell that starts lossbench in the background has SIGINT ignored, in children too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A crash in native code then leaves the Python lines that led to it in the output, and so in the cell's log.
    faulthandler.enable()
    status = 1
    try:
        _Inside(Connection(descriptor)).serve()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Without Python's usual end: TensorFlow aborts a process that ends while one of its threads compiles.
        os._exit(status)


def _end_with(parent: int) -> None:
    """Have the system end this process when its parent ends, even if native code holds Python's lock then.

    Where the system cannot do that, the thread that takes orders ends the process when the connection closes.
    """
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _check_memory() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY:
        needed = f"TensorFlow takes {LEAST_MEMORY / 1e9:.1f} GB of address space"
        raise MemoryError(f"{needed}, and the limit of the system (ulimit -v) is {limit / 1e9:.1f} GB")


@contextmanager
def _without_matplotlib() -> Iterator[None]:
    """Import as if Matplotlib were not installed: Keras imports it where it can, for pictures that nobody draws here.

    It takes a tenth of the time that the imports take, for which each start of a sweep waits.
    """
    if "matplotlib" in sys.modules:
        yield
        return
    sys.modules["matplotlib"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop("matplotlib", None)


class _Inside:
    def __init__(self, connection: Connection):
        self._connection = connection
        self._sending = threading.Lock()
        self._orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._take_orders, name="orders", daemon=True).start()
        logging.root.addHandler(_ToParent(self))

    def _take_orders(self) -> None:
        while True:
            try:
                # Not unpickled here: that imports, which another thread must not do while TensorFlow is imported.
                self._orders.put(self._connection.recv_bytes())
            except (EOFError, OSError):
                os._exit(1)

    def serve(self) -> None:
        _check_memory()
        from lossbench.ground.user_functions import make_importable

        with lasting(), _without_matplotlib():
            from lossbench.jobs.run_cell import compile_ahead
        from lossbench.jobs.worker.process import CompileAhead, Train

        make_importable()
        self.tell("ready", None)
        while True:
            order = pickle.loads(self._orders.get())
            if isinstance(order, CompileAhead):
                threading.Thread(
                    target=compile_ahead, args=(order.tasks, self.doing), name="compile-ahead", daemon=True
                ).start()
            elif isinstance(order, Train):
                logging.root.setLevel(order.level)
                try:
                    order.task.carry_out(order.parts, order.n_threads, self.doing)
                except Exception:
                    log.exception("%s ended", order.task.name)
                sys.stdout.flush()
                self.tell("done", None)

    def tell(self, kind: str, content: Any) -> None:
        with self._sending:
            self._connection.send((kind, content))

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Tell the parent that this begins, and at the end of the block that it has ended."""
        self.tell("began", what)
        try:
            yield
        finally:
            self.tell("ended", what)


class _ToParent(logging.handlers.QueueHandler):
    """Sends log records to the parent, which has the handlers that Hydra configured for the job."""

    def __init__(self, inside: _Inside):
        super().__init__(queue.SimpleQueue())
        self._inside = inside

    def enqueue(self, record: logging.LogRecord) -> None:
        self._inside.tell("log", record)
