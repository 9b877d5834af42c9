"""Losses for targets that are numbers, per sample: (y_true, y_pred, **parameters) -> (n_samples,).

Keras's own are used where Keras has them and they take tensors as parameters; these are the others.
"""

import math

import tensorflow as tf

from lossbench.losses.heads import LEAST_VARIANCE


def half_squared_error(y_true, y_pred):
    r"""Half the squared error of each sample, summed over outputs.

    .. math:: \ell(y, p) = \tfrac12 \sum_k (y_k - p_k)^2

    Its gradient is the error itself. With one output it is half of ``mean_squared_error``.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Target and prediction in the target's unit; any real numbers.

    Returns
    -------
    float tensor, shape (n_samples,)
        In the target's unit squared.

    References
    ----------
    Gneiting (2011), Making and Evaluating Point Forecasts, doi:10.1198/jasa.2011.r10138

    Examples
    --------
    >>> half_squared_error(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 2.0]])).numpy().tolist()
    [2.5]
    """
    return 0.5 * tf.reduce_sum(tf.square(y_true - y_pred), axis=-1)


def huber(y_true, y_pred, *, delta=1.0):
    r"""Huber loss of each sample: squared near the target, absolute beyond ``delta``.

    .. math:: \ell(e) = \tfrac12 e^2 \text{ for } |e| \le \delta, \quad \delta (|e| - \tfrac12 \delta) \text{ beyond}

    The gradient grows with the error up to ``delta`` and stays there: an outlier pulls no harder than that.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Target and prediction in the target's unit; any real numbers.
    delta : float above 0
        The error at which it turns, in the target's unit.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs.

    References
    ----------
    Huber (1964), Robust Estimation of a Location Parameter, doi:10.1214/aoms/1177703732

    Examples
    --------
    >>> huber(tf.constant([[0.0], [0.0]]), tf.constant([[0.5], [3.0]]), delta=1.0).numpy().tolist()
    [0.125, 2.5]
    """
    error = tf.abs(y_true - y_pred)
    inside = tf.minimum(error, delta)
    return tf.reduce_mean(0.5 * tf.square(inside) + delta * (error - inside), axis=-1)


def pinball(y_true, y_pred, *, quantile=0.5):
    r"""Pinball loss of each sample, least at the conditional quantile.

    .. math:: \ell_\tau(y, p) = \max\{\tau (y - p),\ (\tau - 1)(y - p)\}

    Predicting too low costs :math:`\tau` a unit, too high :math:`1 - \tau`. At 0.5 it is half the absolute error.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Target and prediction in the target's unit; any real numbers.
    quantile : float in (0, 1)
        The level :math:`\tau` to estimate.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs, in the target's unit.

    References
    ----------
    Koenker and Bassett (1978), Regression Quantiles, doi:10.2307/1913643

    Examples
    --------
    >>> pinball(tf.constant([[1.0], [5.0]]), tf.constant([[5.0], [1.0]]), quantile=0.25).numpy().tolist()
    [3.0, 1.0]
    """
    error = y_true - y_pred
    return tf.reduce_mean(tf.maximum(quantile * error, (quantile - 1.0) * error), axis=-1)


def expectile(y_true, y_pred, *, level=0.5):
    r"""Asymmetric squared error of each sample, least at the conditional expectile.

    .. math:: \ell_\tau(y, p) = |\tau - \mathbf 1[y < p]| (y - p)^2

    What the pinball loss is to the absolute error, this is to the squared one; at 0.5 it is half the squared error.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Target and prediction in the target's unit; any real numbers.
    level : float in (0, 1)
        The level :math:`\tau` to estimate.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs, in the target's unit squared.

    References
    ----------
    Newey and Powell (1987), Asymmetric Least Squares Estimation and Testing, doi:10.2307/1911031

    Examples
    --------
    >>> expectile(tf.constant([[0.0], [2.0]]), tf.constant([[2.0], [0.0]]), level=0.25).numpy().tolist()
    [3.0, 1.0]
    """
    error = y_true - y_pred
    weight = tf.where(error < 0.0, 1.0 - level, tf.zeros_like(error) + level)
    return tf.reduce_mean(weight * tf.square(error), axis=-1)


def charbonnier(y_true, y_pred, *, scale=1.0):
    r"""Charbonnier loss of each sample, also called pseudo-Huber: a smooth absolute error.

    .. math:: \ell(e) = s^2 \left(\sqrt{1 + (e / s)^2} - 1\right)

    About half the squared error for errors below the scale, s times the absolute error less :math:`s^2` above it. It is
    ``barron`` at ``alpha=1``.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Target and prediction in the target's unit; any real numbers.
    scale : float above 0
        The error s at which it turns, in the target's unit.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs.

    References
    ----------
    Charbonnier et al. (1994), Two Deterministic Half-Quadratic Regularization Algorithms for Computed Imaging,
    doi:10.1109/ICIP.1994.413553

    Examples
    --------
    >>> charbonnier(tf.constant([[0.0], [0.0]]), tf.constant([[0.0], [0.75]]), scale=1.0).numpy().tolist()
    [0.0, 0.25]
    """
    square = tf.square((y_true - y_pred) / scale)
    # sqrt(1 + x) - 1 without the difference of two nearly equal numbers.
    return tf.reduce_mean(scale * scale * square / (tf.sqrt(1.0 + square) + 1.0), axis=-1)


def cauchy(y_true, y_pred, *, scale=1.0):
    r"""Cauchy loss of each sample, also called Lorentzian: grows with the logarithm of the error.

    .. math:: \ell(e) = \tfrac12 s^2 \log\left(1 + (e / s)^2\right)

    The gradient is largest at an error of s and falls beyond it: far outliers hardly count.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Target and prediction in the target's unit; any real numbers.
    scale : float above 0
        The scale s, in the target's unit.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs.

    References
    ----------
    Holland and Welsch (1977), Robust Regression Using Iteratively Reweighted Least-Squares,
    doi:10.1080/03610927708827533

    Examples
    --------
    >>> cauchy(tf.constant([[0.0]]), tf.constant([[1.0]]), scale=1.0).numpy().astype(float).round(6).tolist()
    [0.346574]
    """
    square = tf.square((y_true - y_pred) / scale)
    return tf.reduce_mean(0.5 * scale * scale * tf.math.log1p(square), axis=-1)


def tukey(y_true, y_pred, *, scale=4.685):
    r"""Tukey's biweight of each sample: flat beyond the scale.

    .. math:: \ell(e) = \tfrac16 s^2 \left(1 - \left(1 - (e / s)^2\right)^3\right) \text{ for } |e| \le s,
              \quad \tfrac16 s^2 \text{ beyond}

    An error beyond the scale has no gradient at all: outliers are left out, and so is a prediction that starts far
    away.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Target and prediction in the target's unit; any real numbers.
    scale : float above 0
        The scale s, in the target's unit.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs.

    References
    ----------
    Beaton and Tukey (1974), The Fitting of Power Series, Meaning Polynomials, Illustrated on Band-Spectroscopic Data,
    doi:10.1080/00401706.1974.10489171

    Examples
    --------
    >>> tukey(tf.constant([[0.0], [0.0]]), tf.constant([[0.0], [9.0]]), scale=3.0).numpy().tolist()
    [0.0, 1.5]
    """
    square = tf.minimum(tf.square((y_true - y_pred) / scale), 1.0)
    # 1 - (1 - x)^3, expanded: no difference of nearly equal numbers for small errors.
    return tf.reduce_mean(scale * scale / 6.0 * square * (3.0 - 3.0 * square + tf.square(square)), axis=-1)


def barron(y_true, y_pred, *, alpha=1.0, scale=1.0):
    r"""Barron's general robust loss of each sample: one number from squared error to flat.

    .. math:: \ell(e) = s^2 \frac{|\alpha - 2|}{\alpha}
              \left(\left(\frac{(e / s)^2}{|\alpha - 2|} + 1\right)^{\alpha / 2} - 1\right)

    With its limits: half the squared error at 2, Charbonnier at 1, Cauchy of scale :math:`\sqrt 2 s` at 0,
    Geman-McClure at -2. The paper has it without :math:`s^2`; with it, small errors cost half their square at every
    scale.

    Parameters
    ----------
    y_true, y_pred : float tensor, shape (n_samples, n_outputs)
        Target and prediction in the target's unit; any real numbers.
    alpha : float from -10 to 2
        How much large errors count.
    scale : float above 0
        The error s at which it turns, in the target's unit.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs.

    References
    ----------
    Barron (2019), A General and Adaptive Robust Loss Function, arXiv:1701.03077

    Examples
    --------
    >>> barron(tf.constant([[0.0]]), tf.constant([[2.0]]), alpha=2.0, scale=1.0).numpy().tolist()
    [2.0]
    """
    square = tf.square((y_true - y_pred) / scale)
    alpha = tf.cast(alpha, square.dtype)
    distance = tf.abs(alpha - 2.0)
    # Where a limit holds, the general form is computed for another alpha and not used: no 0/0 in the gradient.
    near_two, near_zero = distance < 1e-4, tf.abs(alpha) < 1e-4
    safe_distance = tf.where(near_two, tf.ones_like(distance), distance)
    safe_alpha = tf.where(near_zero, tf.ones_like(alpha), alpha)
    # ((x + 1)^a - 1) / a by expm1 and log1p, exact for small errors too.
    logarithm = tf.math.log1p(square / safe_distance)
    general = safe_distance / safe_alpha * tf.math.expm1(0.5 * safe_alpha * logarithm)
    limit = tf.where(near_two, 0.5 * square, tf.math.log1p(0.5 * square))
    return tf.reduce_mean(scale * scale * tf.where(near_two | near_zero, limit, general), axis=-1)


def exponential_poisson(y_true, raw_prediction):
    r"""Poisson loss of each sample from raw predictions, for an exponential head.

    .. math:: \ell(y, z) = e^z - y z

    The negative log-likelihood of counts, but for what does not depend on the prediction. Beyond z = 30 it goes on
    as a straight line: no overflow, and still a gradient.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_outputs)
        Counts, from 0.
    raw_prediction : float tensor, shape (n_samples, n_outputs)
        Logarithm of the mean; any real numbers.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs, in nats; least at z = log(y), not 0 there.

    References
    ----------
    Nelder and Wedderburn (1972), Generalized Linear Models, doi:10.2307/2344614

    Examples
    --------
    >>> exponential_poisson(tf.constant([[2.0]]), tf.constant([[0.0]])).numpy().tolist()
    [1.0]
    """
    return tf.reduce_mean(bounded_exponential(raw_prediction) - y_true * raw_prediction, axis=-1)


def bounded_exponential(z, bound=30.0):
    """Return exp(z), beyond the bound its tangent."""
    inside = tf.minimum(z, bound)
    return tf.exp(inside) * (1.0 + z - inside)


def gaussian_nll(y_true, raw_prediction):
    r"""Negative log-likelihood of each sample under a normal distribution that is predicted for it.

    .. math:: \ell(y, m, v) = \tfrac12 \log(2 \pi v) + \frac{(y - m)^2}{2 v}

    The first half of the raw prediction is the mean m, the second gives the variance :math:`v = \log(1 + e^z) +
    10^{-6}`. A sample whose variance is predicted large pulls little on the mean: noise that differs between samples
    is learned instead of followed.

    Parameters
    ----------
    y_true : float tensor, shape (n_samples, n_outputs)
        Targets; any real numbers.
    raw_prediction : float tensor, shape (n_samples, 2 n_outputs)
        Any real numbers.

    Returns
    -------
    float tensor, shape (n_samples,)
        Mean over outputs, in nats; below 0 where the density is above 1.

    References
    ----------
    Nix and Weigend (1994), Estimating the Mean and Variance of the Target Probability Distribution,
    doi:10.1109/ICNN.1994.374138

    Examples
    --------
    At z = log(e - 1) the variance is 1; with no error the loss is half of log(2 pi).

    >>> value = gaussian_nll(tf.constant([[0.0]]), tf.constant([[0.0, 0.5413249]]))
    >>> value.numpy().astype(float).round(4).tolist()
    [0.9189]
    """
    mean, raw_variance = tf.split(raw_prediction, 2, axis=-1)
    variance = tf.math.softplus(raw_variance) + LEAST_VARIANCE
    deviation = tf.square(y_true - mean) / variance
    return 0.5 * tf.reduce_mean(math.log(2.0 * math.pi) + tf.math.log(variance) + deviation, axis=-1)
