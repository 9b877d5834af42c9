"""Writes finished runs into MLflow's SQLite database directly, many in one transaction, and finds runs there.

``MlflowClient`` takes 50 ms of a processor for a run with 830 values: half of them for an object of SQLAlchemy's for
each value, a third for the six sessions of a run, each with a commit of its own. The same rows take 3 ms when many runs
share a transaction. MLflow itself inserts rows when it migrates a store of files (``mlflow.store.fs2db``).

The rows are those of a schema, so ``direct_writer`` opens only databases whose schema is known. All others, and every
server, get the same runs through ``MlflowClient``; ``tests/tracking/test_direct_writer.py`` compares what both leave
behind.
"""

import math
import time
import uuid
from collections.abc import Callable
from sqlite3 import SQLITE_BUSY, SQLITE_LOCKED
from typing import Any, TypeVar

from mlflow.entities import Experiment as Recorded
from mlflow.entities import Metric, Run, RunData, RunInfo, RunTag
from mlflow.utils.uri import append_to_uri_path
from mlflow.utils.validation import _validate_batch_log_data
from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import DatabaseError, OperationalError

from lossbench.tracking.finished_run import FinishedRun, milliseconds, param_entities

# The revisions of MLflow's schema that the tests know: of MLflow 3.17.
KNOWN_SCHEMAS = {"dc11669786a5"}
# How long a statement waits while another process writes: as long as MLflow's own.
BUSY_SECONDS = 20
# How long a transaction is tried anew, for a process that holds the database for longer.
PATIENCE_SECONDS = 120
# The largest number that MLflow stores, in place of infinity.
LARGEST = 1.7976931348623157e308

RUN = """
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
    deleted_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
VALUES (?, ?, 'UNKNOWN', '', '', ?, ?, ?, ?, NULL, '', 'active', ?, ?)
"""
TAG = "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)"
PARAM = "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)"
# As in MLflow, a value that is there already, with its step and time, is not stored twice ...
METRIC = "INSERT OR IGNORE INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)"
# ... and a metric's latest value changes if a later one comes.
LATEST = """
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE
SET value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
WHERE (excluded.step, excluded.timestamp, excluded.value)
    > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)
"""
# What a run gets only at its end.
LATER_TAG = f"{TAG} ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value"
LATER_PARAM = f"{PARAM} ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value"
END = "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?"
STAGE = "SELECT lifecycle_stage FROM experiments WHERE experiment_id = ?"
OF_A_KIND = """
FROM runs JOIN tags AS kinds ON kinds.run_uuid = runs.run_uuid AND kinds.key = 'kind' AND kinds.value = ?
WHERE runs.experiment_id = ?
"""
FOUND_RUNS = f"""
SELECT runs.run_uuid, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, name {OF_A_KIND}
ORDER BY start_time DESC, runs.run_uuid
"""
FOUND_TAGS = f"SELECT run_uuid, key, value FROM tags WHERE run_uuid IN (SELECT runs.run_uuid {OF_A_KIND})"

Result = TypeVar("Result")
# A statement and the rows that it is executed with.
Statement = tuple[str, list[tuple[Any, ...]]]


class DirectWriter:
    """Works on a SQLite database with a known schema; what a call writes is one transaction, whole or absent."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def add(self, experiment: Recorded, runs: list[FinishedRun]) -> list[Run]:
        """Write finished runs, and return them as MLflow has them, without metrics and params.

        Raises
        ------
        RuntimeError
            If the experiment was deleted in the meantime.
        """
        made = [_made(experiment, run) for run in runs]
        statements = [rows for entity, run in zip(made, runs, strict=True) for rows in _run_rows(entity, run)]
        self._execute(statements, int(experiment.experiment_id))
        return made

    def log(self, run_id: str, metrics: list[Metric]) -> None:
        """Write metrics of a run that is there."""
        self._execute(_metric_rows(run_id, metrics))

    def set_tag(self, run_ids: list[str], key: str, value: str) -> None:
        """Set a tag of runs that are there."""
        if run_ids:
            self._execute([(LATER_TAG, [(key, value, run_id) for run_id in run_ids])])

    def complete(self, run_id: str, run: FinishedRun, tags: dict[str, str]) -> None:
        """Write the metrics and params of a run that is there, and tags that it gets only now, and end it."""
        self._execute(
            [
                (LATER_TAG, [(key, value, run_id) for key, value in tags.items()]),
                _param_rows(LATER_PARAM, run_id, run),
                *_metric_rows(run_id, run.metrics),
                (END, [(run.status, milliseconds(run.ended), run_id)]),
            ]
        )

    def find(self, experiment: Recorded, kind: str) -> list[Run]:
        """Return all runs of an experiment with a tag ``kind``, the latest start first, without metrics and params.

        MLflow's own search makes an object of each metric and param, tens of thousands in a sweep of a thousand runs.
        """
        asked = (kind, int(experiment.experiment_id))

        def read(connection: Connection) -> tuple[list[Any], list[Any]]:
            runs = connection.exec_driver_sql(FOUND_RUNS, asked).all()
            return list(runs), list(connection.exec_driver_sql(FOUND_TAGS, asked).all())

        runs, rows = self._patiently(read)
        tags: dict[str, list[RunTag]] = {run_id: [] for run_id, *_ in runs}
        for run_id, key, value in rows:
            # A run that was written between the two statements is none of those found.
            tags.get(run_id, []).append(RunTag(key, value))
        return [
            Run(RunInfo(run_id, experiment.experiment_id, *info), RunData(tags=tags[run_id])) for run_id, *info in runs
        ]

    def _execute(self, statements: list[Statement], experiment_id: int | None = None) -> None:
        """Execute statements as one transaction."""
        self._patiently(lambda connection: _transact(connection, statements, experiment_id))

    def _patiently(self, work: Callable[[Connection], Result]) -> Result:
        """Return what work with a connection gives, done again while another process holds the database."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with self._engine.connect() as connection:
                    return work(connection)
            except OperationalError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise


def direct_writer(uri: str) -> DirectWriter | None:
    """Return a writer for an MLflow store; None if only ``MlflowClient`` may write there.

    This decides which way all runs go: a SQLite database with a known schema is written directly.
    """
    if not uri.startswith("sqlite:"):
        return None
    # A connection lasts for a transaction. SQLAlchemy begins none of its own, so that ours can take the lock first.
    arguments = {"timeout": BUSY_SECONDS}
    engine = create_engine(uri, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=arguments)
    return DirectWriter(engine) if _schema(engine) in KNOWN_SCHEMAS else None


def _schema(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except DatabaseError:
        return None


def _transact(connection: Connection, statements: list[Statement], experiment_id: int | None) -> None:
    connection.exec_driver_sql("PRAGMA foreign_keys = ON")
    # With the lock from the beginning, no statement can find the database locked halfway.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        if experiment_id is not None:
            stage = connection.exec_driver_sql(STAGE, (experiment_id,)).scalar()
            if stage != "active":
                raise RuntimeError(f"the MLflow experiment {experiment_id} was deleted while the sweep was running")
        for statement, rows in statements:
            if rows:
                connection.exec_driver_sql(statement, rows)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise


def _is_busy(error: OperationalError) -> bool:
    # The low byte is SQLite's code, the others say more about it.
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in (SQLITE_BUSY, SQLITE_LOCKED)


def _made(experiment: Recorded, run: FinishedRun) -> Run:
    """Return a new MLflow run, as ``MlflowClient.create_run`` makes it, but ended."""
    run_id = uuid.uuid4().hex
    info = RunInfo(
        run_id=run_id,
        experiment_id=experiment.experiment_id,
        user_id=run.tags.get("mlflow.user", "unknown"),
        status=run.status,
        start_time=milliseconds(run.started),
        end_time=milliseconds(run.ended),
        lifecycle_stage="active",
        artifact_uri=append_to_uri_path(experiment.artifact_location, run_id, "artifacts"),
        run_name=run.name,
    )
    tags = run.tags | {"mlflow.runName": run.name}
    return Run(info, RunData(tags=[RunTag(key, value) for key, value in tags.items()]))


def _run_rows(made: Run, run: FinishedRun) -> list[Statement]:
    info = made.info
    names = (info.run_id, info.run_name, info.user_id)
    times = (info.status, info.start_time, info.end_time)
    return [
        (RUN, [(*names, *times, info.artifact_uri, int(info.experiment_id))]),
        (TAG, [(key, value, info.run_id) for key, value in made.data.tags.items()]),
        _param_rows(PARAM, info.run_id, run),
        *_metric_rows(info.run_id, run.metrics),
    ]


def _param_rows(statement: str, run_id: str, run: FinishedRun) -> Statement:
    _, params, _ = _validate_batch_log_data([], param_entities(run.params), [])
    return statement, [(param.key, param.value, run_id) for param in params]


def _metric_rows(run_id: str, metrics: list[Metric]) -> list[Statement]:
    # One metric of each name is enough: MLflow checks names, and that values are numbers.
    _validate_batch_log_data({metric.key: metric for metric in metrics}.values(), [], [])
    rows = [_metric_row(run_id, metric) for metric in metrics]
    return [(METRIC, rows), (LATEST, _latest(rows))]


def _metric_row(run_id: str, metric: Metric) -> tuple[Any, ...]:
    # Plain numbers: SQLite takes NumPy's integers for bytes.
    value, is_nan = float(metric.value), math.isnan(metric.value)
    stored = 0.0 if is_nan else min(max(value, -LARGEST), LARGEST)
    return metric.key, stored, metric.timestamp, int(metric.step), is_nan, run_id


def _latest(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return of the rows of each metric the latest: the last step, then the last time, then the largest value."""
    latest: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        key, value, moment, step, *_ = row
        known = latest.get(key)
        if known is None or (step, moment, value) > (known[3], known[2], known[1]):
            latest[key] = row
    return list(latest.values())
