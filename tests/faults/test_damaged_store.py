"""A damaged MLflow store: said with the way out, set aside, and written again from the results; intact ones stay."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import run
from support.mlflow_store import mlflow_runs
from support.servers import free_port
from support.sweeps import Sweep

from lossbench.tracking.local_store import readable

REBUILD = "lossbench-sync --rebuild sets it aside and writes a new one from the results on disk."


def with_random_bytes(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 500)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def with_broken_metrics(path: Path) -> None:
    """Overwrite the first page of the table of metrics, as a broken disk does; the other tables stay whole."""
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'metrics'").fetchone()
        (n_bytes,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * n_bytes)
        file.write(b"\xff" * n_bytes)


DAMAGES = [
    pytest.param(with_random_bytes, id="garbage"),
    pytest.param(cut_off, id="cut", marks=pytest.mark.slow),
    pytest.param(as_a_folder, id="folder", marks=pytest.mark.slow),
]


@pytest.fixture
def home(smoke: Sweep, tmp_path) -> Path:
    shutil.copytree(smoke.home, tmp_path, dirs_exist_ok=True)
    marker = tmp_path / "multirun" / "smoke" / "tracked.json"
    text = marker.read_text(encoding="utf-8")
    marker.write_text(text.replace(str(smoke.home), str(tmp_path)), encoding="utf-8")
    return tmp_path


def sync(home: Path, *words: str, **more: str):
    return run(home, *words, command="lossbench-sync", **more)


def change(home: Path, *statements: str) -> None:
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db")) as db, db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_said_and_written_again(home, damage):
    store = home / "mlruns" / "mlflow.db"
    before = sorted((r["kind"], r["name"], r["run_status"], r["stage"]) for r in mlflow_runs(home))
    damage(store)
    swept = run(home, "experiment=smoke")
    assert swept.status == 0
    said = f"MLflow could not be written: {store} is {'a folder' if store.is_dir() else 'damaged'}."
    assert f"{said}\n  hint: nothing is lost; {REBUILD}\n" in swept.out
    # The plain command never rebuilds.
    synced = sync(home)
    assert (synced.status, synced.out.splitlines()[1]) == (3, f"  hint: {REBUILD}")
    seen = run(home, "--port", "0", command="lossbench-ui")
    assert (seen.status, seen.err.splitlines()[1]) == (3, f"  hint: {REBUILD}")
    nobody = sync(home, "--rebuild")
    assert (nobody.status, nobody.err.splitlines()[1]) == (2, "  hint: add --yes")
    assert not store.with_name("mlflow.db.damaged-1").exists()
    rebuilt = sync(home, "--rebuild", "--yes")
    assert (rebuilt.status, rebuilt.err) == (0, "")
    assert rebuilt.out.splitlines()[-2:] == [f"the damaged store is now {store}.damaged-1", "smoke: written"]
    assert sorted((r["kind"], r["name"], r["run_status"], r["stage"]) for r in mlflow_runs(home)) == before
    whole = store.read_bytes()
    again = sync(home, "--rebuild")
    assert (again.status, again.out.splitlines()[-1].split(" is ")[1][:6]) == (0, "intact")
    assert store.read_bytes() == whole
    assert "smoke: MLflow has everything" in sync(home).out


def test_what_the_user_deleted_stays_deleted_and_what_is_lost_is_listed(home):
    run_key = "SELECT MIN(run_uuid) FROM tags WHERE key = 'run_key'"
    change(
        home,
        f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ({run_key})",
        "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'mine', 'active')",
        "INSERT INTO runs (run_uuid, name, status, lifecycle_stage, experiment_id) "
        "VALUES ('aa', 'mine', 'FINISHED', 'active', 7)",
        "INSERT INTO registered_models (name, workspace) VALUES ('forecast', 'default')",
    )
    (deleted,) = [r["name"] for r in mlflow_runs(home) if r["stage"] == "deleted"]
    with_broken_metrics(home / "mlruns" / "mlflow.db")
    done = sync(home, "--rebuild", "--yes")
    assert done.status == 0
    lost = done.out.split("not in the new store:\n")[1]
    assert lost.startswith("  experiment mine: 1 run, not of a sweep here\n  1 registered model\n  notes, tags")
    assert "smoke: written; 1 run that you deleted stays deleted" in done.out
    assert [r["name"] for r in mlflow_runs(home) if r["stage"] == "deleted"] == [deleted]
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db.damaged-1")) as db:
        assert db.execute("SELECT name FROM experiments WHERE experiment_id = 7").fetchall() == [("mine",)]


def test_an_experiment_that_the_user_deleted_stays_deleted(home):
    change(home, "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'smoke'")
    with_broken_metrics(home / "mlruns" / "mlflow.db")
    done = sync(home, "--rebuild", "--yes")
    assert "smoke: was deleted in MLflow, and stays so" in done.out
    assert mlflow_runs(home) == []
    assert "was deleted" in sync(home).out


def test_rows_behind_a_broken_page_are_read(tmp_path):
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE tags (value TEXT)")
        db.executemany("INSERT INTO tags VALUES (?)", [(f"{i:04d}" * 50,) for i in range(2000)])
    data = bytearray(path.read_bytes())
    data[10 * 4096 : 12 * 4096] = b"\xff" * 2 * 4096
    path.write_bytes(data)
    found = [value for (value,) in readable(path, "tags", "value")]
    assert 1900 < len(found) < 2000
    assert found[-1] == "1999" * 50
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        pytest.param("0a8213491aaa", "lossbench-sync sends the rest.", id="older"),
        pytest.param("f" * 12, "use the MLflow that wrote it", id="newer"),
    ],
)
def test_a_store_of_another_mlflow_is_left_alone_and_the_way_out_is_said(home, schema, said):
    change(home, f"UPDATE alembic_version SET version_num = '{schema}'")
    (home / "multirun" / "smoke" / "tracked.json").unlink()
    before = (home / "mlruns" / "mlflow.db").read_bytes()
    for words in ((), ("--rebuild", "--yes")):
        done = sync(home, *words)
        assert done.status == 3
        assert f"has the tables of an MLflow {'before' if 'rest' in said else 'after'} " in done.out + done.err
        assert said in done.out + done.err
    assert (home / "mlruns" / "mlflow.db").read_bytes() == before


def test_an_empty_file_becomes_a_store_with_all_sweeps(home):
    (home / "mlruns" / "mlflow.db").write_bytes(b"")
    assert "smoke: sent to MLflow" in sync(home).out
    assert len(mlflow_runs(home)) == 17


def test_a_server_and_names_are_refused(home):
    server = sync(home, "--rebuild", "--yes", MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}")
    assert server.status == 2
    assert "--rebuild is for a store on this disk" in server.err
    assert sync(home, "smoke", "--rebuild").status == 2


def test_a_store_that_another_process_has_open_is_refused(home):
    store = home / "mlruns" / "mlflow.db"
    with_random_bytes(store)
    code = f"file = open({str(store)!r}, 'rb'); print('open', flush=True); input()"

    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "open\n"
    try:
        done = sync(home, "--rebuild", "--yes")
        assert done.status == 3
        assert f"another process has {store} open: {other.pid}." in done.err
    finally:
        other.communicate("\n")
    assert store.exists()
