"""Ties a process to the one that started it."""

import os
import signal
import sys

# prctl's option "send this signal to me when my parent ends" (Linux).
PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the system end this process when its parent ends, even if native code holds Python's lock then.

    Elsewhere than under Linux nothing is done.

    Parameters
    ----------
    parent : int
        The id of the process that started this one; if that has ended already, this one ends at once.
    """
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
