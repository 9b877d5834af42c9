"""Generators of data sets that scikit-learn does not have, with the same interface as its own.

``count_means``, ``ordinal_scores`` and ``share_means`` return the noise-free part of the same data, for ``optima``.
They draw the same random numbers again, in the same order.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import softmax


def make_spirals(n_samples: int, turns: float, noise: float, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two noisy intertwined spirals: x of shape (n_samples, 2), classes of shape (n_samples,)."""
    rng = np.random.default_rng(random_state)
    y = rng.permutation(np.arange(n_samples) % 2)
    # The square root spreads the samples evenly along the spiral.
    way = np.sqrt(rng.random(n_samples))
    angle = 2 * np.pi * turns * way + np.pi * y
    x = way[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + noise * rng.normal(size=x.shape), y


def make_counts(n_samples: int, n_features: int, mean: float, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Poisson counts: x of shape (n_samples, n_features), counts of shape (n_samples,).

    The logarithm of a count's mean is linear in the features: log(mean) plus a normal term with standard deviation 0.5.
    """
    rng, x, direction = _features(n_samples, n_features, random_state)
    return x, rng.poisson(mean * np.exp(0.5 * x @ direction)).astype(np.float64)


def count_means(x: np.ndarray, parameters: Mapping[str, Any]) -> np.ndarray:
    """Return the means of the counts that ``make_counts`` draws for these features, shape (n_samples,)."""
    _, _, direction = _features(**_shape(parameters))
    return parameters["mean"] * np.exp(0.5 * x @ direction)


def make_ordinal(
    n_samples: int, n_features: int, n_classes: int, noise: float, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return ordered classes of about equal size: x of shape (n_samples, n_features), classes of shape (n_samples,)."""
    rng, x, direction = _features(n_samples, n_features, random_state)
    score = x @ direction + noise * rng.normal(size=n_samples)
    return x, np.digitize(score, _cuts(score, n_classes))


def ordinal_scores(x: np.ndarray, parameters: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the noise-free scores of ``make_ordinal``, shape (n_samples,), and the cuts between its classes."""
    rng, all_x, direction = _features(**_shape(parameters))
    noisy = all_x @ direction + parameters["noise"] * rng.normal(size=len(all_x))
    return x @ direction, _cuts(noisy, parameters["n_classes"])


def make_two_modes(n_samples: int, share: float, noise: float, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x of shape (n_samples, 1) and targets 1 + x^2, negated with probability ``share``, plus normal noise."""
    rng = np.random.default_rng(random_state)
    x = rng.uniform(-1, 1, size=(n_samples, 1))
    sign = np.where(rng.random(n_samples) < share, -1.0, 1.0)
    return x, sign * (1 + x[:, 0] ** 2) + noise * rng.normal(size=n_samples)


def make_shares(
    n_samples: int, n_features: int, n_outputs: int, concentration: float, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return x of shape (n_samples, n_features) and shares of shape (n_samples, n_outputs) that sum to 1.

    The shares are drawn from Dirichlet distributions whose means are the softmax of linear scores of the features.
    """
    rng, x, scores = _features(n_samples, n_features, random_state, n_outputs)
    # Gamma variables divided by their sum are Dirichlet distributed. The floor prevents a division by 0: with a small
    # concentration all of them can underflow.
    drawn = np.maximum(rng.gamma(concentration * softmax(x @ scores, axis=1)), 1e-300)
    return x, drawn / drawn.sum(axis=1, keepdims=True)


def share_means(x: np.ndarray, parameters: Mapping[str, Any]) -> np.ndarray:
    """Return the means of the shares that ``make_shares`` draws for these features, shape (n_samples, n_outputs)."""
    _, _, scores = _features(**_shape(parameters), n_outputs=parameters["n_outputs"])
    return softmax(x @ scores, axis=1)


def _features(
    n_samples: int, n_features: int, random_state: int, n_outputs: int = 0
) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """Return a random generator, normal features, and a random direction of length 1 in feature space.

    The generator has drawn the features and the direction already, so callers draw their noise next. With ``n_outputs``
    there is one direction for each output: shape (n_features, n_outputs).
    """
    rng = np.random.default_rng(random_state)
    x = rng.normal(size=(n_samples, n_features))
    direction = rng.normal(size=(n_features, n_outputs) if n_outputs else n_features)
    return rng, x, direction / np.linalg.norm(direction, axis=0)


def _shape(parameters: Mapping[str, Any]) -> dict[str, int]:
    return {name: parameters[name] for name in ("n_samples", "n_features", "random_state")}


def _cuts(score: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the quantiles of the scores that divide them into classes of equal size."""
    return np.quantile(score, np.arange(1, n_classes) / n_classes)
