"""The runs that a job has of its cell, where jobs of a cluster share one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_share: ContextVar[tuple[str, ...]] = ContextVar("share", default=())


@contextmanager
def only(runs: Iterable[str]) -> Iterator[None]:
    """Have the job in the block train only the runs of these names; without any, all that are open of its cell."""
    token = _share.set(tuple(runs))
    try:
        yield
    finally:
        _share.reset(token)


def own_share() -> tuple[str, ...]:
    """Return the names of the runs that the job at hand has of its cell; none: all that are open."""
    return _share.get()
