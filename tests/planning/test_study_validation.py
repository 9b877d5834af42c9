"""What a study must be told: its budget, seeds, split, metric and space."""

import pytest
from support.plans import message, plan


def said(*argv: str) -> str:
    return message(
        "tune=learning_rate", *(argv if any("dataset=" in text for text in argv) else ("dataset=circles", *argv))
    )


def accepted(*argv: str) -> bool:
    return plan("tune=learning_rate", *argv).cells[0].is_tuned


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["tune.trials=2", "tune.batch=1"], id="least budget"),
        pytest.param(["tune.trials=10000", "tune.batch=10000"], id="greatest budget"),
        pytest.param(["tune.low=1e-9", "tune.high=1e6"], id="widest range"),
        pytest.param(["tune.low=0.5", "tune.high=2"], id="range around one"),
        pytest.param(["tune.folds=2", "tune.repetitions=1"], id="two folds, once"),
        pytest.param(["tune.folds=100", "tune.repetitions=100"], id="most folds"),
        pytest.param(["tune.folds=10", "dataset.split.train=8", "dataset.split.validation=2"], id="with validation"),
        pytest.param(["tune.sampler=grid", "tune.trials=2"], id="two points"),
        pytest.param(["tune.sampler=random", "tune.trials=1"], id="one trial of chance"),
        pytest.param(["tune.seeds=[30]"], id="the seed after the last"),
        pytest.param(["tune.metric=log_loss"], id="a metric of probabilities"),
        pytest.param(["tune.metric=roc_auc"], id="a metric of ranks"),
        pytest.param(["dataset=blobs", "tune.metric=roc_auc"], id="softmax has ranks of several classes"),
        pytest.param(["tune.space={optimizer.nesterov: {choices: [true, false]}}"], id="true or false"),
        pytest.param(["tune.space={model.activation: {choices: [relu, tanh]}}"], id="words"),
        pytest.param(["tune.space={model.hidden_units: {choices: [10, 20]}}"], id="layers"),
        pytest.param(["tune.space={optimizer.momentum: [0, 0.9]}"], id="numbers"),
        pytest.param(
            ["dataset=friedman1", "loss=huber", "tune.space={loss.delta: [1,2]}"], id="whole ends of any number"
        ),
    ],
)
def test_what_a_study_may_be_told(argv):
    assert accepted(*(argv if any("dataset=" in text for text in argv) else ["dataset=circles", *argv]))


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        pytest.param(["tune.trials=0"], "tune.trials must be from 1 to 10000; got 0.", id="no trial"),
        pytest.param(["tune.trials=10001"], "tune.trials must be from 1 to 10000; got 10001.", id="too many trials"),
        pytest.param(["tune.batch=0"], "tune.batch must be from 1 to 10000; got 0.", id="empty batches"),
        pytest.param(["tune.low=0.1", "tune.high=0.1"], "got 0.1 and 0.1.", id="a range of one number"),
        pytest.param(["tune.high=2e6"], "which is at most 1e+06; got 0.0001 and 2e+06.", id="too wide"),
        pytest.param(["tune.folds=1"], "tune.folds must be from 2 to 100; got 1.", id="nothing left out"),
        pytest.param(["tune.folds=101"], "tune.folds must be from 2 to 100; got 101.", id="too many folds"),
        pytest.param(["tune.repetitions=0"], "tune.repetitions must be from 1 to 100; got 0.", id="no repetition"),
        pytest.param(["tune.repetitions=101"], "must be from 1 to 100; got 101.", id="too many repetitions"),
        pytest.param(
            ["tune.folds=9", "dataset.split.train=8"],
            "tune.folds must be at most the number of rows to train on; got 9 for 8.",
            id="more folds than rows",
        ),
        pytest.param(
            ["tune.folds=9", "dataset.split.train=8", "dataset.split.validation=9", "select=best"],
            "got 9 for 8.",
            id="the validation split chooses the epoch",
        ),
        pytest.param(
            ["tune.sampler=grid", "tune.trials=1"], "needs two points of each range; tune.trials=1", id="grid"
        ),
        pytest.param(["tune.space=3"], "tune.space must be a mapping of keys to ranges; got 3.", id="no mapping"),
        pytest.param(["tune.space=null"], "tune.space must be a mapping of keys to ranges; got None.", id="null"),
        pytest.param(
            ["tune.metric=rounded_accuracy"], "tune.metric must be one of accuracy", id="the published, wrong one"
        ),
        pytest.param(["tune.metric=rmse"], "for two classes; got 'rmse'.", id="another task's"),
        pytest.param(
            ["dataset=blobs", "loss=mse", "head=linear", "tune.metric=log_loss"],
            "choose by accuracy, which all losses have.",
            id="no probability",
        ),
        pytest.param(
            ["dataset=blobs", "loss=bce", "tune.metric=roc_auc"],
            "tune.metric=roc_auc needs head=softmax for several classes; got head=sigmoid.",
            id="ranks of several classes",
        ),
        pytest.param(
            ["tune.space={loss.name: [hinge, bce]}"], "takes settings of loss, optimizer and model", id="names"
        ),
        pytest.param(
            ["tune.space={optimizer.momentum: 3}"], "tune.space: optimizer.momentum must be a range", id="no range"
        ),
        pytest.param(
            ["tune.space={optimizer.moment: [0,0.5]}"],
            "unknown key in tune.space 'optimizer.moment'.\n  hint: did you mean 'optimizer.momentum'?",
            id="no such setting",
        ),
        pytest.param(["tune.space={epochs.x: [1,2]}"], "unknown key in tune.space 'epochs.x'", id="part of a number"),
        pytest.param(
            ["tune.space={optimizer.nesterov: [0,1]}"],
            "tune.space: optimizer.nesterov must be true or false; got 0.",
            id="numbers for truth",
        ),
        pytest.param(
            ["tune.space={optimizer.momentum: [true,false]}"],
            "tune.space: optimizer.momentum must be a number; got True.",
            id="truth for numbers",
        ),
        pytest.param(
            ["tune.space={model.activation: [1,2]}"], "tune.space: model.activation must be a word; got 1.", id="words"
        ),
        pytest.param(["tune.space={optimizer.momentum: [0.5,1.5]}"], "got 1.5", id="the upper end is out of range"),
        pytest.param(
            ["tune.space={batch_size: [0,32]}"], "tune.space: batch_size must be at least 1; got 0.", id="batch"
        ),
    ],
)
def test_what_a_study_must_not_be_told(argv, found):
    assert found in said(*argv)


@pytest.mark.parametrize(
    ("seeds", "tuning", "found"),
    [
        pytest.param("[3]", "[3]", "tune.seeds 3 is also an evaluation seed;", id="one"),
        pytest.param("[3,7]", "[7,3]", "tune.seeds 3 and 7 are also evaluation seeds;", id="two"),
        pytest.param("[1,3,7]", "[7,3,1]", "tune.seeds 1, 3, … (3 of them) are also evaluation seeds;", id="three"),
        pytest.param("[3]", "[3]", "use others, e.g. tune.seeds=[1000,1001,1002].", id="a hint far away"),
        pytest.param("[1002]", "[1002]", "use others, e.g. tune.seeds=[1003,1004,1005].", id="a hint that is free"),
    ],
)
def test_no_run_that_chose_is_a_run_that_judges(seeds, tuning, found):
    assert found in said(f"seeds={seeds}", f"tune.seeds={tuning}")


def test_the_hint_is_followed_to_a_plan_that_works():
    text = said("seeds=[1002]", "tune.seeds=[1002]")
    hint = text.split("e.g. ")[1].rstrip(".")
    assert accepted("dataset=circles", "seeds=[1002]", hint)


def test_a_wrong_value_of_the_cell_is_not_said_of_the_space_too():
    text = said("model.dropout=1", "tune.space={optimizer.momentum: [0,0.9]}")
    assert text.count("error: ") == 1


def test_all_that_is_wrong_is_said_at_once():
    text = said("tune.trials=0", "tune.low=0", "tune.folds=0", "tune.metric=loss", "tune.seeds=[0]", "tune.sampler=x")
    assert text.count("error: ") == 6


def test_a_study_needs_no_metric_and_the_untuned_no_study():
    assert plan("tune=learning_rate", "dataset=circles").cells[0].settings.study.metric is None
    assert not plan("dataset=circles").cells[0].is_tuned


def test_studies_of_one_sweep_have_one_budget_and_others_do_not_matter():
    both = plan("-m", "dataset=circles,moons", "loss=bce,hinge", "tune=learning_rate", "tune.trials=4")
    assert len(both.cells) == 4
    text = message("-m", "dataset=friedman1", "loss=mse", "tune=learning_rate", "tune.space={loss.delta: [1,2]}")
    assert "tune.space: no loss of this sweep has loss.delta." in text
    assert text.count("error: ") == 1
