"""Features and targets scaled as the training rows say, and judged in the targets' own unit."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error
from support.settings import dataset_settings

from lossbench.datasets.catalogue import DATASETS, SCALINGS, scaled_target_range
from lossbench.datasets.loading import load
from lossbench.ground.run_ids import RunId
from lossbench.jobs.prepare import PreparedCell
from lossbench.jobs.run_cell import run_cell
from lossbench.losses.heads import HEADS
from lossbench.metrics.reference_predictors import ceiling_scores
from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan
from lossbench.results.part_files import read_run


def cell_of(*argv: str):
    return make_plan(read_overrides([*argv, "epochs=3", "seeds=1"], multirun=True), "lossbench").cells[0]


def scaled(name: str, **how: str):
    return load(dataset_settings(name, standardize=how))


@pytest.mark.parametrize("how", [how for how in SCALINGS if how not in ("none", "pixels")])
def test_scalers_are_fitted_on_the_training_rows(how):
    plain = scaled("linnerud", x="none", y="none")
    data = scaled("linnerud", x=how, y=how)
    for values in (data.splits["train"].x, data.splits["train"].y):
        ends = np.quantile(values.astype(np.float64), [0, 0.25, 0.5, 0.75, 1], axis=0)
        if how == "standard":
            np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-6)
            np.testing.assert_allclose(values.std(axis=0), 1, rtol=1e-5)
        elif how == "minmax":
            np.testing.assert_allclose(ends[[0, -1]].T, [[0, 1]] * values.shape[1], atol=1e-6)
        else:
            np.testing.assert_allclose(ends[2], 0, atol=1e-6)
            np.testing.assert_allclose(ends[3] - ends[1], 1, rtol=1e-5)
    for split, part in data.splits.items():
        np.testing.assert_allclose(data.target_scaling.original(part.y), plain.splits[split].y, rtol=1e-6)
    everywhere = scaled("linnerud", x=how, y=how, fitted_on="all_rows")
    assert everywhere.digest != data.digest


def test_scaled_targets_lie_in_the_range_of_their_scaler():
    info = DATASETS["diabetes"]
    ranges = {
        (how, rows): scaled_target_range(info, dataset_settings("diabetes", standardize={"y": how, "fitted_on": rows}))
        for how in SCALINGS
        for rows in ("train", "all_rows")
    }
    assert ranges["none", "train"] == info.target_range
    assert ranges["minmax", "all_rows"] == (0.0, 1.0)
    assert {r for key, r in ranges.items() if key[0] != "none" and key != ("minmax", "all_rows")} == {
        (-float("inf"), float("inf"))
    }


@pytest.mark.parametrize("trainer", ["compiled", "fit"])
@pytest.mark.parametrize(
    ("argv"),
    [
        pytest.param(["dataset=diabetes"], id="one output"),
        pytest.param(["dataset=linnerud"], id="outputs of different scales"),
        pytest.param(["dataset=diabetes", "dataset.standardize.y=minmax", "head=exponential"], id="another head"),
        pytest.param(["dataset=linnerud", "dataset.standardize.y=robust", "loss=gaussian_nll"], id="with a variance"),
    ],
)
def test_metrics_and_their_curve_are_in_the_targets_own_unit(argv, trainer, tmp_path):
    cell = cell_of(*argv, f"trainer={trainer}", "repeat=seeds")
    prepared = PreparedCell(cell)
    run_cell(cell, tmp_path, [RunId(0)], 1)
    run = read_run(tmp_path / "parts" / "seed=0.npz")
    assert run.info.status == "finished"
    plain = scaled(cell.dataset, y="none")
    for split, part in plain.splits.items():
        raw = run.arrays[f"raw/{split}"].astype(np.float64)
        prediction = HEADS[cell.head].activate(raw)[:, : part.y.shape[1]]
        prediction = prediction * prepared.dataset.target_scaling.scale + prepared.dataset.target_scaling.center
        assert run.info.scores[f"{split}/rmse"] == pytest.approx(
            mean_squared_error(part.y, prediction) ** 0.5, rel=1e-5
        )
        assert run.info.scores[f"{split}/mae"] == pytest.approx(mean_absolute_error(part.y, prediction), rel=1e-5)
        assert run.curves[f"{split}/rmse"][-1] == pytest.approx(run.info.scores[f"{split}/rmse"], rel=1e-4)
        mean = plain.splits["train"].y.mean(axis=0)
        of_the_mean = mean_squared_error(part.y, np.broadcast_to(mean, part.y.shape)) ** 0.5
        assert run.info.naive[f"{split}/rmse"] == pytest.approx(of_the_mean, rel=1e-5)


def test_scaled_metrics_are_in_the_unit_of_training(tmp_path):
    """The tutorial's data: standardized on all rows, and judged so, as it was published."""
    data = scaled("regression")
    assert data.target_scaling is None
    cell = cell_of("dataset=regression")
    assert PreparedCell(cell).naive["test/rmse"] == pytest.approx(1.0, abs=0.1)
    own_unit = cell_of("dataset=regression", "dataset.standardize.metrics=original")
    assert PreparedCell(own_unit).naive["test/rmse"] > 100
    assert own_unit.key != cell.key


def test_the_ceiling_is_in_the_targets_own_unit():
    """Friedman's problem has noise of deviation 1, whatever its targets are scaled to."""
    prepared = PreparedCell(cell_of("dataset=friedman1"))
    assert prepared.ceiling["test/rmse"] == pytest.approx(1.0, rel=0.05)
    plain = scaled("friedman1", y="none").splits["test"]
    assert prepared.ceiling["test/mae"] == pytest.approx(ceiling_scores("regression", plain.y, plain.optimum)["mae"])


def test_unsound_scaling_is_named_below_the_table():
    from lossbench.console.summary import _scaling_lines

    regression = dataset_settings("regression").standardize
    assert _scaling_lines(regression) == [
        "scaling fitted on all rows, as tutorials do; errors in units of scaled targets"
    ]
    assert _scaling_lines(dataset_settings("diabetes").standardize) == []


def test_impossible_scalings_are_errors():
    from lossbench.ground.errors import UsageError

    with pytest.raises(UsageError, match=r"dataset\.standardize\.x must be one of none, standard, minmax, robust"):
        cell_of("dataset=diabetes", "dataset.standardize.x=max")
    with pytest.raises(UsageError, match=r"dataset\.standardize\.metrics must be one of original, scaled"):
        cell_of("dataset=diabetes", "dataset.standardize.metrics=both")
    with pytest.raises(UsageError, match=r"dataset\.standardize\.y must be none for two classes"):
        cell_of("dataset=circles", "dataset.standardize.y=robust")


def test_a_setting_that_does_nothing_changes_no_key():
    """Classes have no unit; in scaled units are the numbers that there were before one could choose."""
    keys = {cell_of("dataset=circles", f"dataset.standardize.metrics={unit}").key for unit in ("original", "scaled")}
    assert len(keys) == 1
    keys = {cell_of("dataset=diabetes", f"dataset.standardize.metrics={unit}").key for unit in ("original", "scaled")}
    assert len(keys) == 2
