"""The best predictions that each generator allows, computed from its own formulas and noise distribution.

Each function takes the features, before scaling, and the generator's parameters. It returns the ``mean`` and ``median``
of the targets given the features, of shape (n_samples, n_outputs), or the ``probability`` of each class, of shape
(n_samples, n_classes). Statistics without a formula are absent; without noise some functions return nothing, because
their densities do not exist.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtr
from scipy.stats import poisson
from sklearn.datasets import make_blobs, make_regression

from lossbench.datasets.generators import count_means, ordinal_scores, share_means

Optimum = dict[str, np.ndarray]
# A class that is spread evenly over a curve is approximated by this many points on it.
CURVE_POINTS = 500


def of_regression(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the targets of ``make_regression`` without their noise."""
    _, _, coefficients = make_regression(**parameters, coef=True)
    mean = x @ coefficients.reshape(x.shape[1], -1)
    return {"mean": mean, "median": mean}


def of_friedman1(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return Friedman's formula without the noise."""
    mean = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return {"mean": mean[:, None], "median": mean[:, None]}


def of_counts(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the mean and the median of each sample's Poisson distribution."""
    mean = count_means(x, parameters)[:, None]
    return {"mean": mean, "median": poisson.median(mean)}


def of_two_modes(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the mean of the target, which lies between the two modes and near neither."""
    return {"mean": (1 - 2 * parameters["share"]) * (1 + x**2)}


def of_shares(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the mean of each sample's Dirichlet distribution."""
    return {"mean": share_means(x, parameters)}


def of_ordinal(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the probability of each class: that of the score plus noise lying between the cuts of the class."""
    if parameters["noise"] == 0:
        return {}
    clean, cuts = ordinal_scores(x, parameters)
    below = ndtr((cuts[None, :] - clean[:, None]) / parameters["noise"])
    edges = np.hstack([np.zeros((len(x), 1)), below, np.ones((len(x), 1))])
    return {"probability": np.diff(edges, axis=1)}


def of_blobs(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the probability of each cluster; all are equally frequent and have the same standard deviation."""
    _, _, centers = make_blobs(**parameters, return_centers=True)
    return _of_points(x, [center[None, :] for center in centers], parameters["cluster_std"])


def of_circles(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the probability of the outer and of the inner circle."""
    angle = np.linspace(0, 2 * np.pi, CURVE_POINTS, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _of_points(x, [circle, parameters["factor"] * circle], parameters["noise"])


def of_moons(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the probability of each half circle."""
    angle = np.linspace(0, np.pi, CURVE_POINTS)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _of_points(x, [upper, [1.0, 0.5] - upper], parameters["noise"])


def of_spirals(x: np.ndarray, parameters: Mapping[str, Any]) -> Optimum:
    """Return the probability of each spiral."""
    # As in ``make_spirals``, the radius is the square root of a uniform number.
    way = np.sqrt((np.arange(CURVE_POINTS) + 0.5) / CURVE_POINTS)
    angle = 2 * np.pi * parameters["turns"] * way
    spiral = way[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _of_points(x, [spiral, -spiral], parameters["noise"])


def _of_points(x: np.ndarray, points: list[np.ndarray], deviation: float) -> Optimum:
    """Return the probability of each class: equally frequent classes, each a set of points plus normal noise."""
    if deviation == 0:
        return {}

    def log_density(of_class: np.ndarray) -> np.ndarray:
        distance = ((x[:, None, :] - of_class[None, :, :]) ** 2).sum(axis=-1)
        return logsumexp(-0.5 * distance / deviation**2, axis=1) - np.log(len(of_class))

    density = np.stack([log_density(np.asarray(of_class)) for of_class in points], axis=1)
    return {"probability": np.exp(density - logsumexp(density, axis=1, keepdims=True))}
