"""Sweeps by their names."""

import os

import pytest

from lossbench.ground.errors import UsageError
from lossbench.planning.known_sweeps import folders_of, known_sweeps, newest_sweep


@pytest.fixture
def sweeps(tmp_path, monkeypatch):
    """Three folders, of which two have a plan; the one whose name is last is the older."""
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    for name, planned in (("blobs", 2000), ("circles", 1000), ("unplanned", None)):
        (tmp_path / "multirun" / name).mkdir(parents=True)
        if planned:
            path = tmp_path / "multirun" / name / "plan.json"
            path.write_text("{}")
            os.utime(path, (planned, planned))
    return tmp_path / "multirun"


def test_sweeps_are_the_folders_with_a_plan(sweeps):
    assert known_sweeps() == {"blobs": sweeps / "blobs", "circles": sweeps / "circles"}
    assert folders_of(["circles", "blobs"]) == [sweeps / "circles", sweeps / "blobs"]


def test_the_newest_is_the_one_planned_last(sweeps):
    assert newest_sweep() == sweeps / "blobs"


def test_every_unknown_name_is_said(sweeps):
    with pytest.raises(UsageError) as error:
        folders_of(["circle", "blobs", "spirals"])
    assert "unknown sweep 'circle'." in str(error.value)
    assert "did you mean 'circles'?" in str(error.value)
    assert "unknown sweep 'spirals'." in str(error.value)
    assert "'blobs'." not in str(error.value)


@pytest.mark.parametrize("asked", [known_sweeps, newest_sweep, lambda: folders_of(["x"])])
def test_where_there_is_none_it_is_said_where_it_was_looked_for(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=f"there is no sweep in {tmp_path}/multirun"):
        asked()
