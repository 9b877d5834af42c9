"""Calibration: what it must find, what it must leave, and where it must not break."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from lossbench.losses.heads import HEADS
from lossbench.losses.pairing import LOSSES, pair
from lossbench.metrics.calibration import calibrated_scores, fit_calibration
from lossbench.metrics.catalogue import PROBABILITY_METRICS
from lossbench.metrics.classification import of_probabilities
from lossbench.metrics.evaluation import evaluate
from lossbench.metrics.reference_predictors import naive_calibrated_scores

SOFTMAX = pair(LOSSES["categorical_crossentropy"], HEADS["softmax"], "multiclass")
HINGE = pair(LOSSES["hinge"], HEADS["tanh"], "binary")


def draw_classes(rng, probability):
    return (rng.random((len(probability), 1)) > probability.cumsum(axis=1)).sum(axis=1)


def sure(n, temperature, seed=0, n_classes=4):
    """Return labels, and raw predictions that are surer than they may be by a factor."""
    rng = np.random.default_rng(seed)
    true = 2 * rng.normal(size=(n, n_classes))
    return draw_classes(rng, softmax(true, axis=1)), true * temperature


@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0, 50.0])
def test_a_known_temperature_is_found(temperature):
    y, raw = sure(20_000, temperature)
    found = fit_calibration(y, raw)(raw)
    np.testing.assert_allclose(found, softmax(raw / temperature, axis=1), atol=0.02)


def test_a_temperature_changes_no_decision():
    rng = np.random.default_rng(0)
    for y in (rng.integers(3, size=50), np.zeros(50, int)):
        raw = rng.normal(size=(50, 3))
        # Also where the scores speak for the wrong classes.
        for score in (raw, -10 * np.eye(3)[y] + raw):
            assert (fit_calibration(y, score)(score).argmax(axis=1) == score.argmax(axis=1)).all()


def test_a_known_scale_and_shift_are_found():
    rng = np.random.default_rng(0)
    score = rng.normal(3.0, 2.0, size=40_000)
    y = (rng.random(len(score)) < expit(0.7 * score - 2.0)).astype(int)
    np.testing.assert_allclose(fit_calibration(y, score)(score), expit(0.7 * score - 2.0), atol=0.02)


def test_calibration_helps_an_overconfident_model_and_keeps_a_calibrated_one():
    for temperature, helps in ((4.0, True), (1.0, False)):
        (y_validation, raw_validation), (y, raw) = sure(2000, temperature), sure(2000, temperature, seed=1)
        before = evaluate(SOFTMAX, y, raw)
        after = calibrated_scores(SOFTMAX, y_validation, raw_validation, y, raw)
        assert set(after) == {f"calibrated/{name}" for name in PROBABILITY_METRICS}
        for name in PROBABILITY_METRICS:
            difference = after[f"calibrated/{name}"] - before[name]
            assert difference < -0.05 if helps else abs(difference) < 0.01, name


@pytest.mark.parametrize(
    ("loss", "head", "task"),
    [
        ("hinge", "tanh", "binary"),
        ("mean_squared_error", "linear", "binary"),
        ("mean_absolute_error", "sigmoid", "binary"),
        ("mean_squared_error", "linear", "multiclass"),
        ("categorical_hinge", "linear", "multiclass"),
        ("multiclass_hinge", "linear", "multiclass"),
    ],
)
def test_margins_are_calibrated_to_probabilities(loss, head, task):
    rng = np.random.default_rng(0)
    made = pair(LOSSES[loss], HEADS[head], task)
    y = rng.integers(2 if task == "binary" else 3, size=400)
    raw = rng.normal(size=(400, 1)) + y[:, None] if task == "binary" else rng.normal(size=(400, 3)) + np.eye(3)[y]
    scores = calibrated_scores(made, y[:200], raw[:200], y[200:], raw[200:])
    naive = naive_calibrated_scores(y[:200], y[200:], y.max() + 1)
    assert scores["calibrated/log_loss"] < naive["calibrated/log_loss"] - 0.05
    assert scores["calibrated/calibration_error"] < 0.15


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_perfectly_apart_do_not_become_certain(n_classes):
    y = np.arange(30) % n_classes
    score = 100.0 * y - 50 if n_classes == 2 else 100.0 * np.eye(n_classes)[y]
    calibrate = fit_calibration(y, score)
    right, wrong = of_probabilities(y, calibrate(score)), of_probabilities((y + 1) % n_classes, calibrate(score))
    assert right["log_loss"] < 0.1
    # About the one sample more of those that there were.
    assert 3.0 < wrong["log_loss"] < 7.0


def test_constant_scores_become_the_class_shares():
    y = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(fit_calibration(y, np.full(4, 3.0))(np.array([3.0])), [(1 + 0.5) / 5])
    np.testing.assert_allclose(fit_calibration(y, np.ones((4, 3)))(np.ones((1, 3))), [[1 / 3] * 3])


def test_a_validation_split_of_one_class_makes_that_class_likely():
    score = np.linspace(-2, 2, 50)
    assert fit_calibration(np.zeros(50, int), score)(score).max() < 0.1


def test_predictions_that_are_not_finite_have_no_calibration():
    y, raw = np.array([0, 1]), np.array([[0.0], [np.inf]])
    assert calibrated_scores(HINGE, y, np.zeros((2, 1)), y, raw) == {}


def test_the_calibrated_naive_predictor_gives_the_class_shares():
    scores = naive_calibrated_scores(np.array([0, 1, 1, 1]), np.array([1, 0]), 2)
    assert scores["calibrated/log_loss"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)
