"""The loss functions themselves, per sample: (y_true, y_pred, **parameters) -> (n_samples,).

Keras's own where Keras has them and they are right for tensors as parameters; these are the others.
"""

import importlib
from collections.abc import Callable

import keras
import tensorflow as tf

from lossbench.losses.table import Pair


def load(name: str) -> Callable:
    """Return the function that ``module:name`` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def per_sample_loss(pair: Pair, activation: str) -> Callable:
    """Return the loss of each sample as a function of raw predictions.

    Returns
    -------
    callable
        (y_true of shape (n_samples, n_outputs), raw prediction of the same number of samples, **parameters)
        -> float tensor, shape (n_samples,).
    """
    function = load(pair.function)
    if pair.on_raw:
        return function
    activate = keras.activations.get(activation)

    def on_prediction(y_true, raw_prediction, **parameters):
        return function(y_true, activate(raw_prediction), **parameters)

    return on_prediction


def sigmoid_crossentropy(y_true, raw_prediction, *, label_smoothing=0.0):
    r"""Binary cross-entropy of each sample, from raw predictions.

    .. math:: \ell(y, z) = \max(z, 0) - y z + \log(1 + e^{-|z|})

    Equal to binary cross-entropy after a sigmoid, but a prediction saturated on the wrong side keeps its
    gradient: at z = -40 and y = 1 the loss is 40 and the gradient -1.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_outputs)
        Targets from 0 to 1.
    raw_prediction : float tensor, shape (n_samples, n_outputs)
        Any real numbers.
    label_smoothing : float in [0, 1)
        Share s by which targets move to one half: y (1 - s) + s / 2.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs, in nats.

    References
    ----------
    Good (1952), Rational Decisions, doi:10.1111/j.2517-6161.1952.tb00104.x

    Examples
    --------
    >>> sigmoid_crossentropy(tf.constant([[1.0], [0.0]]), tf.constant([[-40.0], [-40.0]])).numpy().tolist()
    [40.0, 0.0]
    """
    smoothed = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(smoothed, raw_prediction), axis=-1)


def softmax_crossentropy(y_true, raw_prediction, *, label_smoothing=0.0):
    r"""Categorical cross-entropy of each sample, from raw predictions.

    .. math:: \ell(y, z) = -\sum_k y_k \left(z_k - \log \sum_j e^{z_j}\right)

    One kernel for categorical and sparse categorical cross-entropy and, since one-hot targets have no
    entropy, for the KL divergence. A prediction saturated on the wrong class keeps its gradient.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_classes)
        One-hot targets.
    raw_prediction : float tensor, shape (n_samples, n_classes)
        Any real numbers.
    label_smoothing : float in [0, 1)
        Share s by which targets move to the uniform distribution over K classes: y (1 - s) + s / K.

    Returns
    -------
    float tensor, shape (n_samples,)
        In nats.

    References
    ----------
    Good (1952), Rational Decisions, doi:10.1111/j.2517-6161.1952.tb00104.x

    Examples
    --------
    >>> softmax_crossentropy(tf.constant([[1.0, 0.0]]), tf.constant([[-40.0, 40.0]])).numpy().tolist()
    [80.0]
    """
    n_classes = raw_prediction.shape[-1]
    smoothed = y_true * (1.0 - label_smoothing) + label_smoothing / n_classes
    return tf.nn.softmax_cross_entropy_with_logits(smoothed, raw_prediction)


def binary_crossentropy(y_true, y_pred, *, label_smoothing=0.0):
    """Binary cross-entropy of each sample, from probabilities; Keras's, with smoothing that may be a tensor.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Targets and predictions from 0 to 1; predictions are clipped to 1e-7 from the ends.
    label_smoothing : float in [0, 1)
        As in ``sigmoid_crossentropy``.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs, in nats.

    Examples
    --------
    >>> binary_crossentropy(tf.constant([[0.0], [1.0]]), tf.constant([[0.4], [0.6]])).numpy().round(6).tolist()
    [0.510826, 0.510826]
    """
    smoothed = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return keras.losses.binary_crossentropy(smoothed, y_pred)


def categorical_crossentropy(y_true, y_pred, *, label_smoothing=0.0):
    """Categorical cross-entropy of each sample, from probabilities; Keras's, with smoothing that may be a tensor.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_classes)
        One-hot targets; predictions from 0 to 1, which Keras scales to sum 1 and clips to 1e-7 from the ends.
    label_smoothing : float in [0, 1)
        As in ``softmax_crossentropy``.

    Returns
    -------
    float tensor, shape (n_samples,)
        In nats.

    Examples
    --------
    >>> categorical_crossentropy(tf.constant([[0.0, 1.0]]), tf.constant([[0.5, 0.5]])).numpy().round(6).tolist()
    [0.693147]
    """
    smoothed = y_true * (1.0 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    return keras.losses.categorical_crossentropy(smoothed, y_pred)


def hinge(y_true, y_pred):
    r"""Hinge loss of each sample.

    .. math:: \ell(y, p) = \max(0, 1 - y p)

    The gradient is -y until the margin of 1 is reached, and then 0. Keras's own function looks at every batch to
    guess whether its targets are 0 and 1; this one does not.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_outputs)
        Targets -1 and 1.
    y_pred : float tensor, shape (n_samples, n_outputs)
        Any real numbers.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs.

    References
    ----------
    Cortes and Vapnik (1995), Support-Vector Networks, doi:10.1007/BF00994018

    Examples
    --------
    >>> hinge(tf.constant([[1.0], [-1.0], [1.0]]), tf.constant([[0.25], [0.5], [3.0]])).numpy().tolist()
    [0.75, 1.5, 0.0]
    """
    return tf.reduce_mean(tf.maximum(1.0 - y_true * y_pred, 0.0), axis=-1)


def squared_hinge(y_true, y_pred):
    r"""Squared hinge loss of each sample.

    .. math:: \ell(y, p) = \max(0, 1 - y p)^2

    Smooth where the margin is reached: the gradient shrinks with the violation.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_outputs)
        Targets -1 and 1.
    y_pred : float tensor, shape (n_samples, n_outputs)
        Any real numbers.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs.

    References
    ----------
    Rosasco et al. (2004), Are Loss Functions All the Same?, doi:10.1162/089976604773135104

    Examples
    --------
    >>> squared_hinge(tf.constant([[1.0], [-1.0]]), tf.constant([[0.5], [0.5]])).numpy().tolist()
    [0.25, 2.25]
    """
    return tf.reduce_mean(tf.square(tf.maximum(1.0 - y_true * y_pred, 0.0)), axis=-1)
