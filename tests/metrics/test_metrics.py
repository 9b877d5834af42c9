"""Metrics against scikit-learn and by hand, and the naive predictor beside them."""

import numpy as np
import pytest
from sklearn import metrics as sk

from lossbench.losses.heads import HEADS
from lossbench.losses.pairing import LOSSES, pair
from lossbench.metrics.catalogue import METRICS, lower_is_better
from lossbench.metrics.classification import (
    calibration_error,
    confusion_matrix,
    of_confusions,
    of_first_classes,
    of_order,
    of_probabilities,
)
from lossbench.metrics.evaluation import evaluate
from lossbench.metrics.reference_predictors import constant_raw_prediction, is_stuck, naive_scores
from lossbench.metrics.regression import of_numbers, pinball


def made(loss, head, task):
    return pair(LOSSES[loss], HEADS[head], task)


def test_regression_metrics_equal_values_by_hand():
    y = np.array([[1.0], [2.0], [4.0]])
    scores = evaluate(made("mean_squared_error", "linear", "regression"), y, np.array([[1.0], [3.0], [2.0]]))
    assert scores == {
        "mse": pytest.approx((0 + 1 + 4) / 3),
        "rmse": pytest.approx(((0 + 1 + 4) / 3) ** 0.5),
        "mae": pytest.approx((0 + 1 + 2) / 3),
        "median_absolute_error": 1.0,
        "largest_absolute_error": 2.0,
        "r2": pytest.approx(1 - (0 + 1 + 4) / (16 / 9 + 1 / 9 + 25 / 9)),
        "explained_variance": pytest.approx(1 - (1 / 9 + 16 / 9 + 25 / 9) / (16 / 9 + 1 / 9 + 25 / 9)),
        # Too low by 2 once, too high by 1 once.
        "pinball_0.1": pytest.approx((0.1 * 2 + 0.9 * 1) / 3),
        "pinball_0.9": pytest.approx((0.9 * 2 + 0.1 * 1) / 3),
    }


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_regression_metrics_equal_scikit_learns(n_outputs):
    rng = np.random.default_rng(n_outputs)
    y = rng.normal(size=(41, n_outputs)) * 10 ** np.arange(n_outputs)
    y[:, -1] = 2.0 if n_outputs > 1 else y[:, -1]
    prediction = y + rng.normal(size=y.shape) + 0.3
    scores = of_numbers(y, prediction)
    assert scores == {
        "mse": pytest.approx(sk.mean_squared_error(y, prediction)),
        "rmse": pytest.approx(sk.mean_squared_error(y, prediction) ** 0.5),
        "mae": pytest.approx(sk.mean_absolute_error(y, prediction)),
        "median_absolute_error": pytest.approx(sk.median_absolute_error(y, prediction)),
        "largest_absolute_error": pytest.approx(sk.max_error(y.ravel(), prediction.ravel())),
        "r2": pytest.approx(sk.r2_score(y, prediction)),
        "explained_variance": pytest.approx(sk.explained_variance_score(y, prediction)),
        "pinball_0.1": pytest.approx(sk.mean_pinball_loss(y, prediction, alpha=0.1)),
        "pinball_0.9": pytest.approx(sk.mean_pinball_loss(y, prediction, alpha=0.9)),
    }


def test_pinball_loss_at_one_half_is_half_the_absolute_error():
    error = np.array([[1.0], [-3.0]])
    assert pinball(error, 0.5) == 0.5 * np.abs(error).mean()


def test_tanh_has_accuracy_by_sign_and_rounded_accuracy_and_no_probability():
    y = np.array([0, 1, 1, 0])
    raw = np.arctanh([[-0.9], [0.3], [0.8], [-0.2]])
    scores = evaluate(made("hinge", "tanh", "binary"), y, raw)
    # By sign all four are right; 0.3 and -0.2 round to 0, which is neither -1 nor 1.
    decided = {"accuracy": 1.0, "balanced_accuracy": 1.0, "f1": 1.0, "matthews": 1.0}
    assert scores == {**decided, "rounded_accuracy": 0.5, "roc_auc": 1.0, "average_precision": 1.0}


def test_probability_metrics_need_a_head_with_probabilities():
    y = np.array([0, 1, 1, 0])
    raw = np.array([[-2.0], [1.0], [-0.5], [0.2]])
    scores = evaluate(made("binary_crossentropy", "sigmoid", "binary"), y, raw)
    p = 1 / (1 + np.exp(-raw[:, 0]))
    assert scores["accuracy"] == 0.5
    assert scores["log_loss"] == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    assert scores["brier"] == pytest.approx(np.mean((y - p) ** 2))
    assert scores["roc_auc"] == pytest.approx(3 / 4)
    mae = evaluate(made("mean_absolute_error", "sigmoid", "binary"), y, raw)
    assert set(mae) == {"accuracy", "balanced_accuracy", "f1", "matthews", "roc_auc", "average_precision"}


DECISIONS = {
    "half right": ([0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]),
    "always one": ([0, 1, 2, 2], [2, 2, 2, 2]),
    "a class that does not occur": ([0, 0, 1, 1], [0, 2, 1, 1]),
    "a class that is never decided": ([0, 1, 2, 2], [0, 1, 1, 1]),
    "one class, all right": ([1, 1, 1], [1, 1, 1]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("y", "decided"), DECISIONS.values(), ids=DECISIONS)
def test_metrics_of_decisions_equal_scikit_learns(y, decided):
    y, decided = np.array(y), np.array(decided)
    scores = of_confusions(confusion_matrix(y, decided, 3), ordered=True)
    kappa = sk.cohen_kappa_score(y, decided, weights="quadratic", labels=[0, 1, 2])
    expected = {
        "accuracy": sk.accuracy_score(y, decided),
        "balanced_accuracy": sk.balanced_accuracy_score(y, decided),
        "f1": sk.f1_score(y, decided, average="macro", zero_division=0.0),
        "matthews": sk.matthews_corrcoef(y, decided),
        "class_mae": np.abs(y - decided).mean(),
        **({} if np.isnan(kappa) else {"quadratic_kappa": kappa}),
    }
    assert scores == {name: pytest.approx(value) for name, value in expected.items()}


@pytest.mark.parametrize("n_values", [3, 1000], ids=["many equal scores", "hardly any"])
def test_ranking_metrics_equal_scikit_learns(n_values):
    rng = np.random.default_rng(n_values)
    y, score = rng.integers(2, size=80), rng.integers(n_values, size=80).astype(float)
    assert of_order(y, score) == {
        "roc_auc": pytest.approx(sk.roc_auc_score(y, score)),
        "average_precision": pytest.approx(sk.average_precision_score(y, score)),
    }
    classes, each = rng.integers(4, size=80), rng.integers(n_values, size=(80, 4)) + 1.0
    each /= each.sum(axis=1, keepdims=True)
    assert of_order(classes, each) == {
        "roc_auc": pytest.approx(sk.roc_auc_score(classes, each, multi_class="ovr")),
        "average_precision": pytest.approx(sk.average_precision_score(np.eye(4)[classes], each)),
    }
    assert of_order(np.zeros(5, int), np.arange(5.0)) == {}
    assert of_first_classes(classes, each) == {
        f"top_{k}_accuracy": pytest.approx(sk.top_k_accuracy_score(classes, each, k=k)) for k in (2, 3)
    }


def test_top_k_accuracy_counts_the_true_class_among_the_first():
    score = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]] * 6)
    assert of_first_classes(np.arange(6), score) == {
        "top_2_accuracy": 2 / 6, "top_3_accuracy": 3 / 6, "top_5_accuracy": 5 / 6,
    }  # fmt: skip
    # A constant cannot be right more often than by naming so many classes.
    assert of_first_classes(np.arange(3), np.ones((3, 3))) == {"top_2_accuracy": 2 / 3}


def test_calibration_error_equals_the_value_by_hand():
    # Two groups of confidences; equal ones share a group whatever the order of the samples.
    right = np.array([True, False, True, True])
    confidence = np.array([0.6, 0.6, 0.9, 0.9])
    assert calibration_error(right, confidence) == pytest.approx((2 * abs(0.5 - 0.6) + 2 * abs(1 - 0.9)) / 4)
    assert calibration_error(right[::-1], confidence[::-1]) == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)
    assert calibration_error(np.array([True]), np.array([0.8])) == pytest.approx(0.2)
    # 15 groups of 20: all calibrated but for chance, then all sure by a tenth too much.
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 0.9, size=30_000)
    right = rng.random(30_000) < confidence
    assert calibration_error(right, confidence) < 0.02
    assert calibration_error(right, confidence + 0.1) == pytest.approx(0.1, abs=0.02)


def test_two_classes_are_calibrated_by_the_confidence_in_the_decision():
    y, p = np.array([0, 0, 1]), np.array([0.2, 0.4, 0.3])
    assert of_probabilities(y, p)["calibration_error"] == pytest.approx((0.2 + 0.4 + 0.7) / 3)
    assert of_probabilities(y, p)["brier"] == pytest.approx(sk.brier_score_loss(y, p))
    assert of_probabilities(y, p)["log_loss"] == pytest.approx(sk.log_loss(y, p))


def test_ordered_classes_are_judged_by_how_far_a_decision_is_off():
    pair_ = made("squared_earth_mover", "softmax", "multiclass")
    y, decided = np.array([0, 0, 1, 2, 2]), np.array([0, 2, 1, 1, 2])
    scores = evaluate(pair_, y, 5.0 * np.eye(3)[decided], ordered=True)
    assert scores["class_mae"] == pytest.approx((2 + 1) / 5)
    assert scores["quadratic_kappa"] == pytest.approx(sk.cohen_kappa_score(y, decided, weights="quadratic"))
    assert "class_mae" not in evaluate(pair_, y, 5.0 * np.eye(3)[decided])
    naive = naive_scores(pair_, np.array([0, 0, 0, 1, 2, 2, 2]), y, 3, ordered=True)
    # The median class is never far off, and never the most frequent one.
    assert naive["class_mae"] == pytest.approx((1 + 1 + 0 + 1 + 1) / 5)
    assert naive["quadratic_kappa"] == 0.0


def test_every_metric_that_is_computed_has_a_row_of_its_task():
    rng = np.random.default_rng(0)
    for pair_, y, raw in (
        (made("mean_squared_error", "linear", "regression"), rng.normal(size=(9, 1)), rng.normal(size=(9, 1))),
        (made("hinge", "tanh", "binary"), np.arange(9) % 2, rng.normal(size=(9, 1))),
        (made("categorical_crossentropy", "softmax", "multiclass"), np.arange(9) % 3, rng.normal(size=(9, 3))),
        (made("hinge", "tanh", "multilabel"), np.arange(18).reshape(9, 2) % 2, rng.normal(size=(9, 2))),
    ):
        for name in evaluate(pair_, y, raw, ordered=pair_.task == "multiclass"):
            assert pair_.task in METRICS[name].tasks, name
    assert lower_is_better("calibrated/brier")
    assert not lower_is_better("matthews")


def test_multiclass_metrics_equal_their_definitions():
    rng = np.random.default_rng(0)
    y, raw = rng.integers(3, size=60), rng.normal(size=(60, 3))
    scores = evaluate(made("categorical_crossentropy", "softmax", "multiclass"), y, raw)
    p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    assert scores["accuracy"] == pytest.approx(np.mean(raw.argmax(axis=1) == y))
    assert scores["log_loss"] == pytest.approx(-np.mean(np.log(p[np.arange(60), y])))
    assert scores["brier"] == pytest.approx(np.mean(((np.eye(3)[y] - p) ** 2).sum(axis=1)))
    assert scores["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))


def test_multilabel_metrics_equal_their_definitions():
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


def test_two_outputs_for_two_classes_have_the_metrics_of_one_output():
    y, z = np.array([0, 1, 1, 0]), np.array([-2.0, 1.0, -0.5, 0.2])
    one = evaluate(made("binary_crossentropy", "sigmoid", "binary"), y, z[:, None])
    two = evaluate(made("categorical_crossentropy", "softmax", "binary"), y, np.stack([0 * z, z], axis=1))
    assert two == {name: pytest.approx(value) for name, value in one.items()}


def test_regression_metrics_of_a_gaussian_head_use_the_mean():
    y = np.array([[1.0], [2.0]])
    scores = evaluate(made("gaussian_nll", "gaussian", "regression"), y, np.array([[1.0, 5.0], [4.0, -5.0]]))
    assert scores["mse"] == pytest.approx(2.0)


def test_saturated_probabilities_have_a_finite_log_loss():
    scores = evaluate(made("binary_crossentropy", "sigmoid", "binary"), np.array([0, 1]), np.array([[900.0], [900.0]]))
    assert np.isfinite(scores["log_loss"])


def test_one_class_has_no_roc_auc_rather_than_zero():
    scores = evaluate(made("binary_crossentropy", "sigmoid", "binary"), np.array([1, 1]), np.array([[1.0], [2.0]]))
    assert "roc_auc" not in scores


def test_predictions_that_are_not_finite_have_no_score():
    scores = evaluate(made("mean_squared_error", "linear", "regression"), np.ones((2, 1)), np.array([[np.nan], [1.0]]))
    assert np.isnan(scores["mse"])


def test_the_naive_predictor_has_the_scores_of_the_best_constant():
    y_train, y = np.array([[0.0], [0.0], [3.0]]), np.array([[1.0], [4.0]])
    scores = naive_scores(made("mean_squared_error", "linear", "regression"), y_train, y, 0)
    assert scores["mse"] == pytest.approx(((1 - 1) ** 2 + (4 - 1) ** 2) / 2)
    assert scores["mae"] == pytest.approx((1 + 4) / 2)
    assert scores["median_absolute_error"] == pytest.approx((1 + 4) / 2)
    assert scores["largest_absolute_error"] == pytest.approx(4 - 1.5)
    # The quantile 0.1 of the three is 0, which is too low by 1 and 4; the quantile 0.9 is 3.
    assert scores["pinball_0.1"] == pytest.approx((0.1 * 1 + 0.1 * 4) / 2)
    assert scores["pinball_0.9"] == pytest.approx((0.1 * 2 + 0.9 * 1) / 2)
    classes_train, classes = np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1])
    bce = naive_scores(made("binary_crossentropy", "sigmoid", "binary"), classes_train, classes, 2)
    assert bce["accuracy"] == 0.5
    assert bce["log_loss"] == pytest.approx(-(2 * np.log(0.25) + 2 * np.log(0.75)) / 4)
    assert bce["roc_auc"] == 0.5
    hinge = naive_scores(made("hinge", "tanh", "binary"), classes_train, classes, 2)
    assert hinge["rounded_accuracy"] == hinge["accuracy"] == 0.5
    blobs = naive_scores(made("kl_divergence", "softmax", "multiclass"), np.array([0, 1, 2, 2]), np.array([2, 2, 0]), 3)
    assert blobs["accuracy"] == pytest.approx(2 / 3)


def test_no_constant_beats_the_naive_predictor_on_its_training_targets():
    rng = np.random.default_rng(1)
    y = rng.gamma(1.0, size=(101, 1))
    best = naive_scores(made("mean_squared_error", "linear", "regression"), y, y, 0)
    for constant in np.linspace(y.min(), y.max(), 50):
        other = of_numbers(y, np.full_like(y, constant))
        for name, value in other.items():
            assert (value >= best[name] - 1e-9) if lower_is_better(name) else (value <= best[name] + 1e-9), name


@pytest.mark.parametrize("head", ["linear", "softplus", "exponential", "gaussian"])
def test_the_naive_predictor_of_numbers_does_not_depend_on_the_head(head):
    y_train, y = np.array([[0.0], [0.0], [3.0]]), np.array([[1.0], [4.0]])
    loss = "gaussian_nll" if head == "gaussian" else "mean_squared_error"
    assert naive_scores(made(loss, head, "regression"), y_train, y, 0)["rmse"] == pytest.approx((9 / 2) ** 0.5)


def best_constant(pair_, y, n_classes):
    return constant_raw_prediction(pair_, y, n_classes, {}, lambda raw: 0.0)


def test_the_best_constant_is_the_statistic_of_the_loss():
    y = np.array([[-1.0], [0.0], [4.0]])
    assert best_constant(made("mean_squared_error", "linear", "regression"), y, 0) == pytest.approx(1.0)
    assert best_constant(made("mean_absolute_error", "linear", "regression"), y, 0) == pytest.approx(0.0)
    msle = best_constant(made("mean_squared_logarithmic_error", "linear", "regression"), y, 0)
    assert msle == pytest.approx(np.expm1(np.log(5) / 3))
    classes = np.array([0, 1, 1])
    hinge = best_constant(made("hinge", "tanh", "binary"), classes, 2)
    assert np.tanh(hinge) == pytest.approx(1.0, abs=1e-6)
    assert np.tanh(best_constant(made("squared_hinge", "tanh", "binary"), classes, 2)) == pytest.approx(1 / 3)


def test_a_run_is_stuck_only_if_metric_and_loss_are_no_better_than_constant():
    assert is_stuck("accuracy", 0.5, 0.5, 1.0, lambda: 1.0)
    assert not is_stuck("accuracy", 0.51, 0.5, 1.0, lambda: 1.0)
    assert not is_stuck("accuracy", 0.5, 0.5, 0.9, lambda: 1.0)
    assert is_stuck("rmse", 1.1, 1.0, 1.3, lambda: 1.0)
    assert not is_stuck("rmse", 0.9, 1.0, 1.3, lambda: 1.0)


def judging():
    """Each metric that runs can be judged by."""
    return [name for name, metric in METRICS.items() if metric.margin]


@pytest.mark.parametrize("metric", judging())
@pytest.mark.parametrize("naive", [0.5, 0.0])
def test_every_main_metric_says_stuck_in_its_own_direction(metric, naive):
    better = -0.01 if lower_is_better(metric) else 0.01
    assert is_stuck(metric, naive, naive, 1.0, lambda: 1.0)
    # Rounding is no learning: of a score or a share that may be 0, and as a share of an error.
    rounding = better * (1e-5 * naive if METRICS[metric].unit_power else 1e-5)
    assert is_stuck(metric, naive + rounding, naive, 1.0, lambda: 1.0)
    assert not is_stuck(metric, naive + better, naive, 1.0, lambda: 1.0)
    assert is_stuck(metric, naive - better, naive, 1.0, lambda: 1.0)
