"""Corruption of a run's training split: label noise, outliers, class imbalance. Validation and test stay clean.

Random numbers come from the run's ``noise`` stream: all losses with the same seed get the same data, and each seed gets
other data, so that intervals over seeds include the luck of the corruption. The numbers drawn do not depend on the
rate. A larger rate corrupts the samples of a smaller one in the same way, and more, so rates can be compared in pairs.
"""

from dataclasses import replace

import numpy as np

from lossbench.config.settings import CorruptionSettings, ImbalanceSettings, LabelNoiseSettings, OutliersSettings
from lossbench.datasets.loading import Part
from lossbench.ground.seeds import stream


def corrupted(settings: CorruptionSettings, part: Part, n_classes: int, seed: int) -> Part:
    """Return the training split of the run with a seed; the same object if the cell has no corruption.

    Parameters
    ----------
    settings : CorruptionSettings
        The cell's.
    part : Part
        The clean training split.
    n_classes : int
        0 for numbers.
    seed : int
        The run's seed. It changes which rows are corrupted or kept, never how many.
    """
    if isinstance(settings, LabelNoiseSettings):
        return replace(part, y=_exchange_labels(settings, part.y, n_classes, stream(seed, "noise")))
    if isinstance(settings, OutliersSettings):
        return replace(part, y=_add_outliers(settings, part.y, stream(seed, "noise")))
    if isinstance(settings, ImbalanceSettings):
        rows = kept_rows(settings, part.y, n_classes, seed)
        return Part(part.x[rows], part.y[rows], {key: values[rows] for key, values in part.optimum.items()})
    return part


def kept_rows(settings: CorruptionSettings, y: np.ndarray, n_classes: int, seed: int) -> np.ndarray:
    """Return the sorted indices of the clean rows that a run trains on: all, except with ``imbalance``."""
    if not isinstance(settings, ImbalanceSettings):
        return np.arange(len(y))
    rare = n_classes - 1 if settings.rare_class is None else settings.rare_class
    of_class = stream(seed, "noise").permutation(np.flatnonzero(y == rare))
    # At least one sample, so that the class occurs. The same number for every seed: all runs of a cell share one
    # compiled program, which has fixed shapes.
    kept = of_class[: max(1, round(settings.share * len(of_class)))]
    return np.sort(np.concatenate([np.flatnonzero(y != rare), kept]))


def _exchange_labels(
    settings: LabelNoiseSettings, y: np.ndarray, n_classes: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the classes with a share of them replaced, each by one of the others with equal probability."""
    rows = rng.permutation(len(y))[: round(settings.rate * len(y))]
    # Drawn for every row, not only the chosen ones: the draws of a row are then the same for every rate.
    steps = rng.integers(1, n_classes, size=len(y), dtype=y.dtype)
    exchanged = y.copy()
    exchanged[rows] = (y[rows] + steps[rows]) % n_classes
    return exchanged


def _add_outliers(settings: OutliersSettings, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the targets with a share of them moved up or down by ``scale`` standard deviations of the clean ones."""
    rows = rng.permutation(len(y))[: round(settings.rate * len(y))]
    # Drawn for every row; see ``_exchange_labels``.
    signs = rng.choice(np.array([-1, 1], y.dtype), size=y.shape)
    moved = y.copy()
    moved[rows] += settings.scale * y.std(axis=0) * signs[rows]
    return moved
