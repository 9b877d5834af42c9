"""The main metric: both trainers follow each metric that runs can be judged by, and stop and select by it."""

from dataclasses import replace

import numpy as np
import pytest
from support.trainings import assert_close, pair_of, setting

from lossbench.metrics.catalogue import lower_is_better, main_metrics
from lossbench.metrics.evaluation import evaluate
from lossbench.training import compiled, specification
from lossbench.training.specification import Data, Hyperparameters
from lossbench.training.trainers import predict_compiled, train_compiled, train_with_fit

MADE = {
    "regression": pair_of("mean_squared_error", "linear", "regression"),
    "binary": pair_of("binary_crossentropy", "sigmoid", "binary"),
    "multiclass": pair_of("categorical_crossentropy", "softmax", "multiclass"),
    "multilabel": pair_of("binary_crossentropy", "sigmoid", "multilabel"),
    "shares": pair_of("kl_divergence", "softmax", "shares"),
}
# One for each way of summing; the others have their turn in the slow tests.
QUICK = {
    *(("regression", "mae"), ("regression", "r2"), ("binary", "balanced_accuracy"), ("multiclass", "f1")),
    *(("multiclass", "class_mae"), ("multilabel", "hamming_loss"), ("multilabel", "f1")),
}
EVERY = [
    (task, metric) if (task, metric) in QUICK else pytest.param(task, metric, marks=pytest.mark.slow)
    for task in MADE
    for metric in main_metrics(task, ordered=True)
]
SEVERAL = [
    metric if metric in ("r2", "mse") else pytest.param(metric, marks=pytest.mark.slow)
    for metric in main_metrics("regression", ordered=False)
]


@pytest.fixture
def in_batches(monkeypatch):
    """100 and 60 samples are evaluated in batches of 40: full ones and a rest."""
    monkeypatch.setattr(specification, "EVALUATION_BATCH", 40)
    monkeypatch.setattr("lossbench.training.keras_fit.EVALUATION_BATCH", 40)
    monkeypatch.setattr(compiled, "_programs", {})


@pytest.mark.parametrize(("task", "metric"), EVERY)
def test_the_curve_of_each_metric_is_that_of_fit_and_ends_at_the_metric_itself(task, metric, in_batches):
    structure, data, hyperparameters = setting(MADE[task], epochs=2, metric=metric)
    ours = train_compiled(structure, data, hyperparameters, seed=1)
    theirs = train_with_fit(structure, data, hyperparameters, seed=1)
    assert f"test/{metric}" in ours.curves
    assert_close(ours, theirs.weights, theirs.curves)
    raw = predict_compiled(structure, ours.weights, data.x["test"])
    found = evaluate(MADE[task], data.target["test"], raw, ordered=True)[metric]
    assert ours.curves[f"test/{metric}"][-1] == pytest.approx(found, abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("metric", SEVERAL)
def test_errors_of_several_outputs_are_weighed_by_their_units(metric):
    """In units of the first output, whose scale is 10, the second one's errors count a fifth."""
    made = pair_of("cosine_similarity", "linear", "regression")
    structure, data, hyperparameters = setting(made, epochs=2, metric=metric)
    assert structure.n_outputs > 1
    data = Data(data.x, data.y, data.target, unit=(10.0, 2.0))
    ours = train_compiled(structure, data, hyperparameters, seed=0)
    theirs = train_with_fit(structure, data, hyperparameters, seed=0)
    assert_close(ours, theirs.weights, theirs.curves)
    scale = np.array([10.0, 2.0])
    raw = predict_compiled(structure, ours.weights, data.x["test"])
    own = evaluate(made, data.target["test"], raw, in_unit=lambda values: values * scale)[metric]
    curve = ours.curves[f"test/{metric}"] * specification.unit_of_curve(metric, data.unit)
    assert curve[-1] == pytest.approx(own, rel=1e-5)


def test_a_class_that_is_never_decided_counts_as_in_the_metric():
    """At 97 to 3 a short training decides for the majority alone: accuracy is high, and the others say nothing."""
    made, found = MADE["binary"], {}
    for metric in ("accuracy", "balanced_accuracy", "f1", "matthews"):
        structure, data, _ = setting(made, epochs=1, metric=metric)
        rare = {name: (np.arange(len(y)) % 33 == 0).astype(np.int32) for name, y in data.target.items()}
        data = Data(data.x, {name: y[:, None].astype(np.float32) for name, y in rare.items()}, rare)
        start = [np.zeros_like(weight.numpy()) for weight in compiled.program_for(structure)._model.weights]
        start[-1] = np.full_like(start[-1], -5.0)
        orders = iter([np.arange(len(rare["train"]))])
        run = compiled.program_for(structure).train_from(start, orders, data, Hyperparameters(1e-9, {}, 1))
        found[metric] = float(run.curves["train/" + metric][-1])
    # Accuracy 96/100; recall 1 and 0; f1 of the majority 2 * 96 / (96 + 100), of the rare class 0.
    expected = {"accuracy": 0.96, "balanced_accuracy": 0.5, "f1": 96 / 196, "matthews": 0.0}
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("task", "metric"), [("binary", "balanced_accuracy"), ("regression", "mae")])
def test_the_best_epoch_is_that_of_the_chosen_metric(task, metric):
    made = MADE[task]
    _, data, _ = setting(made)
    whole = {name: {**part, "validation": part["test"]} for name, part in vars(data).items() if name != "unit"}
    data = Data(**whole, unit=data.unit)
    stopping = {"patience": 4, "min_delta": 0.0}
    structure, _, given = setting(made, epochs=12, metric=metric, select="best", early_stopping=stopping)
    structure = replace(structure, n_samples=tuple((name, len(x)) for name, x in data.x.items()))
    ours = train_compiled(structure, data, given, seed=0)
    theirs = train_with_fit(structure, data, given, seed=0)
    assert_close(ours, theirs.weights, theirs.curves)
    curve = ours.curves[f"validation/{metric}"]
    assert ours.selected_epoch == theirs.selected_epoch
    assert ours.selected_epoch == 1 + (curve.argmin() if lower_is_better(metric) else curve.argmax())
