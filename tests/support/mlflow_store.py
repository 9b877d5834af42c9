"""MLflow's store as it lies on disk: straight from SQLite."""

import sqlite3
from contextlib import closing
from pathlib import Path

from lossbench.ground import quiet_tensorflow  # noqa: F401


def mlflow_runs(home: Path, store: Path | None = None) -> list[dict[str, str]]:
    """Return the tags of all runs in the store, with their status and stage: straight from SQLite."""
    with closing(sqlite3.connect(store or home / "mlruns" / "mlflow.db")) as db:
        runs = db.execute("SELECT run_uuid, name, status, lifecycle_stage, experiment_id FROM runs").fetchall()
        found = []
        for run_id, name, status, stage, experiment in runs:
            tags = dict(db.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,)).fetchall())
            found.append({**tags, "id": run_id, "name": name, "run_status": status, "stage": stage, "exp": experiment})
    return found


def mlflow_metrics(home: Path, run_id: str, store: Path | None = None) -> list[tuple[str, float, int, int, int]]:
    """Return (key, value, step, timestamp, is_nan) of a run, in order."""
    with closing(sqlite3.connect(store or home / "mlruns" / "mlflow.db")) as db:
        query = "SELECT key, value, step, timestamp, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, step"
        return db.execute(query, (run_id,)).fetchall()


def seed_runs(home: Path) -> list[tuple[str, ...]]:
    """Return of each seed's run its key, status, stage, and all its rows in other tables, straight from SQLite."""
    found = []
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db")) as db:
        for run_id, key in db.execute("SELECT run_uuid, value FROM tags WHERE key = 'run_key'").fetchall():
            own = f"WHERE run_uuid = '{run_id}'"
            rows = [db.execute(f"SELECT status, lifecycle_stage, start_time, end_time FROM runs {own}").fetchall()]
            rows.append(db.execute(f"SELECT key, value FROM tags {own} AND key != 'mlflow.parentRunId'").fetchall())
            rows.append(db.execute(f"SELECT key, value FROM params {own}").fetchall())
            for table in ("metrics", "latest_metrics"):
                rows.append(db.execute(f"SELECT key, value, timestamp, step, is_nan FROM {table} {own}").fetchall())
            found.append((key, *(repr(sorted(some)) for some in rows)))
    return sorted(found)
