"""One contract over every head: activation and inverse, range, and the class that it decides."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lossbench.losses.heads import EDGE, HEADS, LEAST_VARIANCE, decide

each_head = pytest.mark.parametrize("head", HEADS.values(), ids=lambda head: head.name)


@each_head
def test_the_activation_of_a_head_equals_keras_s(head):
    raw = np.random.default_rng(0).normal(scale=3, size=(20, 4))
    expected = keras.activations.get(head.activation)(tf.constant(raw, tf.float64))
    values = slice(0, 4 // len(head.statistics))
    np.testing.assert_allclose(head.activate(raw)[:, values], expected[:, values], rtol=1e-6)


@each_head
def test_predictions_lie_in_the_range_of_the_head_and_never_overflow(head):
    prediction = head.activate(np.array([[-500.0, 500.0, 0.0, -500.0]]))
    assert np.isfinite(prediction).all()
    assert (prediction >= head.low).all()
    assert (prediction <= head.high).all()


@each_head
def test_the_inverse_of_a_head_undoes_its_activation(head):
    raw = np.array([[0.3, -1.2, 0.5, 0.1]])
    prediction = head.activate(raw)
    np.testing.assert_allclose(head.activate(head.invert(prediction)), prediction, atol=2 * EDGE)
    if np.isfinite(head.high):
        # An end of the open range is moved inside.
        assert np.isfinite(head.invert(np.array([[head.low, head.high]]))).all()


def test_classes_are_decided_by_the_heads_own_rule():
    raw = np.array([[-0.2], [0.2], [0.7]])
    assert decide(raw, "sigmoid", "zero_one", "binary").tolist() == [False, True, True]
    assert decide(raw, "tanh", "signed", "binary").tolist() == [False, True, True]
    assert decide(raw, "linear", "signed", "binary").tolist() == [False, True, True]
    assert decide(raw, "linear", "zero_one", "binary").tolist() == [False, False, True]
    several = np.array([[0.1, 0.5, 0.4], [3.0, 1.0, 2.0]])
    assert decide(several, "softmax", "one_hot", "multiclass").tolist() == [1, 0]
    assert decide(several - 0.45, "sigmoid", "zero_one", "multilabel").tolist() == [[False, True, False], [True] * 3]
    assert decide(several, "linear", "zero_one", "multilabel").tolist() == [[False, False, False], [True] * 3]
    in_tensorflow = decide(tf.constant([[0.1, 0.5]]), "softmax", "one_hot", "binary", argmax=tf.argmax)
    assert in_tensorflow.numpy().tolist() == [1]


def test_the_gaussian_head_gives_a_variance_above_0():
    prediction = HEADS["gaussian"].activate(np.array([[3.0, -500.0], [3.0, 0.0]]))
    np.testing.assert_allclose(prediction, [[3.0, LEAST_VARIANCE], [3.0, np.log(2) + LEAST_VARIANCE]])


@each_head
def test_every_row_of_the_table_of_heads_is_complete(head):
    assert head.formula
    assert head.class_rule
    assert head.source
