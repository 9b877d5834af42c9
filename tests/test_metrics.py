"""Metrics against scikit-learn and by hand, and the naive predictor beside them."""

import numpy as np
import pytest
from sklearn import metrics as sk

from lossbench.heads import HEADS
from lossbench.losses.table import LOSSES, pair
from lossbench.metrics.evaluate import evaluate
from lossbench.naive import constant_raw_prediction, is_stuck, naive_scores


def made(loss, head, task):
    return pair(LOSSES[loss], HEADS[head], task)


def test_regression():
    y = np.array([[1.0], [2.0], [4.0]])
    scores = evaluate(made("mean_squared_error", "linear", "regression"), y, np.array([[1.0], [3.0], [2.0]]))
    assert scores == {
        "mse": pytest.approx((0 + 1 + 4) / 3),
        "rmse": pytest.approx(((0 + 1 + 4) / 3) ** 0.5),
        "mae": pytest.approx((0 + 1 + 2) / 3),
        "r2": pytest.approx(sk.r2_score(y, [[1.0], [3.0], [2.0]])),
    }


def test_tanh_has_accuracy_by_sign_and_rounded_accuracy_and_no_probability():
    y = np.array([0, 1, 1, 0])
    raw = np.arctanh([[-0.9], [0.3], [0.8], [-0.2]])
    scores = evaluate(made("hinge", "tanh", "binary"), y, raw)
    # By sign all four are right; 0.3 and -0.2 round to 0, which is neither -1 nor 1.
    assert scores == {"accuracy": 1.0, "rounded_accuracy": 0.5, "roc_auc": 1.0}


def test_probability_metrics_stand_only_where_there_is_a_probability():
    y = np.array([0, 1, 1, 0])
    raw = np.array([[-2.0], [1.0], [-0.5], [0.2]])
    scores = evaluate(made("binary_crossentropy", "sigmoid", "binary"), y, raw)
    p = 1 / (1 + np.exp(-raw[:, 0]))
    assert scores["accuracy"] == 0.5
    assert scores["log_loss"] == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    assert scores["brier"] == pytest.approx(np.mean((y - p) ** 2))
    assert scores["roc_auc"] == pytest.approx(3 / 4)
    mae = evaluate(made("mean_absolute_error", "sigmoid", "binary"), y, raw)
    assert set(mae) == {"accuracy", "roc_auc"}


def test_several_classes():
    rng = np.random.default_rng(0)
    y, raw = rng.integers(3, size=60), rng.normal(size=(60, 3))
    scores = evaluate(made("categorical_crossentropy", "softmax", "multiclass"), y, raw)
    p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    assert scores["accuracy"] == pytest.approx(np.mean(raw.argmax(axis=1) == y))
    assert scores["log_loss"] == pytest.approx(-np.mean(np.log(p[np.arange(60), y])))
    assert scores["brier"] == pytest.approx(np.mean(((np.eye(3)[y] - p) ** 2).sum(axis=1)))
    assert scores["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))


def test_several_labels_at_once():
    y = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0]])
    decided = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]])
    for loss, head in (("binary_crossentropy", "sigmoid"), ("hinge", "tanh"), ("mean_squared_error", "linear")):
        pair_ = made(loss, head, "multilabel")
        raw = np.where(decided == 1, 0.9, 0.1 if pair_.encoding == "zero_one" and head == "linear" else -0.9)
        scores = evaluate(pair_, y, raw)
        assert scores == {
            "subset_accuracy": 0.5,
            "hamming_loss": pytest.approx(2 / 12),
            "f1": pytest.approx(sk.f1_score(y, decided, average="macro")),
        }
    naive = naive_scores(made("hinge", "tanh", "multilabel"), y, np.array([[1, 1, 1], [1, 1, 0]]), 2)
    # On a tie the constant says yes to each label; to say yes to all is the constant of best f1.
    assert naive["subset_accuracy"] == 0.5
    assert naive["f1"] == pytest.approx((1 + 1 + 2 / 3) / 3)


def test_two_classes_with_an_output_each_have_the_metrics_of_one():
    y, z = np.array([0, 1, 1, 0]), np.array([-2.0, 1.0, -0.5, 0.2])
    one = evaluate(made("binary_crossentropy", "sigmoid", "binary"), y, z[:, None])
    two = evaluate(made("categorical_crossentropy", "softmax", "binary"), y, np.stack([0 * z, z], axis=1))
    assert two == {name: pytest.approx(value) for name, value in one.items()}


def test_a_mean_and_a_variance_are_judged_by_the_mean():
    y = np.array([[1.0], [2.0]])
    scores = evaluate(made("gaussian_nll", "gaussian", "regression"), y, np.array([[1.0, 5.0], [4.0, -5.0]]))
    assert scores["mse"] == pytest.approx(2.0)


def test_saturated_probabilities_keep_finite_log_loss():
    scores = evaluate(made("binary_crossentropy", "sigmoid", "binary"), np.array([0, 1]), np.array([[900.0], [900.0]]))
    assert np.isfinite(scores["log_loss"])


def test_one_class_has_no_roc_auc_rather_than_zero():
    scores = evaluate(made("binary_crossentropy", "sigmoid", "binary"), np.array([1, 1]), np.array([[1.0], [2.0]]))
    assert "roc_auc" not in scores


def test_predictions_that_are_not_finite_have_no_score():
    scores = evaluate(made("mean_squared_error", "linear", "regression"), np.ones((2, 1)), np.array([[np.nan], [1.0]]))
    assert np.isnan(scores["mse"])


def test_naive_predictor():
    y_train, y = np.array([[0.0], [0.0], [3.0]]), np.array([[1.0], [4.0]])
    scores = naive_scores(made("mean_squared_error", "linear", "regression"), y_train, y, 0)
    assert scores["mse"] == pytest.approx(((1 - 1) ** 2 + (4 - 1) ** 2) / 2)
    assert scores["mae"] == pytest.approx((1 + 4) / 2)
    classes_train, classes = np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1])
    bce = naive_scores(made("binary_crossentropy", "sigmoid", "binary"), classes_train, classes, 2)
    assert bce["accuracy"] == 0.5
    assert bce["log_loss"] == pytest.approx(-(2 * np.log(0.25) + 2 * np.log(0.75)) / 4)
    assert bce["roc_auc"] == 0.5
    hinge = naive_scores(made("hinge", "tanh", "binary"), classes_train, classes, 2)
    assert hinge["rounded_accuracy"] == hinge["accuracy"] == 0.5
    blobs = naive_scores(made("kl_divergence", "softmax", "multiclass"), np.array([0, 1, 2, 2]), np.array([2, 2, 0]), 3)
    assert blobs["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("head", ["linear", "softplus", "exponential", "gaussian"])
def test_the_naive_predictor_of_numbers_is_the_same_on_every_head(head):
    y_train, y = np.array([[0.0], [0.0], [3.0]]), np.array([[1.0], [4.0]])
    loss = "gaussian_nll" if head == "gaussian" else "mean_squared_error"
    assert naive_scores(made(loss, head, "regression"), y_train, y, 0)["rmse"] == pytest.approx((9 / 2) ** 0.5)


def best_constant(pair_, y, n_classes):
    return constant_raw_prediction(pair_, y, n_classes, {}, lambda raw: 0.0)


def test_best_constant_of_each_kind():
    y = np.array([[-1.0], [0.0], [4.0]])
    assert best_constant(made("mean_squared_error", "linear", "regression"), y, 0) == pytest.approx(1.0)
    assert best_constant(made("mean_absolute_error", "linear", "regression"), y, 0) == pytest.approx(0.0)
    msle = best_constant(made("mean_squared_logarithmic_error", "linear", "regression"), y, 0)
    assert msle == pytest.approx(np.expm1(np.log(5) / 3))
    classes = np.array([0, 1, 1])
    hinge = best_constant(made("hinge", "tanh", "binary"), classes, 2)
    assert np.tanh(hinge) == pytest.approx(1.0, abs=1e-6)
    assert np.tanh(best_constant(made("squared_hinge", "tanh", "binary"), classes, 2)) == pytest.approx(1 / 3)


def test_stuck_needs_both_metric_and_loss_to_be_no_better():
    assert is_stuck("accuracy", 0.5, 0.5, 1.0, 1.0)
    assert not is_stuck("accuracy", 0.51, 0.5, 1.0, 1.0)
    assert not is_stuck("accuracy", 0.5, 0.5, 0.9, 1.0)
    assert is_stuck("rmse", 1.1, 1.0, 1.3, 1.0)
    assert not is_stuck("rmse", 0.9, 1.0, 1.3, 1.0)
