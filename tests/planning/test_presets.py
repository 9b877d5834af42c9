"""Learning rates that an earlier sweep found: read, looked up, put into cells."""

import pytest
from support.plans import message, plan
from support.settings import cell_with, dataset_settings, shipped

from lossbench.planning.presets import preset_values, read_preset

RATE = "optimizer.learning_rate"


def entry(rate=0.3, *, dataset="circles", head="sigmoid", loss="binary_crossentropy", **where) -> dict:
    return {"dataset": dataset, "head": head, "loss": loss, "where": where, "values": {RATE: rate}}


def cell(**changed):
    content = {"head": {"name": "sigmoid", "encoding": "auto"}, "loss": {"name": "binary_crossentropy"}}
    return cell_with(**content | changed)


@pytest.fixture
def preset(tmp_path, monkeypatch):
    """Write a preset of the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "tuned").mkdir(parents=True)
    return lambda text, name="mine": (tmp_path / "conf" / "tuned" / f"{name}.yaml").write_text(text)


def test_a_cell_gets_the_values_of_its_data_set_head_and_loss():
    cells = [entry(0.1, dataset="moons"), entry(0.2, head="tanh"), entry(0.3), entry(0.4, loss="hinge")]
    assert preset_values(cells, ["circles", "circles"], cell()) == {RATE: 0.3}


def test_a_file_may_go_by_its_name_or_by_its_choice():
    cells = [entry(0.1, dataset="house")]
    assert preset_values(cells, ["house.csv", "house"], cell()) == {RATE: 0.1}
    with pytest.raises(ValueError, match=r"has no learning rate for house\.csv/"):
        preset_values(cells, ["house.csv", "csv"], cell())


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        pytest.param({}, True, id="anything"),
        pytest.param({"optimizer": "sgd"}, True, id="a group by its name"),
        pytest.param({"optimizer": "adam"}, False, id="another choice"),
        pytest.param({"batch_size": 32, "dataset.noise": 0.1}, True, id="all hold"),
        pytest.param({"batch_size": 32, "dataset.noise": 0.2}, False, id="one does not"),
        pytest.param({"model.hidden_units": 50}, True, id="one layer as a number"),
        pytest.param({"model.hidden_units": [50]}, True, id="one layer as a list"),
        pytest.param({"model.hidden_units": [50, 50]}, False, id="more layers"),
        pytest.param({"batch_size.deeper": 32}, False, id="what no cell has"),
    ],
)
def test_values_are_for_cells_with_the_settings_they_were_found_with(where, fits):
    settings = cell(dataset=dataset_settings("circles", noise=0.1), model=shipped("model", "mlp", hidden_units=[50]))
    cells = [entry(0.3) | {"where": where}]
    if fits:
        assert preset_values(cells, ["circles"], settings) == {RATE: 0.3}
        return
    wanted = ", ".join(f"{key}={value}" for key, value in where.items())
    with pytest.raises(ValueError, match="has values for circles/sigmoid/binary_crossentropy with ") as error:
        preset_values(cells, ["circles"], settings)
    assert f"with {wanted} only." in str(error.value)


def test_several_values_must_agree():
    same = [entry(0.3), entry(0.3, optimizer="sgd")]
    assert preset_values(same, ["circles"], cell()) == {RATE: 0.3}
    for cells in ([entry(0.3), entry(0.4)], [entry(0.3), entry(0.3), entry(0.4)], [entry(0.4), entry(0.3), entry(0.4)]):
        with pytest.raises(ValueError, match=f"has {len(cells)} learning rates for circles/sigmoid"):
            preset_values(cells, ["circles"], cell())


def test_what_is_changed_later_is_not_the_preset():
    cells = [entry(0.3)]
    preset_values(cells, ["circles"], cell())[RATE] = 1.0
    assert preset_values(cells, ["circles"], cell()) == {RATE: 0.3}


WHOLE = "{dataset: circles, head: sigmoid, loss: hinge, where: {}, values: {optimizer.learning_rate: 0.3}}"


def test_a_preset_is_read_from_the_working_directory(preset):
    preset(f"cells:\n- {WHOLE}\n- {{study: {{}}, {WHOLE[1:]}\n")
    first, second = read_preset("mine")
    assert first == entry(0.3, loss="hinge")
    # What else is said of a cell, of its study, is for readers.
    assert second == first | {"study": {}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("cells: [", "cannot be read: while parsing", id="no YAML"),
        pytest.param("", "cannot be read: ", id="empty"),
        pytest.param("cell: []", "cannot be read: 'cells'", id="another key"),
        pytest.param("cells: 3", "cannot be read: ", id="no list"),
        pytest.param("cells: [{dataset: circles}]", "is no preset: each of its cells needs", id="not all of a cell"),
        pytest.param(f"cells: [{WHOLE}, {{loss: mse}}]", "is no preset: each of its cells needs", id="not each"),
    ],
)
def test_what_is_no_preset_is_said(preset, text, said):
    preset(text)
    with pytest.raises(ValueError, match=said) as error:
        read_preset("mine")
    assert "\n" not in str(error.value)


def test_a_plan_has_the_values_as_if_they_were_typed(preset):
    preset("cells:\n- {dataset: circles, head: tanh, loss: hinge, where: {}, values: {optimizer.learning_rate: 0.3}}\n")
    (tuned,) = plan("dataset=circles", "loss=hinge", "tuned=mine").cells
    (typed,) = plan("dataset=circles", "loss=hinge", "optimizer.learning_rate=0.3").cells
    assert (tuned.key, tuned.name, tuned.settings) == (typed.key, typed.name, typed.settings)
    assert sorted(tuned.overrides) == sorted(typed.overrides)


def test_a_plan_says_what_a_preset_lacks(preset):
    preset("cells: []\n")
    said = message("dataset=circles", "loss=hinge", "tuned=mine")
    assert "tuned=mine has no learning rate for circles/tanh/hinge." in said
    assert "tune them: tune=learning_rate." in said


def test_a_plan_takes_no_value_twice(preset):
    preset("cells:\n- {dataset: circles, head: tanh, loss: hinge, where: {}, values: {optimizer.learning_rate: 0.3}}\n")
    for argv in (["optimizer.learning_rate=0.1"], ["tune=learning_rate"]):
        said = message("dataset=circles", "loss=hinge", "tuned=mine", *argv)
        assert "tuned=mine sets the same as " + argv[0].split("=0")[0] in said
