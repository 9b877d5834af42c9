"""Has large imports done without Python's garbage collection, which takes a quarter of their time and finds little."""

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
def importing() -> Iterator[None]:
    """Collect no garbage while a process of ours imports in the block, and never look at what is imported by then.

    A full collection walks through all objects. TensorFlow, MLflow and pandas have hundreds of thousands, and none of
    them is ever freed.
    """
    with no_collection():
        yield
    gc.freeze()
