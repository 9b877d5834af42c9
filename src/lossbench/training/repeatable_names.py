"""Gives the parts of a compiled program the same names in every process, so that XLA finds it among those on disk.

XLA looks a program up by all of its text, in which the names of functions and layers stand. TensorFlow and Keras number
these by counters of the whole process: the same training would have other names after other trainings.
"""

import hashlib
import itertools
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from keras.src.backend.common import global_state
from tensorflow.python.framework import ops

# Where Keras counts the layers of each name.
KERAS_COUNTERS = "object_name_uids"
_n_built: Counter[str] = Counter()


@contextmanager
def repeatable_names(program: str) -> Iterator[None]:
    """Have what this thread builds within the block numbered by counters that depend on the program alone.

    TensorFlow has no public way to do this, so its counter is replaced in the meantime; other threads count on as they
    did. It is used under ``specification.tracing_lock``. Names must not be taken twice in a process, so a program that
    is built again has others.

    Parameters
    ----------
    program : str
        What differs between programs.
    """
    # A thread's own graph, which is made when it is first asked for, takes a number too.
    ops.get_default_graph()
    _n_built[program] += 1
    start = int(hashlib.sha256(f"{program} {_n_built[program]}".encode()).hexdigest()[:13], 16)
    numbers, counted, mine = itertools.count(start), ops.uid, threading.get_ident()
    layers = global_state.get_global_attribute(KERAS_COUNTERS)
    ops.uid = lambda: next(numbers) if threading.get_ident() == mine else counted()
    global_state.set_global_attribute(KERAS_COUNTERS, defaultdict(int))
    try:
        yield
    finally:
        ops.uid = counted
        global_state.set_global_attribute(KERAS_COUNTERS, layers)
