"""The part of each test row in a metric."""

import numpy as np
import pytest
from support.trainings import pair_of

from lossbench.metrics.evaluation import evaluate
from lossbench.metrics.rows import OF_DECISIONS, OF_ERRORS, contributions, naive_contributions

N = 400
RNG = np.random.default_rng(0)
CASES = [
    pytest.param("mean_squared_error", "linear", "regression", RNG.normal(size=(N, 2)), 2, OF_ERRORS, id="numbers"),
    pytest.param("hinge", "tanh", "binary", RNG.integers(0, 2, N), 1, ["accuracy"], id="two classes"),
    pytest.param(
        "categorical_crossentropy", "softmax", "multiclass", RNG.integers(0, 3, N), 3, ["accuracy"], id="several"
    ),
    pytest.param(
        "binary_crossentropy",
        "sigmoid",
        "multilabel",
        RNG.integers(0, 2, (N, 3)),
        3,
        ["subset_accuracy", "hamming_loss"],
        id="labels",
    ),
]


@pytest.mark.parametrize(("loss", "head", "task", "y", "n_raw", "metrics"), CASES)
def test_the_mean_over_rows_is_the_metric(loss, head, task, y, n_raw, metrics):
    pair, raw = pair_of(loss, head, task), np.random.default_rng(1).normal(size=(N, n_raw))
    scores = evaluate(pair, y, raw)
    for metric in metrics:
        assert contributions(pair, metric, y, raw, np.array(1.0)).mean() == pytest.approx(scores[metric])


def test_errors_are_in_the_unit_of_the_metric():
    pair, y, raw = pair_of("mean_squared_error", "linear", "regression"), np.zeros((4, 1)), np.ones((4, 1))
    assert contributions(pair, "rmse", y, raw, np.array([7.0])).tolist() == [7.0] * 4
    assert contributions(pair, "rmse", y, y, np.array([7.0])).tolist() == [0.0] * 4


def test_the_rows_say_how_much_the_root_of_a_mean_varies():
    rng = np.random.default_rng(2)
    errors = rng.standard_t(8, size=(2000, 300, 1))
    drawn = np.sqrt(np.square(errors).mean(axis=(1, 2))).std()
    told = np.mean([OF_ERRORS["rmse"](sample).std(ddof=1) / 300**0.5 for sample in errors])
    assert told == pytest.approx(drawn, rel=0.05)


def test_the_naive_predictor_is_the_training_mean_or_the_majority_class():
    y_train, y = np.array([[0.0], [2.0]]), np.array([[1.0], [4.0]])
    assert naive_contributions("regression", "mse", y_train, y, np.array([10.0])).tolist() == [0.0, 900.0]
    # Each metric has a best constant of its own: the median of 0, 0 and 3 is 0.
    assert naive_contributions("regression", "mae", np.array([[0.0], [0.0], [3.0]]), y, np.array([1.0])).tolist() == [
        *(1.0, 4.0)
    ]
    found = naive_contributions("binary", "accuracy", np.array([1, 1, 0]), np.array([0, 1, 1, 0]), np.array(1.0))
    assert found.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert set(OF_DECISIONS) == {"accuracy", "subset_accuracy", "hamming_loss"}
