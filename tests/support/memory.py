"""Processes with so much memory and no more: a control group of the system, which only root may make."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")


@contextmanager
def limited_memory(megabytes: int) -> Iterator[str]:
    """Return the path of a file: a process that writes its id to it has, with its children, so much memory."""
    of_memory = GROUPS / "memory"
    first = of_memory.is_dir()
    group = (of_memory if first else GROUPS) / f"lossbench-tests-{os.getpid()}"
    group.mkdir()
    try:
        (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(megabytes * 1_000_000))
        yield str(group / "cgroup.procs")
    finally:
        group.rmdir()
