"""A sweep whose runs are judged by another metric than the task's, as a user starts it."""

import csv
import json
import re

import numpy as np
import pytest
from support.commands import run

QUICK = (
    "seeds=1",
    "repeat.repetitions=1",
    "tune=none",
    "epochs=2",
    "tracking.enabled=false",
    "report.yardsticks=false",
)


def rare(n: int, n_rare: int) -> str:
    """Return a file with two classes, of which the rare one stands out in a feature."""
    rng = np.random.default_rng(0)
    is_rare = rng.permutation(n) < n_rare
    x = rng.normal(size=(n, 2)) + 2.0 * is_rare[:, None]
    lines = [f"{a:.3f},{b:.3f},{'yes' if own else 'no'}" for (a, b), own in zip(x, is_rare, strict=True)]
    return "\n".join(["a,b,fraud", *lines]) + "\n"


def test_a_class_of_one_in_a_thousand_gives_a_number_for_every_loss_and_says_by_what(tmp_path):
    (tmp_path / "fraud.csv").write_text(rare(5000, 5))
    asked = ("dataset.path=fraud.csv", "dataset.target=fraud", "loss=bce,hinge", *QUICK)
    done = run(tmp_path, "-m", *asked, "name=fraud")
    assert done.status == 0, done.err
    assert "judged by balanced_accuracy: 0.1 % of the rows (5 of 5000) are 'yes'" in " ".join(done.out.split())
    folder = tmp_path / "multirun" / "fraud"
    assert {cell["settings"]["metric"] for cell in json.loads((folder / "plan.json").read_text())["cells"]} == {
        "balanced_accuracy"
    }
    assert "fraud.csv: test balanced_accuracy, mean" in done.out
    assert "naive 0.500" in done.out
    table = done.out.partition("test balanced_accuracy, mean")[2]
    for loss in ("binary_crossentropy", "hinge"):
        assert re.search(rf"^{loss} .*0\.\d{{3}} (±|\(stuck\))", table, re.MULTILINE), done.out
    report = " ".join((folder / "report.md").read_text().split())
    said = "judged by balanced_accuracy, not by accuracy, of which the best constant has 0.999 already."
    assert said in report
    assert said in " ".join((folder / "report.html").read_text().split())
    assert said in " ".join(done.out.split())
    with open(folder / "comparison.csv") as file:
        best = {row["metric"]: row["best_group"] for row in csv.DictReader(file) if row["best_group"] == "true"}
    assert set(best) <= {"balanced_accuracy"}


@pytest.mark.slow
def test_a_run_is_stopped_and_tuned_by_the_metric_that_is_set(tmp_path):
    rows = ("dataset.split.train=500", "dataset.split.validation=500", "dataset.split.test=1000")
    study = ("tune=learning_rate", "tune.trials=2", "tune.repetitions=1", "tune.folds=2", "tune.widen=false")
    judged = ("dataset=imbalanced", *rows, "metric=balanced_accuracy", "early_stopping.patience=2", *study)
    done = run(tmp_path, *judged, "name=judged", "seeds=1", "epochs=20", "tracking.enabled=false")
    assert done.status == 0, done.err
    assert "at the learning rate chosen by balanced_accuracy on folds" in " ".join(done.out.split())
    (part,) = (tmp_path / "multirun" / "judged").glob("imbalanced-binary*/parts/*.npz")
    with np.load(part) as file:
        curve, epochs = file["curve/validation/balanced_accuracy"], file["epochs"]
    assert epochs[-1] in (epochs[curve.argmax()] + 2, 20)
