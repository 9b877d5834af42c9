"""``results.csv``: what users open in a spreadsheet."""

import dataclasses
import os

import pandas as pd
import pytest
from support.results import cell, cell_results, sweep
from support.settings import shipped

from lossbench.config.settings import group_settings
from lossbench.results.table import results_table, write_results

BCE, HINGE = cell("binary_crossentropy"), cell("hinge", head="tanh")
HEAD = ["sweep", "cell", "dataset", "head", "loss", "seed", "status", "stuck", "learning_rate"]
LAST = ["diverged_epoch", "last_finite_loss", "cause", "remedy"]
NAN = float("nan")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    return tmp_path


def table(*results, n_seeds=2) -> pd.DataFrame:
    return results_table(sweep(*results, n_seeds=n_seeds), list(results))


def test_every_run_of_the_plan_has_a_row():
    found = table(cell_results(BCE, [0.8, NAN], stuck=[0]), cell_results(HINGE, [0.7, 0.9], missing=[0]))
    assert list(found.columns) == [*HEAD, "test/accuracy", *LAST]
    assert found[["loss", "head", "seed", "status", "stuck"]].values.tolist() == [
        ["binary_crossentropy", "sigmoid", 0, "finished", True],
        ["binary_crossentropy", "sigmoid", 1, "diverged", False],
        ["hinge", "tanh", 0, "missing", False],
        ["hinge", "tanh", 1, "finished", False],
    ]
    assert found["sweep"].unique().tolist() == ["test"]
    assert found["cell"].tolist() == [BCE.name] * 2 + [HINGE.name] * 2
    assert found["test/accuracy"].fillna(-1.0).tolist() == [0.8, -1.0, -1.0, 0.9]


def test_metrics_stand_by_split_and_only_those_of_a_split():
    results = cell_results(BCE, [0.8])
    results.runs[0].info.scores.update(
        {"validation/accuracy": 0.7, "train/accuracy": 0.9, "test/rmse": 0.1, "x/y": 1.0}
    )
    found = table(results, n_seeds=1)
    assert list(found.columns) == [*HEAD, "train/accuracy", "validation/accuracy", "test/accuracy", "test/rmse", *LAST]


def test_swept_settings_are_columns_between_the_run_and_its_metrics():
    wide = cell("hinge", head="tanh", swept={"model.hidden_units": [5, 5], "batch_size": 16})
    found = table(cell_results(wide, [0.8]), cell_results(BCE, [0.9]), n_seeds=1)
    assert list(found.columns) == [*HEAD, "model.hidden_units", "batch_size", "test/accuracy", *LAST]
    assert found["model.hidden_units"].fillna("").tolist() == ["[5, 5]", ""]
    assert found["batch_size"].fillna(0).tolist() == [16, 0]


def test_the_learning_rate_is_the_one_that_was_used():
    tune = group_settings("tune", shipped("tune", "learning_rate"))
    tuned = cell("hinge", swept={"tune": "learning_rate"})
    tuned = dataclasses.replace(tuned, settings=dataclasses.replace(tuned.settings, tune=tune))
    results = cell_results(tuned, [0.8, 0.9])
    results.runs[1].info.tuned["optimizer.learning_rate"] = 0.25
    found = table(results, cell_results(BCE, [0.8], missing=[1]), n_seeds=2)
    # A study that has not ended has no rate; an untuned cell's stands in its settings, run or not.
    own = BCE.settings.optimizer.learning_rate
    assert found["learning_rate"].fillna(-1.0).tolist() == [-1.0, 0.25, own, own]
    assert found["tune"].tolist() == ["learning_rate"] * 2 + ["none"] * 2


def test_the_file_is_written_where_the_sweep_lies_and_read_as_a_table():
    results = cell_results(BCE, [0.8, 0.75])
    plan = sweep(results, n_seeds=2)
    plan.folder.mkdir(parents=True)
    path = write_results(plan, [results])
    assert path == plan.folder / "results.csv"
    read = pd.read_csv(path)
    assert list(read.columns) == [*HEAD, "test/accuracy", *LAST]
    assert read["test/accuracy"].tolist() == [0.8, 0.75]
    assert path.read_bytes().count(b"\n") == 3
    assert b"\r" not in path.read_bytes()


def test_the_same_runs_leave_the_file_and_others_replace_it():
    results = cell_results(BCE, [0.8])
    plan = sweep(results, n_seeds=1)
    plan.folder.mkdir(parents=True)
    path = write_results(plan, [results])
    os.utime(path, (1000, 1000))
    write_results(plan, [results])
    assert path.stat().st_mtime == 1000
    write_results(plan, [cell_results(BCE, [0.9])])
    assert "0.9" in path.read_text()
