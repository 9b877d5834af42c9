"""The lease of a cell, or of a data set's yardsticks: no two processes train the same one, on whatever machines."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lossbench.ground.leases import leases_of

log = logging.getLogger(__name__)

# In the environment of a job of a cluster: it waits for a cell that another process trains, for nobody starts it again.
WAITS = "LOSSBENCH_WAITS_FOR_CELLS"
POLL_SECONDS = 1.0


@contextmanager
def leased(folder: Path, *, is_alone: bool) -> Iterator[bool]:
    """Hold the lease of the cell in a folder during the block, which is given whether it was to be had.

    Parameters
    ----------
    is_alone : bool
        Whether this process was started for jobs alone. It then has not seen the leases before, and looks until it
        knows whether they are still changed.
    """
    leases = leases_of(folder.parent)
    try:
        if is_alone:
            leases.settle(lambda name: name == folder.name)
        is_ours = leases.take(folder.name)
        while not is_ours and WAITS in os.environ:
            time.sleep(POLL_SECONDS)
            is_ours = leases.take(folder.name)
    except OSError:
        # The disk may be full. Two that train one cell lose time, and nothing else.
        log.exception("the lease of %s cannot be written", folder.name)
        is_ours = True
    try:
        yield is_ours
    finally:
        leases.release(folder.name)
