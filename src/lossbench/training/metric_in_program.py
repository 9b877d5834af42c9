"""The main metric as the compiled program computes it: a sum over samples, and the metric that follows from the sum.

A split is evaluated in batches, so every metric is a function of sums over samples. ``specification.main_metric``
computes the same in NumPy. All arguments are tensors.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from lossbench.losses.heads import HEADS, NUMBER_TASKS, decide
from lossbench.metrics.catalogue import PINBALL_LEVELS
from lossbench.training.specification import Structure

# What each error of a number, prediction less target, adds to a metric of numbers.
_OF_ERRORS: dict[str, Callable] = {
    "rmse": tf.square,
    "mse": tf.square,
    "r2": tf.square,
    "mae": tf.abs,
    **{
        f"pinball_{level}": lambda error, level=level: tf.maximum(-level * error, (1.0 - level) * error)
        for level in PINBALL_LEVELS
    },
}
# The metrics of classes that follow from how often each class occurs, is decided, and is decided rightly.
_OF_COUNTS: dict[str, Callable] = {
    "balanced_accuracy": lambda right, true, decided: _mean_where(true > 0, tf.math.divide_no_nan(right, true)),
    "f1": lambda right, true, decided: _mean_where(
        true + decided > 0, tf.math.divide_no_nan(2.0 * right, true + decided)
    ),
    "matthews": lambda right, true, decided: _matthews(right, true, decided),
}


def empty_sum(structure: Structure) -> tf.Tensor:
    """Return the sum over no samples, in the shape of ``metric_sum``."""
    metric, task, n_outputs = structure.metric, structure.pair.task, structure.n_outputs
    if metric == "r2":
        return tf.zeros((n_outputs,))
    if task == "multilabel" and metric == "f1":
        return tf.zeros((2, n_outputs))
    return tf.zeros((3, max(2, n_outputs))) if metric in _OF_COUNTS else tf.constant(0.0)


def metric_sum(structure: Structure, raw: tf.Tensor, target: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return what the samples of a batch add to the main metric.

    Parameters
    ----------
    raw : tensor, shape (n, n_raw)
        Raw predictions.
    target : tensor, shape (n,) or (n, n_outputs)
        As ``specification.Data`` has it.
    weights : float tensor, shape (n_outputs,) or (1,)
        The weight of each output's error, for numbers.
    """
    metric, pair = structure.metric, structure.pair
    if pair.task in NUMBER_TASKS:
        prediction = keras.activations.get(HEADS[pair.head].activation)(raw)[:, : structure.n_outputs]
        of_errors = _OF_ERRORS[metric]((prediction - target) * weights)
        return tf.reduce_sum(of_errors, 0) if metric == "r2" else tf.reduce_sum(tf.reduce_mean(of_errors, axis=-1))
    decided = tf.cast(decide(raw, pair.head, pair.encoding, pair.task, argmax=tf.argmax), tf.int32)
    if pair.task == "multilabel":
        return _sum_of_labels(metric, decided, target)
    if metric == "class_mae":
        return tf.reduce_sum(tf.cast(tf.abs(decided - target), tf.float32))
    if metric in _OF_COUNTS:
        true, said = (tf.one_hot(classes, max(2, structure.n_outputs)) for classes in (target, decided))
        return tf.stack([tf.reduce_sum(each, 0) for each in (true * said, true, said)])
    return tf.reduce_sum(tf.cast(decided == target, tf.float32))


def _sum_of_labels(metric: str, decided: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    right = decided == target
    if metric == "subset_accuracy":
        return tf.reduce_sum(tf.cast(tf.reduce_all(right, -1), tf.float32))
    if metric == "hamming_loss":
        return tf.reduce_sum(tf.reduce_mean(tf.cast(~right, tf.float32), -1))
    both = (decided * target, decided + target)
    return tf.stack([tf.reduce_sum(tf.cast(each, tf.float32), 0) for each in both])


def metric_of_sum(structure: Structure, total: tf.Tensor, n: int, target: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return the main metric of a split, in units of the first output, from the sum over its samples.

    Parameters
    ----------
    total : tensor
        The sum of ``metric_sum`` over the split.
    n : int
        The number of samples.
    target, weights : tensors
        The targets of the whole split, and the weights of ``metric_sum``.
    """
    metric = structure.metric
    if metric not in _OF_COUNTS and metric != "r2":
        return tf.sqrt(total / n) if metric == "rmse" else total / n
    # Counts are whole numbers, exact in float32; differences of their products need more digits than it has.
    exact = tf.cast(total, tf.float64)
    if metric == "r2":
        variance = tf.math.reduce_variance(tf.cast(target * weights, tf.float64), 0)
        constant = tf.where(exact > 0.0, tf.zeros_like(exact), tf.ones_like(exact))
        share = tf.where(variance > 0.0, 1.0 - tf.math.divide_no_nan(exact / n, variance), constant)
        return tf.cast(tf.reduce_mean(share), tf.float32)
    if structure.pair.task == "multilabel" and metric == "f1":
        hits, named = tf.unstack(exact)
        return tf.cast(tf.reduce_mean(2.0 * hits / tf.maximum(named, 1.0)), tf.float32)
    return tf.cast(_OF_COUNTS[metric](*tf.unstack(exact)), tf.float32)


def _mean_where(chosen: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    chosen = tf.cast(chosen, values.dtype)
    return tf.reduce_sum(chosen * values) / tf.reduce_sum(chosen)


def _matthews(right: tf.Tensor, true: tf.Tensor, decided: tf.Tensor) -> tf.Tensor:
    n = tf.reduce_sum(true)
    covariance = tf.reduce_sum(right) * n - tf.reduce_sum(true * decided)
    spread = (n**2 - tf.reduce_sum(true**2)) * (n**2 - tf.reduce_sum(decided**2))
    return tf.where(spread > 0.0, covariance / tf.sqrt(tf.maximum(spread, 1.0)), tf.zeros_like(spread))
