"""A sweep from arrays: the command itself, on data that are kept once."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from support.commands import environment, run

import lossbench
from lossbench.interface.arrays import kept
from lossbench.interface.comparing import override
from lossbench.planning.command_line import read_overrides

HEADER = """
import sys
import numpy as np
import pandas as pd
import lossbench

rng = np.random.default_rng(0)
X = pd.DataFrame({"a b": rng.normal(size=60), "kind": pd.Categorical(rng.choice(["u", "v"], 60))})
y = pd.Series(np.where(X["a b"] + 0.3 * rng.normal(size=60) > 0, "yes", "no"), name="is it, now?")
options = {"epochs": 2, "tune": "none", "model": "linear", "report__yardsticks": False}
"""


def start(code: str, home) -> subprocess.Popen:
    """Start a script in a Python of its own, in an empty folder."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", HEADER + code]
    return subprocess.Popen(command, cwd=home, env=environment(home), start_new_session=True, **pipes)


def python(code: str, home) -> str:
    process = start(code, home)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    return out


def test_arrays_are_compared_and_the_same_call_trains_nothing(tmp_path):
    out = python(
        """
options |= {"tracking__enabled": False, "repeat": "seeds"}
sweep = lossbench.compare(X, y, ["bce", "hinge"], seeds=2, **options)
assert sorted(set(sweep.results["loss"])) == ["binary_crossentropy", "hinge"]
assert (sweep.results["status"] == "finished").all() and len(sweep.results) == 4
assert set(sweep.predictions["predicted"]) <= {"yes", "no"}
right = sweep.predictions.assign(right=lambda p: p["true"] == p["predicted"]).groupby(["cell", "seed"])["right"].mean()
scores = sweep.results.set_index(["cell", "seed"])["test/accuracy"]
np.testing.assert_allclose(right, scores.loc[right.index])
times = {path: path.stat().st_mtime_ns for path in sweep.folder.glob("*/parts/*.npz")}
again = lossbench.compare(X, y, ["bce", "hinge"], seeds=2, **options)
assert again.name == sweep.name
pd.testing.assert_frame_equal(again.results, sweep.results)
assert {path: path.stat().st_mtime_ns for path in times} == times
assert not {"tensorflow", "mlflow", "optuna"} & set(sys.modules)
print(again.command)
""",
        tmp_path,
    )
    assert "2 cells, 4 runs, 0 finished" in out
    assert "2 cells, 4 runs, 4 finished; nothing to run" in out
    assert "is it, now?: 2 classes, no, yes (binary)" in out
    (plan,) = (tmp_path / "multirun").glob("*/plan.json")
    # The command that the sweep names is the same sweep.
    words = subprocess.run(["xargs", "-n", "1"], input=out.splitlines()[-1], capture_output=True, text=True, check=True)
    done = run(tmp_path, *words.stdout.splitlines()[1:])
    assert done.status == 0, done.err
    assert done.out.startswith(f"{plan.parent.name}: 2 cells, 4 runs, 4 finished; nothing to run")
    assert len(list((tmp_path / "arrays").iterdir())) == 1


@pytest.mark.slow
def test_an_interrupted_comparison_is_continued_and_tracked(tmp_path):
    call = """
sweep = lossbench.compare(X, y, ["bce", "hinge"], name="mine", repeat="seeds", seeds=40, **(options | {"epochs": 400}))
print(len(sweep.results), set(sweep.results["status"]))
"""
    process = start(call, tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("multirun/mine/*/parts/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert err.strip().endswith("KeyboardInterrupt")
    assert list(tmp_path.glob("multirun/mine/*/parts/*.npz"))
    assert "80 {'finished'}" in python(call, tmp_path)
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as store:
        found = store.execute(
            "select count(*) from runs join tags on runs.run_uuid = tags.run_uuid "
            "join experiments on runs.experiment_id = experiments.experiment_id "
            "where experiments.name = 'mine' and tags.key = 'kind' and tags.value = 'run'"
        ).fetchone()
    assert found == (80,)


def test_a_mistake_in_settings_is_the_error_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    x, y = np.arange(120.0).reshape(60, 2), np.arange(60.0)
    with pytest.raises(lossbench.UsageError) as error:
        lossbench.compare(x, y, ["mse", "hubber"])
    assert "unknown loss 'hubber'.\n  hint: did you mean 'huber'?" in str(error.value)
    assert capsys.readouterr().out == ""
    with pytest.raises(lossbench.UsageError, match="only show what it would train"):
        lossbench.compare(x, y, plan=True)


def relative(y_true, y_pred):
    return abs(y_true - y_pred)


@pytest.mark.parametrize(
    ("losses", "settings", "said"),
    [
        pytest.param(["mse", relative], {}, """give "custom" with loss__function="mine:relative\"""", id="function"),
        pytest.param(["mse", 3], {}, "a loss is given by its name; got 3.", id="number"),
        pytest.param("custom", {"loss__function": relative}, """give loss__function="mine:name\"""", id="setting"),
        pytest.param(relative, {}, """give "custom" with loss__function="mine:relative\"""", id="alone"),
        pytest.param("mse", {"model": relative}, """give model="custom", model__function="mine:name\"""", id="model"),
        pytest.param("mse", {"metric": relative}, "metric takes a name or a value; got a function.", id="metric"),
        pytest.param("mse", {"dataset__path": "a.csv"}, "dataset__path cannot be set: the data are X", id="path"),
        pytest.param("mse", {"optimizer": ["sgd", "adam"]}, "optimizer=('sgd', 'adam')", id="list"),
        pytest.param("mse", {"learning_rate": 0.1}, "did you mean 'optimizer__learning_rate'?", id="keyword"),
    ],
)
def test_what_only_python_can_get_wrong_is_an_error_in_its_words(tmp_path, monkeypatch, losses, settings, said):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    x, y = np.arange(120.0).reshape(60, 2), np.arange(60.0)
    with pytest.raises(lossbench.UsageError) as error:
        lossbench.compare(x, y, losses, **settings)
    assert said in str(error.value)
    with pytest.raises(lossbench.UsageError, match="loss must be given by name; got a function"):
        lossbench.NetworkRegressor(relative).fit(x, y)


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("loss.terms", {"mse": 0.5, "huber": {"weight": 0.5, "delta": 1.5}}, None),
        ("early_stopping.patience", None, None),
        ("model.hidden_units", ([20], [50, 50]), [[20], [50, 50]]),
        ("dataset.leave_out", ["a b", "c=d,e"], None),
        ("tracking.enabled", (True, False), [True, False]),
        ("optimizer.learning_rate", 1e-5, None),
        ("dataset.target", "is it, 'now'? \"x\"", None),
        ("dataset.sep", "|", None),
    ],
)
def test_a_setting_reaches_the_command_as_it_was_given(key, value, read):
    assert read_overrides([override(key, value)], multirun=True).values[key] == (read or [value])


def test_none_is_a_choice_by_its_name():
    assert read_overrides([override("tune", None)], multirun=True).choices["tune"] == ["none"]


# ---- The file that holds the arrays.


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    return tmp_path


TABLE = pd.DataFrame({"a": [1.5, 2.5, np.nan], "b": ["x", "y", "x"], 3: [True, False, True]})


@pytest.mark.parametrize(
    ("x", "y", "columns", "targets"),
    [
        pytest.param(np.ones((3, 2)), np.arange(3), ["x0", "x1", "target"], ["target"], id="arrays"),
        pytest.param([[1, 2], [3, 4]], ["u", "v"], ["x0", "x1", "target"], ["target"], id="lists"),
        pytest.param(np.ones((3, 1)), np.ones((3, 1)), ["x0", "target"], ["target"], id="a column"),
        pytest.param(np.ones((3, 1)), np.ones((3, 2)), ["x0", "target0", "target1"], ["target0", "target1"], id="two"),
        pytest.param(TABLE, pd.Series([1, 2, 3], name="p", index=[7, 8, 9]), ["a", "b", "3", "p"], ["p"], id="tables"),
        pytest.param(
            TABLE.astype({"b": "category"}), TABLE[["a"]].rename(columns={"a": "p"}), [*"ab3p"], ["p"], id="types"
        ),
    ],
)
def test_data_are_kept_once_under_their_digest(x, y, columns, targets, home):
    path, names = kept(x, y)
    assert names == targets
    table = pd.read_parquet(path)
    assert list(table.columns) == columns
    assert len(table) == len(y)
    before = path.stat().st_mtime_ns
    assert kept(x, y)[0] == path
    assert path.stat().st_mtime_ns == before
    assert path.parent == home / "arrays"


def test_other_data_have_another_file(home):
    x, y = np.zeros((4, 2)), np.arange(4)
    paths = {kept(a, b)[0] for a, b in ((x, y), (x + 1e-12, y), (x, y[::-1]), (x.astype(np.float32), y), (x[:, :1], y))}
    assert len(paths) == 5


class Sparse:
    """As SciPy's matrices: no array of numbers."""

    def toarray(self):
        return np.ones((3, 2))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        pytest.param(np.ones((3, 2)), [1, 2], "X has 3 rows and y has 2.", id="rows"),
        pytest.param(np.ones(3), [1, 2, 3], "a single feature is X.reshape(-1, 1)", id="one feature"),
        pytest.param(np.ones((3, 2, 2)), [1, 2, 3], "got ndarray of shape (3, 2, 2)", id="images"),
        pytest.param(np.ones((3, 2)), np.ones((3, 2, 2)), "y must have a target, or several", id="y"),
        pytest.param(Sparse(), [1, 2, 3], "X is a sparse matrix.\n  hint: X.toarray()", id="sparse"),
        pytest.param(TABLE, TABLE["a"], "X has the column 'a', and so has y", id="leak"),
        pytest.param(TABLE.rename(columns={"b": "a"}), [1, 2, 3], "X has two columns 'a'.", id="twice"),
    ],
)
def test_what_is_no_table_is_an_error_with_a_hint(x, y, message, home):
    with pytest.raises(lossbench.UsageError) as error:
        kept(x, y)
    assert message in str(error.value)
    assert "hint: " in str(error.value)
    assert not (home / "arrays").exists()
