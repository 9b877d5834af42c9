"""From what was asked for to cells: names, what is the same, what is left out, what is unfair."""

import re

import pytest
from support.plans import message, plan

from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Write an experiment of the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)

    def write(name: str, text: str) -> None:
        path = tmp_path / "conf" / "experiment" / f"{name}.yaml"
        path.write_text(f"# @package _global_\n{text}\n")

    return write


def names(*argv: str) -> list[str]:
    return [cell.name for cell in plan(*argv).cells]


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        pytest.param(["experiment=smoke"], "smoke", id="an experiment"),
        pytest.param(
            ["experiment=smoke", "seeds=2", "report.margin=0.1", "plan=true"], "smoke", id="only of the sweep"
        ),
        pytest.param(["-m", "experiment=smoke", "tune=none,learning_rate"], "smoke-tuned", id="tuned too"),
        pytest.param(["experiment=smoke", "tune=none"], r"smoke-none-[0-9a-f]{6}", id="untuned said"),
        pytest.param(["experiment=smoke", "epochs=3"], r"smoke-epochs=3-[0-9a-f]{6}", id="with a value"),
        pytest.param(["-m", "dataset=circles,moons", "loss=hinge"], r"circles-moons-hinge-[0-9a-f]{6}", id="choices"),
        pytest.param(["loss=hinge", "dataset=circles"], r"circles-hinge-[0-9a-f]{6}", id="in the groups' order"),
        pytest.param(["model.hidden_units=[5, 5]"], r"hidden_units=-5-5-[0-9a-f]{6}", id="lists"),
        pytest.param([], r"default-[0-9a-f]{6}", id="nothing"),
        pytest.param(["name=mine", "experiment=smoke"], "mine", id="its own"),
        pytest.param(["name=" + "x" * 100], "x{100}", id="a long one"),
    ],
)
def test_a_sweep_is_named_by_what_was_asked_for(argv, name):
    assert re.fullmatch(name, plan(*argv).name)


def test_a_long_name_ends_within_48_letters_and_not_in_a_dash():
    argv = ["-m", "dataset=circles,moons", "loss=hinge,squared_hinge,bce,focal,dice"]
    made = plan(*argv).name
    assert re.fullmatch(r"circles-moons-hinge-squared_hinge-binary_crossen-[0-9a-f]{6}", made)
    assert len(made) == 48 + len("-") + 6


@pytest.mark.parametrize("name", ["", "x" * 101, "-x", "a/b", "a b", ".hidden"])
def test_what_is_no_name_is_refused(name):
    said = message(f"name='{name}'") if name else message("name=''", "experiment=smoke", "seeds=0")
    assert "error: " in said
    assert not name or f"got {name!r}." in said


def test_cells_that_are_the_same_are_one():
    assert names("-m", "dataset=circles", "loss=bce,binary_crossentropy", "epochs=3,3") == [
        "circles/binary_crossentropy/sigmoid"
    ]


def test_cells_of_one_name_are_told_apart_by_what_differs(experiment):
    grids = "grids:\n" + "".join(
        f"  - {{dataset: circles, loss: hinge, epochs: {n}, batch_size: 8}}\n" for n in (3, 4, 5)
    )
    experiment("three", f"seeds: 2\n{grids}  - {{dataset: moons, loss: hinge, epochs: 3}}")
    # What is equal in all of them tells nothing apart, and moons is alone.
    assert names("experiment=three") == [
        "circles/hinge/tanh/epochs=3",
        "circles/hinge/tanh/epochs=4",
        "circles/hinge/tanh/epochs=5",
        "moons/hinge/tanh",
    ]


def test_what_only_one_of_two_is_told_is_in_its_name(experiment):
    experiment("two", "grids:\n  - {dataset: circles, loss: hinge}\n  - {dataset: circles, loss: hinge, epochs: 3}")
    assert names("experiment=two") == ["circles/hinge/tanh", "circles/hinge/tanh/epochs=3"]


def test_what_cannot_be_is_skipped_beside_what_can_and_an_error_alone():
    made = plan("-m", "dataset=circles,regression", "loss=hinge")
    assert [cell.name for cell in made.cells] == ["circles/hinge/tanh"]
    assert len(made.skipped) == 1
    said = message("-m", "dataset=regression", "loss=hinge,squared_hinge")
    assert said.count("error: ") == 2
    assert said.count("`lossbench-list` shows what goes together.") == 2


def test_wrong_values_of_all_cells_are_said_once_and_first():
    said = message("-m", "dataset=circles,regression", "loss=hinge", "epochs=0", "batch_size=0")
    assert said.count("error: ") == 2


def test_a_wrong_loss_does_not_hide_what_else_is_wrong():
    said = message("dataset=friedman1", "loss=huber", "loss.delta=-1", "epochs=0", "seeds=0", "model.hidden_units=0")
    for key in ("loss.delta", "epochs", "seeds", "model.hidden_units"):
        assert f"error: {key} must be" in said


def test_targets_outside_a_losss_domain_are_marked():
    inside, outside = plan("-m", "dataset=regression,counts", "loss=poisson", "dataset.standardize.y=none").cells[::-1]
    assert (inside.dataset, inside.outside_domain) == ("counts", False)
    assert (outside.dataset, outside.outside_domain) == ("regression", True)


def test_a_job_is_told_what_makes_its_cell():
    (cell,) = plan(
        "dataset=circles", "loss=bce", "seeds=[3,5]", "epochs=7", "plan=true", "rerun=all", "timeout=5"
    ).cells
    assert cell.overrides == [
        "dataset=circles",
        "loss=binary_crossentropy",
        "repeat=seeds",
        "tune=none",
        "head=sigmoid",
        "seeds=[3,5]",
        "epochs=7",
    ]
    assert plan("dataset=circles", "loss=bce", "seeds=[0,1,2]").cells[0].overrides[-1] == "seeds=3"
    again = plan(*cell.overrides).cells[0]
    assert (again.key, again.name) == (cell.key, cell.name)


def test_published_values_and_claims_stand_beside_their_own_cells_only():
    own = plan("experiment=tutorial", "loss=hinge", "seeds=3")
    assert (len(own.published), bool(own.claims)) == (9, True)
    for argv in (["epochs=5"], ["optimizer=adam"]):
        other = plan("experiment=tutorial", "loss=hinge", *argv)
        assert (other.published, other.claims) == ([], [])


def test_what_an_experiment_has_not_is_said_with_what_it_has():
    said = message("experiment=smoke", "dataset=moons")
    assert "experiment=smoke has no cell with dataset=moons." in said
    assert "it has regression (mean_squared_error); circles (binary_crossentropy, hinge); blobs (" in said
    assert "Without experiment=, any choice goes." in said


def test_notes_are_said_once(tmp_path, monkeypatch):
    made = plan("-m", "dataset=circles", "loss=bce,binary_crossentropy,log_loss", "epochs=3,4")
    assert sorted(made.notes) == [
        "compared: epochs, the one setting that is swept (report.compare)",
        "loss=bce is binary_crossentropy",
        "loss=log_loss is binary_crossentropy",
    ]


def test_a_parameter_in_a_space_is_some_losss_of_the_sweep():
    space = "tune.space={loss.delta: [0.1,2], optimizer.momentum: [0,0.9]}"
    assert len(plan("-m", "dataset=friedman1", "loss=huber,mse", "tune=learning_rate", space).cells) == 2
    said = message("-m", "dataset=friedman1", "loss=mae,mse", "tune=learning_rate", space)
    assert said.count("error: ") == 1
    assert "tune.space: no loss of this sweep has loss.delta." in said


def test_studies_of_one_data_set_have_one_budget(experiment):
    grid = "  - {{dataset: {}, loss: {}, tune: learning_rate, tune.trials: {}}}\n"
    unfair = grid.format("circles", "hinge", 4) + grid.format("circles", "bce", 8)
    experiment("unfair", f"grids:\n{unfair}")
    said = message("experiment=unfair")
    assert "all losses on dataset=circles must have the same tune settings; those of this sweep differ." in said


def test_studies_of_other_data_sets_may_have_another(experiment):
    grid = "  - {{dataset: {}, loss: hinge, tune: learning_rate, tune.trials: {}}}\n"
    experiment("fair", "grids:\n" + grid.format("circles", 4) + grid.format("moons", 8))
    assert len(names("experiment=fair")) == 2


def test_a_baseline_must_be_there():
    assert plan("-m", "loss=bce,hinge", "report.baseline=hinge").report.baseline == "hinge"
    assert "report.baseline must be a loss of the sweep; got huber." in message("loss=bce", "report.baseline=huber")


@pytest.mark.parametrize(
    ("argv", "begun"),
    [
        (["experiment=smoke"], [("smoke", 3)]),
        (["experiment=smoke", "name=mine", "seeds=[1,7]"], [("mine", [1, 7])]),
        (["experiment=named"], [("other", None)]),
        (["experiment=listed"], [("listed", [2, 4])]),
        (["experiment=smoke", "plan=true"], []),
    ],
)
def test_the_name_and_seeds_of_a_sweep_that_is_run_are_told_before_its_cells_are_planned(argv, begun, experiment):
    experiment("named", "name: other\ngrids:\n  - {dataset: [circles], loss: [hinge]}")
    experiment("listed", "seeds: [2, 4]\ngrids:\n  - {dataset: [circles], loss: [hinge]}")
    told: list[tuple[str, object]] = []
    made = make_plan(read_overrides(argv, multirun=False), "lossbench", lambda *what: told.append(what))
    assert told == begun
    assert made.only_plan or [made.name] == [name for name, _ in begun]
