"""What may be set, for every choice of every group."""

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from support.settings import shipped

from lossbench.config.settings import group_settings, keys_of
from lossbench.planning.command_line import choices_of
from lossbench.planning.schema import GROUPS, OF_EXPERIMENTS, meaning, schema, whole_schema

# csv and custom leave names open; loss=auto is no loss.
TYPED = [group for group in GROUPS if group not in ("tuned", "experiment")]


@pytest.mark.parametrize("group", TYPED)
def test_what_is_shipped_has_the_types_that_are_asked_of_users(group):
    for choice in choices_of(group):
        content = shipped(group, choice)
        if "defaults" in content:
            continue
        typed = OmegaConf.merge(OmegaConf.structured(schema(group, content["name"])), content)
        # No setting is lost, and none comes in.
        assert set(typed) == set(content)
        assert group_settings(group, content)


@pytest.mark.parametrize(
    ("group", "name", "changed"),
    [
        pytest.param("optimizer", "sgd", {"learning_rate": "fast"}, id="a number"),
        pytest.param("optimizer", "sgd", {"momentum": "much"}, id="a parameter of a row"),
        pytest.param("optimizer", "sgd", {"nesterov": "perhaps"}, id="true or false"),
        pytest.param("optimizer", "adam", {"momentum": 0.9}, id="a parameter of another row"),
        pytest.param("dataset", "circles", {"noise": "loud"}, id="a parameter of a data set"),
        pytest.param("dataset", "circles", {"file": {}}, id="what planning finds"),
        pytest.param("loss", "huber", {"delta": "large"}, id="a parameter of a loss"),
        pytest.param("loss", "huber", {"parameters": {}}, id="what is only a mapping inside"),
        pytest.param("model", "mlp", {"dropout": "some"}, id="a field"),
        pytest.param("dataset", "circles", {"split": {"seed": "x"}}, id="a nested field"),
    ],
)
def test_another_type_or_name_is_refused(group, name, changed):
    with pytest.raises(OmegaConfBaseException):
        OmegaConf.merge(OmegaConf.structured(schema(group, name)), changed)


@pytest.mark.parametrize(
    ("group", "name", "changed"),
    [
        pytest.param("optimizer", "sgd", {"clipnorm": None}, id="none of a number"),
        pytest.param("model", "mlp", {"hidden_units": 50}, id="one layer"),
        pytest.param("dataset", "circles", {"split": {"train": 0.5, "test": 100}}, id="a share or a count"),
        pytest.param("loss", "expected_cost", {"costs": [[0, 1], [5, 0]]}, id="a matrix"),
        pytest.param("dataset", "csv", {"target": "price", "categorical": "zone"}, id="a word for a list"),
    ],
)
def test_what_can_be_said_in_several_ways_is_taken_as_it_is(group, name, changed):
    assert OmegaConf.merge(OmegaConf.structured(schema(group, name)), changed)


def test_what_is_said_of_sweeps_and_experiments_has_a_place():
    fields = set(whole_schema().__dataclass_fields__)
    assert {"epochs", "batch_size", "seeds", "name", "report", "tracking", *OF_EXPERIMENTS} <= fields
    assert set(TYPED) <= fields
    config = OmegaConf.structured(whole_schema())
    config.report.metrics = ["log_loss"]
    with pytest.raises(OmegaConfBaseException):
        config.report.metrics = 3
    assert keys_of(whole_schema()).count("dataset") == 1


@pytest.mark.parametrize("name", ["nothere", "mlps"])
def test_a_name_that_is_none_is_an_error(name):
    with pytest.raises(KeyError):
        schema("model", name)


def test_every_choice_means_something_in_one_sentence():
    for group in ("model", "optimizer", "schedule", "corruption", "tune", "repeat"):
        for choice in choices_of(group):
            said = meaning(group, choice)
            assert said.endswith("."), (group, choice)
            assert "\n" not in said
    assert meaning("optimizer", "adam") != meaning("optimizer", "sgd")
    # Those with lists of attributes, too, in their first line.
    assert meaning("dataset", "csv").startswith("A user's CSV or Parquet file")
