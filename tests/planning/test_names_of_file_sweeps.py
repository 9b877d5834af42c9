"""A sweep of a file is named by the file, and one that has an earlier name goes on under it."""

from pathlib import Path

import pytest
from support.plans import plan
from support.tables import lines_of

ARGUMENTS = ("-m", "dataset.target=y", "loss=mse,mae")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))


def named(path: str, *more: str):
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(lines_of("a,b,y", "{x},{z},{y}"), encoding="utf-8")
    return plan(*ARGUMENTS, f"dataset.path={path}", *more)


@pytest.mark.parametrize(
    ("path", "first"),
    [
        pytest.param("house.csv", "house-mean_squared_error-mean_absolute_error-tar", id="csv"),
        pytest.param(
            "data/2024 prices.v2.CSV", "2024-prices.v2-mean_squared_error-mean_absolute_", id="folder and blank"
        ),
        pytest.param("_größe.csv", "gr-e-mean_squared_error-mean_absolute_error-targ", id="signs"),
        pytest.param("数据.csv", "csv-mean_squared_error-mean_absolute_error-targe", id="no safe sign"),
    ],
)
def test_a_sweep_of_a_file_has_the_files_name(path, first):
    name = named(path).name
    assert name[:-7] == first
    assert named(path).name == name


def test_with_an_experiment_the_file_comes_after_it():
    assert named("house.csv", "experiment=advise", "loss=mse").name.startswith(
        "advise-house-mean_squared_error-target=y-"
    )


def test_an_earlier_name_of_the_same_sweep_is_kept_and_said():
    name = named("house.csv").name
    earlier = f"csv-mean_squared_error-mean_absolute_error-path=h-{name[-6:]}"
    folder = Path("multirun") / earlier
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text("{}", encoding="utf-8")
    made = named("house.csv")
    assert made.name == earlier
    assert f"goes on under its earlier name; name={name} would begin anew" in made.notes
    assert named("house.csv", f"name={name}").name == name
    assert named("house.csv", "epochs=3").name.startswith("house-")
