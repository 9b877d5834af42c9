"""Has large imports and the like done without garbage collection, which takes a quarter of their time for nothing."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Collect no garbage in the block, such as an import."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def lasting() -> Iterator[None]:
    """Collect no garbage in the block, whose objects a process of ours keeps to its end, nor ever look at them again.

    A full collection walks through all objects. TensorFlow, MLflow and pandas have hundreds of thousands, the results
    of a large sweep no less, and none of them is ever freed.
    """
    with no_collection():
        yield
    gc.freeze()
