"""What is made worse about a run's training split, and about nothing else: validation and test stay clean.

Drawn from the run's own ``noise`` stream, so that all losses of a seed get the same data and seeds get different ones.
What is drawn does not depend on how much is asked for: the samples of a smaller rate are among those of a larger one,
and what becomes of them is the same.
"""

from dataclasses import replace

import numpy as np

from lossbench.config.settings import CorruptionSettings, ImbalanceSettings, LabelNoiseSettings, OutliersSettings
from lossbench.datasets.loading import Part
from lossbench.ground.seeds import stream


def corrupted(settings: CorruptionSettings, part: Part, n_classes: int, seed: int) -> Part:
    """Return a training split as the run of a seed gets it; the split itself where nothing is corrupted.

    Parameters
    ----------
    settings : CorruptionSettings
        The cell's.
    part : Part
        The clean training split.
    n_classes : int
        0 for numbers.
    seed : int
        Of the run. Another one gives other rows of the same number.
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
    """Return which rows of the clean training split a run trains on, in order: all, but for ``imbalance``."""
    if not isinstance(settings, ImbalanceSettings):
        return np.arange(len(y))
    rare = n_classes - 1 if settings.rare_class is None else settings.rare_class
    of_class = stream(seed, "noise").permutation(np.flatnonzero(y == rare))
    # One sample at least, so that the class is there; the same number for every seed, so that shapes are too.
    kept = of_class[: max(1, round(settings.share * len(of_class)))]
    return np.sort(np.concatenate([np.flatnonzero(y != rare), kept]))


def _exchange_labels(
    settings: LabelNoiseSettings, y: np.ndarray, n_classes: int, rng: np.random.Generator
) -> np.ndarray:
    """Return classes of which a share is exchanged for another one, each other with the same chance."""
    rows = rng.permutation(len(y))[: round(settings.rate * len(y))]
    steps = rng.integers(1, n_classes, size=len(y), dtype=y.dtype)
    exchanged = y.copy()
    exchanged[rows] = (y[rows] + steps[rows]) % n_classes
    return exchanged


def _add_outliers(settings: OutliersSettings, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return numbers of which a share is moved up or down, by so many standard deviations of the clean ones."""
    rows = rng.permutation(len(y))[: round(settings.rate * len(y))]
    signs = rng.choice(np.array([-1, 1], y.dtype), size=y.shape)
    moved = y.copy()
    moved[rows] += settings.scale * y.std(axis=0) * signs[rows]
    return moved
