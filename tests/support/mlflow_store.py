"""MLflow's store as it lies on disk: straight from SQLite."""

import sqlite3
from contextlib import closing
from pathlib import Path

from lossbench.ground import quiet_tensorflow  # noqa: F401


def mlflow_runs(home: Path) -> list[dict[str, str]]:
    """Return the tags of all runs in the store, with their status and stage: straight from SQLite."""
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db")) as db:
        runs = db.execute("SELECT run_uuid, name, status, lifecycle_stage, experiment_id FROM runs").fetchall()
        found = []
        for run_id, name, status, stage, experiment in runs:
            tags = dict(db.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,)).fetchall())
            found.append({**tags, "id": run_id, "name": name, "run_status": status, "stage": stage, "exp": experiment})
    return found


def mlflow_metrics(home: Path, run_id: str) -> list[tuple[str, float, int, int, int]]:
    """Return (key, value, step, timestamp, is_nan) of a run, in order."""
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db")) as db:
        query = "SELECT key, value, step, timestamp, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, step"
        return db.execute(query, (run_id,)).fetchall()
