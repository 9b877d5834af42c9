"""Which rows train, choose and judge."""

import numpy as np

from lossbench.config.settings import SplitSettings
from lossbench.datasets.catalogue import SPLITS, split_counts


def ordered_rows(y: np.ndarray, seed: int | None, *, by_class: bool) -> np.ndarray:
    """Return the rows in the order in which the splits take them.

    Shuffled by class, every stretch of rows has each class in its share: the rows of a class are spread evenly.
    """
    if seed is None:
        return np.arange(len(y))
    rng = np.random.default_rng(seed)
    if not by_class:
        return rng.permutation(len(y))
    position = np.empty(len(y))
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        position[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return np.argsort(position, kind="stable")


def split_slices(split: SplitSettings, n_samples: int) -> dict[str, slice]:
    """Return where each split that is not empty lies among the ordered rows.

    Raises
    ------
    ValueError
        If it takes more samples than there are.
    """
    counts = split_counts(split, n_samples)
    if sum(counts) > n_samples:
        raise ValueError(f"dataset.split takes {sum(counts)} samples; what was loaded has {n_samples}")
    edges = np.cumsum([0, *counts])
    return {name: slice(int(edges[i]), int(edges[i + 1])) for i, name in enumerate(SPLITS) if counts[i]}
