"""What tests share: the real command in a process of its own, and one small sweep that many look at."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lossbench.config.mlflow_environment import configure_mlflow
from lossbench.ground import quiet_tensorflow  # noqa: F401

configure_mlflow()

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "LOSSBENCH_", "HYDRA_"))}
    return {**kept, "LOSSBENCH_HOME": str(home), "COLUMNS": "80", **more}


def run(home: Path, *arguments: str, command: str = "lossbench", **more: str) -> Done:
    """Run a command as a user does, and return how it ended."""
    done = subprocess.run(
        [str(BIN / command), *arguments],
        env=environment(home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def mlflow_runs(home: Path) -> list[dict[str, str]]:
    """Return the tags of all runs in the store, with their status and stage: straight from SQLite."""
    with sqlite3.connect(home / "mlruns" / "mlflow.db") as db:
        runs = db.execute("SELECT run_uuid, name, status, lifecycle_stage, experiment_id FROM runs").fetchall()
        found = []
        for run_id, name, status, stage, experiment in runs:
            tags = dict(db.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,)).fetchall())
            found.append({**tags, "id": run_id, "name": name, "run_status": status, "stage": stage, "exp": experiment})
    return found


def mlflow_metrics(home: Path, run_id: str) -> list[tuple[str, float, int, int, int]]:
    """Return (key, value, step, timestamp, is_nan) of a run, in order."""
    with sqlite3.connect(home / "mlruns" / "mlflow.db") as db:
        query = "SELECT key, value, step, timestamp, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, step"
        return db.execute(query, (run_id,)).fetchall()


@dataclass(frozen=True)
class Sweep:
    """A finished sweep."""

    home: Path
    name: str
    done: Done

    @property
    def folder(self) -> Path:
        return self.home / "multirun" / self.name

    @property
    def plan(self) -> dict:
        return json.loads((self.folder / "plan.json").read_text())


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Sweep:
    """``experiment=smoke``: 4 cells, 3 seeds, 5 epochs, tracked. Not to be changed by a test."""
    home = tmp_path_factory.mktemp("smoke")
    return Sweep(home, "smoke", run(home, "experiment=smoke"))
