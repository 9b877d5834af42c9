"""A sweep in folds that is killed in a study and again among its runs ends as if nothing had happened."""

from collections import Counter

import numpy as np
from support.commands import run
from support.mlflow_store import mlflow_runs
from support.processes import PARTS, TRIALS, kill_after, start

from lossbench.results.part_files import read_run


def table(path):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(90, 3)).round(3)
    y = (x @ [2, -1, 0.5] + rng.normal(0, 0.3, 90)).round(3)
    lines = [",".join(map(str, [*row, target])) for row, target in zip(x, y, strict=True)]
    path.write_text("a,b,c,y\n" + "\n".join(lines) + "\n")


def test_a_file_is_tuned_and_judged_in_folds_to_the_same_bits(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    options = ["loss=mse,mae", "epochs=5", "tune.trials=6", "name=x"]
    command = ["-m", "dataset.path=table.csv", "dataset.target=y", *options]
    for home in (whole, cut):
        home.mkdir()
        table(home / "table.csv")
    done = run(whole, *command, "tracking.enabled=false")
    assert done.status == 0, done.err
    assert "x: 2 cells, 60 runs, 0 finished" in done.out
    kill_after(start(cut, *command), cut, TRIALS, 8)
    n_trials = len(list(cut.glob(TRIALS)))
    kill_after(start(cut, *command), cut, PARTS, 25)
    n_there = len(list(cut.glob(PARTS)))
    again = run(cut, *command)
    assert again.status == 0, again.err
    assert f"x: 2 cells, 60 runs, {n_there} finished; {60 - n_there} to run" in again.out
    trials, files = ([len(list(home.glob(each))) for home in (whole, cut)] for each in (TRIALS, "multirun/x/*/parts/*"))
    assert trials[0] == trials[1] > n_trials
    assert files[0] == files[1]
    assert (whole / "multirun/x/results.csv").read_bytes() == (cut / "multirun/x/results.csv").read_bytes()
    for path in whole.glob(PARTS):
        ours, theirs = read_run(path), read_run(cut / path.relative_to(whole))
        assert ours.info.scores == theirs.info.scores
        assert all(np.array_equal(ours.arrays[name], theirs.arrays[name], equal_nan=True) for name in ours.arrays)
    tracked = [found for found in mlflow_runs(cut) if found["kind"] == "run" and found["stage"] == "active"]
    assert {found["run_status"] for found in tracked} == {"FINISHED"}
    runs = Counter((found["loss"], found["repetition"], found["fold"], found["seed"]) for found in tracked)
    assert len(runs) == 60
    assert set(runs.values()) == {1}
