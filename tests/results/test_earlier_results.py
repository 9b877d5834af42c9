"""Results of each kind that lossbench wrote before its modules moved into packages: read, continued, answered from."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.commands import run
from support.mlflow_store import mlflow_runs

from lossbench.planning.plan import read_plan

RECORDED = Path(__file__).parents[1] / "data" / "before_moves"
SWEEPS = sorted(path.parent.name for path in RECORDED.glob("multirun/*/plan.json"))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory) -> Path:
    """Return a home with the recorded sweeps, as a user had it."""
    home = tmp_path_factory.mktemp("earlier") / "home"
    shutil.copytree(RECORDED, home)
    return home


def files_of(home: Path, name: str) -> dict[str, bytes]:
    """Return the files of a sweep that no later start may change."""
    folder = home / "multirun" / name
    kept = [path for kind in ("*/parts/*", "*/study/*", "*/*.npz", "results.csv") for path in folder.glob(kind)]
    # Yardsticks came later.
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept if "-yardsticks-" not in str(path)}


@pytest.mark.parametrize("name", [name for name in SWEEPS if name != "tuned"])
def test_an_earlier_sweep_counts_as_finished_and_stays_unchanged(earlier, name):
    before = files_of(earlier, name)
    command = json.loads((RECORDED / "multirun" / name / "plan.json").read_text())["command"]
    # A file was judged on one split then, unless told otherwise.
    done = run(earlier, *shlex.split(command)[1:], "repeat=seeds", *([] if "tune" in command else ["tune=none"]))
    assert done.status == 0, done.err
    assert "nothing to run" in done.out.splitlines()[0]
    after = files_of(earlier, name)
    old, new = before.pop("results.csv").decode(), after.pop("results.csv").decode()
    assert after == before
    # Columns came later, at the end.
    n = len(old.splitlines()[0].split(","))
    assert [row[:n] for row in csv.reader(new.splitlines())] == list(csv.reader(old.splitlines()))
    assert (earlier / "multirun" / name / "report.html").exists()


def test_an_earlier_study_stays_beside_the_one_that_the_same_command_now_makes(tmp_path):
    home = tmp_path / "home"
    shutil.copytree(RECORDED, home)
    before = files_of(home, "tuned")
    done = run(home, *shlex.split(json.loads((home / "multirun/tuned/plan.json").read_text())["command"])[1:])
    assert done.status == 0, done.err
    # The untuned cell is finished. The tuned one is another, because its study has other settings.
    said = "tuned: 2 cells, 4 runs, 2 finished; 2 to run; first 1 study (3 trials); 2 runs of other settings on disk"
    assert done.out.startswith(said)
    after = files_of(home, "tuned")
    assert {name: after[name] for name in before if name != "results.csv"} == {
        name: content for name, content in before.items() if name != "results.csv"
    }


def test_an_earlier_plan_is_read_with_the_same_keys_and_folders():
    for name in SWEEPS:
        written = json.loads((RECORDED / "multirun" / name / "plan.json").read_text())
        assert "format" not in written
        plan = read_plan(RECORDED / "multirun" / name)
        assert [cell.key for cell in plan.cells] == [cell["key"] for cell in written["cells"]]
        there = {path.parent.name for path in RECORDED.glob(f"multirun/{name}/*/cell.json")}
        assert {cell.folder for cell in plan.cells} == there


def test_an_earlier_sweep_is_reported_and_sent_to_mlflow(tmp_path):
    home = tmp_path / "home"
    shutil.copytree(RECORDED, home)
    done = run(home, "tuned", command="lossbench-report")
    assert done.status == 0, done.err
    old, new = (pd.read_csv(folder / "multirun/tuned/comparison.csv") for folder in (RECORDED, home))
    # What was said of these rows then is said of them now; the verdict is about new rows.
    here = {"difference_low": "these_rows_low", "difference_high": "these_rows_high"}
    changed = [*here, "p", "p_holm", "detectable"]
    pd.testing.assert_frame_equal(new[old.columns].drop(columns=changed), old.drop(columns=changed))
    for before, now in here.items():
        np.testing.assert_allclose(new[now], old[before])
    done = run(home, "tuned", command="lossbench-sync")
    assert (done.status, done.out.strip()) == (0, "tuned: sent to MLflow")
    runs = [found for found in mlflow_runs(home) if found.get("kind") == "run"]
    assert len(runs) == 4
    assert {found["run_status"] for found in runs} == {"FINISHED"}


def test_an_earlier_model_predicts_as_before(tmp_path):
    import mlflow

    shutil.copytree(RECORDED / "saved_model", tmp_path / "model")
    recorded = json.loads((RECORDED / "answers.json").read_text())
    answers = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(pd.DataFrame(recorded["rows"]))
    np.testing.assert_allclose(answers["price"], recorded["price"], rtol=1e-6)
