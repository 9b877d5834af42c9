"""The main job as a user meets it: the real command, real files, a real store, real signals."""

import csv
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from support.commands import BIN, environment, run
from support.mlflow_store import mlflow_metrics, mlflow_runs
from support.processes import PARTS, start, wait_for, wait_for_files, workers
from support.sweeps import Sweep
from trove_classifiers import classifiers

from lossbench.results.part_files import read_run

# Small enough to be quick, long enough to be interrupted.
QUICK = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=3", "name=quick"]


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "results.csv") as file:
        return list(csv.DictReader(file))


def dump(home: Path) -> list[str]:
    """Return the whole store but for the progress of sweep runs, which is when it was written."""
    with sqlite3.connect(home / "mlruns" / "mlflow.db") as db:
        return [line for line in db.iterdump() if "INSERT" in line]


def live(home: Path, kind: str) -> list[dict[str, str]]:
    return [r for r in mlflow_runs(home) if r["kind"] == kind and r["stage"] == "active"]


# ---- A finished sweep.


def test_a_sweep_prints_its_plan_progress_and_answer(smoke: Sweep):
    assert smoke.done.status == 0, smoke.done.err
    lines = smoke.done.out.splitlines()
    assert lines[0] == "smoke: 4 cells, 12 runs, 0 finished"
    assert smoke.done.err == ""
    assert max(map(len, lines)) <= 80
    text = smoke.done.out
    for cell in ("mean_squared_error", "binary_crossentropy", "hinge", "categorical_crossentropy"):
        assert cell in text
    assert "circles: test accuracy, mean ± 95 % interval\n(higher is better; naive 0." in text
    assert "; ceiling 0.850)" in text
    assert lines[-3].startswith("results: ")
    assert lines[-2].startswith("report: ")
    assert lines[-1] == "browse them in MLflow: lossbench-ui"


def test_results_csv_has_a_row_for_each_run(smoke: Sweep):
    table = rows(smoke.folder)
    assert len(table) == 12
    columns = list(table[0])
    assert columns[:9] == ["sweep", "cell", "dataset", "head", "loss", "seed", "status", "stuck", "learning_rate"]
    assert {"train/mse", "test/rmse", "test/mae", "test/r2"} <= set(columns)
    assert {"test/accuracy", "test/rounded_accuracy", "test/log_loss", "test/brier", "test/roc_auc"} <= set(columns)
    hinge = [row for row in table if row["loss"] == "hinge"]
    assert [row["seed"] for row in hinge] == ["0", "1", "2"]
    assert {row["status"] for row in table} == {"finished"}
    # What a cell has no value of is empty, not 0.
    assert all(row["test/log_loss"] == "" and row["test/mse"] == "" for row in hinge)
    assert all(0 <= float(row["test/rounded_accuracy"]) <= float(row["test/accuracy"]) <= 1 for row in hinge)


def test_part_files_hold_all_that_a_report_needs(smoke: Sweep):
    (cell,) = (c for c in smoke.plan["cells"] if c["name"] == "circles/hinge/tanh")
    folder = next(path for path in smoke.folder.iterdir() if path.name.startswith("circles-hinge-tanh-"))
    assert folder.name == f"circles-hinge-tanh-{cell['key'][:8]}"
    part = read_run(folder / "parts" / "seed=1.npz")
    assert part.arrays["epochs"].tolist() == [1, 2, 3, 4, 5]
    assert set(part.curves) == {"train/loss", "train/accuracy", "test/loss", "test/accuracy"}
    assert [part.arrays[f"weight/{i}"].shape for i in range(4)] == [(2, 50), (50,), (50, 1), (1,)]
    assert part.arrays["raw/test"].shape == (500, 1)
    assert part.arrays["grid/raw"].shape == (45 * 45, 1)
    assert part.curves["test/accuracy"][-1] == pytest.approx(part.info.scores["test/accuracy"])
    assert part.info.naive["test/accuracy"] == pytest.approx(0.5, abs=0.05)
    with np.load(folder / "data.npz") as data:
        assert data["y/test"].shape == (500,)
        assert data["x/train"].shape == (500, 2)
    assert (folder / ".hydra" / "config.yaml").exists()


def test_mlflow_has_the_sweep_its_cells_and_their_runs(smoke: Sweep):
    found = mlflow_runs(smoke.home)
    by_kind = {kind: [r for r in found if r["kind"] == kind] for kind in ("sweep", "cell", "run")}
    assert {kind: len(runs) for kind, runs in by_kind.items()} == {"sweep": 1, "cell": 4, "run": 12}
    assert {r["run_status"] for r in found} == {"FINISHED"}
    cells = {r["id"]: r for r in by_kind["cell"]}
    for nested in by_kind["run"]:
        assert cells[nested["mlflow.parentRunId"]]["cell"] == nested["cell"]
        assert nested["name"] == f"{nested['cell']}/seed={nested['seed']}"
    (sweep,) = by_kind["sweep"]
    assert "too few for a verdict" in sweep["mlflow.note.content"]
    artifacts = smoke.home / "mlruns" / "artifacts" / "smoke" / sweep["id"] / "artifacts"
    for name in ("report.html", "report.md", "comparison.csv", "figures/circles-runs.svg", "figures/circles-runs.csv"):
        assert (artifacts / name).read_bytes() == (smoke.folder / name).read_bytes()


def test_mlflow_has_whole_curves_and_aggregates(smoke: Sweep):
    (cell,) = (r for r in live(smoke.home, "cell") if r["cell"] == "circles/hinge/tanh")
    nested = sorted((r for r in live(smoke.home, "run") if r["cell"] == cell["cell"]), key=lambda r: r["seed"])
    curves = []
    for r in nested:
        points = mlflow_metrics(smoke.home, r["id"])
        curves.append([value for key, value, *_ in points if key == "test/accuracy"])
        assert [step for key, _, step, *_ in points if key == "test/accuracy"] == [1, 2, 3, 4, 5]
        final = {key: value for key, value, *_ in points if key.startswith("final/")}
        assert final["final/test/accuracy"] == pytest.approx(curves[-1][-1])
    points = mlflow_metrics(smoke.home, cell["id"])
    by_key: dict[str, list[float]] = {}
    for key, value, *_ in points:
        by_key.setdefault(key, []).append(value)
    np.testing.assert_allclose(by_key["test/accuracy"], np.mean(curves, axis=0))
    from scipy import stats

    low, high = stats.t.interval(0.95, 2, loc=np.mean(curves, axis=0), scale=stats.sem(curves, axis=0))
    np.testing.assert_allclose(by_key["test/accuracy_low"], low)
    np.testing.assert_allclose(by_key["test/accuracy_high"], high)
    assert by_key["runs"] == [3]
    assert by_key["diverged"] == by_key["stuck"] == by_key["failed"] == [0]
    np.testing.assert_allclose(by_key["final/test/accuracy_std"], np.std([c[-1] for c in curves], ddof=1), rtol=1e-5)
    assert "naive/test/accuracy" in by_key
    artifacts = smoke.home / "mlruns" / "artifacts" / "smoke" / cell["id"] / "artifacts"
    assert {p.name for p in artifacts.iterdir()} >= {"cell.json", "config.yaml", "runs.csv", "curves.png"}


def test_writing_to_mlflow_again_changes_nothing(smoke: Sweep):
    before = dump(smoke.home)
    (smoke.folder / "tracked.json").unlink()
    assert run(smoke.home, "smoke", command="lossbench-sync").status == 0
    after = dump(smoke.home)
    changed = {line.split('"')[1] for line in set(before) ^ set(after)}
    # The sweep run says when it was written; of the results nothing changes.
    assert changed <= {"tags", "runs"}, changed
    assert sum('INSERT INTO "metrics"' in line for line in after) == sum(
        'INSERT INTO "metrics"' in line for line in before
    )
    assert len(mlflow_runs(smoke.home)) == 17


def test_repeating_a_finished_sweep_runs_and_changes_nothing(smoke: Sweep, tmp_path):
    before = (smoke.folder / "results.csv").stat().st_mtime_ns, dump(smoke.home)
    probe = "import sys, atexit\n"
    probe += (
        "atexit.register(lambda: print([m for m in ('tensorflow', 'mlflow') if m in sys.modules], file=sys.stderr))\n"
    )
    probe += "sys.addaudithook(lambda event, args: event == 'subprocess.Popen' and print(args, file=sys.stderr))\n"
    probe += "sys.argv = ['lossbench', 'experiment=smoke']\nfrom lossbench.commands.main import main\nmain()"
    done = subprocess.run(
        [BIN / "python", "-c", probe],
        cwd=tmp_path,
        env=environment(smoke.home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "smoke: 4 cells, 12 runs, 12 finished; nothing to run"
    assert done.stderr.strip() == "[]"
    assert ((smoke.folder / "results.csv").stat().st_mtime_ns, dump(smoke.home)) == before


# ---- What changes between two starts.


@pytest.mark.slow
def test_more_seeds_run_only_the_new_ones(tmp_path):
    assert run(tmp_path, *QUICK, "seeds=2").status == 0
    first = rows(tmp_path / "multirun" / "quick")
    more = run(tmp_path, *QUICK, "seeds=4")
    assert more.out.splitlines()[0] == "quick: 2 cells, 8 runs, 4 finished; 4 to run"
    table = rows(tmp_path / "multirun" / "quick")
    assert [row for row in table if int(row["seed"]) < 2] == first
    assert len(live(tmp_path, "cell")) == 2
    assert len(live(tmp_path, "run")) == 8
    parents = {r["id"] for r in live(tmp_path, "cell")}
    assert {r["mlflow.parentRunId"] for r in live(tmp_path, "run")} == parents
    assert {r["seeds"] for r in live(tmp_path, "cell")} == {"4"}

    fewer = run(tmp_path, *QUICK, "seeds=[0,3]")
    assert "nothing to run; 4 runs of other seeds on disk" in fewer.out.splitlines()[0]
    assert [row["seed"] for row in rows(tmp_path / "multirun" / "quick")] == ["0", "3", "0", "3"]


@pytest.mark.slow
def test_a_changed_setting_trains_again_and_the_first_line_names_it(tmp_path):
    run(tmp_path, *QUICK, "seeds=2")
    changed = run(tmp_path, *QUICK, "seeds=2", "epochs=4")
    assert "0 finished; 4 runs of other settings on disk (changed: epochs 3 -> 4)" in changed.out.splitlines()[0]
    assert not [r for r in mlflow_runs(tmp_path) if r["run_status"] == "RUNNING"]


@pytest.mark.slow
def test_seeds_run_one_at_a_time_give_the_same_results_as_together(tmp_path):
    together, apart = tmp_path / "together", tmp_path / "apart"
    together.mkdir()
    apart.mkdir()
    options = ["tracking.enabled=false", "dataset=blobs", "epochs=2", "name=x"]
    run(together, *options, "seeds=3")
    run(apart, "-m", *options, "seed=range(0,3)")
    text = (together / "multirun" / "x" / "results.csv").read_text()
    assert text == (apart / "multirun" / "x" / "results.csv").read_text()


@pytest.mark.slow
def test_without_mlruns_the_same_command_rebuilds_it(tmp_path):
    run(tmp_path, *QUICK, "seeds=2")
    (tmp_path / "mlruns" / "mlflow.db").unlink()
    again = run(tmp_path, *QUICK, "seeds=2")
    assert "nothing to run" in again.out
    assert len(live(tmp_path, "run")) == 4
    assert {r["run_status"] for r in mlflow_runs(tmp_path)} == {"FINISHED"}


@pytest.mark.slow
def test_runs_that_a_user_deleted_in_mlflow_stay_deleted(tmp_path):
    run(tmp_path, *QUICK, "seeds=2")
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as db:
        db.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'circles/hinge/tanh/seed=1'")
    (tmp_path / "multirun" / "quick" / "tracked.json").unlink()
    assert run(tmp_path, command="lossbench-sync").status == 0
    assert len(live(tmp_path, "run")) == 3


@pytest.mark.slow
def test_rerun_all_trains_again_and_keeps_the_earlier_results(tmp_path):
    run(tmp_path, *QUICK, "seeds=1")
    first = (tmp_path / "multirun" / "quick" / "results.csv").read_text()
    cells = {r["id"] for r in live(tmp_path, "cell")}
    again = run(tmp_path, *QUICK, "seeds=1", "rerun=all")
    # What a cell says of its runs is written anew, too.
    assert len(live(tmp_path, "cell")) == 2
    assert not cells & {r["id"] for r in live(tmp_path, "cell")}
    assert "2 run again (rerun=all)" in again.out.splitlines()[0]
    assert (tmp_path / "multirun" / "quick" / "results.csv").read_text() == first
    assert len(list((tmp_path / "multirun" / "quick").glob("*/earlier/seed=0-*.npz"))) == 2
    assert len(live(tmp_path, "run")) == 2


# ---- What goes wrong.


@pytest.mark.slow
def test_a_failed_cell_is_printed_at_once_with_its_log_and_others_go_on(tmp_path):
    impossible = ["dataset.n_samples=100000000", "dataset.n_features=100000", "dataset.n_informative=2"]
    done = run(tmp_path, "dataset=regression", *impossible, "seeds=2", "epochs=1", "name=big")
    assert done.status == 1
    assert "FAILED  regression/mean_squared_error/linear seed=0" in done.out
    assert "Unable to allocate" in done.out
    log = next(line.split("log: ")[1] for line in done.out.splitlines() if "log: " in line)
    assert "MemoryError" in Path(log).read_text()
    assert "2 runs failed for want of room; the same command runs them again" in done.out
    assert [row["status"] for row in rows(tmp_path / "multirun" / "big")] == ["failed", "failed"]
    assert {r["status"] for r in live(tmp_path, "run")} == {"failed"}
    assert {r["run_status"] for r in live(tmp_path, "run")} == {"FAILED"}
    again = run(tmp_path, "dataset=regression", *impossible, "seeds=2", "epochs=1", "name=big")
    assert "2 run again (there was no room for them)" in again.out.splitlines()[0]
    assert again.status == 1


@pytest.mark.slow
def test_diverged_runs_are_recorded_as_results(tmp_path):
    options = ["dataset=regression", "dataset.standardize.y=none", "optimizer.learning_rate=10", "seeds=2", "epochs=5"]
    done = run(tmp_path, *options, "name=wild")
    assert done.status == 0
    assert "2 diverged" in done.out
    table = rows(tmp_path / "multirun" / "wild")
    assert {row["status"] for row in table} == {"diverged"}
    assert {r["status"] for r in live(tmp_path, "run")} == {"diverged"}


@pytest.mark.slow
def test_a_server_that_is_away_stops_nothing_and_sync_sends_later(tmp_path):
    away = run(tmp_path, *QUICK, "seeds=1", "tracking.uri=http://127.0.0.1:9")
    assert away.status == 0
    assert "MLflow could not be written" in away.out
    assert "lossbench-sync" in away.out
    assert len(rows(tmp_path / "multirun" / "quick")) == 2
    back = run(tmp_path, *QUICK, "seeds=1")
    assert "nothing to run" in back.out
    assert len(live(tmp_path, "run")) == 2


def wait_until_nothing_runs(home: Path) -> None:
    """The tracking process of a killed sweep notices, closes its runs and ends."""
    deadline = time.monotonic() + 60
    while (home / "mlruns" / "mlflow.db").exists() and [r for r in mlflow_runs(home) if r["run_status"] == "RUNNING"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize(
    "sent",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_or_killed_sweep_continues_to_the_same_results(tmp_path, sent):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    arguments = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=40", "seeds=60", "name=quick"]
    process = start(cut, *arguments)
    wait_for_files(cut, PARTS, 5)
    os.killpg(process.pid, sent)
    said = process.communicate(timeout=60)[0]
    wait_for(lambda: not workers(cut), 5)
    n_there = len(list(cut.glob("multirun/*/*/parts/seed=*.npz")))
    assert 5 <= n_there < 120
    if sent != signal.SIGKILL:
        assert process.returncode == 130
        assert f"interrupted: {n_there} of 120 runs are finished; the same command continues." in said
        assert "Traceback" not in said
    wait_until_nothing_runs(cut)
    again = run(cut, *arguments)
    assert again.status == 0
    assert f"quick: 2 cells, 120 runs, {n_there} finished; {120 - n_there} to run" in again.out
    assert {r["run_status"] for r in mlflow_runs(cut)} == {"FINISHED"}
    assert len(live(cut, "run")) == 120
    assert not list(cut.glob("multirun/*/*/parts/.*"))
    run(whole, *arguments, "tracking.enabled=false")
    results = [home / "multirun" / "quick" / "results.csv" for home in (whole, cut)]
    assert results[0].read_bytes() == results[1].read_bytes()


# ---- Other ways to run it.


@pytest.mark.slow
def test_trainings_use_several_cores(tmp_path):
    """Two runs of a cell are in training at the same moment."""
    run(tmp_path, "epochs=400", "seeds=12", "name=x", "tracking.enabled=false", "report.yardsticks=false")
    parts = [read_run(path).info for path in tmp_path.glob("multirun/x/*/parts/*.npz")]
    overlapping = sum(a.started < b.ended and b.started < a.ended for a in parts for b in parts if a.seed < b.seed)
    assert len(parts) == 12
    assert overlapping >= 6


@pytest.mark.slow
def test_a_sweep_with_the_fit_trainer_agrees_with_the_compiled_one(tmp_path):
    options = ["tracking.enabled=false", "dataset=blobs", "epochs=3", "seeds=2"]
    for trainer in ("compiled", "fit"):
        done = run(tmp_path, *options, f"trainer={trainer}", f"name={trainer}")
        assert done.status == 0, done.out + done.err
    ours, theirs = (rows(tmp_path / "multirun" / name) for name in ("compiled", "fit"))
    for a, b in zip(ours, theirs, strict=True):
        assert float(a["test/log_loss"]) == pytest.approx(float(b["test/log_loss"]), abs=1e-5)


def test_the_wheel_contains_its_choices_and_works_in_any_folder(tmp_path):
    site = tmp_path / "site"
    pip = [BIN / "python", "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path / "dist", Path.cwd()]
    subprocess.run(build, check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--target", site, wheel], check=True)
    done = subprocess.run(
        [BIN / "python", "-c", "from lossbench.commands.main import main; main()", "experiment=tutorial", "plan=true"],
        env=environment(tmp_path, PYTHONPATH=str(site)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("tutorial: 9 cells, 270 runs, 0 finished")
    assert (site / "lossbench" / "conf" / "config.yaml").exists()
    assert (site / "lossbench" / "py.typed").exists()
    (metadata,) = site.glob("lossbench-*.dist-info/METADATA")
    said = metadata.read_text(encoding="utf-8")
    assert "License-Expression: MIT" in said
    assert set(re.findall(r"^Classifier: (.*)$", said, re.MULTILINE)) <= set(classifiers)


# ---- The user's own losses.

MINE = """
import tensorflow as tf


def welsch(y_true, y_pred, scale=1.0):
    return tf.reduce_mean(1 - tf.exp(-0.5 * tf.square((y_true - y_pred) / scale)), axis=-1)


def of_the_batch(y_true, y_pred):
    return tf.reduce_mean(tf.square(y_true - y_pred))


def of_each_output(y_true, y_pred):
    return tf.square(y_true - y_pred)


def logarithm(y_true, y_pred):
    return tf.reduce_mean(tf.math.log(y_pred), axis=-1)


def without_prediction(y_true, y_pred):
    return tf.reduce_mean(tf.square(y_true), axis=-1)


def asking(y_true, y_pred, scale=1.0):
    power = 2.0 if scale > 1.0 else 1.0
    return tf.reduce_mean(tf.abs(y_true - y_pred) ** power, axis=-1)
"""


def test_a_custom_loss_is_checked_on_the_first_batch_and_trained(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    functions = ("of_the_batch", "of_each_output", "logarithm", "without_prediction")
    options = ["-m", "dataset=regression", "loss=custom", "seeds=2", "epochs=2", "name=own"]
    names = ",".join(f"mine:{function}" for function in functions)
    done = run(tmp_path, *options, f"loss.function={names}", "tracking.enabled=false")
    assert done.status == 1
    assert "Traceback" not in done.err
    assert "returned the shape (32, 1) for the 32 samples of the first batch" in done.out
    assert "mine:logarithm returned nan on the first batch, for y_true=" in done.out
    assert "mine:without_prediction has no gradient with respect to y_pred" in done.out
    # Said once, not for every seed.
    assert done.out.count("FAILED") == 3
    table = rows(tmp_path / "multirun" / "own")
    assert [row["status"] for row in table] == ["finished"] * 2 + ["failed"] * 6
    assert "the same command" not in done.out


@pytest.mark.slow
def test_a_training_that_cannot_be_compiled_fails_with_a_hint_and_is_trained_by_fit(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    options = ["dataset=regression", "loss=custom", "loss.function=mine:asking", "loss.parameters={scale: 2.0}"]
    options += ["seeds=1", "epochs=2", "tracking.enabled=false"]
    compiled = run(tmp_path, *options, "name=compiled")
    assert compiled.status == 1
    assert "this training cannot be compiled; trainer=fit trains it as Keras does" in compiled.out
    assert run(tmp_path, *options, "trainer=fit", "name=fit").status == 0


def test_a_changed_custom_loss_gets_another_key(tmp_path, monkeypatch):
    from support.plans import plan

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    keys = []
    for scale in ("1.0", "2.0"):
        (tmp_path / "mine.py").write_text(MINE.replace("scale=1.0", f"scale={scale}"))
        keys.append(plan("dataset=regression", "loss=custom", "loss.function=mine:welsch").cells[0].key)
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], ["loss=custom needs a function"]),
        (["loss.function=mine"], ["must be of the form package.module:name; got 'mine'"]),
        (["loss.function=mine:welch"], ["unknown function in", "did you mean 'welsch'?"]),
        (["loss.function=nothere:f"], ["there is no module 'nothere'"]),
        (["loss.function=broken:f"], ["broken.py, line 1: "]),
        (["loss.function=mine:welsch", "loss.task=regresion"], ["loss.task must be one of"]),
        (["loss.function=mine:welsch", "loss.parameters={scale: big}"], ["loss.parameters must be a number for each"]),
    ],
)
def test_mistaken_settings_of_a_custom_loss_are_errors(tmp_path, monkeypatch, options, said):
    from support.plans import message

    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    text = message("dataset=regression", "loss=custom", *options)
    for part in said:
        assert part in text


@pytest.mark.slow
def test_a_sweep_with_a_weighted_sum_logs_its_terms(tmp_path):
    terms = "loss.terms={huber: {weight: 0.7, delta: 0.5}, mae: 0.3}"
    done = run(tmp_path, "dataset=regression", "loss=composite", terms, "seeds=2", "epochs=2", "name=sum")
    assert done.status == 0, done.err
    (cell,) = live(tmp_path, "cell")
    keys = {key for key, *_ in mlflow_metrics(tmp_path, cell["id"])}
    assert {"train/loss_huber", "test/loss_huber_low", "train/loss_mean_absolute_error"} <= keys
    assert {"ceiling/test/rmse", "naive/test/rmse"} <= keys
    assert "; ceiling 0.001)" in done.out
