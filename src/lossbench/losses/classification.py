"""Losses for classes, per sample: (y_true, y_pred, **parameters) -> (n_samples,).

Those whose names begin with the name of a head take its raw predictions, so that nothing saturates. Keras's own are
used where Keras has them and they take tensors as parameters; these are the others.
"""

import functools
import math

import keras
import tensorflow as tf

from lossbench.losses.regression import bounded_exponential

# Up to so many classes are few: with five a training takes a fifth less, with eight a quarter more.
FEW_CLASSES = 5


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
    >>> sigmoid_crossentropy(tf.constant([[1.0]]), tf.constant([[-40.0]])).numpy().tolist()
    [40.0]
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
    return _crossentropy_of_logits(smoothed, raw_prediction)


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
    >>> value = binary_crossentropy(tf.constant([[0.0], [1.0]]), tf.constant([[0.4], [0.6]]))
    >>> value.numpy().astype(float).round(6).tolist()
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
    >>> value = categorical_crossentropy(tf.constant([[0.0, 1.0]]), tf.constant([[0.5, 0.5]]))
    >>> value.numpy().astype(float).round(6).tolist()
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
    >>> hinge(tf.constant([[1.0], [-1.0], [1.0]]), tf.constant([[0.25], [0.5], [0.0]])).numpy().tolist()
    [0.75, 1.5, 1.0]
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
    Zhang (2004), Statistical Behavior and Consistency of Classification Methods Based on Convex Risk Minimization,
    doi:10.1214/aos/1079120130

    Examples
    --------
    >>> squared_hinge(tf.constant([[1.0], [-1.0]]), tf.constant([[0.5], [0.5]])).numpy().tolist()
    [0.25, 2.25]
    """
    return tf.reduce_mean(tf.square(tf.maximum(1.0 - y_true * y_pred, 0.0)), axis=-1)


def multiclass_hinge(y_true, y_pred):
    r"""Multiclass hinge loss of each sample, that of Crammer and Singer.

    .. math:: \ell(y, p) = \max\left(0,\ 1 + \max_{k \ne y} p_k - p_y\right)

    Asks that the true class be ahead of every other class by 1. Only differences of outputs count, whereas
    ``keras.losses.categorical_hinge`` has a 0 among the other classes and so asks for :math:`p_y \ge 1` too. The
    gradient goes to the true class and to the best of the others; others that are equally good share it.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_classes)
        One-hot targets.
    y_pred : float tensor, shape (n_samples, n_classes)
        Any real numbers.

    Returns
    -------
    float tensor, shape (n_samples,)

    References
    ----------
    Crammer and Singer (2001), On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines,
    Journal of Machine Learning Research 2:265-292, jmlr.org/papers/v2/crammer01a.html

    Examples
    --------
    >>> y_true, y_pred = tf.constant([[1.0, 0.0, 0.0]] * 2), tf.constant([[-0.5, -3.0, -2.0], [0.5, 0.25, 1.0]])
    >>> multiclass_hinge(y_true, y_pred).numpy().tolist()
    [0.0, 1.5]
    """
    true = tf.reduce_sum(y_true * y_pred, axis=-1)
    others = tf.where(y_true > 0.0, y_pred.dtype.min, y_pred)
    return tf.maximum(1.0 + tf.reduce_max(others, axis=-1) - true, 0.0)


def exponential(y_true, y_pred):
    r"""Exponential loss of each sample, that of AdaBoost.

    .. math:: \ell(y, p) = e^{-y p}

    A violated margin costs exponentially much: mislabelled samples dominate. Beyond y p = -30 it goes on as a
    straight line, so that a far outlier does not overflow.

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
    Friedman et al. (2000), Additive Logistic Regression: A Statistical View of Boosting, doi:10.1214/aos/1016218223

    Examples
    --------
    >>> exponential(tf.constant([[1.0]]), tf.constant([[0.0]])).numpy().tolist()
    [1.0]
    """
    return tf.reduce_mean(bounded_exponential(-y_true * y_pred), axis=-1)


def sigmoid_focal_crossentropy(y_true, raw_prediction, *, gamma=2.0, alpha=0.25):
    r"""Binary focal cross-entropy of each sample, from raw predictions.

    .. math:: \ell(y, p) = -\alpha_t (1 - p_t)^\gamma \log p_t

    with :math:`p_t` the probability of the true class and :math:`\alpha_t` its weight. What is already right counts
    little; the rare and hard samples make the gradient.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_outputs)
        Targets 0 and 1.
    raw_prediction : float tensor, shape (n_samples, n_outputs)
        Any real numbers.
    gamma : float from 0
        How fast what is right stops counting; 0 is weighted cross-entropy.
    alpha : float in (0, 1)
        Weight of class 1; class 0 has the rest.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs, in nats.

    References
    ----------
    Lin et al. (2017), Focal Loss for Dense Object Detection, arXiv:1708.02002

    Examples
    --------
    >>> value = sigmoid_focal_crossentropy(tf.constant([[1.0]]), tf.constant([[0.0]]), gamma=2.0, alpha=0.5)
    >>> value.numpy().astype(float).round(6).tolist()
    [0.086643]
    """
    crossentropy = tf.nn.sigmoid_cross_entropy_with_logits(y_true, raw_prediction)
    # The logarithm of 1 - p_t, which cannot be 0: its power has a gradient everywhere.
    log_rest = -tf.nn.sigmoid_cross_entropy_with_logits(1.0 - y_true, raw_prediction)
    weight = y_true * alpha + (1.0 - y_true) * (1.0 - alpha)
    return tf.reduce_mean(weight * tf.exp(gamma * log_rest) * crossentropy, axis=-1)


def softmax_focal_crossentropy(y_true, raw_prediction, *, gamma=2.0):
    r"""Categorical focal cross-entropy of each sample, from raw predictions.

    .. math:: \ell(y, p) = -(1 - p_y)^\gamma \log p_y

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_classes)
        One-hot targets.
    raw_prediction : float tensor, shape (n_samples, n_classes)
        Any real numbers.
    gamma : float from 0
        How fast what is right stops counting; 0 is cross-entropy.

    Returns
    -------
    float tensor, shape (n_samples,)
        In nats.

    References
    ----------
    Lin et al. (2017), Focal Loss for Dense Object Detection, arXiv:1708.02002

    Examples
    --------
    >>> value = softmax_focal_crossentropy(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 0.0]]))
    >>> value.numpy().astype(float).round(6).tolist()
    [0.173287]
    """
    log_true, log_rest = _log_probabilities(y_true, raw_prediction)
    return -tf.exp(gamma * log_rest) * log_true


def softmax_generalized_crossentropy(y_true, raw_prediction, *, q=0.7):
    r"""Generalised cross-entropy of each sample, from raw predictions.

    .. math:: \ell(y, p) = (1 - p_y^q) / q

    Between cross-entropy (q to 0) and :math:`1 - p_y`, half the summed absolute error (q = 1). A wrong label costs at
    most 1 / q.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_classes)
        One-hot targets.
    raw_prediction : float tensor, shape (n_samples, n_classes)
        Any real numbers.
    q : float in (0, 1]
        How bounded it is.

    Returns
    -------
    float tensor, shape (n_samples,)

    References
    ----------
    Zhang and Sabuncu (2018), Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels,
    arXiv:1805.07836

    Examples
    --------
    >>> softmax_generalized_crossentropy(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 0.0]]), q=1.0).numpy().tolist()
    [0.5]
    """
    log_true, _ = _log_probabilities(y_true, raw_prediction)
    return -tf.math.expm1(q * log_true) / q


def softmax_symmetric_crossentropy(y_true, raw_prediction, *, alpha=0.1, beta=1.0):
    r"""Symmetric cross-entropy of each sample, from raw predictions.

    .. math:: \ell(y, p) = -\alpha \log p_y - \beta \sum_k p_k \log \max(y_k, 10^{-4})

    Cross-entropy and, with the roles of target and prediction exchanged, a bounded part that tolerates wrong labels.
    The paper puts a constant in the place of log 0; here it is :math:`\log 10^{-4} = -9.2`.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_classes)
        One-hot targets.
    raw_prediction : float tensor, shape (n_samples, n_classes)
        Any real numbers.
    alpha, beta : float from 0
        Weights of the two parts.

    Returns
    -------
    float tensor, shape (n_samples,)

    References
    ----------
    Wang et al. (2019), Symmetric Cross Entropy for Robust Learning with Noisy Labels, arXiv:1908.06112

    Examples
    --------
    >>> value = softmax_symmetric_crossentropy(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 0.0]]), alpha=0.0)
    >>> value.numpy().astype(float).round(4).tolist()
    [4.6052]
    """
    log_true, log_rest = _log_probabilities(y_true, raw_prediction)
    # One-hot targets: every other class has the floor, 10^-4.
    return -alpha * log_true + beta * math.log(1e4) * tf.exp(log_rest)


def softmax_partially_huberised_crossentropy(y_true, raw_prediction, *, tau=2.0):
    r"""Cross-entropy of each sample, partially Huberised, from raw predictions.

    .. math:: \ell(y, p) = -\log p_y \text{ for } p_y > 1 / \tau, \quad -\tau p_y + \log \tau + 1 \text{ below}

    Below a probability of :math:`1 / \tau` the logarithm goes on as its tangent: the gradient of a confidently
    contradicted label is bounded.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_classes)
        One-hot targets.
    raw_prediction : float tensor, shape (n_samples, n_classes)
        Any real numbers.
    tau : float above 1
        The slope at which it turns.

    Returns
    -------
    float tensor, shape (n_samples,)

    References
    ----------
    Menon et al. (2020), Can Gradient Clipping Mitigate Label Noise?, openreview.net/forum?id=rklB76EKPr

    Examples
    --------
    >>> value = softmax_partially_huberised_crossentropy(tf.constant([[1.0, 0.0]]), tf.constant([[-500.0, 500.0]]))
    >>> value.numpy().astype(float).round(6).tolist()
    [1.693147]
    """
    log_true, _ = _log_probabilities(y_true, raw_prediction)
    tangent = -tau * tf.exp(log_true) + tf.math.log(tf.cast(tau, log_true.dtype)) + 1.0
    return tf.where(tau * tf.exp(log_true) > 1.0, -log_true, tangent)


def softmax_poly1_crossentropy(y_true, raw_prediction, *, epsilon=1.0):
    r"""Poly-1 cross-entropy of each sample, from raw predictions.

    .. math:: \ell(y, p) = -\log p_y + \epsilon (1 - p_y)

    Cross-entropy with another weight on the first term of its expansion in :math:`1 - p_y`.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_classes)
        One-hot targets.
    raw_prediction : float tensor, shape (n_samples, n_classes)
        Any real numbers.
    epsilon : float from -1
        The weight added to 1.

    Returns
    -------
    float tensor, shape (n_samples,)

    References
    ----------
    Leng et al. (2022), PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions,
    arXiv:2204.12511

    Examples
    --------
    >>> value = softmax_poly1_crossentropy(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 0.0]]))
    >>> value.numpy().astype(float).round(6).tolist()
    [1.193147]
    """
    log_true, log_rest = _log_probabilities(y_true, raw_prediction)
    return -log_true + epsilon * tf.exp(log_rest)


def _log_probabilities(y_true, raw_prediction):
    """Return the logarithms of the true class's probability and of all others' together, neither saturating."""
    log_all = tf.reduce_logsumexp(raw_prediction, axis=-1)
    log_true = tf.reduce_sum(y_true * raw_prediction, axis=-1) - log_all
    others = raw_prediction - 1e9 * y_true
    return log_true, tf.reduce_logsumexp(others, axis=-1) - log_all


def squared_earth_mover(y_true, y_pred):
    r"""Squared earth mover's distance of each sample, for classes in an order.

    .. math:: \ell(y, p) = \sum_k \Big(\sum_{j \le k} (y_j - p_j)\Big)^2

    Probability that must travel far costs more: predicting 2 for 5 costs 3, 4 for 5 costs 1.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_classes)
        One-hot targets and probabilities, the classes in their order.

    Returns
    -------
    float tensor, shape (n_samples,)

    References
    ----------
    Hou et al. (2016), Squared Earth Mover's Distance-based Loss for Training Deep Neural Networks, arXiv:1611.05916

    Examples
    --------
    >>> squared_earth_mover(tf.constant([[1.0, 0.0, 0.0]]), tf.constant([[0.0, 0.0, 1.0]])).numpy().tolist()
    [2.0]
    """
    return tf.reduce_sum(tf.square(tf.cumsum(y_true - y_pred, axis=-1)), axis=-1)


def softmax_kl_divergence(y_true, raw_prediction):
    r"""Kullback-Leibler divergence of each sample from its target distribution, from raw predictions.

    .. math:: \ell(y, p) = \sum_k y_k \log \frac{y_k}{p_k}

    Cross-entropy less the entropy of the target: the same gradient, and 0 where the prediction is the target.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_outputs)
        Shares from 0 that sum to 1.
    raw_prediction : float tensor, shape (n_samples, n_outputs)
        Any real numbers.

    Returns
    -------
    float tensor, shape (n_samples,)
        In nats.

    References
    ----------
    Kullback and Leibler (1951), On Information and Sufficiency, doi:10.1214/aoms/1177729694

    Examples
    --------
    >>> value = softmax_kl_divergence(tf.constant([[0.5, 0.5]]), tf.constant([[0.0, 0.0]]))
    >>> value.numpy().astype(float).round(6).tolist()
    [0.0]
    """
    entropy = -tf.reduce_sum(tf.math.xlogy(y_true, y_true), axis=-1)
    return _crossentropy_of_logits(y_true, raw_prediction) - entropy


def _crossentropy_of_logits(y_true, raw_prediction):
    """Return the cross-entropy of each sample with the softmax of raw predictions.

    For few classes it is written out class by class: XLA's loops over a few neighbouring numbers cost more than what
    they compute.
    """
    n_classes = raw_prediction.shape[-1]
    if n_classes > FEW_CLASSES:
        return tf.nn.softmax_cross_entropy_with_logits(y_true, raw_prediction)
    raw = tf.unstack(raw_prediction, axis=-1)
    highest = tf.stop_gradient(functools.reduce(tf.maximum, raw))
    below = [z - highest for z in raw]
    log_sum = tf.math.log(tf.add_n([tf.exp(z) for z in below]))
    return tf.add_n([y * (log_sum - z) for y, z in zip(tf.unstack(y_true, axis=-1), below, strict=True)])


def dice(y_true, y_pred):
    r"""Dice loss of the whole batch, the same for each of its samples.

    .. math:: \ell = 1 - \frac{2 \sum y p}{\sum y + \sum p}

    The sums go over all samples and outputs of the batch. Class 0 done right earns nothing, so that rare positives
    are not drowned; in a batch without any the loss is 1. The Dice loss of V-Net (Milletari et al. 2016,
    arXiv:1606.04797) has squares in its denominator, :math:`\sum y^2 + \sum p^2`; this one, like Keras's, has none.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Targets 0 and 1; predictions from 0 to 1.

    Returns
    -------
    float tensor, shape (n_samples,)

    References
    ----------
    Drozdzal et al. (2016), The Importance of Skip Connections in Biomedical Image Segmentation, arXiv:1608.04117
    (without the 1)

    Examples
    --------
    Twice the overlap of 1 over 1 + 2:

    >>> value = dice(tf.constant([[1.0], [0.0]]), tf.constant([[1.0], [1.0]]))
    >>> value.numpy().astype(float).round(6).tolist()
    [0.333333, 0.333333]
    """
    return tversky(y_true, y_pred, alpha=0.5, beta=0.5)


def tversky(y_true, y_pred, *, alpha=0.3, beta=0.7):
    r"""Tversky loss of the whole batch, the same for each of its samples.

    .. math:: \ell = 1 - \frac{s}{s + \alpha \sum (1 - y) p + \beta \sum y (1 - p)}, \quad s = \sum y p

    As in its paper, alpha weighs false positives and beta false negatives (in ``keras.losses.tversky`` it is the
    other way round). With both at one half it is the Dice loss.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Targets 0 and 1; predictions from 0 to 1.
    alpha, beta : float above 0
        Weights of false positives and false negatives.

    Returns
    -------
    float tensor, shape (n_samples,)

    References
    ----------
    Salehi et al. (2017), Tversky Loss Function for Image Segmentation Using 3D Fully Convolutional Deep Networks,
    arXiv:1706.05721

    Examples
    --------
    One hit and one false positive of weight 0.3, 1 - 1 / 1.3:

    >>> value = tversky(tf.constant([[1.0], [0.0]]), tf.constant([[1.0], [1.0]]))
    >>> value.numpy().astype(float).round(6).tolist()
    [0.230769, 0.230769]
    """
    hits = tf.reduce_sum(y_true * y_pred)
    false_positives = tf.reduce_sum((1.0 - y_true) * y_pred)
    false_negatives = tf.reduce_sum(y_true * (1.0 - y_pred))
    total = hits + alpha * false_positives + beta * false_negatives
    return tf.fill(tf.shape(y_true)[:1], 1.0 - hits / (total + keras.config.epsilon()))


def expected_cost(y_true, y_pred, *, costs=None):
    r"""Mean cost of each sample's decision, were it drawn with the predicted probabilities.

    .. math:: \ell(y, p) = \sum_k C_{y k} p_k

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_classes)
        One-hot targets and probabilities.
    costs : float tensor, shape (n_classes, n_classes)
        What it costs to decide the column's class where the row's is true; usually 0 on the diagonal.

    Returns
    -------
    float tensor, shape (n_samples,)
        In the unit of the costs.

    References
    ----------
    Elkan (2001), The Foundations of Cost-Sensitive Learning, IJCAI 17, pages 973-978,
    dl.acm.org/doi/10.5555/1642194.1642224

    Examples
    --------
    >>> costs = tf.constant([[0.0, 1.0], [5.0, 0.0]])
    >>> expected_cost(tf.constant([[0.0, 1.0]]), tf.constant([[0.5, 0.5]]), costs=costs).numpy().tolist()
    [2.5]
    """
    return tf.reduce_sum(tf.matmul(y_true, tf.cast(costs, y_true.dtype)) * y_pred, axis=-1)
