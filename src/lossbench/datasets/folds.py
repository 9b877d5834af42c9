"""Assigns rows to the folds of a repeated cross-validation."""

from dataclasses import dataclass

import numpy as np

from lossbench.config.settings import FoldsSettings
from lossbench.datasets.splits import ordered_rows


@dataclass(frozen=True)
class FoldRows:
    """The rows of one fold, as indices into the data.

    Attributes
    ----------
    train, validation, test : int array
        The rows to train on, those that choose the epoch or calibrate (may be empty), and those that judge.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def fold_rows(
    y: np.ndarray, settings: FoldsSettings, place: tuple[int, int], validation: float, *, by_class: bool
) -> FoldRows:
    """Return the rows of a fold.

    Each repetition shuffles all rows, with ``by_class`` so that each fold has each class in proportion, and cuts them
    into parts that differ by at most one row. So two sizes, and two compiled programs, serve all folds.

    Parameters
    ----------
    y : array
        Targets of all rows.
    place : (repetition, fold)
    validation : float
        Share of the rows that are not tested which is kept for validation.
    by_class : bool
        Whether to stratify.
    """
    repetition, fold = place
    order = ordered_rows(y, [settings.seed, repetition], by_class=by_class)
    first, end = (len(order) * i // settings.folds for i in (fold, fold + 1))
    # What follows the fold comes first, so that the validation rows are others in each fold.
    return _with_validation(np.concatenate([order[end:], order[:first]]), order[first:end], validation)


def all_rows(y: np.ndarray, settings: FoldsSettings, validation: float, *, by_class: bool) -> FoldRows:
    """Return all rows to train on, but for a share for validation; none is left to judge."""
    order = ordered_rows(y, [settings.seed, 0], by_class=by_class)
    return _with_validation(order, order[:0], validation)


def _with_validation(rest: np.ndarray, test: np.ndarray, share: float) -> FoldRows:
    n_train = len(rest) - round(share * len(rest))
    return FoldRows(rest[:n_train], rest[n_train:], test)
