"""When the process that trains is started beside the planning: where runs are open, as far as the last plan tells."""

import pytest
from support.plans import plan

from lossbench.ground.files import write_text
from lossbench.jobs import early_start
from lossbench.jobs.early_start import start_early
from lossbench.results.part_files import part_path


@pytest.fixture
def begun(monkeypatch, tmp_path) -> list[str]:
    """Note each start in place of starting a process, in a home without sweeps."""
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    found: list[str] = []
    monkeypatch.setattr(early_start.supervisor, "start", lambda: found.append("started"))
    return found


@pytest.fixture
def finished(begun):
    """A plan of two seeds, with a part file for each run."""
    made = plan("-m", "name=small", "dataset=circles", "loss=bce,hinge", "seeds=2")
    for cell in made.cells:
        for run in made.runs(cell):
            path = part_path(made.folder / cell.folder, run)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    write_text(made.folder / "plan.json", made.to_json())
    return made


def test_of_a_new_sweep(begun):
    start_early([], "small", 2)
    assert begun == ["started"]


def test_not_where_jobs_start_processes_of_their_own(begun):
    start_early(["hydra/launcher=joblib"], "small", 2)
    assert begun == []


@pytest.mark.parametrize("seeds", [2, 1, [1], None, "wrong"])
def test_not_where_all_may_be_finished(begun, finished, seeds):
    start_early([], "small", seeds)
    assert begun == []


@pytest.mark.parametrize("seeds", [3, [7]])
def test_of_more_seeds(begun, finished, seeds):
    start_early([], "small", seeds)
    assert begun == ["started"]


def test_where_a_run_is_left(begun, finished):
    cell = finished.cells[-1]
    part_path(finished.folder / cell.folder, finished.runs(cell)[-1]).unlink()
    start_early([], "small", 2)
    assert begun == ["started"]


def test_not_for_runs_that_are_not_asked_for(begun, finished):
    for cell in finished.cells:
        part_path(finished.folder / cell.folder, finished.runs(cell)[-1]).unlink()
    start_early([], "small", 1)
    assert begun == []
    start_early([], "small", None)
    assert begun == ["started"]


@pytest.mark.parametrize("content", ["{", "{}", '{"format": 99}', None])
def test_not_where_the_plan_cannot_be_read(begun, finished, content):
    path = finished.folder / "plan.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    start_early([], "small", 3)
    assert begun == []


@pytest.mark.parametrize("name", ["..", "x" * 300])
def test_a_name_that_cannot_be_is_left_to_the_planning(begun, finished, name):
    start_early([], name, 3)
    assert begun == []
