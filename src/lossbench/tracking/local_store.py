"""Looks at an MLflow store that is a SQLite file, without MLflow: whether it can be written, and what is in it."""

import importlib.util
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, unquote

from lossbench.ground.errors import Problem

SQLITE = "sqlite:///"
HEADER = b"SQLite format 3\0"
# Where looking for rows behind broken pages ends.
MOST_ROWS = 2**40
REBUILD = "lossbench-sync --rebuild sets it aside and writes a new one from the results on disk."


def store_path(uri: str) -> Path | None:
    """Return the path of a store's file; None if the store is no SQLite file."""
    return Path(unquote(uri.removeprefix(SQLITE))) if uri.startswith(SQLITE) else None


def open_store(path: Path) -> sqlite3.Connection:
    """Open an existing store; none is created."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=10)


def store_problem(uri: str, *, thorough: bool = False) -> Problem | None:
    """Return what keeps MLflow from using a store, with the way out; None for a usable one, a server or a new file.

    Parameters
    ----------
    thorough : bool
        Whether every page is looked at, which takes seconds for a store of 1 GB, instead of the first ones.
    """
    path = store_path(uri)
    if path is None or not path.exists():
        return None
    if is_damaged(path, thorough=thorough):
        what = "a folder" if path.is_dir() else "damaged"
        return Problem(f"{path} is {what}.", REBUILD)
    return _problem_of_schema(path, uri)


def is_damaged(path: Path, *, thorough: bool = True) -> bool:
    """Return whether a file is no SQLite database, or a broken one; an empty file becomes a new store."""
    if path.is_dir():
        return True
    with path.open("rb") as file:
        header = file.read(len(HEADER))
    if header == b"":
        return False
    if header != HEADER:
        return True
    try:
        with closing(open_store(path)) as db:
            db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            return thorough and db.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok"
    except sqlite3.OperationalError as error:
        # Another process is writing: whoever writes next waits for it.
        return "locked" not in str(error) and "busy" not in str(error)
    except sqlite3.DatabaseError:
        return True


def _problem_of_schema(path: Path, uri: str) -> Problem | None:
    """Return the problem of a store whose tables are those of an earlier or a later MLflow; None for ours."""
    found = _revision(path)
    there = _revisions()
    if found is None or not there or found == _newest(there):
        return None
    ours = version("mlflow")
    if found in there:
        message = f"{path} has the tables of an MLflow before {ours} (schema {found})."
        hint = f"copy the file, then bring it up to date: mlflow db upgrade '{uri}'; lossbench-sync sends the rest."
        return Problem(message, hint)
    message = f"{path} has the tables of an MLflow after {ours} (schema {found})."
    hint = "use the MLflow that wrote it, or set LOSSBENCH_HOME or MLFLOW_TRACKING_URI to another store."
    return Problem(message, hint)


def _revision(path: Path) -> str | None:
    with suppress(sqlite3.DatabaseError), closing(open_store(path)) as db:
        row = db.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else None
    return None


def _revisions() -> dict[str, str]:
    """Return the schemas that the installed MLflow knows, each with the one before it, read from its migrations."""
    spec = importlib.util.find_spec("mlflow")
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent / "store" / "db_migrations" / "versions"
    found = {}
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        named = dict(re.findall(r'^(revision|down_revision)\s*=\s*["\'](\w+)["\']', text, re.MULTILINE))
        if "revision" in named:
            found[named["revision"]] = named.get("down_revision", "")
    return found


def _newest(revisions: dict[str, str]) -> str | None:
    last = set(revisions) - set(revisions.values())
    return last.pop() if len(last) == 1 else None


def has_experiment(uri: str, name: str) -> bool:
    """Return whether a store has an experiment; True for a server, which only MLflow can ask."""
    path = store_path(uri)
    if path is None:
        return True
    if not path.is_file():
        return False
    with suppress(sqlite3.DatabaseError), closing(open_store(path)) as db:
        return db.execute("SELECT 1 FROM experiments WHERE name = ?", (name,)).fetchone() is not None
    return False


def readable(path: Path, table: str, *columns: str) -> Iterator[tuple]:
    """Yield the rows of a table of a damaged store that can be read; those on broken pages are left out."""
    if not path.is_file():
        return
    query, last, step = f"SELECT rowid, {', '.join(columns)} FROM {table} WHERE rowid > ? ORDER BY rowid", 0, 1
    with suppress(sqlite3.DatabaseError), closing(open_store(path)) as db:
        # Without this, SQLite reads nothing of a file that was cut off; nothing is written here.
        db.execute("PRAGMA writable_schema = ON")
        while last < MOST_ROWS:
            try:
                for row in db.execute(query, (last,)):
                    yield row[1:]
                    last, step = row[0], 1
                return
            except sqlite3.DatabaseError:
                # A broken page: look behind it, in steps that grow until rows come again.
                last, step = last + step, 2 * step
