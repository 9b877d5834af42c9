"""What holds of a sweep that has ended, whatever was done to it before."""

import csv
import fcntl
import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, read_plan
from lossbench.report.freshness import PAGE
from lossbench.results.part_files import FAILED, Run, part_path, read_run
from support.mlflow_store import mlflow_metrics, mlflow_runs
from support.places import Place
from support.processes import PARTS, wait_for

# What lossbench keeps under a name that begins with a dot.
KEPT = {".lock", ".tracking-lock", ".hydra", ".programs", ".files", ".submitit"}
# What the libraries keep in a user's home: settings of Keras, fonts that Matplotlib has found.
OF_LIBRARIES = (".keras/keras.json", ".cache/matplotlib/")
# A process whose parent was killed ends by itself in this time.
ENDS_IN = 5.0


def records(place: Place) -> dict[Path, str]:
    """Return a digest of each record of a run, yardsticks too; none may change once it is there."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.work.glob(PARTS)}


def check(
    place: Place, name: str, *, whole: Path | None = None, tracked: bool = True, killed: Collection[str] = ()
) -> None:
    """Assert that a sweep is whole, and that nothing else was left.

    Parameters
    ----------
    whole : Path
        The ``results.csv`` of an uninterrupted sweep of the same command.
    tracked : bool
        Whether the sweep's MLflow store lies in its place.
    killed : collection of str
        Other sweeps that were killed and not started since: what they left half-written is theirs to remove.
    """
    runs = check_records(place, name)
    table = place.sweep(name) / "results.csv"
    with table.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == len(runs) + 1
    if whole is not None:
        assert table.read_bytes() == whole.read_bytes()
    check_nothing_is_left(place, killed)
    if tracked:
        check_store(place.work / "mlruns" / "mlflow.db", runs, name)
        check_artifacts(place, name)


def check_records(place: Place, name: str) -> list[tuple[Cell, Run]]:
    """Assert that every planned run has a whole record, and return the runs."""
    folder = place.sweep(name)
    plan = read_plan(folder)
    planned = [(cell, each) for cell in plan.cells for each in plan.runs(cell)]
    found = [(cell, _read(folder / cell.folder, each)) for cell, each in planned]
    assert len({run.info.key for _, run in found}) == len(found) == plan.n_runs
    return found


def _read(folder: Path, run: RunId) -> Run:
    found = read_run(part_path(folder, run))
    assert found is not None, part_path(folder, run)
    # Arrays are read when they are asked for: a torn one shows here.
    assert found.arrays
    found.forget()
    return found


def check_store(store: Path, runs: list[tuple[Cell, Run]], name: str) -> None:
    """Assert that a store has each run of a sweep once, ended, with the values that are on disk."""
    found = mlflow_runs(store.parent, store)
    live = [run for run in found if run["stage"] == "active" and run.get("sweep") == name]
    assert [run["name"] for run in live if run["run_status"] == "RUNNING"] == []
    by_key = {run["run_key"]: run for run in live if run["kind"] == "run"}
    again = [key for key, n in Counter(run["run_key"] for run in live if run["kind"] == "run").items() if n > 1]
    assert again == []
    for cell, run in runs:
        tracked = by_key[run.info.key]
        assert tracked["run_status"] == ("FAILED" if run.info.status == FAILED else "FINISHED")
        assert tracked["started"] == f"{run.info.started:.3f}"
        metrics = mlflow_metrics(store.parent, tracked["id"], store)
        values = {key: value for key, value, *_ in metrics if key.startswith("final/")}
        of_the_run = {f"final/{score}": value for score, value in run.info.scores.items()}
        assert values == of_the_run, tracked["name"]
        parents = [each for each in live if each["id"] == tracked["mlflow.parentRunId"]]
        assert [(each["kind"], each["cell_key"]) for each in parents] == [("cell", cell.key)]
    n_cells = Counter(run["cell_key"] for run in live if run["kind"] == "cell")
    assert {cell.key for cell, _ in runs} <= set(n_cells)
    assert [run["name"] for run in live if run["kind"] == "sweep"] == [name]
    with closing(sqlite3.connect(store)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def check_artifacts(place: Place, name: str) -> None:
    """Assert that MLflow shows the table and the page that are on disk."""
    (sweep,) = (
        run for run in mlflow_runs(place.work) if (run["kind"], run["stage"], run["sweep"]) == ("sweep", "active", name)
    )
    folder = place.work / "mlruns" / "artifacts" / name / sweep["id"] / "artifacts"
    for file in ("results.csv", PAGE, "plan.json"):
        assert (folder / file).read_bytes() == (place.sweep(name) / file).read_bytes(), file
    assert json.loads((place.sweep(name) / "tracked.json").read_text(encoding="utf-8"))["runs"]


def check_nothing_is_left(place: Place, killed: Collection[str] = ()) -> None:
    """Assert that no process, lock or temporary file is left, and that nothing lies outside the output folders."""
    unfinished = {place.sweep(name) for name in killed}
    wait_for(lambda: not place.processes(), ENDS_IN)
    for path in place.work.rglob(".*lock"):
        with path.open("rb") as file:
            # Raises an error if a process holds it.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    hidden = [path for path in place.work.rglob(".*") if path.name not in KEPT]
    hidden = [path for path in hidden if not unfinished.intersection(path.parents)]
    assert hidden == [], hidden
    assert list(place.work.rglob("*.db-journal")) == list(place.work.rglob("*.db-wal")) == []
    left = [path for path in place.temporary.rglob("*") if not _is_probe(path)]
    assert left == [], left
    written = [str(path.relative_to(place.home)) for path in place.home.rglob("*") if path.is_file()]
    assert [path for path in written if not path.startswith(OF_LIBRARIES)] == []
    outputs = {"multirun", "mlruns"}
    assert {path.name for path in place.work.iterdir() if path.is_dir()} <= outputs


def _is_probe(path: Path) -> bool:
    """Return whether Python made a file to try the folder for temporary files; it stays if a kill comes then."""
    is_named_so = re.fullmatch("[a-z0-9_]{8}", path.name) is not None and path.is_file()
    return is_named_so and path.read_bytes() in (b"", b"blat")
