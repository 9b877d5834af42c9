"""From grids and arguments to drafts of cells."""

import pytest
from support.plans import message, plan
from support.settings import dataset_settings

from lossbench.datasets.catalogue import described
from lossbench.planning.candidates import assignments_of, axis_values, drafts_of, why_left_out
from lossbench.planning.command_line import Arguments, read_overrides
from lossbench.planning.composition import hydra_started


def assigned(grids: list[dict], *overrides: str) -> list[tuple[dict, list[str]]]:
    return list(assignments_of(grids, read_overrides(list(overrides), multirun=True)))


def drafted(*assignments: dict, swept: tuple[str, ...] = (), experiment=None):
    with hydra_started():
        return drafts_of([(assignment, list(swept)) for assignment in assignments], experiment)


def names(*assignments: dict, **more) -> list[str]:
    drafts, _, problems = drafted(*assignments, **more)
    assert problems == []
    return [draft.name for draft in drafts]


# ---- Settings that only some of the choices have.


def test_a_setting_is_set_for_the_choices_that_have_it_and_that_is_said():
    found = plan("-m", "dataset=regression", "loss=mse,huber,mae", "loss.delta=0.5,2")
    assert [cell.label for cell in found.cells] == [
        "mean_squared_error", "huber/delta=0.5", "huber/delta=2", "mean_absolute_error",
    ]  # fmt: skip
    assert "loss.delta is set for loss=huber, which alone can have it" in found.notes
    # A cell without it is the one of a sweep without it.
    (alone,) = plan("dataset=regression", "loss=mse").cells
    assert found.cells[0].key == alone.key
    # What auto stands for is not known yet.
    assert "dataset.noise is set" not in " ".join(plan("-m", "dataset=circles,moons", "dataset.noise=0.2").notes)
    optimizers = plan("-m", "dataset=circles", "loss=bce", "optimizer=sgd,adam", "optimizer.momentum=0.5").cells
    assert [cell.settings.optimizer.parameters.get("momentum") for cell in optimizers] == [0.5, None]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["loss=mse,mae", "loss.delta=2"], "unknown key 'loss.delta'", id="none of them has it"),
        pytest.param(["loss=mse", "loss.delta=2"], "hint: loss=huber has it.", id="one choice"),
        pytest.param(["loss=mse,huber", "loss.dleta=2"], "hint: did you mean 'loss.delta'?", id="a typo"),
    ],
)
def test_a_setting_that_no_choice_has_is_an_error(words, said):
    assert said in message("-m", "dataset=regression", *words)


def test_a_mistake_in_a_key_is_said_beside_what_is_wrong_with_the_data(tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("a,y\n" + "".join(f"{i if i % 7 else ''},{i * i}\n" for i in range(40)), encoding="utf-8")
    for loss in ([], ["loss=mse"]):
        found = message(f"dataset.path={path}", "dataset.target=y", "dataset.mising=impute", *loss)
        assert "hint: did you mean 'dataset.missing'?" in found
        found = message(f"dataset.path={path}", "target=y", *loss)
        assert "hint: did you mean 'dataset.target'?" in found
        assert "dataset=csv needs a target" in found


def test_of_a_setting_that_is_given_twice_the_last_one_counts_but_seed_is_not_seeds():
    words = ["dataset=circles", "loss=hinge"]
    assert plan(*words, "seeds=2", "seeds=4").seeds == {"seeds": [0, 1, 2, 3]}
    found = plan(*words, "seed=7")
    assert found.seeds == {"seeds": [7]}
    assert "seed=7 is one seed (seeds=7 are 7 of them)" in found.notes
    for both in (["seed=7", "seeds=2"], ["seeds=2", "seed=7"]):
        assert "seed= and seeds= name the same thing." in message(*words, *both)


@pytest.mark.parametrize("units", ["100,100", "64, 64,8"])
def test_layers_that_are_separated_by_commas_are_told_the_brackets(units):
    said = message("-m", "dataset=circles", "loss=hinge", f"model.hidden_units={units}")
    assert f"'model.hidden_units=[{units}]' is one network with" in said
    found = plan("-m", "dataset=circles", "loss=hinge", "model.hidden_units=64,32")
    assert "model.hidden_units=64,32: 2 networks; 'model.hidden_units=[64,32]' is one network with 2" in found.notes[0]
    assert not plan("-m", "dataset=circles", "loss=hinge", "model.hidden_units=range(8,32,8)").notes[0].count("[")


# ---- Combinations.


def test_an_axis_is_a_list_with_losses_under_their_own_names():
    assert axis_values("loss", ["bce", "hinge"]) == ["binary_crossentropy", "hinge"]
    assert axis_values("loss", "mse") == ["mean_squared_error"]
    assert axis_values("dataset", "bce") == ["bce"]


def test_arguments_without_a_grid_are_their_own_product():
    found = assigned([{}], "dataset=circles,moons", "epochs=5,6")
    assert [tuple(assignment.values()) for assignment, _ in found] == [
        ("circles", 5), ("circles", 6), ("moons", 5), ("moons", 6),
    ]  # fmt: skip
    # What is in a cell's name anyway is not said to be swept.
    assert {tuple(swept) for _, swept in found} == {("epochs",)}


def test_one_value_is_not_swept():
    ((assignment, swept),) = assigned([{}], "epochs=5", "optimizer=adam")
    assert (assignment, swept) == ({"optimizer": "adam", "epochs": 5}, [])
    assert [swept for _, swept in assigned([{}], "optimizer=adam,sgd")] == [["optimizer"]] * 2


GRIDS = [{"dataset": ["circles"], "loss": ["hinge", "binary_crossentropy"], "epochs": [3]}, {"dataset": ["blobs"]}]


HINGE, BCE = ("circles", "hinge"), ("circles", "binary_crossentropy")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param([], [HINGE, BCE, ("blobs", None)], id="all"),
        pytest.param(["experiment=smoke"], [HINGE, BCE, ("blobs", None)], id="its name"),
        pytest.param(["dataset=circles"], [HINGE, BCE], id="a choice keeps"),
        pytest.param(["loss=bce"], [BCE, ("blobs", "binary_crossentropy")], id="or adds"),
        pytest.param(["loss=all", "dataset=circles"], [HINGE, BCE], id="all that are there"),
        pytest.param(["dataset=moons"], [], id="nothing"),
    ],
)
def test_choices_keep_the_cells_of_grids(overrides, expected):
    assert [(a["dataset"], a.get("loss")) for a, _ in assigned(GRIDS, *overrides)] == expected


def test_a_grid_over_all_losses_takes_those_that_are_asked_for():
    grid = [{"dataset": ["circles"], "loss": ["all"]}]
    assert [a["loss"] for a, _ in assigned(grid, "loss=hinge,bce")] == ["hinge", "binary_crossentropy"]


def test_a_value_takes_the_place_of_a_grids_own():
    assert {a["epochs"] for a, _ in assigned(GRIDS, "epochs=7")} == {7}
    assert len(assigned(GRIDS, "epochs=7,8")) == 6


def test_nothing_is_changed_by_it():
    arguments = Arguments(choices={"dataset": ["circles"]}, values={"epochs": [5]})
    grids = [{"dataset": ["circles", "blobs"]}]
    list(assignments_of(grids, arguments))
    assert grids == [{"dataset": ["circles", "blobs"]}]
    assert arguments == Arguments(choices={"dataset": ["circles"]}, values={"epochs": [5]})


# ---- Drafts.


def test_what_is_not_chosen_is_the_configurations():
    assert names({}) == ["circles/binary_crossentropy/auto"]
    assert names({"dataset": "blobs"}) == ["blobs/categorical_crossentropy/auto"]
    assert names({"dataset": "regression", "loss": "auto", "head": "linear"}) == [
        "regression/mean_squared_error/linear"
    ]


def test_swept_settings_are_in_the_name():
    assert names({"loss": "hinge", "epochs": 5, "batch_size": 8}, swept=("epochs",)) == ["circles/hinge/auto/epochs=5"]
    assert names({"loss": "hinge", "model.hidden_units": [5, 5]}, swept=("model.hidden_units",)) == [
        "circles/hinge/auto/model.hidden_units=[5,5]"
    ]


def test_studies_and_corruption_are_in_the_name_without_being_swept():
    assert names({"loss": "hinge", "tune": "learning_rate"}) == ["circles/hinge/auto/tune=learning_rate"]
    assert names({"loss": "hinge", "corruption": "label_noise"}) == ["circles/hinge/auto/corruption=label_noise"]
    assert names({"loss": "hinge", "tune": "none"}, swept=("tune",)) == ["circles/hinge/auto"]
    # The rate says that there is one.
    noisy = {"loss": "hinge", "corruption": "label_noise", "corruption.rate": 0.2}
    assert names(noisy, swept=("corruption.rate",)) == ["circles/hinge/auto/corruption.rate=0.2"]
    assert names(noisy) == ["circles/hinge/auto/corruption=label_noise"]


def test_settings_of_a_study_are_not_for_the_untuned_cells_beside_it():
    both = ({"loss": "hinge", "tune": tune, "tune.trials": 8, "epochs": 3} for tune in ("none", "learning_rate"))
    drafts, _, problems = drafted(*both)
    assert problems == []
    assert [draft.values for draft in drafts] == [{"epochs": 3}, {"tune.trials": 8, "epochs": 3}]
    # Alone they are a mistake.
    assert "add tune=learning_rate" in str(drafted({"loss": "hinge", "tune": "none", "tune.trials": 8})[2][0])


def test_wrong_values_are_said_and_the_others_kept():
    drafts, _, problems = drafted({"loss": "hinge", "epochs": "many", "batch_size": 8}, {"loss": "hinge", "epochs": 3})
    assert [str(problem) for problem in problems] == ["error: epochs must be an integer; got 'many'."]
    assert [(d.settings.epochs, d.settings.batch_size) for d in drafts] == [(100, 8), (3, 32)]


def test_a_file_that_is_not_there_is_one_problem_and_no_cell(tmp_path):
    missing = {"dataset": "csv", "dataset.path": str(tmp_path / "no.csv"), "dataset.target": "y"}
    for loss in ("mean_squared_error", "auto", "all"):
        drafts, left_out, problems = drafted({**missing, "loss": loss}, {"loss": "hinge"})
        assert [draft.name for draft in drafts] == ["circles/hinge/auto"]
        assert left_out == []
        assert len(problems) == 1
        assert "no.csv" in problems[0].message


def test_a_sum_of_nothing_is_a_problem_and_no_cell():
    drafts, _, problems = drafted({"dataset": "friedman1", "loss": "composite", "loss.terms": {}})
    assert (drafts, len(problems)) == ([], 1)


def test_an_experiment_sets_the_values_of_its_cells():
    ((draft,), _, _) = drafted({"dataset": "circles", "loss": "hinge"}, experiment="smoke")
    assert (draft.settings.epochs, draft.sweep.seeds) == (5, 3)


# ---- All losses.


def taken(dataset: str, head: str = "auto", **changed) -> dict[str, str]:
    settings = dataset_settings(dataset, **changed)
    return why_left_out(described(settings), settings, head)


OTHER = "for other targets than two classes"


def test_all_losses_are_those_that_fit_and_the_others_say_why_not():
    drafts, left_out, problems = drafted({"dataset": "circles", "loss": "all"})
    assert problems == []
    losses = {draft.name.split("/")[1] for draft in drafts}
    assert {"binary_crossentropy", "hinge", "squared_hinge"} <= losses
    assert not losses & {name.split("/")[1] for name, _ in left_out}
    assert dict(left_out)["circles/categorical_crossentropy"] == f"{OTHER}; by name it can be used"


@pytest.mark.parametrize(
    ("dataset", "head", "changed", "loss", "reason"),
    [
        pytest.param("circles", "auto", {}, "hinge", "", id="made for it"),
        pytest.param("circles", "auto", {}, "poisson", OTHER, id="not for it"),
        pytest.param("circles", "auto", {}, "kl_divergence", f"{OTHER}; by name it can be used", id="usable"),
        pytest.param("circles", "sigmoid", {}, "hinge", "not for head=sigmoid", id="another head"),
        pytest.param(
            "regression", "auto", {}, "cosine_similarity", "for targets of at least 2 numbers", id="one number"
        ),
        pytest.param("regression", "auto", {"n_targets": 2}, "cosine_similarity", "", id="just enough"),
        pytest.param("counts", "auto", {"standardize": {"y": "none"}}, "poisson", "", id="inside its domain"),
    ],
)
def test_why_a_loss_is_left_out(dataset, head, changed, loss, reason):
    assert taken(dataset, head, **changed)[loss] == reason


def test_what_only_scaling_leaves_out_says_so():
    said = taken("counts", standardize={"y": "standard"})["poisson"]
    assert said == "for targets from 0 up; without scaling they are: dataset.standardize.y=none"
    # Scaled or not, these are no counts.
    assert "scaling" not in taken("regression")["poisson"]
    assert taken("regression")["poisson"]


@pytest.mark.parametrize(
    ("dataset", "key", "without", "with_it", "loss"),
    [
        pytest.param("regression", "dataset.n_targets", 1, 2, "cosine_similarity", id="how many targets"),
        pytest.param("counts", "dataset.standardize.y", "standard", "none", "poisson", id="how they are scaled"),
    ],
)
def test_what_decides_which_losses_fit_may_be_a_value(dataset, key, without, with_it, loss):
    one, two = (
        {name.split("/")[1] for name in names({"dataset": dataset, "loss": "all", key: value})}
        for value in (without, with_it)
    )
    assert loss in two - one


def test_all_losses_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    (tmp_path / "house.csv").write_text("a,b\n" + "".join(f"{i},{i / 8 - 0.5}\n" for i in range(9)))
    made = plan("-m", f"dataset.path={tmp_path}/house.csv", "dataset.target=b", "loss=all")
    assert {cell.dataset for cell in made.cells} == {"house.csv"}
    assert "mean_squared_error" in {cell.loss for cell in made.cells}
    assert {name.split("/")[0] for name, _ in made.skipped} == {"house.csv"}


def test_what_is_wrong_with_a_file_is_said_once_for_all_losses(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    (tmp_path / "house.csv").write_text("a,b\n" + "".join(f"{i},{i / 8 - 0.5}\n" for i in range(9)))
    wrong = {
        "dataset": "csv",
        "dataset.path": str(tmp_path / "house.csv"),
        "dataset.target": "b",
        "dataset.ordered": 3.5,
    }
    drafts, _, problems = drafted({**wrong, "loss": "all"})
    assert drafts == []
    assert [problem.message for problem in problems] == ["dataset.ordered must be true or false; got 3.5."]
