"""``repeat=folds``: runs are trained and judged in the folds of a repeated cross-validation."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from support.commands import run
from support.exports import cell_of
from support.mlflow_store import mlflow_runs
from support.plans import message, plan

from lossbench.comparison.mean_tests import of_folds
from lossbench.ground.run_ids import RunId, read_run_id
from lossbench.jobs.prepare import PreparedCell
from lossbench.jobs.run_cell import run_cell
from lossbench.results.part_files import part_path, read_run

QUICK = ("dataset=iris", "repeat=folds", "epochs=3")
RUNS = [RunId(seed, repetition, fold) for repetition in (0, 1) for fold in range(5) for seed in range(3)]


def test_a_run_is_known_by_repetition_fold_and_seed():
    assert plan(*QUICK).runs(plan(*QUICK).cells[0]) == RUNS
    assert [read_run_id(each.name) for each in RUNS] == RUNS
    assert read_run_id("seed=3") == RunId(3)
    assert read_run_id("fold=1,seed=3") is None
    assert len({each.training_seed for each in RUNS}) == len(RUNS)
    assert RunId(3).training_seed == 3


def test_files_and_real_data_are_cross_validated_and_generated_data_are_not():
    assert plan("dataset=wine").cells[0].settings.repeat.name == "folds"
    assert plan("dataset=circles").cells[0].settings.repeat.name == "seeds"
    assert plan("dataset=circles", "repeat=folds").n_runs == 30
    # Whoever sets one split gets one split.
    assert plan("dataset=wine", "dataset.split.seed=3").cells[0].settings.repeat.name == "seeds"
    assert plan("experiment=digits").cells[0].settings.repeat.name == "seeds"
    many = plan("dataset=mnist")
    assert many.cells[0].settings.repeat.name == "seeds"
    assert "70000 rows: all runs have one split (repeat=folds cross-validates)" in many.notes


def test_the_number_of_repetitions_and_the_split_are_no_part_of_the_key():
    (cell,) = plan(*QUICK).cells
    for option in ("repeat.repetitions=3", "seeds=5"):
        assert plan(*QUICK, option).cells[0].key == cell.key
    for option in ("repeat.folds=4", "repeat.seed=1", "repeat=seeds", "dataset.split.validation=0.1"):
        assert plan(*QUICK, option).cells[0].key != cell.key


def test_what_cannot_be_is_an_error():
    assert "repeat.folds must be at most the number of rows; got 30 of 20." in message(
        "dataset=linnerud", "repeat=folds", "repeat.folds=30"
    )
    assert "repeat.folds must be at least 2; got 1." in message(*QUICK, "repeat.folds=1")
    assert "repeat.repetitions must be at least 1; got 0." in message(*QUICK, "repeat.repetitions=0")


def test_the_folds_are_the_same_for_all_losses_and_two_programs_serve_them():
    # 442 rows in 5 folds: 88 or 89 test rows.
    first, second = (PreparedCell(cell_of("dataset=diabetes", f"loss={loss}")) for loss in ("mse", "mae"))
    for each in (RUNS[0], RUNS[4], RUNS[-1]):
        one, other = first.run(each).splits, second.run(each).splits
        assert all(np.array_equal(one[name].x, other[name].x) for name in one)
    assert len(first.structures(RUNS)) == 2


@pytest.mark.parametrize("data", ["diabetes", "linnerud", "wine dataset.split.validation=0.2 select=best"])
def test_compiled_and_plain_training_agree(tmp_path, data):
    chosen, ended = [RUNS[0], RUNS[7], RUNS[29]], []
    for trainer in ("compiled", "fit"):
        cell = cell_of(
            f"dataset={data.split()[0]}", *data.split()[1:], "epochs=3", "repeat=folds", f"trainer={trainer}"
        )
        run_cell(cell, tmp_path / trainer, chosen, 1)
        ended.append([read_run(part_path(tmp_path / trainer, each)) for each in chosen])
    for ours, theirs in zip(*ended, strict=True):
        np.testing.assert_allclose(ours.arrays["raw/test"], theirs.arrays["raw/test"], atol=1e-5)
        np.testing.assert_allclose(*(r.curves["test/loss"] for r in (ours, theirs)), rtol=1e-4)
        assert ours.info.naive == theirs.info.naive
        assert ours.info.id == theirs.info.id


def test_a_run_is_judged_on_the_rows_of_its_fold(tmp_path):
    cell = cell_of("dataset=diabetes", "epochs=3")
    run_cell(cell, tmp_path, RUNS[:6], 2)
    first, same, other = (read_run(part_path(tmp_path, RUNS[i])) for i in (0, 1, 3))
    np.testing.assert_array_equal(first.arrays["test/rows"], same.arrays["test/rows"])
    assert not np.isin(other.arrays["test/rows"], first.arrays["test/rows"]).any()
    assert first.info.naive == same.info.naive != other.info.naive
    scaling = first.info.target_scaling
    y, raw = (first.arrays[name] * scaling["scale"] + scaling["center"] for name in ("test/y", "raw/test"))
    assert first.info.scores["test/rmse"] == pytest.approx(float(np.sqrt(np.mean((y - raw) ** 2))), rel=1e-5)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    # Descriptions of files are kept there.
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))


def table_with_groups_and_times(path):
    rng = np.random.default_rng(7)
    rows = [f"p{i % 15},2024-01-{1 + i // 10:02d},{x:.3f},{x + i / 50:.3f}" for i, x in enumerate(rng.normal(size=150))]
    path.write_text("patient,day,dose,response\n" + "\n".join(rows) + "\n")
    return f"dataset.path={path}", "dataset.target=response"


def test_groups_of_a_file_are_never_trained_on_and_tested_both(tmp_path):
    argv = table_with_groups_and_times(tmp_path / "trial.csv")
    cell = cell_of("dataset=csv", *argv, "dataset.groups=patient", "epochs=2")
    assert cell.settings.dataset.facts.numbers == ["dose"]
    run_cell(cell, tmp_path / "cell", RUNS[:15], 2)
    for fold in range(5):
        tested = read_run(part_path(tmp_path / "cell", RunId(0, 0, fold))).arrays["test/rows"]
        patients = {i % 15 for i in tested}
        assert len(tested) == 10 * len(patients)


def test_later_rows_of_a_file_are_judged_by_what_earlier_ones_teach(tmp_path):
    argv = table_with_groups_and_times(tmp_path / "trial.csv")
    made = plan("dataset=csv", *argv, "dataset.time=day", "dataset.leave_out=patient", "seeds=1")
    (cell,) = made.cells
    assert made.runs(cell) == [RunId(0, 0, fold) for fold in range(5)]
    prepared = PreparedCell(cell)
    sizes = [len(prepared.run(each).splits["train"].y) for each in made.runs(cell)]
    assert sizes == [20, 50, 70, 100, 120]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            ["dataset.groups=patient", "repeat=seeds"], "dataset.groups decides which rows make a fold;", id="one split"
        ),
        pytest.param(["dataset.groups=patients"], "has no column 'patients' (dataset.groups).", id="no such column"),
        pytest.param(["dataset.groups=response"], "is both the target and in dataset.groups.", id="the target"),
        pytest.param(
            ["dataset.time=patient"], "column 'patient' (dataset.time) has 'p0', which is no time.", id="text"
        ),
        pytest.param(
            ["dataset.groups=patient", "repeat.folds=16"],
            "at most the number of groups; got 16 of 15.",
            id="few groups",
        ),
        pytest.param(
            ["dataset.time=day", "repeat.folds=15"],
            "number of different times in 'day' less one; got 15 of 14.",
            id="few days",
        ),
        pytest.param(
            ["dataset.time=day", "tune=learning_rate"], "with dataset.time a study would learn from rows", id="tuned"
        ),
        pytest.param(["dataset.time=day", "dataset.groups=patient"], "cannot both decide which rows", id="both"),
    ],
)
def test_groups_and_times_that_cannot_be_are_errors(tmp_path, options, said):
    assert said in message("dataset=csv", *table_with_groups_and_times(tmp_path / "trial.csv"), *options)


def test_texts_that_a_fold_does_not_train_on_count_as_nothing(tmp_path):
    rows = [f"{i},{'rare' if i == 7 else 'ab'[i % 2]},{i % 3 + i / 10}" for i in range(20)]
    (tmp_path / "table.csv").write_text("size,kind,price\n" + "\n".join(rows) + "\n")
    cell = cell_of("dataset=csv", f"dataset.path={tmp_path / 'table.csv'}", "dataset.target=price")
    prepared = PreparedCell(cell)
    widths = {prepared.run(each).data.x["train"].shape[1] for each in RUNS}
    assert widths == {4}
    for each in RUNS:
        parts = prepared.run(each).splits
        if not parts["train"].x[:, 3].any():
            assert not parts["test"].x.any(axis=0)[3]


def test_a_sweep_in_folds_says_so_and_more_repetitions_train_only_the_new_folds(tmp_path):
    sweep = ("-m", "dataset=diabetes", "loss=mse,mae", "epochs=30", "seeds=2", "name=x")
    done = run(tmp_path, *sweep)
    assert done.status == 0, done.err
    assert "x: 2 cells, 40 runs, 0 finished" in done.out
    said = " ".join(done.out.split())
    assert "for another sample of this size; ±: over folds, for another sample;" in said
    folder = tmp_path / "multirun" / "x"
    table = pd.read_csv(folder / "results.csv")
    assert list(table.columns[5:8]) == ["repetition", "fold", "seed"]
    means = table.pivot_table(index=["repetition", "fold"], columns="loss", values="test/rmse")
    differences = (means["mean_absolute_error"] - means["mean_squared_error"]).to_numpy()
    expected = of_folds(differences, 0.25)
    with open(folder / "comparison.csv") as file:
        rows = {(row["metric"], row["loss"]): row for row in csv.DictReader(file)}
    row = rows["rmse", "mean_absolute_error"]
    assert row["verdict_about"] == "another sample"
    found = [float(row[name]) for name in ("difference", "difference_low", "difference_high", "p", "pairs")]
    interval = expected.interval
    assert found == pytest.approx([interval.mean, interval.low, interval.high, expected.p, 10], rel=1e-6)
    page = (folder / "report.html").read_text()
    assert "trained in 2 x 5 folds, 2 seeds in each" in page
    assert "442 rows in 2 x 5 folds" in page
    tracked = [found for found in mlflow_runs(tmp_path) if found.get("kind") == "run"]
    assert len(tracked) == 40
    assert {(found["repetition"], found["fold"], found["seed"]) for found in tracked} == {
        (str(r), str(f), str(s)) for r in (0, 1) for f in range(5) for s in (0, 1)
    }
    # The network of the better loss is trained on all rows, and kept.
    (whole,) = [found for found in mlflow_runs(tmp_path) if found.get("kind") == "all_rows"]
    assert whole["model_id"]
    assert whole["name"] == "diabetes/mean_squared_error/linear/seed=0"
    (path,) = folder.glob("*/parts/seed=0.npz")
    assert "test/rmse" not in read_run(path).info.scores
    parts = {path: path.read_bytes() for path in folder.glob("*/parts/*.npz")}
    more = run(tmp_path, *sweep, "repeat.repetitions=3")
    assert "x: 2 cells, 60 runs, 40 finished; 20 to run" in more.out
    assert all(path.read_bytes() == content for path, content in parts.items())
    again = run(tmp_path, *sweep, "repeat.repetitions=3")
    assert "nothing to run" in again.out
    assert json.loads((folder / "plan.json").read_text())["seeds"] == {"folds": [0, 1]}
