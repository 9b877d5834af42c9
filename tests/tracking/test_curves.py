"""Curves of runs as MLflow takes them."""

import numpy as np
import pytest
from support.results import cell

from lossbench.ground.run_ids import RunId
from lossbench.results.cells import CellResults
from lossbench.results.part_files import DIVERGED, FAILED, RunInfo, part_path, read_run, write_part
from lossbench.tracking.curves import MOST_POINTS, cell_curves, run_curves


def run_of(folder, status, arrays):
    write_part(folder, RunInfo(0, "key-0", status, 0.0, 1.0), arrays)
    found = read_run(part_path(folder, RunId(0)))
    assert found is not None
    return found


def test_the_curves_of_a_run_begin_with_its_last_epoch(tmp_path):
    arrays = {"epochs": np.array([1, 2]), "curve/train/loss": np.array([0.5, 0.25])}
    found = run_curves(run_of(tmp_path, DIVERGED, arrays), 7)
    assert [(m.key, m.value, m.timestamp, m.step) for m in found] == [
        ("train/loss", 0.25, 7, 2),
        ("train/loss", 0.5, 7, 1),
    ]


def test_a_failed_run_has_no_curves(tmp_path):
    assert run_curves(run_of(tmp_path, FAILED, {}), 7) == []


@pytest.mark.parametrize("n", [1, MOST_POINTS - 1, MOST_POINTS, MOST_POINTS + 1, 2 * MOST_POINTS - 1, 5000])
def test_a_curve_has_at_most_as_many_points_as_the_charts_show_with_both_ends(tmp_path, n):
    values = np.linspace(1.0, 0.0, n)
    run = run_of(tmp_path, DIVERGED, {"epochs": np.arange(1, n + 1), "curve/train/loss": values})
    of_run = {m.step: m.value for m in run_curves(run, 7)}
    of_cell = {m.step: m.value for m in cell_curves(CellResults(cell("hinge"), [run]), 7) if m.key == "train/loss"}
    assert of_run == of_cell
    assert len(of_run) == min(n, MOST_POINTS)
    assert {1, n} <= of_run.keys()
    assert all(value == values[step - 1] for step, value in of_run.items())
    # At equal distances, but for rounding to whole epochs.
    assert len(set(np.diff(sorted(of_run)).tolist())) <= 2


def test_the_ends_of_a_mean_curve_are_those_of_its_known_values(tmp_path):
    values = np.ones(1000)
    values[-1] = np.nan
    run = run_of(tmp_path, DIVERGED, {"epochs": np.arange(1, 1001), "curve/train/loss": values})
    steps = [m.step for m in cell_curves(CellResults(cell("hinge"), [run]), 7) if m.key == "train/loss"]
    assert (len(steps), steps[0], steps[-1]) == (MOST_POINTS, 1, 999)
