"""The trainings of which a study makes one for each rate: their rows, and the rows that judge them. Pure.

A study is a list of trainings, and a choice reads some of the values that these give. For runs that differ in their
seed there is one choice, which reads all of them. In a cross-validation each fold has a choice of its own, from rows
that it does not judge: a training that leaves out two folds is judged on the second for the choice of the first, and on
the first for the choice of the second. So each repetition needs a training for each pair of its folds.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np

from lossbench.config.settings import FoldsSettings
from lossbench.datasets.folds import Rows, pair_rows
from lossbench.datasets.splits import ordered_rows


@dataclass(frozen=True)
class Training:
    """One training of each rate.

    Attributes
    ----------
    rows : int array
        The rows to train on.
    validation : int array
        The rows by which an epoch is chosen; none unless the study is one of a cross-validation.
    parts : dict
        The rows that judge it, by the name of the value that they give; all values of a study have different names.
    seed : int
        Fixes initial weights, batch order and noise.
    """

    rows: np.ndarray
    parts: dict[str, np.ndarray]
    seed: int
    validation: np.ndarray = field(default_factory=lambda: np.arange(0))


def repeated_folds(
    y: np.ndarray, n_folds: int, n_repetitions: int, seeds: list[int], *, by_class: bool, first: int = 0
) -> list[Training]:
    """Return the trainings of repeated cross-validation, each judged on the fold that it leaves out.

    All folds have the same number of rows, so that one compiled program serves them; up to ``n_folds - 1`` rows of a
    repetition are in every training.

    Parameters
    ----------
    y : array, shape (n_rows, ...)
        The targets.
    seeds : list of int
        Taken in turn, one for each training.
    by_class : bool
        Whether every fold gets each class in proportion.
    first : int
        The number of the first repetition: another number gives other folds.

    Returns
    -------
    list of Training
        The value of repetition 2, fold 3 is named ``2.3``.

    Examples
    --------
    >>> trainings = repeated_folds(np.arange(7), 3, 1, [1000, 1001], by_class=False)
    >>> [(list(training.parts), len(training.rows), training.seed) for training in trainings]
    [(['1.1'], 5, 1000), (['1.2'], 5, 1001), (['1.3'], 5, 1000)]
    """
    size = len(y) // n_folds
    found: list[Training] = []
    for repetition in range(first, first + n_repetitions):
        order = ordered_rows(y, repetition, by_class=by_class)
        for fold in range(n_folds):
            judged = order[fold * size : (fold + 1) * size]
            seed = seeds[(repetition * n_folds + fold) % len(seeds)]
            rows = np.setdiff1d(np.arange(len(y)), judged)
            found.append(Training(rows, {f"{repetition + 1}.{fold + 1}": np.sort(judged)}, seed))
    return found


def pairs_of_folds(
    rows: Rows, settings: FoldsSettings, repetition: int, seeds: list[int], validation: float
) -> list[Training]:
    """Return the trainings of one repetition of a cross-validation: one for each pair of folds, judged on both.

    The value by which fold 2 of repetition 1 chooses, judged on fold 3, is named ``1.2.3``.

    Parameters
    ----------
    seeds : list of int
        Taken in turn, one for each training.
    validation : float
        Share of the rows to train on by which an epoch is chosen instead.
    """
    found: list[Training] = []
    for i, j in itertools.combinations(range(settings.folds), 2):
        own = pair_rows(rows, settings, repetition, (i, j), validation)
        parts = {_name(repetition, i, j): own.second, _name(repetition, j, i): own.first}
        found.append(Training(own.train, parts, seeds[len(found) % len(seeds)], own.validation))
    return found


def names_of_fold(settings: FoldsSettings, repetition: int, fold: int) -> list[str]:
    """Return the names of the values by which a fold chooses: on every other fold of its repetition."""
    return [_name(repetition, fold, other) for other in range(settings.folds) if other != fold]


def _name(repetition: int, fold: int, judged_on: int) -> str:
    return f"{repetition + 1}.{fold + 1}.{judged_on + 1}"
