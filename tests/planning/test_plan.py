"""Plans as data: written, read, named, compared."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.plans import plan
from support.results import cell, cell_results, sweep

from lossbench.ground.errors import UsageError
from lossbench.planning.plan import FORMAT, changes, read_plan, swept_value

RECORDED = Path(__file__).parents[1] / "data" / "before_moves" / "multirun"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["experiment=tutorial", "loss=hinge"], id="published values and claims"),
        pytest.param(["-m", "dataset=circles,regression", "loss=hinge"], id="something left out"),
        pytest.param(["tune=learning_rate", "tune.space={optimizer.momentum: [0,0.9]}"], id="a study"),
        pytest.param(["dataset=friedman1", "loss=composite", "loss.terms={huber: 0.7, mse: 0.3}"], id="a sum"),
        pytest.param(
            ["model.hidden_units=[5,5]", "corruption=label_noise", "plan=true", "rerun=all", "timeout=5"], id="the rest"
        ),
    ],
)
def test_a_plan_that_is_written_is_read_as_it_was(argv, tmp_path):
    made = plan(*argv)
    (tmp_path / "plan.json").write_text(made.to_json())
    assert json.loads(made.to_json())["format"] == FORMAT
    assert read_plan(tmp_path) == made


@pytest.mark.parametrize("name", ["plain", "tuned", "corrupted", "file"])
def test_plans_of_the_first_format_are_read_and_written_in_this_one(name, tmp_path):
    earlier = read_plan(RECORDED / name)
    assert [cell.name.split("/")[:2] for cell in earlier.cells] == [[cell.dataset, cell.loss] for cell in earlier.cells]
    (tmp_path / "plan.json").write_text(earlier.to_json())
    assert read_plan(tmp_path) == earlier


def test_names_of_this_format_are_not_taken_apart(tmp_path):
    (one,) = plan("dataset=circles", "loss=hinge").cells
    (tmp_path / "plan.json").write_text(replace(plan("loss=hinge"), cells=[replace(one, name="x")]).to_json())
    assert (read_plan(tmp_path).cells[0].dataset, read_plan(tmp_path).cells[0].loss) == ("circles", "hinge")


def test_a_later_format_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(UsageError) as error:
        read_plan(tmp_path)
    assert f"it has format {FORMAT + 1}, not {FORMAT}." in str(error.value)
    assert "the command of the sweep, given again" in str(error.value)


def test_a_sweep_lies_in_a_folder_of_its_name(home):
    made = sweep(cell_results(cell("hinge"), []), cell_results(cell("huber"), []), n_seeds=3)
    assert made.folder == home / "multirun" / "test"
    assert made.n_runs == 6
    assert (made.only_plan, made.rerun) == (False, "none")


def test_what_cannot_be_is_said_together_where_the_reason_is_one():
    skipped = [("a/x", "one"), ("a/y/tanh", "one"), ("b/x", "one"), ("a/z", "two"), ("a/w", "one")]
    made = replace(sweep(cell_results(cell("hinge"), [])), skipped=skipped)
    assert made.left_out == [("a", ["x", "y/tanh", "w"], "one"), ("b", ["x"], "one"), ("a", ["z"], "two")]


def test_a_cells_folder_is_its_name_and_the_beginning_of_its_key():
    made = replace(cell("hinge"), name="my data/hinge/tanh/x=[5,5]", key="0123456789abcdef")
    assert made.folder == "my-data-hinge-tanh-x=-5,5--01234567"
    # File systems allow 255 letters.
    assert replace(made, name="x" * 300).folder == "x" * 120 + "-01234567"


@pytest.mark.parametrize(
    ("swept", "label", "data"),
    [
        pytest.param({}, "hinge", "circles", id="alone"),
        pytest.param({"tune": "learning_rate"}, "hinge/tuned", "circles", id="tuned"),
        pytest.param({"optimizer.learning_rate": 0.1}, "hinge/learning_rate=0.1", "circles", id="a setting"),
        pytest.param({"dataset.noise": 0.3}, "hinge", "circles/dataset.noise=0.3", id="data"),
        pytest.param({"corruption.rate": 0.3}, "hinge", "circles/corruption.rate=0.3", id="corruption"),
        pytest.param({"dataset.noise": 1, "epochs": 5}, "hinge/epochs=5", "circles/dataset.noise=1", id="both"),
    ],
)
def test_a_label_tells_losses_apart_and_data_what_they_are_compared_on(swept, label, data):
    made = cell("hinge", head="tanh", swept=swept)
    assert (made.label, made.data) == (label, data)
    assert replace(made, outside_domain=True).label == label.replace("hinge", "hinge†")


def test_what_follows_from_a_cells_settings():
    (made,) = plan("dataset=blobs", "loss=cce", "tune=learning_rate").cells
    assert (made.head, made.task, made.n_outputs, made.is_tuned) == ("softmax", "multiclass", 3, True)
    assert (made.pair.loss, made.pair.head, made.pair.task) == ("categorical_crossentropy", "softmax", "multiclass")
    assert cell("hinge").is_tuned is False


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        pytest.param("epochs", 5, "5", id="number"),
        pytest.param("model.hidden_units", [5, 5], "[5,5]", id="list"),
        pytest.param("loss.terms", {"huber": 0.7, "mse": 1}, "{huber:0.7,mse:1}", id="mapping"),
        pytest.param("dataset.target", "two words", "two words", id="words"),
        pytest.param("dataset.path", "/data/my house.csv", "data-my house.csv", id="path"),
        pytest.param("dataset.path", "house.csv", "house.csv", id="file"),
    ],
)
def test_a_swept_value_in_a_name_has_no_slash(key, value, text):
    assert swept_value(key, value) == text


def test_changes_are_told_by_their_keys_and_only_where_they_make_numbers():
    first, second = (
        plan("dataset=circles", *more).cells[0].settings for more in (["seeds=3"], ["epochs=5", "loss=hinge"])
    )
    assert changes(first, second) == [
        "head sigmoid -> tanh",
        "loss binary_crossentropy -> hinge",
        "epochs 100 -> 5",
    ]
    assert changes(first, first) == []


def test_of_two_files_it_is_enough_that_they_differ(home):
    settings = []
    for name, last in (("a.csv", 1.5), ("b.csv", 99.5)):
        (home / name).write_text("a,b\n" + "".join(f"{i},{i / 8}\n" for i in range(9)) + f"9,{last}\n")
        settings.append(plan(f"dataset.path={home / name}", "dataset.target=b").cells[0].settings)
    assert [text.split(" ")[0] for text in changes(*settings)] == ["dataset.file.digest"]
