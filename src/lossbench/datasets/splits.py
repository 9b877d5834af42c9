"""Assigns rows to the training, validation and test splits."""

import numpy as np

from lossbench.config.settings import SplitSettings
from lossbench.datasets.catalogue import SPLITS, split_counts


def ordered_rows(y: np.ndarray, seed: int | list[int] | None, *, by_class: bool) -> np.ndarray:
    """Return row indices in the order in which the splits take them.

    Without a seed the rows keep their order. With ``by_class`` the shuffled rows of each class are spread evenly over
    the whole order. Every consecutive part of it, and so every split, has each class in about the same proportion.
    """
    if seed is None:
        return np.arange(len(y))
    rng = np.random.default_rng(seed)
    if not by_class:
        return rng.permutation(len(y))
    position = np.empty(len(y))
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        # The k-th of n rows of a class gets a random place within the k-th n-th part of the order.
        position[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return np.argsort(position, kind="stable")


def split_slices(split: SplitSettings, n_samples: int) -> dict[str, slice]:
    """Return the slice of the ordered rows that each split takes; empty splits are absent.

    Raises
    ------
    ValueError
        If the splits take more samples than there are.
    """
    counts = split_counts(split, n_samples)
    if sum(counts) > n_samples:
        raise ValueError(f"dataset.split takes {sum(counts)} samples; the loaded data has {n_samples}")
    edges = np.cumsum([0, *counts])
    return {name: slice(int(edges[i]), int(edges[i + 1])) for i, name in enumerate(SPLITS) if counts[i]}
