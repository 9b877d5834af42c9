"""The runs of a cell together."""

import json

import numpy as np
import pytest
from support.results import cell, cell_results, sweep

from lossbench.ground.run_ids import RunId
from lossbench.results.cells import CellResults, curve_matrix, other_cells, read_results
from lossbench.results.part_files import DIVERGED, FAILED, FINISHED, RunInfo, read_runs, write_part

BCE = cell("binary_crossentropy")
# Of seed 0 to 4: fine, stuck, diverged, fine, failed.
STATUSES = (FINISHED, FINISHED, DIVERGED, FINISHED, FAILED)


def info(seed: int, status: str = FINISHED, started=0.0, ended=1.0, **more) -> RunInfo:
    return RunInfo(seed, f"key-{seed}", status, started, ended, **more)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def mixed(tmp_path) -> CellResults:
    """Return a cell with runs of every status."""
    for seed, status in enumerate(STATUSES):
        scores = {"test/accuracy": 0.5 + seed / 10} if status == FINISHED else {"test/accuracy": float("nan")}
        write_part(tmp_path, info(seed, status, stuck=seed == 1, scores={} if status == FAILED else scores), {})
    return CellResults(BCE, list(read_runs(tmp_path, [RunId(seed) for seed in range(5)]).values()))


def test_runs_are_counted_by_how_they_ended(mixed):
    assert [mixed.count(status) for status in (FINISHED, DIVERGED, FAILED)] == [3, 1, 1]
    assert mixed.n_stuck == 1


def test_scores_are_of_finished_runs_and_of_working_ones(mixed):
    assert mixed.scores("test/accuracy") == pytest.approx([0.5, 0.6, 0.8])
    assert mixed.working_scores("test/accuracy") == pytest.approx([0.5, 0.8])
    assert [run.info.seed for run in mixed.working.runs] == [0, 3]
    assert mixed.working.cell is BCE


def test_a_score_that_only_some_runs_have_is_of_these(mixed):
    mixed.runs[0].info.scores["test/log_loss"] = 0.3
    assert mixed.scores("test/log_loss").tolist() == mixed.working_scores("test/log_loss").tolist() == [0.3]
    assert mixed.scores("test/rmse").shape == mixed.working_scores("test/rmse").shape == (0,)
    assert mixed.scores("test/rmse").dtype == np.float64


def test_what_a_study_chose_and_the_naive_scores_are_those_of_the_first_run_that_has_them(tmp_path):
    for seed, more in enumerate(({}, {"tuned": {"optimizer.learning_rate": 0.1}, "naive": {"test/accuracy": 0.5}}, {})):
        write_part(tmp_path, info(seed, **more), {})
    results = CellResults(BCE, list(read_runs(tmp_path, [RunId(0), RunId(1), RunId(2)]).values()))
    assert results.tuned == {"optimizer.learning_rate": 0.1}
    assert results.naive == {"test/accuracy": 0.5}
    assert CellResults(BCE, []).tuned == CellResults(BCE, []).naive == {}


def test_what_the_cells_file_says_is_read_beside_its_runs(tmp_path):
    write_part(tmp_path, info(0), {})
    runs = list(read_runs(tmp_path, [RunId(0)]).values())
    assert CellResults(BCE, runs).described == {}
    assert CellResults(BCE, runs).ceiling == {}
    (tmp_path / "cell.json").write_text(json.dumps({"ceiling": {"test/accuracy": 0.9}}))
    assert CellResults(BCE, runs).ceiling == {"test/accuracy": 0.9}
    assert CellResults(BCE, []).described == {}


def test_values_come_back_into_the_unit_of_the_metrics(tmp_path):
    write_part(tmp_path, info(0), {})
    results = CellResults(BCE, list(read_runs(tmp_path, [RunId(0)]).values()))
    values, (run,) = np.array([[0.0, 1.0], [1.5, 0.0]]), results.runs
    assert results.in_unit(values, run).tolist() == values.tolist()
    scaling = {"target_scaling": {"scale": [2.0, 9.0], "center": [10.0, 9.0]}}
    (tmp_path / "cell.json").write_text(json.dumps(scaling))
    scaled = CellResults(BCE, results.runs)
    # Scaled values are (y - center) / scale.
    assert scaled.in_unit(values, run).tolist() == [[10.0, 9.0 + 9.0], [10.0 + 2.0 * 1.5, 9.0]]


def test_seconds_are_from_the_first_start_to_the_last_end(tmp_path):
    for seed, (started, ended) in enumerate([(10.0, 14.0), (20.0, 30.0), (22.0, 25.0)]):
        write_part(tmp_path, info(seed, started=started, ended=ended), {})
    results = CellResults(BCE, list(read_runs(tmp_path, [RunId(2), RunId(1), RunId(0)]).values()))
    assert results.seconds(0.0) == 20.0
    # A run that began at that moment counts; those of earlier commands do not.
    assert results.seconds(20.0) == 10.0
    assert results.seconds(31.0) == 0.0


def test_results_are_of_the_plans_cells_and_seeds(home):
    plan = sweep(cell_results(BCE, []), cell_results(cell("hinge", head="tanh"), []), n_seeds=2)
    first, second = plan.cells
    for seed in (1, 0, 2):
        write_part(plan.folder / first.folder, info(seed), {})
    read = read_results(plan)
    assert [results.cell for results in read] == [first, second]
    assert [[run.info.seed for run in results.runs] for results in read] == [[0, 1], []]


def test_cells_of_the_folder_that_the_plan_lacks_are_found(home):
    plan = sweep(cell_results(BCE, []))
    for name, folder in (("ours", plan.cells[0].folder), ("other", "circles-hinge-1"), ("another", "blobs-mse-2")):
        write_part(plan.folder / folder, info(3), {})
        (plan.folder / folder / "cell.json").write_text(json.dumps({"name": name}))
    write_part(plan.folder / "no-file", info(0), {})
    assert list(other_cells(plan)) == [({"name": "another"}, [RunId(3)]), ({"name": "other"}, [RunId(3)])]


def test_curves_stand_side_by_side_with_nothing_after_a_runs_end(tmp_path):
    long, short = np.array([1, 2, 4]), np.array([1, 2])
    write_part(tmp_path, info(0), {"epochs": long, "curve/test/loss": np.array([3.0, 2.0, 1.0])})
    write_part(tmp_path, info(1), {"epochs": short, "curve/test/loss": np.array([6.0, 5.0])})
    write_part(tmp_path, info(2, FAILED), {})
    runs = read_runs(tmp_path, [RunId(0), RunId(1), RunId(2)])
    epochs, matrix = curve_matrix(CellResults(BCE, list(runs.values())), "test/loss")
    assert epochs.tolist() == [1, 2, 4]
    np.testing.assert_array_equal(matrix, [[3.0, 2.0, 1.0], [6.0, 5.0, np.nan]])


def test_no_run_has_no_curves():
    epochs, matrix = curve_matrix(CellResults(BCE, []), "test/loss")
    assert (epochs.shape, matrix.shape) == ((0,), (0, 0))
