"""Runs a sweep on arrays: the command itself, in a process of its own, on a file that holds them."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

from lossbench.config.paths import home
from lossbench.ground.errors import INTERRUPTED, NOT_THERE, SOME_FAILED, SUCCESS, USAGE, Problem, UsageError
from lossbench.interface.arrays import kept
from lossbench.interface.loading import load
from lossbench.interface.sweep_results import Sweep

# As the command ``lossbench``, which need not be on the path. -P: modules of the working directory shadow no others.
COMMAND = (sys.executable, "-P", "-c", "from lossbench.commands.main import main; main()")
# A key in a hint, as it stands in quotes.
KEY = re.compile(r"'(dataset|loss|head|model|optimizer|schedule|corruption|repeat|tune|report|tracking)\.[a-z_.]+'")


def compare(
    x: Any,
    y: Any,
    losses: str | Iterable[str] = "all",
    *,
    task: str = "auto",
    name: str | None = None,
    verbose: bool = True,
    **settings: Any,
) -> Sweep:
    """Train with each loss on your data, compare the losses, and return the results.

    It is the command ``lossbench -m dataset.path=… loss=…`` on a file of the data: with its plan, its tracking, and its
    defaults for files. The same call again trains nothing that is finished.

    Parameters
    ----------
    x : DataFrame or array, shape (n_rows, n_features)
        The features: numbers, texts or dates.
    y : Series, DataFrame or array, shape (n_rows,) or (n_rows, n_targets)
        The targets; rows belong together by their order.
    losses : str or list of str
        Names of losses; ``all``: every loss that fits.
    task : str
        What the targets are: regression, binary, multiclass, multilabel or shares. ``auto`` infers it.
    name : str, optional
        The sweep's name; by default one made of the target, the data and the settings. More ``seeds`` continue it.
    verbose : bool
        Whether to print what the command prints.
    **settings
        Settings of the command, with ``__`` for a dot: ``epochs=50``, ``optimizer__learning_rate=0.1``. A tuple is a
        list of values to try: ``model__hidden_units=([20], [50, 50])``.

    Raises
    ------
    UsageError
        With every mistake in the data and the settings, and what to do.
    KeyboardInterrupt
        If it was interrupted; the same call continues it.

    Examples
    --------
    >>> import lossbench
    >>> sweep = lossbench.compare(x, y, ["mse", "mae", "huber"], epochs=50)  # doctest: +SKIP
    >>> sweep.best  # doctest: +SKIP
    """
    names: list[Any] = [losses] if isinstance(losses, str) or callable(losses) else list(losses)
    problems = [*map(_wrong_loss, names), *(_wrong_setting(*each) for each in settings.items())]
    if any(problems):
        raise UsageError(*filter(None, problems))
    path, targets = kept(x, y)
    given = {
        "dataset": "csv",
        "dataset.path": str(path),
        "dataset.target": targets[0] if len(targets) == 1 else targets,
    }
    given |= {"dataset.task": task} | {key.replace("__", "."): value for key, value in settings.items()}
    if given.get("plan"):
        raise UsageError(Problem("compare trains; with plan=True the command would only show what it would train."))
    overrides = [f"loss={','.join(names)}", *(override(key, value) for key, value in given.items())]
    name = name or _name(path.stem, overrides)
    _run([f"name={name}", *overrides], verbose=verbose)
    return load(name)


def _wrong_loss(name: Any) -> Problem | None:
    if isinstance(name, str):
        return None
    if not callable(name):
        return Problem(f"a loss is given by its name; got {name!r}.", "`lossbench-list loss` shows all.")
    own = getattr(name, "__name__", "mine")
    hint = f'write it into mine.py beside this program, and give "custom" with loss__function="mine:{own}"'
    return Problem(f"a loss is given by its name; got the function {own}, which a sweep's processes cannot see.", hint)


def _wrong_setting(key: str, value: Any) -> Problem | None:
    """Return the problem of a setting that Python can give and the command line cannot."""
    from lossbench.planning.schema import GROUPS

    if key in ("dataset__path", "dataset__target", "dataset", "loss"):
        return Problem(f"{key} cannot be set: the data are X and y, the losses the third argument.")
    if any(map(callable, value if isinstance(value, tuple) else (value,))):
        how = {"model": 'model="custom", model__function'}.get(key, key)
        hint = f'write it into mine.py beside this program, and give {how}="mine:name"'
        if how == key and not key.endswith("__function"):
            return Problem(f"{key} takes a name or a value; got a function.", f"`lossbench-list {key}` may show some.")
        return Problem(f"{key} is a function, which a sweep's processes cannot see.", hint)
    if key in GROUPS and isinstance(value, list):
        return Problem(f"{key} takes a name; got a list.", f"a tuple is several to compare: {key}={tuple(value)!r}")
    return None


def override(key: str, value: Any) -> str:
    """Return a setting as an argument of the command; a tuple as values to sweep over."""
    from lossbench.planning.command_line import encode
    from lossbench.planning.schema import GROUPS

    values = value if isinstance(value, tuple) else (value,)
    if key in GROUPS:
        values = tuple("none" if each is None else each for each in values)
    # Without the plus signs that Hydra needs for a mapping: the command adds them itself.
    return f"{key}=" + ",".join(encode(key, each).partition("=")[2] for each in values)


def _name(stem: str, overrides: list[str]) -> str:
    """Return a sweep's name that is the same for the same data and settings; more seeds are the same sweep."""
    content = "\n".join(text for text in overrides if not text.startswith(("seeds=", "dataset.path=")))
    return f"{stem}-{hashlib.sha256(content.encode()).hexdigest()[:6]}"


def _run(overrides: list[str], *, verbose: bool) -> None:
    """Run the command, print what it prints, and turn its end into an exception unless it has results."""
    env = {**os.environ, "LOSSBENCH_HOME": str(home()), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryFile() as errors:
        # In a session of its own, so that an interrupt reaches it once: from here.
        process = subprocess.Popen(
            [*COMMAND, "-m", *overrides],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        with process:
            interrupted = _relay(process, verbose=verbose)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    if interrupted or process.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if process.returncode in (USAGE, NOT_THERE):
        raise UsageError(*_problems(said))
    if process.returncode not in (SUCCESS, SOME_FAILED):
        raise RuntimeError(f"the command ended with status {process.returncode}:\n{said[-4000:]}")


def _relay(process: subprocess.Popen, *, verbose: bool) -> bool:
    """Print the lines of a process until it ends, and return whether it was interrupted; it then ends in order."""
    assert process.stdout is not None, "its output is a pipe"
    interrupted = False
    while True:
        try:
            for line in process.stdout:
                if verbose:
                    # To the notebook's own output, which a child process cannot write to.
                    print(line, end="", flush=True)
            process.wait()
            return interrupted
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGINT)


def _problems(said: str) -> list[Problem]:
    """Return the problems that the command printed."""
    found = re.split(r"^error: ", said, flags=re.MULTILINE)[1:]
    parts = [text.strip().partition("\n  hint: ") for text in found]
    # A keyword of Python has no dots.
    parts = [(message, _, KEY.sub(lambda key: key[0].replace(".", "__"), hint)) for message, _, hint in parts]
    return [Problem(message, hint) for message, _, hint in parts] or [Problem(said or "the command failed.")]
