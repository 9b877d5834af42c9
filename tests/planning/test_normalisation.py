"""What may be written in several ways, in one form."""

import pytest
from support.plans import message, plan
from support.settings import cell_with, dataset_settings, report_defaults, shipped

from lossbench.config.settings import report_settings, sweep_settings
from lossbench.planning.normalisation import (
    is_number,
    normalised,
    normalised_loss,
    normalised_report,
    normalised_sweep,
)

TRACKING = {"enabled": False, "uri": None, "models": "none"}
MLP, CNN, RNN = "hidden_units", "filters", "units"


def sweep(seeds, **report):
    content = {"seeds": seeds, "name": None, "plan": False, "rerun": "none", "timeout": None, "tracking": TRACKING}
    return normalised_sweep(sweep_settings({**content, "report": report_defaults() | report}), 4)


def model(name: str, *, dataset: str = "digits", **changed):
    return normalised(cell_with(dataset=dataset_settings(dataset), model=shipped("model", name, **changed)))


def said(problems) -> str:
    return "\n".join(map(str, problems))


def test_seeds_are_a_list():
    assert sweep(3)[0].seeds == [0, 1, 2]
    assert sweep([5, 3, 5])[0].seeds == [5, 3]
    assert sweep(None)[0].seeds == [0, 1, 2, 3]
    settings, problems = sweep(0)
    assert settings.seeds == []
    assert "error: seeds must be a count of at least 1" in said(problems)
    assert "seeds=30 means the seeds 0 to 29" in said(problems)


def test_the_baseline_has_its_own_name():
    for given, found in (("mse", "mean_squared_error"), ("hinge", "hinge"), (None, None)):
        assert normalised_report(report_settings(report_defaults() | {"baseline": given})).baseline == found
    assert sweep(3, baseline="bce")[0].report.baseline == "binary_crossentropy"


def test_seeds_of_a_study_are_a_list_under_their_own_key():
    settings, problems = normalised(cell_with(tune=shipped("tune", "learning_rate", seeds=2)))
    assert (settings.study.seeds, problems) == ([0, 1], [])
    settings, problems = normalised(cell_with(tune=shipped("tune", "learning_rate", seeds="x")))
    assert settings.study.seeds == []
    assert "error: tune.seeds must be" in said(problems)


@pytest.mark.parametrize(("patience", "select"), [(None, "last"), (3, "best"), (0, "best")])
def test_early_stopping_keeps_the_best_weights(patience, select):
    settings, problems = normalised(cell_with(early_stopping={"patience": patience, "min_delta": 0.0}))
    assert (settings.select, problems) == (select, [])


def test_nothing_else_changes_and_once_is_enough():
    once, _ = normalised(cell_with())
    assert once == cell_with()
    assert normalised(model("cnn")[0])[0] == model("cnn")[0]


@pytest.mark.parametrize(
    ("name", "key", "given", "found"),
    [
        pytest.param("mlp", MLP, 25, [25], id="one layer"),
        pytest.param("mlp", MLP, [1], [1], id="one unit"),
        pytest.param("mlp", MLP, [10**6, 5], [10**6, 5], id="as many as may be"),
        pytest.param("cnn", MLP, [], [], id="none after convolutions"),
        pytest.param("cnn", CNN, [], [], id="no convolution"),
        pytest.param("cnn", CNN, 8, [8], id="one convolution"),
        pytest.param("rnn", RNN, 8, [8], id="one recurrent layer"),
    ],
)
def test_layers_are_a_list(name, key, given, found):
    settings, problems = model(name, **{key: given})
    assert (getattr(settings.model, key), problems) == (found, [])


@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn"])
@pytest.mark.parametrize("given", [0, [0], [5, 0], [10**6 + 1], [2.5], "wide", [True], None, True])
def test_what_is_no_layer_is_said_and_emptied(name, given):
    for key in {"mlp": (MLP,), "cnn": (MLP, CNN), "rnn": (RNN,)}[name]:
        settings, problems = model(name, **{key: given})
        assert getattr(settings.model, key) == []
        assert said(problems).startswith(
            f"error: model.{key} must be a number of at least 1 for each layer; got {given!r}"
        )
        assert f"model.{key}=50 is one layer" in said(problems)


@pytest.mark.parametrize(("name", "key"), [("mlp", MLP), ("rnn", RNN)])
def test_these_need_a_layer(name, key):
    assert len(model(name, **{key: []})[1]) == 1


def test_a_linear_model_has_no_layers():
    assert model("linear")[0].model == cell_with(model=shipped("model", "linear")).model


@pytest.mark.parametrize(
    ("name", "dataset", "given", "found"),
    [
        pytest.param("cnn", "digits", None, [8, 8, 1], id="images as they are"),
        pytest.param("rnn", "digits", None, [8, 8], id="images row by row"),
        pytest.param("cnn", "circles", [1, 2, 1], [1, 2, 1], id="a shape of its own"),
        pytest.param("rnn", "circles", [2, 1], [2, 1], id="steps and features"),
        pytest.param("cnn", "digits", [4, 4, 4], [4, 4, 4], id="another one"),
    ],
)
def test_a_model_sees_samples_in_a_shape(name, dataset, given, found):
    settings, problems = model(name, dataset=dataset, shape=given)
    assert (settings.model.shape, problems) == (found, [])


@pytest.mark.parametrize(
    ("name", "dataset", "given", "problem"),
    [
        pytest.param(
            "cnn", "circles", None, "[height,width,channels]; dataset=circles has none of its own.", id="none"
        ),
        pytest.param(
            "rnn", "circles", None, "[steps,features]; dataset=circles has none of its own.", id="none either"
        ),
        pytest.param("cnn", "digits", [8, 8], "[height,width,channels]; got [8, 8].", id="too short"),
        pytest.param("rnn", "digits", [8, 8, 1], "[steps,features]; got [8, 8, 1].", id="too long"),
        pytest.param("cnn", "digits", [8, 8, 0], "[height,width,channels]; got [8, 8, 0].", id="empty"),
        pytest.param("cnn", "digits", [8, 8, 1.0], "[height,width,channels]; got [8, 8, 1.0].", id="no integers"),
        pytest.param("cnn", "digits", 64, "[height,width,channels]; got 64.", id="no list"),
    ],
)
def test_what_is_no_shape_is_said(name, dataset, given, problem):
    settings, problems = model(name, dataset=dataset, shape=given)
    assert settings.model.shape is None
    assert said(problems) == f"error: model.shape must be {problem}\n  hint: its product is the number of features."


# ---- The user's own functions.


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return a module of the user's, with the digest that it has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine.py").write_text("def network(**parameters): ...\ndef loss(y_true, y_pred): ...\n")
    return tmp_path / "mine.py"


def own_model(**changed):
    return model("custom", **{"function": "mine:network", **changed})


def own_loss(function="mine:loss"):
    loss = shipped("loss", "custom", function=function)
    return normalised_loss(cell_with(dataset=dataset_settings("friedman1"), loss=loss))


def test_an_own_function_has_the_digest_of_its_file(module):
    first, problems = own_model()
    assert problems == []
    assert len(first.model.digest) == 16
    assert own_loss()[0].loss.digest == first.model.digest
    module.write_text(module.read_text() + "# another file\n")
    assert own_model()[0].model.digest != first.model.digest


def test_an_own_model_may_have_any_shape_or_none(module):
    assert own_model()[0].model.shape is None
    assert own_model(shape=[64])[0].model.shape == [64]
    settings, problems = own_model(shape=[0])
    assert settings.model.shape is None
    assert "model.shape must be numbers, such as [28,28,1]; got [0]." in said(problems)


def test_a_function_that_is_not_there_is_said_with_its_key(module):
    assert "did you mean 'network'?" in said(own_model(function="mine:netwrk")[1])
    assert "error: model.function=nothere:f: there is no module 'nothere'." in said(own_model(function="nothere:f")[1])
    settings, problems = own_loss("nothere:f")
    assert "error: loss.function=nothere:f: there is no module 'nothere'." in said(problems)
    assert settings.loss.digest == ""


# ---- Matrices.


def costs(given, dataset: str = "blobs"):
    loss = shipped("loss", "expected_cost", costs=given)
    settings, problems = normalised_loss(cell_with(dataset=dataset_settings(dataset), loss=loss))
    return settings.loss.parameters["costs"], problems


def test_without_costs_each_confusion_costs_1():
    assert costs(None) == ([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]], [])


def test_costs_are_numbers_of_one_kind():
    found, problems = costs([[0, 1, 2], [5, 0, 1], [1, 1, 0.0]])
    assert problems == []
    assert {type(entry) for row in found for entry in row} == {float}
    assert found[1] == [5.0, 0.0, 1.0]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(3, id="a number"),
        pytest.param([[0, 1], [1, 0]], id="two classes"),
        pytest.param([[0, 1, 1], [1, 0, 1]], id="a row too few"),
        pytest.param([[0, 1, 1], [1, 0, 1], [1, 1]], id="a short row"),
        pytest.param([[0, 1, 1], [1, 0, 1], 3], id="no row"),
        pytest.param([[0, 1, 1], [1, 0, 1], [1, 1, True]], id="true"),
        pytest.param([[0, 1, 1], [1, 0, 1], [1, 1, "x"]], id="a word"),
        pytest.param([[0, 1, 1], [1, 0, 1], [1, 1, float("nan")]], id="not a number"),
    ],
)
def test_what_is_no_matrix_of_the_classes_is_said(given):
    found, (problem,) = costs(given)
    assert found == []
    assert problem.message == f"loss.costs must be 3 rows of 3 numbers, one for each class; got {given!r}."


def test_a_matrix_may_stand_in_a_weighted_sum():
    terms = "loss.terms={expected_cost: {weight: 1, costs: [[0,1,1],[5,0,1],[1,1,0]]}, cce: 0.5}"
    (cell,) = plan("dataset=blobs", "loss=composite", terms).cells
    assert cell.settings.loss.terms["expected_cost"]["costs"][1] == [5.0, 0.0, 1.0]
    assert cell.settings.loss.terms["categorical_crossentropy"]["weight"] == 0.5
    wrong = "loss.terms={expected_cost: {weight: 1, costs: [[0,1]]}}"
    assert "loss.terms.expected_cost.costs must be 3 rows of 3" in message("dataset=blobs", "loss=composite", wrong)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, True), (0.5, True), (-2, True), (True, False), ("1", False), (None, False), (float("inf"), False)],
)
def test_numbers_are_finite_and_no_truths(value, expected):
    assert is_number(value) == expected
