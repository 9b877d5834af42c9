"""The likely cause of a run that does not work, and the remedy."""

import csv
import dataclasses

import numpy as np
import pytest
from support.commands import run as command
from support.mlflow_store import mlflow_runs
from support.results import cell, cell_results
from support.settings import shipped

from lossbench.config.settings import group_settings
from lossbench.results.causes import Cause, cause, last_finite_loss
from lossbench.results.part_files import DIVERGED, FAILED, FINISHED, Run

RAW = np.linspace(-2, 2, 20, dtype=np.float32)[:, None]
BCE, HINGE = cell("binary_crossentropy"), cell("hinge", head="tanh")
EPOCHS = np.arange(100)


def made(own, loss, raw=RAW, **info) -> Run:
    """Return a run of a cell that has this loss curve and these raw predictions."""
    (run,) = cell_results(own, [0.5]).runs
    found = Run(dataclasses.replace(run.info, **info), run.path)
    found.__dict__["arrays"] = {"curve/train/loss": np.array(loss, np.float32), "raw/test": raw}
    return found


def with_settings(own, **groups):
    return dataclasses.replace(own, settings=dataclasses.replace(own.settings, **groups))


def rated(own, rate: float):
    return with_settings(own, optimizer=dataclasses.replace(own.settings.optimizer, learning_rate=rate))


STANDARD = with_settings(
    BCE,
    dataset=dataclasses.replace(
        BCE.settings.dataset,
        standardize=dataclasses.replace(BCE.settings.dataset.standardize, x="standard"),
    ),
)


@pytest.mark.parametrize(
    ("own", "extremes", "why", "remedy"),
    [
        pytest.param(BCE, {"x": 3e5, "y": 1.0}, "a feature of up to 3e+05", "dataset.standardize.x=standard", id="x"),
        pytest.param(STANDARD, {"x": 200.0}, "a feature of up to 2e+02", "mend or leave out its extreme", id="row"),
        pytest.param(BCE, {"x": 1.0, "y": 4e4}, "a target of up to 4e+04", "dataset.standardize.y=standard", id="y"),
        pytest.param(
            dataclasses.replace(BCE, outside_domain=True),
            None,
            "the targets lie outside the loss's domain",
            "another loss: loss=all takes those that fit",
            id="domain",
        ),
        pytest.param(
            cell("poisson", dataset="regression", head="exponential"),
            {"x": 1.0, "y": 1.0},
            "the exponential of head=exponential overflows",
            "head=softplus or tune=learning_rate or ",
            id="head",
        ),
        pytest.param(
            rated(BCE, 10.0),
            {"x": 1.0, "y": 1.0},
            "the learning rate 10 is too high",
            "tune=learning_rate or optimizer.learning_rate=0.01 or optimizer.clipnorm=1",
            id="rate",
        ),
        pytest.param(rated(BCE, 0.01), None, "the learning rate 0.01 is too high", "tune=learning_rate or ", id="old"),
    ],
)
def test_of_diverged_runs(own, extremes, why, remedy):
    found = cause(own, made(own, [1.0, 1e9, np.inf], status=DIVERGED, diverged_epoch=3, extremes=extremes))
    assert found.why.startswith(why)
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("own", "loss", "raw", "why", "remedy"),
    [
        pytest.param(BCE, 0.7 + 0 * EPOCHS, 0 * RAW + 0.1, "the network gives every row the", "another", id="dead"),
        # tanh at 5 has 2e-4 of its greatest slope, at 3 a hundredth: of the hinge loss nothing is left there.
        pytest.param(
            HINGE,
            1.0 + 0 * EPOCHS,
            0 * RAW + 5.0 * np.sign(RAW),
            "the outputs of head=tanh are saturated, where the loss has no slope",
            "loss=binary_crossentropy, which keeps its slope there, or optimizer.learning_rate=0.001",
            id="saturated",
        ),
        pytest.param(
            dataclasses.replace(
                cell("mean_squared_logarithmic_error", dataset="regression", head="linear"), outside_domain=True
            ),
            0.1712 + 0 * EPOCHS,
            RAW - 5,
            "the loss has no slope at the network's outputs: the targets lie outside its domain",
            "another loss: loss=all takes those that fit",
            id="domain",
        ),
        pytest.param(BCE, 5 + (-1.0) ** EPOCHS, RAW, "the learning rate 0.01 is too high: the tra", "tune", id="jumps"),
        pytest.param(
            rated(BCE, 1e-6),
            0.7 - 1e-5 * EPOCHS,
            RAW,
            "the learning rate 1e-06 is too low",
            "tune=learning_rate or optimizer.learning_rate=0.01",
            id="slow",
        ),
        pytest.param(BCE, 3 - 0.02 * EPOCHS, RAW, "too few epochs", "epochs=", id="epochs"),
    ],
)
def test_of_stuck_runs(own, loss, raw, why, remedy):
    found = cause(own, made(own, loss, raw, status=FINISHED, stuck=True))
    assert found.why.startswith(why)
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("own", "loss", "raw"),
    [
        pytest.param(BCE, 0.7 + 1e-4 * (-1.0) ** EPOCHS, RAW, id="a loss that stays"),
        # Cross-entropy is computed from raw predictions, and pulls back outputs of any size.
        pytest.param(BCE, 0.7 + 1e-4 * (-1.0) ** EPOCHS, 50 * np.sign(RAW), id="a loss that keeps its slope"),
        pytest.param(HINGE, 1.0 + 0 * EPOCHS, 3.0 * np.sign(RAW), id="not saturated"),
        pytest.param(BCE, [0.7, 0.7], RAW, id="too few points"),
    ],
)
def test_where_nothing_is_known_of_a_stuck_run_nothing_is_said(own, loss, raw):
    assert cause(own, made(own, loss, raw, status=FINISHED, stuck=True)) is None


def test_a_study_has_tried_higher_rates():
    tuned = with_settings(rated(BCE, 1e-6), tune=group_settings("tune", shipped("tune", "learning_rate")))
    found = cause(tuned, made(tuned, 0.7 - 1e-5 * EPOCHS, status=FINISHED, stuck=True))
    assert found.why.startswith("too few epochs")


def test_working_runs_have_none_and_failed_ones_their_error():
    assert cause(BCE, made(BCE, [1.0, 0.5, 0.2], status=FINISHED)) is None
    failed = made(BCE, [], status=FAILED, error="Traceback\nValueError: no such layer")
    assert cause(BCE, failed) == Cause("ValueError: no such layer")


@pytest.mark.parametrize(
    ("loss", "last"), [([2.0, 3.0, np.nan], 3.0), ([np.inf, 1.0, np.inf, np.nan], 1.0), ([np.nan], None), ([], None)]
)
def test_the_last_finite_loss(loss, last):
    assert last_finite_loss(made(BCE, loss, status=DIVERGED)) == last


@pytest.mark.slow
def test_it_is_said_in_terminal_table_report_and_mlflow_and_the_remedy_works(tmp_path):
    words = ("-m", "dataset=friedman1", "loss=mse,mae", "seeds=2", "epochs=20", "report.yardsticks=false")
    done = command(tmp_path, *words, "optimizer.learning_rate=10", "name=bad")
    said = " ".join(done.out.split())
    likely = (
        "likely the learning rate 10 is too high; tune=learning_rate or optimizer.learning_rate=0.01 or "
        "optimizer.clipnorm=1"
    )
    assert f"mean_squared_error: in epoch 1, before its first evaluation: {likely}" in said
    assert "mean_absolute_error: in epoch" in said
    with (tmp_path / "multirun/bad/results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-4:] == ["diverged_epoch", "last_finite_loss", "cause", "remedy"]
    assert {row["cause"] for row in rows} == {"the learning rate 10 is too high"}
    assert [row["last_finite_loss"] for row in rows[:2]] == ["", ""]
    assert all(float(row["last_finite_loss"]) > 1e9 for row in rows[2:])
    for name in ("report.md", "report.html"):
        assert likely in (tmp_path / "multirun/bad" / name).read_text(encoding="utf-8")
    assert {run["cause"] for run in mlflow_runs(tmp_path) if run.get("kind") == "run"} == {
        likely.removeprefix("likely ")
    }
    for remedy in ("tune=learning_rate", "optimizer.learning_rate=0.01", "optimizer.clipnorm=1"):
        rate = [] if remedy.startswith("optimizer.learning_rate") else ["optimizer.learning_rate=10"]
        again = command(tmp_path, *words, *rate, remedy, "tracking.enabled=false")
        assert "diverged (" not in again.out, remedy
