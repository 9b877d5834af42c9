"""A program that writes runs to MLflow in processes that are killed, each before another statement.

    python -m support.killed_writer <empty folder> <seeds> <step>

A forked process writes a sweep and is killed before its first statement; another one writes the same sweep and ends.
Then the same in a new store, killed ``step`` statements later, and so on until a process ends before it is killed. For
each of them a line of JSON says which seed runs there were after the kill, and in the end.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

from sqlalchemy import Engine, event

from lossbench.config.paths import default_store
from lossbench.tracking.tracker import Tracker
from support.mlflow_store import seed_runs
from support.untrained import untrained_sweep, write_runs


def write(n_seeds: int, kill_at: int | None) -> None:
    plan = untrained_sweep(n_seeds)
    found = write_runs(plan)
    tracker = Tracker(plan, default_store())
    count = 0

    def kill(*_) -> None:
        nonlocal count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    # The statements of MlflowClient, and those of the direct writer.
    event.listen(Engine, "before_cursor_execute", kill)
    tracker.add_runs(found)


def in_a_fork(home: Path, n_seeds: int, kill_at: int | None = None) -> bool:
    """Write in a process of its own, and return whether it was killed."""
    os.environ["LOSSBENCH_HOME"] = str(home)
    pid = os.fork()
    if pid == 0:
        try:
            write(n_seeds, kill_at)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a writer failed")
    return os.WIFSIGNALED(status)


def main() -> None:
    folder, n_seeds, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    # Creating the schema takes 2 s, so it is created once.
    in_a_fork(folder / "new", 0)
    killed, at = True, 1
    while killed:
        home = folder / f"killed-{at}"
        shutil.copytree(folder / "new", home)
        killed = in_a_fork(home, n_seeds, at)
        left = seed_runs(home)
        in_a_fork(home, n_seeds)
        print(json.dumps({"at": at, "killed": killed, "left": left, "after": seed_runs(home)}), flush=True)
        at += step


if __name__ == "__main__":
    main()
