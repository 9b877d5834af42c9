"""Data that no library makes: functions of their settings and a random state, as scikit-learn's are."""

import numpy as np


def make_spirals(n_samples: int, turns: float, noise: float, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two noisy spirals around each other; x of shape (n_samples, 2), classes of shape (n_samples,)."""
    rng = np.random.default_rng(random_state)
    y = rng.permutation(np.arange(n_samples) % 2)
    # The square root spreads the samples evenly along the spiral.
    way = np.sqrt(rng.random(n_samples))
    angle = 2 * np.pi * turns * way + np.pi * y
    x = way[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + noise * rng.normal(size=x.shape), y


def make_counts(n_samples: int, n_features: int, mean: float, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Poisson counts; x of shape (n_samples, n_features), counts of shape (n_samples,).

    The logarithm of a count's mean is log(mean) plus a normal number of deviation 0.5, linear in the features.
    """
    rng = np.random.default_rng(random_state)
    x = rng.normal(size=(n_samples, n_features))
    direction = rng.normal(size=n_features)
    score = 0.5 * x @ (direction / np.linalg.norm(direction))
    return x, rng.poisson(mean * np.exp(score)).astype(np.float64)


def make_ordinal(
    n_samples: int, n_features: int, n_classes: int, noise: float, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return classes in an order, of about equal size; x of shape (n_samples, n_features), classes (n_samples,)."""
    rng = np.random.default_rng(random_state)
    x = rng.normal(size=(n_samples, n_features))
    direction = rng.normal(size=n_features)
    score = x @ (direction / np.linalg.norm(direction)) + noise * rng.normal(size=n_samples)
    return x, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def make_two_modes(n_samples: int, share: float, noise: float, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return targets 1 + x^2, or with the chance ``share`` its negative; x of shape (n_samples, 1)."""
    rng = np.random.default_rng(random_state)
    x = rng.uniform(-1, 1, size=(n_samples, 1))
    sign = np.where(rng.random(n_samples) < share, -1.0, 1.0)
    return x, sign * (1 + x[:, 0] ** 2) + noise * rng.normal(size=n_samples)
