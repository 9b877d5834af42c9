"""The command line and the plan: what is asked for, how it is named, and what is wrong with it."""

import shlex
import subprocess
import sys

import numpy as np
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf
from support.commands import environment, run
from support.pictures import write_pictures
from support.plans import message, plan

from lossbench.config.settings import plain
from lossbench.findings.recommendation import training_command
from lossbench.ground.errors import MissingEnvironmentError, UsageError
from lossbench.ground.seeds import parse_seeds
from lossbench.losses.heads import HEADS
from lossbench.losses.pairing import LOSSES
from lossbench.planning.command_line import choices_of, encode, read_flags, read_overrides
from lossbench.planning.plan import changes
from lossbench.planning.schema import GROUPS
from lossbench.planning.validation import CORRUPTED_TASKS
from lossbench.results.cells import CellResults


def cell_names(*argv: str) -> list[str]:
    return [cell.name for cell in plan(*argv).cells]


def test_tutorial_is_three_grids_of_three_losses():
    tutorial = plan("experiment=tutorial")
    assert [cell.name for cell in tutorial.cells] == [
        "regression/mean_squared_error/linear",
        "regression/mean_squared_logarithmic_error/linear",
        "regression/mean_absolute_error/linear",
        "circles/binary_crossentropy/sigmoid",
        "circles/hinge/tanh",
        "circles/squared_hinge/tanh",
        "blobs/categorical_crossentropy/softmax",
        "blobs/sparse_categorical_crossentropy/softmax",
        "blobs/kl_divergence/softmax",
    ]
    assert tutorial.name == "tutorial"
    assert tutorial.seeds == {"seeds": list(range(30))}
    by_dataset = {cell.dataset: cell.settings for cell in tutorial.cells}
    assert {name: (s.model.hidden_units, s.epochs) for name, s in by_dataset.items()} == {
        "regression": ([25], 100),
        "circles": ([50], 200),
        "blobs": ([50], 100),
    }
    for settings in by_dataset.values():
        clipping = dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"))
        sgd = {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": False}
        assert plain(settings.optimizer) == sgd | clipping
        assert settings.batch_size == 32
        assert plain(settings.dataset.split) == {"train": 500, "validation": 0, "test": 500, "seed": None}
    assert [cell.name for cell in tutorial.cells if cell.outside_domain] == [
        "regression/mean_squared_logarithmic_error/linear"
    ]
    assert len(tutorial.published) == 9


@pytest.mark.parametrize(
    ("argument", "seeds"),
    [
        pytest.param("seeds=5", [0, 1, 2, 3, 4], id="count"),
        pytest.param("seeds=[3,5]", [3, 5], id="list"),
        pytest.param("seed=3", [3], id="one"),
        pytest.param("seed=0", [0], id="zero is a seed"),
        pytest.param("seed=range(0,5)", [0, 1, 2, 3, 4], id="Hydra's range"),
        pytest.param("seed=4,2", [4, 2], id="Hydra's list"),
    ],
)
def test_a_seeds_argument_gives_the_list_of_seeds(argument, seeds):
    assert plan("-m", argument).seeds == {"seeds": seeds}


def test_seeds_of_any_spelling_are_the_same_sweep():
    names = {plan("-m", argument).name for argument in ("seeds=5", "seed=range(0,5)", "seeds=[0,1,2,3,4]")}
    keys = {plan("-m", argument).cells[0].key for argument in ("seeds=5", "seed=range(0,5)", "seed=7")}
    assert len(names) == 1
    assert len(keys) == 1


@pytest.mark.parametrize("value", [0, -1, [], [-1], ["a"], True, None, 2.5, [1.0]])
def test_values_that_are_no_seeds_raise_an_error(value):
    with pytest.raises(ValueError, match="seeds must be"):
        parse_seeds(value)


def test_a_choice_keeps_the_matching_cells_of_an_experiment():
    assert cell_names("experiment=tutorial", "loss=hinge") == ["circles/hinge/tanh"]
    assert len(cell_names("experiment=tutorial", "dataset=blobs")) == 3


def test_a_value_replaces_the_grids_value_and_a_new_key_multiplies():
    replaced = plan("-m", "experiment=tutorial", "dataset=circles", "epochs=7")
    assert {cell.settings.epochs for cell in replaced.cells} == {7}
    multiplied = cell_names("-m", "experiment=tutorial", "loss=hinge", "optimizer.learning_rate=0.1,0.01")
    assert multiplied == [
        "circles/hinge/tanh/optimizer.learning_rate=0.1",
        "circles/hinge/tanh/optimizer.learning_rate=0.01",
    ]


def test_a_sweep_is_named_after_its_experiment_or_its_choices():
    assert plan("experiment=tutorial", "seeds=2", "tracking.enabled=false").name == "tutorial"
    varied = plan("experiment=tutorial", "epochs=7").name
    assert varied.startswith("tutorial-epochs=7-")
    assert plan("experiment=tutorial", "epochs=8").name != varied
    assert plan("loss=hinge", "dataset=circles").name == plan("dataset=circles", "loss=hinge").name
    assert plan("loss=hinge", "name=mine").name == "mine"


def test_published_values_stand_only_beside_their_own_settings():
    assert plan("experiment=tutorial", "dataset=circles").published
    assert not plan("experiment=tutorial", "epochs=7").published


def test_aliases_are_resolved_doubles_dropped_and_defaults_added():
    made = plan("-m", "dataset=circles", "loss=bce,binary_crossentropy,log_loss")
    assert [cell.name for cell in made.cells] == ["circles/binary_crossentropy/sigmoid"]
    assert "loss=bce is binary_crossentropy" in made.notes
    assert cell_names("dataset=regression") == ["regression/mean_squared_error/linear"]
    assert cell_names("dataset=blobs") == ["blobs/categorical_crossentropy/softmax"]


def test_all_losses_of_a_task_leave_out_what_is_outside_its_domain():
    losses = {name.split("/")[1] for name in cell_names("-m", "dataset=regression", "loss=all")}
    assert {"mean_squared_error", "mean_absolute_error", "huber", "pinball", "tukey"} <= losses
    # Counts from 0; ratios of numbers above 0: standardized targets are neither.
    assert not losses & {"poisson", "mean_squared_logarithmic_error", "mean_absolute_percentage_error"}
    counts = {name.split("/")[1] for name in cell_names("-m", "dataset=counts", "loss=all")}
    assert counts - losses == {"poisson", "mean_squared_logarithmic_error"}
    # Classes without an order have no earth mover's distance.
    ordered, unordered = (cell_names("-m", f"dataset={name}", "loss=all") for name in ("ordinal", "blobs"))
    assert len(ordered) == len(unordered) + 1


def test_impossible_cells_of_a_sweep_are_left_out_with_a_reason():
    made = plan("-m", "dataset=circles,regression", "loss=hinge")
    assert [cell.name for cell in made.cells] == ["circles/hinge/tanh"]
    ((name, reason),) = made.skipped
    assert name.startswith("regression/hinge")
    assert "is for binary or multilabel targets" in reason


def test_cells_that_differ_have_different_folders():
    cells = plan("-m", "optimizer=sgd,adam", "batch_size=16,32", "model.hidden_units=[5],[5,5]").cells
    assert len({cell.folder for cell in cells}) == len({cell.key for cell in cells}) == 8


def test_flags_may_stand_anywhere():
    assert read_flags(["loss=hinge", "-m", "dataset=circles"]).multirun


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["loss=hing"], ["unknown loss 'hing'", "did you mean 'hinge'"]),
        (["epochs=-5"], ["epochs must be at least 1; got -5"]),
        (["optimizer.learning_rate=fast"], ["optimizer.learning_rate must be a number; got 'fast'"]),
        (["optimizer.learning_rate=nan"], ["optimizer.learning_rate must be above 0"]),
        (["optimizer.lr=0.1"], ["unknown key 'optimizer.lr'", "optimizer.learning_rate"]),
        (["los=mse"], ["unknown key 'los'", "did you mean 'loss'"]),
        (["+los=mse"], ["unknown key 'los'", "did you mean 'loss'"]),
        (["+loss=mse"], ["there is nothing to add", "write loss=mse"]),
        (["seeds=0"], ["seeds must be a count of at least 1", "seeds=30 means"]),
        (["-m", "seeds=range(0,5)"], ["sweep over counts", "seed=range(0,5)"]),
        (["-m", "seed=1,-2"], ["seed must be an integer from 0; got 1,-2."]),
        (["batch_size=0"], ["batch_size must be at least 1; got 0"]),
        (["loss=../../evil"], ["unknown loss '../../evil'", "binary_crossentropy"]),
        (["dataset=regression", "loss=hinge"], ["loss=hinge is for binary or multilabel targets", "lossbench-list"]),
        (["loss=bce", "head=linear"], ["needs predictions from 0 to 1", "use head=sigmoid"]),
        (["loss=bce,hinge"], ["more than one value", "add -m"]),
        (["-m", "epochs=interval(1,5)"], ["interval"]),
        (["hydra/sweeper=optuna"], ["no other sweeper"]),
        (["hydra.sweep.dir=x"], ["LOSSBENCH_HOME"]),
        (["name=../x"], ["name must begin with a letter or a digit"]),
        (["~loss"], ["cannot be taken away"]),
        (["foo"], ["not of the form key=value"]),
        (["dataset.split.train=900"], ["takes 1400 samples", "has 1000"]),
        (["model.hidden_units=[0]"], ["model.hidden_units must be"]),
        (["model.activation=rellu"], ["model.activation must be one of"]),
        (["loss.label_smoothing=1"], ["loss.label_smoothing must be at least 0 and below 1; got 1"]),
        (["experiment=tutorial", "loss=mse", "dataset=blobs"], ["has no cell with", "regression (mean_squared_error"]),
        (["loss.name=hinge"], ["choose loss=hinge instead"]),
        (
            ["early_stopping.patience=5"],
            ["early_stopping.patience needs a validation split", "split.validation is 0"],
        ),
        (["select=best"], ["select=best needs a validation split"]),
        (["select=first"], ["select must be one of last, best"]),
        (["model=cnn"], ["model.shape must be [height,width,channels]; dataset=circles has none of its own"]),
        (["model=rnn", "model.shape=[2]"], ["model.shape must be [steps,features]; got [2]"]),
        (["model=custom"], ["model=custom needs a function"]),
        (["model.dropout=1"], ["model.dropout must be at least 0 and below 1"]),
        (
            ["optimizer.clipnorm=1", "optimizer.clipvalue=1"],
            ["gradients are clipped in one way; got"],
        ),
        (["optimizer.clipnorm=0"], ["optimizer.clipnorm must be above 0, or null"]),
        (["schedule=cosine", "schedule.final=2"], ["schedule.final must be at most 1"]),
        (["schedule.warmup_epochs=1000"], ["schedule.warmup_epochs must be at most epochs; got 1000 of 100"]),
        (["loss=composite", "dataset=regression"], ["loss=composite needs loss.terms, a weight for each loss"]),
        (["loss=composite", "dataset=regression", "loss.terms={hubr: 1}"], ["unknown loss in loss.terms 'hubr'"]),
        (["dataset=blobs", "loss=expected_cost", "loss.costs=[[0,1]]"], ["must be 3 rows of 3 numbers, one for each"]),
        (["dataset=imbalanced", "dataset.weights=[0.9,0.2]"], ["must be the shares of two classes"]),
        (
            ["tuned=nothere"],
            ["unknown tuned 'nothere'", "there is none.", "`lossbench-export tuned <sweep>` writes one"],
        ),
        (["head.encoding=onehot"], ["head.encoding must be one of auto, real"]),
    ],
)
def test_errors_say_what_must_hold_and_what_to_do(argv, said):
    text = message(*argv)
    assert text.startswith("error: ")
    for part in said:
        assert part in text


def test_all_errors_of_a_command_are_reported_together():
    text = message("epochs=abc", "seeds=0", "batch_size=0", "optimizer.learning_rate=-1")
    assert text.count("error: ") == 4


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("nothere", "can be installed: joblib, slurm, submitit_local, submitit_slurm, ray, ray_aws, rq."),
        ("submitit_slurm", "pip install 'lossbench[slurm]'"),
        ("joblib", "pip install 'lossbench[joblib]'"),
        ("ray", "pip install hydra-ray-launcher"),
        ("rq", "pip install hydra-rq-launcher"),
        ("bsic", "did you mean 'basic'?"),
    ],
)
def test_an_unknown_launcher_is_an_error_before_the_sweep_starts(name, hint, monkeypatch):
    monkeypatch.setattr(ConfigLoaderImpl, "get_group_options", lambda *_: ["basic"])
    with pytest.raises(MissingEnvironmentError, match=f"'{name}' is not installed") as error:
        plan(f"hydra/launcher={name}")
    assert error.value.problems[0].hint == hint


# What users of other tools type, and what the hint tells them to type instead.
MEANT = [
    ("optimizer.lr=0.1", "did you mean 'optimizer.learning_rate'?", "optimizer.learning_rate=0.1"),
    ("lr=0.1", "did you mean 'optimizer.learning_rate'?", "optimizer.learning_rate=0.1"),
    ("model.lr=0.1", "did you mean 'optimizer.learning_rate'?", "optimizer.learning_rate=0.1"),
    ("momentum=0.5", "did you mean 'optimizer.momentum'?", "optimizer.momentum=0.5"),
    ("momentm=0.5", "did you mean 'optimizer.momentum'?", "optimizer.momentum=0.5"),
    ("optimizer.epochs=3", "did you mean 'epochs'?", "epochs=3"),
    ("n_seeds=3", "did you mean 'seeds'?", "seeds=3"),
    ("data=circles", "did you mean 'dataset'?", "dataset=circles"),
    (
        "model.depth=3",
        "'model.hidden_units=[50,50]' sets two hidden layers of 50 units each.",
        "model.hidden_units=[50,50]",
    ),
    ("circles", "did you mean dataset=circles?", "dataset=circles"),
    ("hinge", "did you mean loss=hinge?", "loss=hinge"),
    ("adm", "did you mean optimizer=adam?", "optimizer=adam"),
]


@pytest.mark.parametrize(("typed", "hint", "followed"), MEANT, ids=[typed for typed, _, _ in MEANT])
def test_the_hint_of_a_mistyped_argument_can_be_followed(typed, hint, followed):
    assert message(typed).partition("hint: ")[2] == hint
    assert plan(followed).cells


def test_an_unknown_key_is_not_answered_with_every_key_there_is():
    text = message("foo=1")
    assert "there is epochs, batch_size," in text
    assert "optimizer.momentum" not in text


@pytest.mark.parametrize("typed", ["dataset.target=b", "dataset.missing=drop", "csv=house.csv", "house.csv"])
def test_a_setting_of_a_file_without_its_path_is_answered_with_the_path(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "house.csv").write_text("a,price\n" + "".join(f"{i},{i / 8}\n" for i in range(60)))
    hint = message(typed).partition("hint: ")[2]
    followed = [word.strip(",") for word in hint.split() if word.startswith("dataset.")]
    assert plan(*(word.replace("…", "price") for word in followed)).cells[0].dataset == "house.csv"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--seeds", "5"], ["seeds=5"]),
        (["--seeds=5", "loss=hinge"], ["seeds=5"]),
        (["--lr", "0.1", "--dataset", "circles"], ["optimizer.learning_rate=0.1", "dataset=circles"]),
        (["--batch-size", "16"], ["batch_size=16"]),
    ],
)
def test_a_setting_with_dashes_is_answered_without(argv, told):
    with pytest.raises(UsageError) as error:
        read_flags(argv)
    assert [problem.hint.partition(";")[0] for problem in error.value.problems] == told
    assert plan(*told).cells
    assert str(error.value).startswith(f"error: lossbench has no option '{argv[0]}'; settings are written without")


def test_a_wrong_flag_is_an_error_in_our_words(tmp_path):
    done = run(tmp_path, "--cfg")
    assert (done.status, done.out) == (2, "")
    assert done.err == "error: argument --cfg/-c: expected one argument.\n  hint: lossbench --help shows the options.\n"


@pytest.mark.parametrize(
    "argv", [["loss=hing"], ["+los=mse"], ["seeds=0"], ["dataset=regression", "loss=hinge"], ["loss=../../evil"]]
)
def test_an_error_in_the_arguments_exits_2_without_a_traceback(tmp_path, argv):
    done = run(tmp_path, *argv)
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert not (tmp_path / "multirun").exists()


HEAVY = ("tensorflow", "mlflow", "sklearn", "optuna")
IMPORTED = f"import sys; print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"


@pytest.mark.parametrize(
    "argv", [["--help"], ["loss=hing"], ["tune=learning_rate", "plan=true"], ["loss=bce", "--cfg", "job"]]
)
def test_commands_without_training_import_nothing_heavy(tmp_path, argv):
    code = f"import sys, atexit\natexit.register(lambda: exec({IMPORTED!r}))\n"
    code += f"sys.argv = ['lossbench', *{argv!r}]\nfrom lossbench.commands.main import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip().endswith("[]"), done.stderr


def test_help_shows_the_choices_and_aliases_work_everywhere(tmp_path):
    assert "loss: auto, barron, binary_crossentropy" in run(tmp_path, "--help").out
    first = run(tmp_path, "-m", "loss=bce,hinge", "--cfg", "job")
    assert first.status == 0
    assert "name: binary_crossentropy" in first.out
    assert run(tmp_path, "--version").out.startswith("lossbench ")


def test_shell_completion_is_handed_to_hydra(tmp_path):
    done = run(tmp_path, "-sc", "query=bash", COMP_LINE="lossbench loss=hin", COMP_POINT="18")
    assert "loss=hinge" in done.out


DATASET_OF = {"regression": "regression", "binary": "circles", "multiclass": "blobs"}
# What some losses must be told.
NEEDED = {
    "cosine_similarity": ["dataset.n_targets=2"],
    "composite": ["loss.terms={mse: 1, mae: 0.5}"],
    "custom": ["loss.function=lossbench.losses.regression:half_squared_error"],
}


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "experiment"])
def test_every_choice_of_every_group_composes(group, tmp_path):
    for name in choices_of(group):
        argv = [f"{group}={name}"]
        if name == "csv":
            (tmp_path / "small.csv").write_text("a,b\n" + "".join(f"{i},{i / 8}\n" for i in range(9)))
            argv += [f"dataset.path={tmp_path}/small.csv", "dataset.target=b"]
        if name == "npz":
            np.savez(tmp_path / "small.npz", x=np.eye(9), y=np.arange(9) / 8)
            argv += [f"dataset.path={tmp_path}/small.npz"]
        if name == "pictures":
            argv += [f"dataset.path={write_pictures(tmp_path / 'pictures')}"]
        if group == "dataset" and name == "custom":
            argv += ["dataset.function=lossbench.datasets.generators:make_two_modes"]
            argv += ["dataset.parameters={n_samples: 40, share: 0.5, noise: 0.1}"]
        if group == "head":
            task = "binary" if name == "auto" else next(iter(HEADS[name].encodings))
            loss = "gaussian_nll" if name == "gaussian" else "mse"
            argv += [f"dataset={DATASET_OF[task]}", f"loss={loss}"]
        if group == "corruption":
            argv += [f"dataset={DATASET_OF[CORRUPTED_TASKS.get(name, ['binary'])[0]]}"]
        if group == "loss":
            task = "binary" if name == "auto" else next(iter(LOSSES[name].encodings), "regression")
            argv += [f"dataset={DATASET_OF[task]}", *NEEDED.get(name, [])]
        if group == "model":
            function = "model.function=lossbench.training.networks:keras"
            argv += ["dataset=digits", *([function] if name == "custom" else [])]
        assert len(plan(*argv).cells) == 1


# Planning its 239 cells takes seconds.
EXPERIMENTS = [pytest.param(n, marks=pytest.mark.slow) if n == "all_losses" else n for n in choices_of("experiment")]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_keeps_its_values_and_names_its_command(name):
    # What is asked of the user's own file can be asked of any data.
    assert plan(f"experiment={name}", *(["dataset=iris"] if name == "advise" else [])).cells
    from lossbench.config.paths import conf_folder

    assert f"experiment={name}" in (conf_folder() / "experiment" / f"{name}.yaml").read_text().splitlines()[1]


def test_choices_of_the_working_directory_are_added_and_replace_none(tmp_path, monkeypatch):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "dataset").mkdir()
    (tmp_path / "conf" / "dataset" / "noisy.yaml").write_text("defaults:\n  - circles\n  - _self_\nnoise: 0.3\n")
    (tmp_path / "conf" / "dataset" / "circles.yaml").write_text("name: evil\n")
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nseeds: 2\ngrids:\n  - {dataset: noisy, loss: [bce, hinge]}\n"
    )
    monkeypatch.chdir(tmp_path)
    made = plan("experiment=mine")
    assert [cell.name for cell in made.cells] == ["noisy/binary_crossentropy/sigmoid", "noisy/hinge/tanh"]
    assert made.cells[0].settings.dataset.parameters["noise"] == 0.3
    assert plan("dataset=circles").cells[0].settings.dataset.parameters["noise"] == 0.1


def test_report_settings_change_neither_names_nor_keys():
    one, other = plan("experiment=smoke"), plan("experiment=smoke", "report.margin=0.02", "report.baseline=mse")
    assert other.name == "smoke"
    assert [cell.key for cell in other.cells] == [cell.key for cell in one.cells]
    assert (other.report.margin, other.report.baseline) == (0.02, "mean_squared_error")
    said = message("experiment=smoke", "report.baseline=huber", "report.margin=-1")
    assert "report.baseline must be a loss of the sweep; got huber." in said
    assert "report.margin must be at least 0; got -1." in said


def test_changes_lists_only_settings_that_affect_results():
    settings = [plan("dataset=circles", *more).cells[0].settings for more in ([], ["schedule=cosine", "seeds=3"])]
    assert changes(*settings) == ["schedule constant -> cosine"]
    assert changes(settings[0], settings[0]) == []


VALUES = [
    *(
        "plain",
        "two words",
        "price €",
        "größe",
        "it's",
        'a"b',
        "a\\b",
        "a\\",
        ";",
        ",",
        "=",
        "a=b",
        "5",
        "0.5",
        "true",
        "null",
    ),
    *("", " ", "~/house.csv", "/tmp/my house (1).csv", "#N/A", "?", "1e3", "[x]", "{x}", "$x", "日本", "nan"),
    *(5, 0.5, True, None, ["?", "#N/A", 5], {"a": [0.1, "b c"]}),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_an_encoded_value_is_read_back_unchanged(value):
    read = read_overrides([encode("dataset.target", value).lstrip("+")], multirun=False)
    assert read.values["dataset.target"] == [value]


def test_an_encoded_reference_is_not_interpolated():
    written = encode("dataset.target", "${epochs}").partition("=")[2]
    assert OmegaConf.create({"epochs": 3, "x": written[1:-1]}).x == "${epochs}"


@pytest.mark.parametrize(
    "value",
    ["price €", "größe", "a=b", "it's", "/tmp/my house (1).csv", ";", "(kg) w", "[1] €", '"5" tv', "'5' zoll", ","],
)
def test_values_outside_hydras_grammar_need_no_quotes(value):
    assert read_overrides([f"dataset.target={value}"], multirun=False).values["dataset.target"] == [value]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("loss=glob(*hinge)", ["categorical_hinge", "hinge", "multiclass_hinge", "squared_hinge"]),
        ("optimizer=glob(ada*,exclude=adam*)", ["adagrad"]),
        # ``auto`` stands for another choice.
        ("head=glob(*)", [name for name in choices_of("head") if name != "auto"]),
    ],
)
def test_a_pattern_stands_for_the_choices_that_it_fits(text, names):
    group = text.partition("=")[0]
    assert read_overrides([text], multirun=True).choices == {group: names}


def test_lists_of_values_outside_hydras_grammar_need_no_quotes():
    read = read_overrides(["dataset.leave_out=[größe, price €,5]"], multirun=False)
    assert read.values["dataset.leave_out"] == [["größe", "price €", 5]]


def test_values_outside_hydras_grammar_can_be_swept():
    text = "dataset.path=häuser.csv,x.csv"
    assert read_overrides([text], multirun=True).values["dataset.path"] == ["häuser.csv", "x.csv"]
    with pytest.raises(UsageError, match="add -m"):
        read_overrides([text], multirun=False)


@pytest.mark.parametrize("text", ["seeds=[3,5,]", "optimizer.learning_rate=0.1,", "seeds=[3", 'name="a', "hydra.x=a€"])
def test_an_unclosed_list_or_quote_is_an_error(text):
    with pytest.raises(UsageError, match="is not of the form key=value"):
        read_overrides([text], multirun=True)


def test_the_training_command_of_a_composite_loss_gives_the_same_cell():
    cell = plan("dataset=regression", "loss=composite", "loss.terms={huber: 0.7, mse: 0.3}").cells[0]
    command = shlex.split(training_command(CellResults(cell, []), None))[1:]
    assert plan(*command).cells[0].key == cell.key


def test_a_dataset_path_selects_the_csv_data_set():
    read = read_overrides(["dataset.path=house.csv", "dataset.target=price"], multirun=False)
    assert read.choices == {"dataset": ["csv"]}
    assert read.notes == ["dataset.path names a file: dataset=csv"]


def test_the_advise_experiment_takes_named_losses():
    cells = plan("-m", "experiment=advise", "dataset=friedman1", "loss=mse,huber").cells
    assert [cell.loss for cell in cells] == ["mean_squared_error", "huber"]


def test_a_choice_without_cells_is_an_error_that_lists_the_cells():
    assert "it has regression (mean_squared_error); circles (" in message("-m", "experiment=smoke", "loss=poisson")


def test_a_value_that_refers_to_another_setting_is_an_error():
    said = message("dataset=circles", "model.activation=${epochs}", "optimizer.learning_rate=${epochs}")
    assert "model.activation must not refer to other settings; got '${epochs}'." in said
    assert "optimizer.learning_rate must not refer" in said
    assert plan("dataset=circles").cells[0].settings.optimizer.learning_rate > 0
