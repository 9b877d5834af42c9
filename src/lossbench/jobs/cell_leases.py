"""The lease of a cell, or of a data set's yardsticks: no two processes train the same one, on whatever machines.

Where a cluster's jobs share a cell each has a lease of its own of it, by the name of its first run.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lossbench.ground.leases import Holder, Leases, leases_of

log = logging.getLogger(__name__)

# In the environment of a job of a cluster: it waits for a cell that another process trains, for nobody starts it again.
WAITS = "LOSSBENCH_WAITS_FOR_CELLS"
POLL_SECONDS = 1.0
# Between the name of a cell and that of a share's first run; the folder of no cell has it.
SHARE = "~"


@contextmanager
def leased(folder: Path, share: tuple[str, ...], *, is_alone: bool) -> Iterator[bool]:
    """Hold the lease of the cell in a folder during the block, which is given whether it was to be had.

    Parameters
    ----------
    share : tuple of str
        The names of the runs of a share; none for all of the cell.
    is_alone : bool
        Whether this process was started for jobs alone. It then has not seen the leases before, and looks until it
        knows whether they are still changed.
    """
    leases = leases_of(folder.parent)
    name = f"{folder.name}{SHARE}{share[0]}" if share else folder.name
    try:
        if is_alone:
            # The shares of others are not in the way of a share.
            leases.settle(lambda each: each in (name, folder.name) if share else _cell_of(each) == folder.name)
        is_ours = _take(leases, name)
        while not is_ours and WAITS in os.environ:
            time.sleep(POLL_SECONDS)
            is_ours = _take(leases, name)
    except OSError:
        # The disk may be full. Two that train one cell lose time, and nothing else.
        log.exception("the lease of %s cannot be written", folder.name)
        is_ours = True
    try:
        yield is_ours
    finally:
        leases.release(name)


def holder_of(leases: Leases, cell: str) -> Holder | None:
    """Return another process that trains a cell or a share of it; None if there is none."""
    return next(iter(leases.others(lambda name: _cell_of(name) == cell)), None)


def _take(leases: Leases, name: str) -> bool:
    """Take the lease of a cell of which nobody trains a share, or of a share of one that nobody trains as a whole."""
    cell = _cell_of(name)
    if (leases.holder(cell) if name != cell else holder_of(leases, cell)) is None:
        return leases.take(name)
    leases.refused.add(name)
    return False


def _cell_of(name: str) -> str:
    return name.partition(SHARE)[0]
