"""Yardsticks: scikit-learn's models on the rows of the networks, shown beside the losses and none of them."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from support.commands import run
from support.plans import plan

from lossbench.ground.run_ids import RunId
from lossbench.jobs.prepare import PreparedCell
from lossbench.jobs.run_yardsticks import run_yardsticks
from lossbench.planning.yardsticks import yardsticks
from lossbench.results.part_files import read_run
from lossbench.results.yardsticks import yardstick_path

QUICK = ("epochs=20", "seeds=1", "tune=none", "tracking.enabled=false", "name=x")


def table(path, kind: str) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = {"linear": x @ np.arange(1.0, 6.0) + 0.1 * rng.normal(size=200), "noise": rng.integers(0, 2, 200)}[kind]
    pd.DataFrame(np.column_stack([x.round(4), y.round(4)]), columns=[*"abcde", "y"]).to_csv(path, index=False)
    return f"dataset.path={path}", "dataset.target=y"


def test_advice_says_so_where_a_linear_model_wins(tmp_path):
    argv = table(tmp_path / "t.csv", "linear")
    sweep = ("-m", *argv, "loss=mse,mae", *QUICK, "report.recommend=true")
    done = run(tmp_path, *sweep)
    assert done.status == 0, done.err
    said = " ".join(done.out.split())
    assert "t.csv yardsticks 2 models x 10 folds" in said
    assert "yardsticks, no networks: linear model" in said
    assert "a linear model reaches 0." in said
    assert "Recommendation for t.csv: no network; a linear model" in said
    assert max(len(line) for line in done.out.splitlines() if not line.startswith("  it is trained")) <= 80
    page = (tmp_path / "multirun" / "x" / "report.html").read_text()
    assert "On t.csv a linear model does better than this network with any of the losses: rmse 0." in page
    assert "linear model (no network)" in page
    # The yardsticks are no losses: neither cells, nor rows of results.
    assert set(pd.read_csv(tmp_path / "multirun" / "x" / "results.csv")["loss"]) == {
        "mean_squared_error",
        "mean_absolute_error",
    }
    # What a kill left out is trained by the same command, and nothing else.
    (folder,) = (tmp_path / "multirun" / "x").glob("*-yardsticks-*")
    parts = sorted(folder.glob("parts/*.npz"))
    assert len(parts) == 20
    before = {path: path.read_bytes() for path in parts[1:]}
    parts[0].unlink()
    again = run(tmp_path, *sweep)
    assert again.status == 0, again.err
    assert parts[0].exists()
    assert all(path.read_bytes() == content for path, content in before.items())


def test_where_nothing_can_be_learned_no_yardstick_is_ahead(tmp_path):
    done = run(tmp_path, "-m", *table(tmp_path / "t.csv", "noise"), "loss=bce,mse", *QUICK, "report.recommend=true")
    assert done.status == 0, done.err
    assert "no loss is surely better than the naive predictor" in " ".join(done.out.split())
    assert "no network; " not in done.out
    page = (tmp_path / "multirun" / "x" / "report.html").read_text()
    assert "From t.csv no loss taught this network anything" in page


def test_they_can_be_turned_off(tmp_path):
    made = plan("dataset=wine", "report.yardsticks=false")
    assert yardsticks(made) == []
    assert len(yardsticks(plan("dataset=wine"))) == 1
    assert yardsticks(plan("experiment=tutorial")) == []


@pytest.mark.parametrize(
    "data",
    ["diabetes", "linnerud", "breast_cancer", "wine", "multilabel", "shares", "friedman1 repeat=samples seeds=2"],
)
def test_every_task_has_yardsticks(tmp_path, data):
    name, *options = data.split()
    made = plan(f"dataset={name}", *options)
    (wanted,) = yardsticks(made)
    parts = [(model, wanted.runs[0]) for model in ("linear", "boosting")]
    run_yardsticks(wanted, tmp_path, parts, 1)
    for part in parts:
        found = read_run(yardstick_path(tmp_path, *part))
        assert found.info.status == "finished", found.info.error
        main = "test/rmse" if "test/rmse" in found.info.scores else next(iter(found.info.scores))
        assert np.isfinite(found.info.scores[main])
    assert json.loads((tmp_path / "yardsticks.json").read_text())["versions"]["scikit-learn"]


def test_a_score_is_scikit_learns_on_the_rows_of_the_fold(tmp_path):
    (wanted,) = yardsticks(plan("dataset=diabetes"))
    place = RunId(0, 1, 2)
    run_yardsticks(wanted, tmp_path, [("linear", place)], 1)
    own = PreparedCell(wanted.cell).run(place)
    train, test, scaling = own.splits["train"], own.splits["test"], own.cell.dataset.target_scaling
    model = Ridge().fit(train.x, train.y[:, 0].astype(float))
    errors = (model.predict(test.x)[:, None] - test.y) * scaling.scale
    expected = float(np.sqrt(np.mean(errors**2)))
    assert read_run(yardstick_path(tmp_path, "linear", place)).info.scores["test/rmse"] == pytest.approx(expected)
