"""Cells as Hydra composes them, held against their types."""

import pytest
from hydra import compose
from omegaconf import OmegaConf
from support.plans import message, plan

from lossbench.config.paths import conf_folder
from lossbench.config.settings import GROUPS_OF_A_CELL
from lossbench.ground.errors import MissingEnvironmentError, UsageError
from lossbench.planning.command_line import choices_of
from lossbench.planning.composition import (
    check_launcher,
    composed,
    hydra_started,
    search_path_override,
    shipped_choice,
    typed,
)

CIRCLES = {"dataset": "circles", "loss": "hinge"}


@pytest.fixture(autouse=True)
def hydra():
    with hydra_started():
        yield


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a choice of the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(group: str, name: str, text: str) -> None:
        (tmp_path / "conf" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / group / f"{name}.yaml").write_text(text)

    return write


def wrong(values: dict, choices: dict = CIRCLES) -> list[str]:
    return [str(problem) for problem in typed(choices, values, None)[1]]


def test_choices_are_put_together():
    config = composed({"dataset": "moons", "loss": "hinge", "optimizer": "adam"})
    assert (config.dataset.name, config.loss.name, config.optimizer.name) == ("moons", "hinge", "adam")
    assert (config.model.name, config.epochs) == ("mlp", 100)
    assert composed({}).dataset.name == "circles"


def test_an_experiment_sets_what_no_choice_does():
    config = composed({"optimizer": "adam"}, "smoke")
    assert (config.epochs, config.seeds, config.optimizer.name) == (5, 3, "adam")
    assert len(config.grids) == 3


def test_values_take_the_place_of_those_that_stand_there():
    settings, problems = typed(CIRCLES, {"epochs": 7, "optimizer.learning_rate": 1, "model.hidden_units": [5, 5]}, None)
    assert problems == []
    assert (settings["epochs"], settings["model"]["hidden_units"]) == (7, [5, 5])
    assert (settings["optimizer"]["learning_rate"], type(settings["optimizer"]["learning_rate"])) == (1.0, float)
    assert settings["head"]["name"] == "auto"
    assert not {"grids", "published", "claims"} & set(settings)


def test_the_cells_of_the_same_choices_share_no_value():
    given = {"model.hidden_units": [5]}
    first, _ = typed(CIRCLES, given, None)
    first["model"]["hidden_units"].append(9)
    first["epochs"] = 1
    assert given == {"model.hidden_units": [5]}
    assert typed(CIRCLES, given, None)[0]["model"]["hidden_units"] == [5]
    other, _ = typed(CIRCLES, {}, None)
    assert (other["epochs"], other["model"]["hidden_units"]) == (
        100,
        typed(CIRCLES, {}, "smoke")[0]["model"]["hidden_units"],
    )


def test_a_value_is_right_or_wrong_however_often_it_is_given():
    for _ in range(2):
        assert wrong({"epochs": "many"}) == ["error: epochs must be an integer; got 'many'."]
        assert wrong({"epochs": 5}) == []


def test_only_wrong_values_are_left_out():
    settings, problems = typed(CIRCLES, {"epochs": "many", "batch_size": 8, "optimizer.lr": 1.0}, None)
    assert (settings["epochs"], settings["batch_size"]) == (100, 8)
    assert len(problems) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"epochs": 1.5}, "epochs must be an integer; got 1.5.", id="integer"),
        pytest.param(
            {"optimizer.learning_rate": "fast"}, "optimizer.learning_rate must be a number; got 'fast'.", id="number"
        ),
        pytest.param({"optimizer.nesterov": 3.5}, "optimizer.nesterov must be true or false; got 3.5.", id="truth"),
        pytest.param({"select": [1]}, "select must be a word; got [1].", id="word"),
        pytest.param({"epoch": 3}, "unknown key 'epoch'.\n  hint: did you mean 'epochs'?", id="near a key"),
        pytest.param({"optimzer": 3}, "unknown key 'optimzer'.\n  hint: did you mean 'optimizer'?", id="near a group"),
        pytest.param(
            {"optimizer.momentm": 3},
            "unknown key 'optimizer.momentm': optimizer=sgd has optimizer.learning_rate, optimizer.clipnorm, "
            "optimizer.clipvalue, optimizer.global_clipnorm, optimizer.momentum, optimizer.nesterov."
            "\n  hint: did you mean 'optimizer.momentum'?",
            id="near a key of a group",
        ),
        pytest.param({"tune.trials": 3}, "tune=auto has no settings.\n  hint: add tune=learning_rate.", id="no study"),
        pytest.param({"corruption.rate": 0.1}, "corruption=none has no settings.", id="no corruption"),
        pytest.param(
            {"loss.name": "mse"},
            "loss.name cannot be set alone.\n  hint: choose loss=mse instead.",
            id="name of a group",
        ),
        pytest.param(
            {"select": "${epochs}"}, "select must not refer to other settings; got '${epochs}'.", id="reference"
        ),
    ],
)
def test_what_is_wrong_with_a_value_is_said(values, said):
    (found,) = wrong(values)
    assert said in found


def test_where_there_is_nothing_near_the_choices_that_have_the_key_are_named():
    (found,) = wrong({"corruption.rate": 0.1})
    assert found == (
        "error: unknown key 'corruption.rate': corruption=none has no settings."
        "\n  hint: corruption=label_noise or outliers has it."
    )
    (found,) = wrong({"model.function": "nets:net"})
    assert found.endswith("\n  hint: model=custom has it.")
    (found,) = wrong({"corruption.zzz": 0.1})
    assert "hint" not in found


def test_the_sweeps_own_name_can_be_set():
    assert wrong({"name": "mine", "tracking.uri": None, "early_stopping.patience": 3}) == []


def test_what_stands_between_two_dots_is_a_group_too():
    assert wrong({"dataset.standardize.x": "none", "dataset.split.train": 0.5}) == []
    assert "unknown key 'dataset.split.trian'" in wrong({"dataset.split.trian": 5})[0]


def test_open_mappings_take_names_of_the_users():
    space = {"tune.space": {"optimizer.momentum": [0.0, 0.9]}}
    settings, problems = typed({**CIRCLES, "tune": "learning_rate"}, space, None)
    assert problems == []
    assert settings["tune"]["space"] == {"optimizer.momentum": [0.0, 0.9]}


# ---- Weighted sums.

SUM = {"dataset": "friedman1", "loss": "composite"}


def terms(given) -> dict:
    settings, problems = typed(SUM, {"loss.terms": given}, None)
    assert problems == []
    return settings["loss"]["terms"]


def test_a_term_has_a_weight_and_all_parameters_of_its_loss():
    assert terms({"huber": 0.7, "mae": 0.3}) == {
        "huber": {"weight": 0.7, "delta": 1.0},
        "mean_absolute_error": {"weight": 0.3},
    }
    # Without a weight it counts once.
    assert terms({"huber": {"delta": 2}}) == {"huber": {"weight": 1.0, "delta": 2}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({}, "loss=composite needs loss.terms, a weight for each loss; got {}.", id="none"),
        pytest.param({"hubr": 1.0}, "unknown loss in loss.terms 'hubr'.\n  hint: did you mean 'huber'?", id="no loss"),
        pytest.param({"composite": 1.0}, "unknown loss in loss.terms 'composite'.", id="a sum of sums"),
        pytest.param(
            {"huber": {"weight": 1.0, "delt": 2.0}},
            "unknown key in loss.terms.huber 'delt'.\n  hint: did you mean 'delta'?",
            id="no parameter",
        ),
    ],
)
def test_what_is_wrong_with_terms_is_said(given, said):
    assert any(said in found for found in wrong({"loss.terms": given}, SUM))


def test_all_that_is_wrong_with_terms_is_said():
    assert len(wrong({"loss.terms": {"hubr": 1, "mse": {"weigt": 1}, "mea": 1}}, SUM)) == 3


# ---- Files and launchers.


@pytest.mark.parametrize("group", [group for group in GROUPS_OF_A_CELL if group != "head"])
def test_our_choices_are_what_hydra_composes(group):
    for name in choices_of(group):
        assert shipped_choice(group, name, None) == compose("config", [f"{group}={name}"])[group]


def test_our_experiments_choose_and_change_no_content_of_a_choice():
    for name in choices_of("experiment"):
        content = OmegaConf.load(conf_folder() / "experiment" / f"{name}.yaml")
        assert not set(content) & set(GROUPS_OF_A_CELL)
        assert all(key.startswith("override /") for each in content.get("defaults", []) for key in each)


def test_what_a_file_of_ones_own_may_change_is_left_to_hydra(own):
    own("experiment", "mine", "# @package _global_\noptimizer:\n  learning_rate: 0.3\n")
    own("optimizer", "fast", "defaults:\n  - sgd\n  - _self_\nlearning_rate: 0.5\n")
    assert shipped_choice("optimizer", "fast", None) is None
    assert shipped_choice("optimizer", "adam", "mine") is None
    with hydra_started():
        assert composed({"optimizer": "adam"}, "mine").optimizer.learning_rate == 0.3


def test_a_choice_of_the_working_directory_is_found(own):
    own("optimizer", "fast", "defaults:\n  - sgd\n  - _self_\nlearning_rate: 0.5\n")
    with hydra_started():
        assert composed({"optimizer": "fast"}).optimizer.learning_rate == 0.5
    assert "conf" in search_path_override()[0]


def test_without_choices_of_ones_own_nothing_is_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert search_path_override() == []


def test_a_file_that_cannot_be_composed_is_a_mistake_of_the_users(own):
    own("optimizer", "broken", "defaults:\n  - nothere\n")
    with pytest.raises(UsageError, match="the configuration cannot be composed: "):
        composed({"optimizer": "broken"})


def test_a_file_with_wrong_settings_is_said_with_its_group(own):
    own("optimizer", "mistyped", "defaults:\n  - sgd\n  - _self_\nlearning_rat: 0.5\n")
    own("model", "unknown", "name: nothere\n")
    with pytest.raises(UsageError) as error:
        typed({"optimizer": "mistyped", "model": "unknown"}, {}, None)
    first, where, second, _ = str(error.value).splitlines()
    assert where.startswith("  hint: it is read from ")
    assert where.endswith("model/unknown.yaml.")
    # In the order of the groups.
    assert first.startswith("error: model of this configuration is wrong: 'nothere'")
    assert second.startswith("error: optimizer of this configuration is wrong: Key 'learning_rat'")


def test_launchers_that_are_there_say_nothing():
    check_launcher([])
    check_launcher(["hydra/launcher=basic", "hydra.verbose=true"])
    # The last one counts, as Hydra has it.
    check_launcher(["hydra/launcher=nothere", "hydra/launcher=basic"])


@pytest.mark.parametrize(
    ("overrides", "hint"),
    [
        pytest.param(["hydra/launcher=nothere"], "can be installed: joblib, slurm,", id="any"),
        pytest.param(
            ["hydra/launcher=basic", "hydra/launcher=aws"],
            "did you mean 'ray_aws'? pip install hydra-ray-launcher",
            id="the last one",
        ),
    ],
)
def test_a_launcher_that_is_not_installed_says_how_to_come_by_it(overrides, hint):
    with pytest.raises(MissingEnvironmentError) as error:
        check_launcher(overrides)
    name = overrides[-1].split("=")[1]
    assert f"the launcher '{name}' is not installed; there is " in str(error.value)
    assert "basic" in str(error.value)
    assert hint in str(error.value)


def test_problems_of_types_and_of_values_are_said_together():
    said = message("dataset=circles", "epochs=many", "batch_size=0", "model.units=3")
    assert said.count("error: ") == 3


def test_head_is_what_was_chosen():
    assert typed({**CIRCLES, "head": "tanh"}, {}, None)[0]["head"]["name"] == "tanh"
    assert plan("dataset=circles", "loss=hinge", "head=tanh").cells[0].head == "tanh"


def test_a_choice_of_the_users_that_is_no_yaml_is_an_error_with_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    (tmp_path / "conf" / "loss" / "broken.yaml").write_text("name: hinge\nscale: [1, 2\n", encoding="utf-8")
    said = message("dataset=circles", "loss=broken")
    assert said.startswith("error: the configuration cannot be read as YAML: ")
    assert 'conf/loss/broken.yaml", line ' in said
