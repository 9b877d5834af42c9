"""Sweeps in Python: the tables and figures are those of the command's files, and importing costs nothing."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from support.commands import environment
from support.sweeps import Sweep

import lossbench
from lossbench.report import drawing as ink
from lossbench.report.figures.frame import SvgPanel


def python(code: str, home, **more: str) -> subprocess.CompletedProcess:
    """Run a script in a Python of its own, in an empty folder."""
    env = environment(home, **more)
    return subprocess.run([sys.executable, "-c", code], cwd=home, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture
def loaded(smoke: Sweep, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(smoke.home))
    return lossbench.load("smoke")


def test_importing_loads_nothing_and_loading_no_training_library(smoke):
    code = """
import sys
from pathlib import Path
before = set(sys.modules)
import lossbench
packages = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
assert packages == {"lossbench"}, packages
assert {"load", "Sweep", "UsageError"} <= set(dir(lossbench))
sweep = lossbench.load("smoke")
print(sweep.comparison.shape, sweep.results.shape, len(sweep.figures), len(sweep.curves), len(sweep.predictions))
print(sorted({"tensorflow", "keras", "mlflow", "optuna", "hydra"} & set(sys.modules)))
"""
    done = python(code, smoke.home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'lossbench' has no attribute 'laod'"):
        lossbench.laod  # noqa: B018


def test_tables_are_those_of_the_files(smoke, loaded):
    written = pd.read_csv(smoke.folder / "results.csv")
    pd.testing.assert_frame_equal(loaded.results, written, check_dtype=False)
    pd.testing.assert_frame_equal(loaded.comparison, pd.read_csv(smoke.folder / "comparison.csv"))


def test_figures_are_those_of_the_report(smoke, loaded):
    files = {path.stem: path.read_text() for path in (smoke.folder / "figures").glob("*.svg")}
    drawn = {}
    with matplotlib.rc_context(ink.STYLE):
        for drawing in loaded.figures.values():
            assert all(isinstance(panel, Figure) for panel in drawing.panels.values())
            panels = [SvgPanel(name, "", ink.to_svg(panel, name)) for name, panel in drawing.panels.items()]
            drawn |= {panel.name: ink.for_file(panel.svg) for panel in panels}
    assert drawn == files
    for name, drawing in loaded.figures.items():
        assert list(drawing.data.columns) == list(pd.read_csv(smoke.folder / "figures" / f"{name}.csv").columns)


def test_a_notebook_shows_the_answer_and_figures_with_escaped_names(loaded):
    shown = loaded._repr_html_()
    assert all(name in shown for name in loaded.comparison["loss"])
    drawing = next(iter(loaded.figures.values()))
    assert drawing._repr_html_().count("<img ") == len(drawing.panels)
    assert loaded.answer in repr(loaded)


def test_curves_end_at_the_recorded_scores(loaded):
    curves = loaded.curves
    last = curves[curves["epoch"] == curves["epoch"].max()].set_index(["cell", "seed"])
    scores = loaded.results.set_index(["cell", "seed"])
    for name in ("test/rmse", "test/accuracy"):
        both = last[name].dropna()
        np.testing.assert_allclose(both, scores.loc[both.index, name], rtol=1e-4, atol=1e-6)
        assert len(both)


def test_predictions_have_the_recorded_scores(loaded):
    scores = loaded.results.set_index(["cell", "seed"])
    for (cell, seed), rows in loaded.predictions.groupby(["cell", "seed"]):
        own = scores.loc[(cell, seed)]
        if np.isfinite(own.get("test/accuracy", np.nan)):
            assert (rows["true"] == rows["predicted"]).mean() == pytest.approx(own["test/accuracy"])
        else:
            error = rows["true"].astype(float) - rows["predicted"].astype(float)
            assert np.sqrt((error**2).mean()) == pytest.approx(own["test/rmse"], rel=1e-4)
    assert set(loaded.predictions["cell"]) == set(loaded.results["cell"])


def test_a_folder_is_loaded_wherever_it_lies(smoke, loaded, tmp_path, monkeypatch):
    shutil.copytree(smoke.folder, tmp_path / "moved")
    monkeypatch.setenv("LOSSBENCH_HOME", os.devnull)
    moved = lossbench.load(tmp_path / "moved")
    assert moved.folder == tmp_path / "moved"
    pd.testing.assert_frame_equal(moved.comparison, loaded.comparison)
    assert list(moved.figures) == list(loaded.figures)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda sweep: lossbench.load("smoek"),
            "error: unknown sweep 'smoek'.\n  hint: did you mean 'smoke'?",
            id="sweep",
        ),
        pytest.param(
            lambda sweep: lossbench.load("no/such"),
            "error: there is no sweep in no/such.\n  hint: a sweep's folder lies in multirun/; its name alone does "
            "too, such as load('tutorial').",
            id="folder",
        ),
        pytest.param(
            lambda sweep: sweep.figure("circles-curvs"),
            "error: unknown figure 'circles-curvs'.\n  hint: did you mean 'circles-curves'?",
            id="figure",
        ),
    ],
)
def test_a_mistake_is_an_error_with_a_hint(call, message, loaded):
    with pytest.raises(lossbench.UsageError) as error:
        call(loaded)
    assert str(error.value) == message


def test_a_kind_of_figure_is_found_where_there_is_one(loaded):
    kinds = [name.partition("-")[2] for name in loaded.figures]
    for kind in set(kinds):
        if kinds.count(kind) == 1:
            assert loaded.figure(kind).name.endswith(f"-{kind}")
        else:
            with pytest.raises(lossbench.UsageError, match="there are several figures"):
                loaded.figure(kind)


def test_type_checkers_see_what_there_is():
    stub = ast.parse(Path("src/lossbench/__init__.pyi").read_text())
    imported = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(lossbench.__all__) - {"__version__"}
    assert all(callable(getattr(lossbench, name)) for name in imported)


EARLIER = sorted(path.parent for path in Path("tests/data/before_moves/multirun").glob("*/plan.json"))


@pytest.mark.parametrize("folder", EARLIER, ids=lambda folder: folder.name)
def test_results_of_earlier_versions_are_loaded(folder):
    sweep = lossbench.load(folder)
    assert len(sweep.results) == 4
    assert sweep.curves.groupby(["cell", "seed"]).ngroups == 4
    assert sweep.predictions.groupby(["cell", "seed"]).ngroups == 4
    assert sweep.figures


def test_a_sweep_without_a_run_has_empty_tables(smoke, tmp_path):
    shutil.copy(smoke.folder / "plan.json", tmp_path)
    sweep = lossbench.load(tmp_path)
    assert set(sweep.results["status"]) == {"missing"}
    assert len(sweep.curves) == len(sweep.predictions) == len(sweep.comparison) == 0
    assert "are missing or failed" in repr(sweep)
