"""The metric that runs are judged by: what a user sets, and what follows from a file."""

import pytest
from support.plans import message, plan
from support.tables import planned

from lossbench.planning.plan import read_plan

ROWS = 100


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))


def table(*counts: int) -> str:
    """Return a file whose classes a, b, … have so many rows, in turn."""
    classes = [chr(ord("a") + place) for place, count in enumerate(counts) for _ in range(count)]
    return "x,z,y\n" + "".join(f"{i * 37 % 101},{i * 53 % 89},{label}\n" for i, label in enumerate(classes))


def test_the_tasks_own_metric_is_what_no_setting_means():
    usual, named, other = (plan("dataset=circles", *more).cells[0] for more in ([], ["metric=accuracy"], ["metric=f1"]))
    assert named.settings == usual.settings
    assert (usual.metric, usual.settings.metric, named.key) == ("accuracy", None, usual.key)
    assert (other.metric, other.key != usual.key) == ("f1", True)


def test_cells_that_are_judged_by_several_metrics_are_not_compared_with_each_other():
    cells = plan("-m", "dataset=circles", "loss=hinge,bce", "metric=accuracy,f1").cells
    assert {(cell.data, cell.metric) for cell in cells} == {
        ("circles/metric=accuracy", "accuracy"),
        ("circles/metric=f1", "f1"),
    }


@pytest.mark.parametrize(
    ("counts", "metric"),
    [
        pytest.param((90, 10), "accuracy", id="a tenth is not rare"),
        pytest.param((91, 9), "balanced_accuracy", id="less than a tenth is"),
        pytest.param((48, 47, 5), "balanced_accuracy", id="one of several"),
        pytest.param((40, 30, 30), "accuracy", id="several"),
    ],
)
def test_a_file_with_a_rare_class_is_judged_by_balanced_accuracy_and_it_is_said(counts, metric):
    found = planned(table(*counts), "dataset.target=y", "seeds=1")
    label = chr(ord("a") + len(counts) - 1)
    said = f"judged by balanced_accuracy: {counts[-1]} % of the rows ({counts[-1]} of 100) are '{label}'"
    assert found.cells[0].metric == metric
    assert any(note.startswith(said) for note in found.notes) == (metric != "accuracy")


def test_a_metric_that_is_set_is_taken_and_the_earlier_cells_are_found_again():
    set_to, automatic = (
        planned(table(95, 5), "dataset.target=y", "seeds=1", *more) for more in (["metric=accuracy"], [])
    )
    assert set_to.cells[0].settings.metric is None
    assert not [note for note in set_to.notes if "judged by" in note]
    same = planned(table(95, 5), "dataset.target=y", "seeds=1", "metric=balanced_accuracy")
    assert same.cells[0].key == automatic.cells[0].key != set_to.cells[0].key


def test_numbers_and_labels_of_a_file_keep_their_metric():
    numbers = "x,y\n" + "".join(f"{i * 37 % 101},{i / 7}\n" for i in range(60))
    assert planned(numbers, "dataset.target=y", "seeds=1").cells[0].metric == "rmse"


def test_a_rare_class_with_fewer_rows_than_folds_is_a_warning():
    warned = planned(table(97, 3), "dataset.target=y", "seeds=1").notes
    assert any("class 'b' has 3 rows for 5 folds" in note for note in warned)
    helped = planned(table(97, 3), "dataset.target=y", "seeds=1", "repeat.folds=3").notes
    assert not [note for note in helped if "folds" in note and "class" in note]


def test_a_metric_that_cannot_judge_names_those_that_can_and_what_to_do():
    said = message("dataset=circles", "metric=roc_auc")
    assert "metric must be one of accuracy, balanced_accuracy, f1, matthews for two classes; got 'roc_auc'." in said
    assert "report.metrics=[roc_auc] shows it" in said
    # The hint works.
    assert plan("dataset=circles", "report.metrics=[roc_auc]").report.metrics == ["roc_auc"]
    assert "did you mean 'balanced_accuracy'?" in message("dataset=circles", "metric=balanced_acuracy")
    assert "metric=rmse is the usual one" in message("dataset=regression", "metric=accuracy")


def test_a_plan_keeps_the_metric_of_its_cells(tmp_path):
    made = plan("dataset=circles", "metric=matthews", "seeds=1")
    (tmp_path / "plan.json").write_text(made.to_json())
    assert read_plan(tmp_path).cells[0].metric == "matthews"
