"""The key of a cell: what is in it, what is not, and that it stays what it is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.plans import plan
from support.settings import cell_with, dataset_settings, shipped

from lossbench.config.settings import cell_settings, plain
from lossbench.planning.keys import cell_key, key_settings, untuned
from lossbench.planning.plan import read_plan

PLAIN = cell_with()
RECORDED = Path(__file__).parents[1] / "data" / "before_moves" / "multirun"
HOUSE = "a,b\n" + "".join(f"{i},{i / 8}\n" for i in range(9))


@pytest.mark.parametrize("sweep", ["plain", "tuned", "corrupted", "file"])
def test_the_key_of_a_cell_stays_what_it_was(sweep):
    # Another key leaves behind all that users have trained: raise RESULTS_VERSION only where the numbers change.
    for cell in read_plan(RECORDED / sweep).cells:
        assert cell_key(cell.settings) == cell.key


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"epochs": 6}, id="epochs"),
        pytest.param({"batch_size": 16}, id="batch size"),
        pytest.param({"evaluate_every": 2}, id="points of the curves"),
        pytest.param({"select": "best"}, id="selection"),
        pytest.param({"trainer": "fit"}, id="trainer"),
        pytest.param({"early_stopping": {"patience": 3, "min_delta": 0.0}}, id="early stopping"),
        pytest.param({"optimizer": shipped("optimizer", "sgd", learning_rate=0.02)}, id="learning rate"),
        pytest.param({"model": shipped("model", "mlp", output_scale=2.0)}, id="output scale"),
        pytest.param({"model": shipped("model", "mlp", initializer_scale=2.0)}, id="initializer scale"),
        pytest.param({"schedule": shipped("schedule", "constant", warmup_epochs=1)}, id="warm-up"),
        pytest.param({"corruption": shipped("corruption", "label_noise")}, id="corruption"),
        pytest.param({"tune": shipped("tune", "learning_rate")}, id="study"),
        pytest.param({"dataset": dataset_settings("circles", noise=0.3)}, id="data"),
        pytest.param({"loss": {"name": "mean_absolute_error"}}, id="loss"),
        pytest.param({"head": {"name": "linear", "encoding": "real"}}, id="encoding"),
        pytest.param({"metric": "balanced_accuracy"}, id="metric"),
    ],
)
def test_whatever_makes_other_numbers_makes_another_key(changed):
    assert cell_key(cell_with(**changed)) != cell_key(PLAIN)


def test_the_order_in_which_settings_were_written_makes_no_other_key():
    content = plain(PLAIN)
    turned = {
        name: dict(reversed(value.items())) if isinstance(value, dict) else value for name, value in content.items()
    }
    assert list(turned["optimizer"]) != list(content["optimizer"])
    assert cell_key(cell_settings(turned)) == cell_key(PLAIN)


def test_settings_that_change_nothing_are_not_in_it():
    found = key_settings(PLAIN)
    # What was added since the first results has a value that changes nothing, and then no place in the key.
    assert not {"schedule", "corruption", "early_stopping", "select", "tune"} & set(found)
    assert not {"initializer_scale", "output_scale"} & set(found["model"])
    assert {"dataset", "head", "loss", "model", "optimizer", "epochs", "batch_size", "trainer"} <= set(found)


def test_settings_of_earlier_results_may_lack_what_came_later():
    content = {name: value for name, value in plain(PLAIN).items() if name not in ("schedule", "corruption", "tune")}
    assert key_settings(content) == key_settings(PLAIN)


def test_the_study_is_all_that_tells_a_tuned_cell_from_the_untuned():
    tuned = cell_with(tune=shipped("tune", "learning_rate"))
    assert untuned(tuned) == PLAIN
    assert "tune" in key_settings(tuned)


@pytest.mark.parametrize(
    ("y", "metrics", "other", "matters"),
    [
        pytest.param("standard", "original", "scaled", True, id="scaled targets have two units"),
        pytest.param("none", "original", "scaled", False, id="targets as they are have one"),
    ],
)
def test_the_unit_of_metrics_matters_where_there_are_two(y, metrics, other, matters):
    one, two = (
        cell_with(dataset=dataset_settings("friedman1", standardize={"y": y, "metrics": unit}))
        for unit in (metrics, other)
    )
    assert (cell_key(one) != cell_key(two)) == matters


def test_scaled_metrics_keep_the_key_from_before_there_was_a_choice():
    scaled = dataset_settings("friedman1", standardize={"y": "standard", "metrics": "scaled"})
    assert "metrics" not in key_settings(cell_with(dataset=scaled))["dataset"]["standardize"]


def test_a_file_may_lie_anywhere_but_its_content_is_in_the_key(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    keys = []
    for name, text in (("a.csv", HOUSE), ("b.csv", HOUSE), ("c.csv", HOUSE.replace("0.5", "0.6"))):
        (tmp_path / name).write_text(text)
        keys.append(plan(f"dataset.path={tmp_path / name}", "dataset.target=b").cells[0].key)
    assert keys[0] == keys[1] != keys[2]


def test_what_a_key_is_made_of_can_be_written():
    assert json.loads(json.dumps(key_settings(PLAIN))) == key_settings(PLAIN)
    assert len(cell_key(PLAIN)) == 64
    assert cell_key(replace(PLAIN, epochs=PLAIN.epochs)) == cell_key(PLAIN)
