"""``lossbench-list sweeps`` and ``lossbench-remove``: what is on disk, and removing one sweep and nothing else."""

import fcntl
import os
import pty
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import BIN, Done, environment, run
from support.sweeps import Sweep

from lossbench.commands.list_sweeps import size
from lossbench.ground.leases import Leases


@pytest.fixture
def home(smoke: Sweep, tmp_path) -> Path:
    """A copy of the folder of a finished sweep, with the files of a second one that MLflow does not have."""
    shutil.copytree(smoke.home, tmp_path, dirs_exist_ok=True)
    other = tmp_path / "multirun" / "other"
    shutil.copytree(tmp_path / "multirun" / "smoke", other)
    plan = (other / "plan.json").read_text(encoding="utf-8")
    (other / "plan.json").write_text(plan.replace('"name": "smoke",', '"name": "other",', 1), encoding="utf-8")
    next(other.glob("circles-hinge*/parts/*")).unlink()
    return tmp_path


def experiments(home: Path) -> dict[str, str]:
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db")) as db, db:
        return dict(db.execute("SELECT name, lifecycle_stage FROM experiments WHERE name != 'Default'").fetchall())


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def remove(home: Path, *words: str) -> Done:
    return run(home, *words, command="lossbench-remove")


@pytest.mark.parametrize(
    ("n_bytes", "said"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_534_000, "1.53 MB"), (2e12, "2 TB")]
)
def test_sizes_are_in_a_fitting_unit(n_bytes, said):
    assert size(n_bytes) == said


def test_sweeps_are_listed_with_size_date_and_state(home):
    (home / "multirun" / "broken").mkdir()
    (home / "multirun" / "broken" / "plan.json").write_text("{", encoding="utf-8")
    (home / "multirun" / ".files").mkdir()
    done = run(home, "sweeps", command="lossbench-list")
    assert done.status == 0
    rows = {line.split()[0]: line for line in done.out.splitlines()[1:4]}
    number = r"\s+[\d.]+ [kM]?B  \d{4}-\d\d-\d\d \d\d:\d\d\s+"
    assert re.fullmatch(rf"smoke{number}12 of 12 runs", rows["smoke"])
    assert re.fullmatch(rf"other{number}11 of 12 runs", rows["other"])
    assert re.fullmatch(rf"broken{number}damaged plan.json: its command writes it anew", rows["broken"])


def test_a_sweep_shows_its_answer_once_more(home):
    done = run(home, "sweeps", "smoke", command="lossbench-list")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("smoke: 12 of 12 runs\n\nregression: test rmse")
    assert "On circles" in done.out
    wrong = run(home, "sweeps", "smke", command="lossbench-list")
    assert (wrong.status, "did you mean 'smoke'" in wrong.err) == (2, True)


def test_a_sweep_is_removed_from_disk_and_from_mlflow_and_others_stay(home):
    kept = files(home / "multirun" / "other")
    done = remove(home, "smoke", "--yes")
    assert (done.status, done.err) == (0, "")
    said = done.out.splitlines()
    assert re.fullmatch(r"  multirun/smoke: [\d.]+ MB, 12 of 12 runs", said[1])
    assert said[2] == "  in MLflow: experiment smoke: 17 runs"
    assert re.fullmatch(r"  mlruns/artifacts/smoke: [\d.]+ MB of artifacts", said[3])
    assert said[4:] == ["smoke is removed."]
    assert not (home / "multirun" / "smoke").exists()
    assert not (home / "mlruns" / "artifacts" / "smoke").exists()
    assert files(home / "multirun" / "other") == kept
    (name,) = experiments(home)
    assert name.startswith("smoke (removed ")
    assert experiments(home)[name] == "deleted"


def test_runs_of_others_in_the_experiment_stay_with_it(home):
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db")) as db, db:
        db.execute("DELETE FROM tags WHERE key = 'sweep' AND run_uuid = (SELECT MIN(run_uuid) FROM runs)")
    done = remove(home, "smoke", "--yes")
    assert (
        "  in MLflow: experiment smoke: 16 runs\n    1 run of others in it and the experiment itself stay" in done.out
    )
    assert experiments(home) == {"smoke": "active"}
    with closing(sqlite3.connect(home / "mlruns" / "mlflow.db")) as db, db:
        counts = dict(db.execute("SELECT lifecycle_stage, COUNT(*) FROM runs GROUP BY lifecycle_stage").fetchall())
    assert counts == {"active": 1, "deleted": 16}
    assert (home / "mlruns" / "artifacts" / "smoke").exists()


def test_nothing_is_removed_without_a_yes_or_while_a_lossbench_works_on_it(home):
    before = files(home)
    nobody = remove(home, "smoke")
    assert (nobody.status, nobody.err.splitlines()[1]) == (2, "  hint: add --yes")
    wrong = remove(home, "smok", "other", "--yes")
    assert (wrong.status, wrong.err.splitlines()[0]) == (2, "error: unknown sweep 'smok'.")
    leases = Leases(home / "multirun" / "smoke")
    leases.take("writer")
    busy = remove(home, "smoke", "--yes")
    leases.close()
    assert busy.status == 3
    assert re.search(rf"a lossbench is at work on smoke in \S+: \S+ \(process {os.getpid()}, since ", busy.err)
    with open(home / "multirun" / "smoke" / ".tracking-lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = remove(home, "smoke", "--yes")
        assert busy.status == 3
        assert "a lossbench is at work on smoke" in busy.err
    assert files(home) == before


@pytest.mark.parametrize("answer", ["y", "n"])
def test_it_asks_first(home, answer):
    ours, theirs = pty.openpty()
    command = [str(BIN / "lossbench-remove"), "smoke", "--keep-mlflow"]
    process = subprocess.Popen(command, env=environment(home), cwd=home, stdin=theirs, stdout=subprocess.PIPE)
    os.write(ours, f"{answer}\n".encode())
    said = process.communicate(timeout=60)[0].decode()
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert "remove smoke? [y/N] " in said
    assert (home / "multirun" / "smoke").exists() == (answer == "n")
    assert experiments(home) == {"smoke": "active"}


def test_a_store_that_cannot_be_read_keeps_the_sweep_unless_mlflow_is_left_out(home):
    (home / "mlruns" / "mlflow.db").write_bytes(b"no database" * 1000)
    done = remove(home, "smoke", "--yes")
    assert done.status == 3
    assert "hint: --keep-mlflow removes the sweep from disk alone." in done.err
    assert (home / "multirun" / "smoke").exists()
    assert remove(home, "smoke", "--yes", "--keep-mlflow").status == 0
    assert not (home / "multirun" / "smoke").exists()


@pytest.mark.slow
def test_a_removed_sweep_can_be_run_and_tracked_again(home):
    assert remove(home, "smoke", "--yes").status == 0
    done = run(home, "experiment=smoke")
    assert done.status == 0
    assert "MLflow could not be written" not in done.out
    assert experiments(home)["smoke"] == "active"


def test_lossbench_alone_says_where_one_stands_and_trains_nothing(home):
    before = files(home)
    done = run(home)
    assert (done.status, done.err) == (0, "")
    rows = {line.split()[0]: line.split(maxsplit=3)[3] for line in done.out.splitlines()[1:3]}
    assert rows == {"smoke": "12 of 12 runs", "other": "11 of 12 runs"}
    assert "1 run of other is open; this trains it:\n  lossbench experiment=smoke" in done.out
    assert "of smoke" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert files(home) == before


def test_lossbench_alone_in_an_empty_folder_names_commands_that_work(tmp_path):
    done = run(tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "There is no sweep in multirun yet." in " ".join(done.out.split())
    commands = [line.strip().split("  ")[0].split() for line in done.out.splitlines() if line.startswith("  ")]
    assert len(commands) == 5
    for name, *words in commands:
        plan = ["plan=true"] if name == "lossbench" and "--help" not in words else []
        assert run(tmp_path, *words, *plan, command=name).status == 0, words
    assert list(tmp_path.iterdir()) == []
