"""Recognises errors that say that the machine has run out of something: disk, memory, file handles."""

from lossbench.ground.errors import Problem

# What is said of a process that was killed from outside at each of its starts.
KILLED_FOR_MEMORY = "the system kills for want of memory"
# What Python, TensorFlow, SQLite and the dynamic linker say, by what is short.
SAYINGS = {
    "disk": ("No space left on device", "Disk quota exceeded", "database or disk is full"),
    "memory": (
        *("MemoryError", "Cannot allocate memory", "ResourceExhausted", "failed to map segment", "bad_alloc"),
        KILLED_FOR_MEMORY,
    ),
    "file handles": ("Too many open files",),
}
WAYS_OUT = {
    "disk": "make room there (lossbench-list sweeps shows what sweeps take), or set LOSSBENCH_HOME to another disk",
    "memory": "end other programs, or take a smaller batch_size or model; hydra/launcher=joblib needs more",
    "file handles": "allow more: ulimit -n 1024",
}


def shortage(text: str) -> str | None:
    """Return what an error's text says has run out: ``disk``, ``memory`` or ``file handles``; None for others."""
    return next((what for what, sayings in SAYINGS.items() if any(said in text for said in sayings)), None)


def problem_of_shortage(error: BaseException | None) -> Problem | None:
    """Return the problem of an error, or of one that caused it, that says that something has run out; else None."""
    while error is not None:
        text = f"{type(error).__name__}: {error}"
        what = shortage(text)
        if what:
            where = getattr(error, "filename", None)
            said = " ".join(str(error).split())[:200] or type(error).__name__
            message = f"out of {what}{f' at {where}' if where else ''} ({said})."
            return Problem(message, f"{WAYS_OUT[what]}; what is finished stays, and the same command continues.")
        error = error.__cause__
    return None
