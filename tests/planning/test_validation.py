"""What values must be: the last that is allowed, and the first that is not."""

import pytest
from support.plans import message, plan

# Each value at the edge, and one beyond it with what is said.
EDGES = [
    (["epochs=1"], ["epochs=0"], "epochs must be at least 1; got 0."),
    (["epochs=1000000000"], ["epochs=1000000001"], "epochs must be at most 1e+09; got 1e+09."),
    (["batch_size=1"], ["batch_size=0"], "batch_size must be at least 1; got 0."),
    (["evaluate_every=1"], ["evaluate_every=0"], "evaluate_every must be at least 1; got 0."),
    (["trainer=fit"], ["trainer=fot"], "trainer must be one of compiled, fit; got 'fot'."),
    (["rerun=failed"], ["rerun=some"], "rerun must be one of none, failed, all; got 'some'."),
    (["timeout=0.5"], ["timeout=0"], "timeout must be seconds above 0, or null: no limit; got 0.0."),
    (["tracking.models=all"], ["tracking.models=x"], "tracking.models must be one of none, best, all; got 'x'."),
    (["report.metrics=[log_loss]"], ["report.metrics=[logloss]"], "unknown metric in report.metrics 'logloss'."),
    (["report.margin=0"], ["report.margin=-0.1"], "report.margin must be at least 0; got -0.1."),
    (["report.margins.rmse=0"], ["report.margins.rmse=-1"], "report.margins.rmse must be at least 0; got -1."),
    (["metric=f1"], ["metric=roc_auc"], "metric must be one of accuracy, balanced_accuracy, f1, matthews for two"),
    (["metric=mae", "dataset=regression"], ["metric=mae"], "for two classes; got 'mae'."),
    (["metric=class_mae", "dataset=ordinal"], ["metric=class_mae", "dataset=blobs"], "got 'class_mae'."),
    (["metric=hamming_loss", "dataset=multilabel"], ["metric=loss", "dataset=multilabel"], "got 'loss'."),
    (["report.margins.mae=0"], ["report.margins.mae=-1"], "report.margins.mae must be at least 0; got -1."),
    (["head.encoding=auto"], ["head.encoding=x"], "head.encoding must be one of auto, "),
    (["dataset.noise=0"], ["dataset.noise=-0.1"], "dataset.noise must be at least 0; got -0.1."),
    (["dataset.noise=0.1"], ["dataset.noise=nan"], "dataset.noise must be a number; got nan."),
    (["dataset.standardize.x=none"], ["dataset.standardize.x=x"], "dataset.standardize.x must be one of none, "),
    (
        ["dataset.standardize.y=none"],
        ["dataset=friedman1", "dataset.standardize.y=x"],
        "dataset.standardize.y must be one of none, ",
    ),
    (
        ["dataset.standardize.y=none"],
        ["dataset.standardize.y=standard"],
        "y must be none for two classes; got standard.",
    ),
    (["dataset.standardize.fitted_on=train"], ["dataset.standardize.fitted_on=x"], "must be one of train, all_rows;"),
    (["dataset.standardize.metrics=scaled"], ["dataset.standardize.metrics=x"], "must be one of original, scaled;"),
    (
        ["dataset.split.test=0.5"],
        ["dataset.split.test=1.0"],
        "dataset.split.test must be a count, or a share below 1;",
    ),
    (
        ["dataset.split.validation=0"],
        ["dataset.split.validation=-1"],
        "validation must be a count, or a share below 1;",
    ),
    (["dataset.split.validation=0.0"], ["dataset.split.validation=-0.1"], "validation must be a count, or a share"),
    (
        ["dataset.split.validation=0"],
        ["dataset.split.validation=true"],
        "must be a count, or a share below 1; got True.",
    ),
    (["dataset.split.train=1"], ["dataset.split.train=0"], "train must be at least one sample; got 0 of 1000."),
    (["dataset.split.test=1"], ["dataset.split.test=0.0001"], "test must be at least one sample; got 0.0001 of 1000."),
    (["dataset.split.seed=0"], ["dataset.split.seed=-1"], "dataset.split.seed must be at least 0; got -1."),
    (
        ["dataset.split.seed=4294967295"],
        ["dataset.split.seed=4294967296"],
        "dataset.split.seed must be at most 4.29497e+09",
    ),
    (["model.dropout=0"], ["model.dropout=-0.1"], "model.dropout must be at least 0 and below 1; got -0.1."),
    (["model.dropout=0.999"], ["model.dropout=1"], "model.dropout must be at least 0 and below 1; got 1."),
    (["model.l2=0"], ["model.l2=-1"], "model.l2 must be at least 0; got -1."),
    (["model.l2=1e6"], ["model.l2=1000001"], "model.l2 must be at most 1e+06; got 1e+06."),
    (
        ["model.output_scale=0.5"],
        ["model.output_scale=0"],
        "model.output_scale must be above 0 and at most 1e+06; got 0.",
    ),
    (["model.output_scale=1e6"], ["model.output_scale=2e6"], "must be above 0 and at most 1e+06; got 2e+06."),
    (["model.initializer_scale=0.5"], ["model.initializer_scale=0"], "model.initializer_scale must be above 0"),
    (["model.activation=silu"], ["model.activation=x"], "model.activation must be one of relu, "),
    (["model.initializer=he_normal"], ["model.initializer=x"], "model.initializer must be one of he_uniform, "),
    (["optimizer.learning_rate=1e6"], ["optimizer.learning_rate=2e6"], "above 0 and at most 1e+06; got 2e+06."),
    (["optimizer.learning_rate=1e-9"], ["optimizer.learning_rate=0"], "above 0 and at most 1e+06; got 0."),
    (["optimizer.momentum=0"], ["optimizer.momentum=-0.1"], "optimizer.momentum must be at least 0"),
    (
        ["optimizer.momentum=0.999"],
        ["optimizer.momentum=1"],
        "optimizer.momentum must be at least 0 and below 1; got 1.",
    ),
    (
        ["optimizer.clipnorm=1e-9"],
        ["optimizer.clipnorm=0"],
        "optimizer.clipnorm must be above 0, or null for none; got 0.",
    ),
    (
        ["optimizer.clipvalue=1"],
        ["optimizer.clipvalue=inf"],
        "optimizer.clipvalue must be above 0, or null for none; got inf.",
    ),
    (
        ["optimizer.clipnorm=1"],
        ["optimizer.clipnorm=1", "optimizer.global_clipnorm=1"],
        "gradients are clipped in one way;",
    ),
    (["optimizer.nesterov=true"], ["optimizer.nesterov=true", "optimizer.momentum=0"], "needs a momentum above 0;"),
    (["schedule.warmup_epochs=0"], ["schedule.warmup_epochs=-1"], "schedule.warmup_epochs must be at least 0; got -1."),
    (["schedule.warmup_epochs=100"], ["schedule.warmup_epochs=101"], "must be at most epochs; got 101 of 100."),
    (
        ["schedule=cosine", "schedule.final=0"],
        ["schedule=cosine", "schedule.final=-1"],
        "schedule.final must be at least 0;",
    ),
    (
        ["schedule=exponential", "schedule.final=1"],
        ["schedule=exponential", "schedule.final=0"],
        "final must be at least 1e-12",
    ),
    (["select=last"], ["select=x"], "select must be one of last, best; got 'x'."),
    (
        ["early_stopping.min_delta=0"],
        ["early_stopping.min_delta=-1"],
        "early_stopping.min_delta must be at least 0; got -1.",
    ),
    (["loss=focal", "loss.gamma=0"], ["loss=focal", "loss.gamma=-1"], "loss.gamma must be at least 0"),
    (
        ["corruption=label_noise", "corruption.rate=1"],
        ["corruption=label_noise", "corruption.rate=1.1"],
        "at most 1; got 1.1.",
    ),
    (
        ["corruption=label_noise", "corruption.rate=0"],
        ["corruption=label_noise", "corruption.rate=-1"],
        "at least 0; got -1.",
    ),
    (
        ["corruption=imbalance", "corruption.share=1"],
        ["corruption=imbalance", "corruption.share=1.1"],
        "at most 1; got 1.1.",
    ),
    (
        ["corruption=imbalance", "corruption.share=0.1"],
        ["corruption=imbalance", "corruption.share=0"],
        "above 0 and at most 1;",
    ),
    (
        ["corruption=imbalance", "corruption.rare_class=1"],
        ["corruption=imbalance", "corruption.rare_class=2"],
        "corruption.rare_class must be at most 1; got 2.",
    ),
]


@pytest.mark.parametrize(("inside", "outside", "said"), EDGES, ids=[" ".join(outside) for _, outside, _ in EDGES])
def test_the_last_value_that_is_allowed_and_the_first_that_is_not(inside, outside, said):
    assert plan(*inside).cells
    text = message(*outside)
    assert said in text
    assert text.count("error: ") == 1


VALIDATED = ["dataset.split.train=0.5", "dataset.split.validation=0.1", "dataset.split.test=0.4"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(["select=best"], "select=best needs a validation split;", id="the best"),
        pytest.param(["early_stopping.patience=1"], "early_stopping.patience needs a validation split;", id="stopping"),
    ],
)
def test_what_is_chosen_on_held_out_samples_needs_some(argv, said):
    assert said in message(*argv)
    assert plan(*argv, *VALIDATED).cells[0].settings.select == "best"
    assert "early_stopping.patience must be at least 1; got 0." in message("early_stopping.patience=0", *VALIDATED)


@pytest.mark.parametrize(
    ("argv", "said", "hint"),
    [
        pytest.param(
            ["dataset=circles", "dataset.split.train=501"],
            "dataset.split takes 1001 samples (train 501, validation 0, test 500); the data set has 1000.",
            "raise dataset.n_samples.",
            id="generated",
        ),
        pytest.param(
            ["dataset=iris", "dataset.split.train=100", "dataset.split.test=51"],
            "takes 151 samples (train 100, validation 0, test 51); the data set has 150.",
            "take fewer.",
            id="counts",
        ),
        pytest.param(
            ["dataset=iris", "dataset.split.train=0.7", "dataset.split.validation=0.2", "dataset.split.test=0.3"],
            "samples (train 105, validation 30, test 45); the data set has 150.",
            "shares of all samples, 1 in sum: dataset.split.train=0.5",
            id="shares",
        ),
        pytest.param(
            ["dataset=iris", "dataset.split.train=0.7", "dataset.split.validation=0.5", "dataset.split.test=0.5"],
            "the data set has 150.",
            "1 in sum: dataset.split.train=0.6 dataset.split.validation=0.1 dataset.split.test=0.3",
            id="nothing left",
        ),
    ],
)
def test_a_split_of_more_than_there_is_says_what_would_do(argv, said, hint):
    text = message(*argv)
    assert said in text
    assert hint in text


def test_a_split_may_take_all():
    assert plan("dataset=iris", "dataset.split.train=100", "dataset.split.test=50").cells


@pytest.mark.parametrize(
    ("argv", "fits"),
    [
        pytest.param(["dataset=friedman1", "corruption=outliers"], "", id="outliers among numbers"),
        pytest.param(["dataset=blobs", "corruption=label_noise"], "", id="wrong classes"),
        pytest.param(["dataset=blobs", "corruption=imbalance", "corruption.rare_class=2"], "", id="a rare class"),
        pytest.param(
            ["dataset=friedman1", "corruption=label_noise"],
            "corruption=label_noise is for two classes or several classes; dataset=friedman1 has numbers.\n"
            "  hint: use corruption=outliers.",
            id="classes of numbers",
        ),
        pytest.param(
            ["dataset=circles", "corruption=outliers"],
            "corruption=outliers is for numbers; dataset=circles has two classes.\n"
            "  hint: use corruption=label_noise or corruption=imbalance.",
            id="outliers among classes",
        ),
    ],
)
def test_a_corruption_is_for_targets_of_some_tasks(argv, fits):
    if fits:
        assert fits in message(*argv)
    else:
        assert plan(*argv).cells[0].settings.is_corrupted


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(["dataset.n_informative=2", "dataset.n_features=4"], "", id="just enough"),
        pytest.param(
            ["dataset.n_informative=3", "dataset.n_features=4"], "n_features - 2; got 3 of 4.", id="mixtures too"
        ),
        pytest.param(["dataset.weights=[0.9,0.1]"], "", id="two shares"),
        pytest.param(["dataset.weights=[0.5,0.25,0.25]"], "must be the shares of two classes", id="three"),
        pytest.param(["dataset.weights=[1.0,0.0]"], "must be the shares of two classes", id="one class"),
        pytest.param(["dataset.weights=[0.9,0.2]"], "must be the shares of two classes", id="more than all"),
        pytest.param(["dataset.weights=[0.5,0.4]"], "must be the shares of two classes", id="less than all"),
    ],
)
def test_imbalanced_data_are_two_classes(argv, said):
    if said:
        assert said in message("dataset=imbalanced", *argv)
    else:
        assert plan("dataset=imbalanced", *argv).cells


def test_all_features_of_other_data_may_be_informative():
    assert plan("dataset=regression", "dataset.n_informative=5", "dataset.n_features=5").cells
    said = message("dataset=regression", "dataset.n_informative=6", "dataset.n_features=5")
    assert "dataset.n_informative must be at most dataset.n_features; got 6 of 5." in said


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(
            ["loss.terms={huber: {weight: 0}, mse: 1}"], "loss.terms.huber must have a weight above 0; got 0.", id="0"
        ),
        pytest.param(
            ["loss.terms={huber: {delta: -1}}"], "loss.terms.huber.delta must be at least 1e-12", id="a parameter"
        ),
        pytest.param(
            ["loss.terms={huber: {delta: x}}"], "loss.terms.huber.delta must be a number; got 'x'.", id="a word"
        ),
    ],
)
def test_terms_of_a_sum_are_losses_of_their_own(argv, said):
    assert said in message("dataset=friedman1", "loss=composite", *argv)


COSTS = ["dataset=blobs", "loss=expected_cost"]
OWN = ["dataset=friedman1", "loss=custom", "loss.function=lossbench.losses.regression:huber"]


def test_each_number_of_a_matrix_has_its_range():
    assert plan(*COSTS, "loss.costs=[[0,1,1],[5,0,1],[1,1,0]]").cells
    assert "each number of loss.costs must be" in message(*COSTS, "loss.costs=[[0,1,1],[-5,0,1],[1,1,0]]")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param("loss.task=x", "loss.task must be one of ", id="task"),
        pytest.param("loss.encoding=x", "loss.encoding must be one of ", id="encoding"),
        pytest.param("loss.head=x", "loss.head must be one of ", id="head"),
        pytest.param(
            "loss.parameters={a: x}", "loss.parameters must be a number for each name; got {'a': 'x'}.", id="a word"
        ),
        pytest.param("loss.parameters=3", "loss.parameters must be a number for each name; got 3.", id="no mapping"),
    ],
)
def test_an_own_loss_says_what_it_is_for(value, said):
    assert plan(*OWN, "loss.parameters={delta: 2}").cells
    assert "does not take a." in message(*OWN, "loss.parameters={a: 1}")
    assert said in message(*OWN, value)


def test_an_own_model_has_parameters_by_name():
    own = ["model=custom", "model.function=lossbench.training.networks:keras"]
    assert plan(*own, "model.parameters={width: 64}").cells
    assert "model.parameters must be a value for each name; got 3." in message(*own, "model.parameters=3")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(["model=cnn", "model.kernel_size=0"], "model.kernel_size must be at least 1; got 0.", id="kernel"),
        pytest.param(
            ["model=cnn", "model.pooling=1001"], "model.pooling must be at most 1000; got 1001.", id="pooling"
        ),
        pytest.param(["model=rnn", "model.cell=x"], "model.cell must be one of simple, gru, lstm; got 'x'.", id="cell"),
        pytest.param(["model=cnn", "model.activation=x"], "model.activation must be one of relu", id="activation"),
    ],
)
def test_other_models_have_ranges_too(argv, said):
    assert said in message("dataset=digits", *argv)
