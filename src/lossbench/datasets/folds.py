"""Assigns rows to the folds of a repeated cross-validation."""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedGroupKFold

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


@dataclass(frozen=True)
class Rows:
    """What decides which rows may be in a fold together.

    Attributes
    ----------
    y : array
        The targets of all rows.
    by_class : bool
        Whether each fold gets each class in proportion.
    groups : int array, shape (n_rows,), or None
        Rows of one group are all trained on or all tested.
    times : int array, shape (n_rows,), or None
        Rows are tested by what was learned from earlier ones.
    """

    y: np.ndarray
    by_class: bool
    groups: np.ndarray | None = None
    times: np.ndarray | None = None


def fold_rows(rows: Rows, settings: FoldsSettings, place: tuple[int, int], validation: float) -> FoldRows:
    """Return the rows of a fold.

    Each repetition shuffles all rows and cuts them into parts that differ by at most one row, so two sizes, and two
    compiled programs, serve all folds. Groups make parts of other sizes; times are not shuffled.

    Parameters
    ----------
    place : (repetition, fold)
    validation : float
        Share of the rows that are not tested which is kept for validation: with times the last of them.
    """
    repetition, fold = place
    if rows.times is not None:
        return _later_rows(rows.times, settings.folds, fold, validation)
    if rows.groups is not None:
        return _other_groups(rows, settings, place, validation)
    order = ordered_rows(rows.y, [settings.seed, repetition], by_class=rows.by_class)
    first, end = (len(order) * i // settings.folds for i in (fold, fold + 1))
    # What follows the fold comes first, so that the validation rows are others in each fold.
    return _with_validation(np.concatenate([order[end:], order[:first]]), order[first:end], validation)


def all_rows(rows: Rows, settings: FoldsSettings, validation: float) -> FoldRows:
    """Return all rows to train on, but for a share for validation; none is left to judge."""
    if rows.times is not None:
        order = np.argsort(rows.times, kind="stable")
    else:
        order = ordered_rows(rows.y, [settings.seed, 0], by_class=rows.by_class)
    return _with_validation(order, order[:0], validation)


@dataclass(frozen=True)
class PairRows:
    """The rows of a training that leaves out two folds of a repetition, as indices into the data.

    Attributes
    ----------
    train, validation : int array
        As in ``FoldRows``; none is of the two folds.
    first, second : int array
        The rows of each fold.
    """

    train: np.ndarray
    validation: np.ndarray
    first: np.ndarray
    second: np.ndarray


def pair_rows(
    rows: Rows, settings: FoldsSettings, repetition: int, folds: tuple[int, int], validation: float
) -> PairRows:
    """Return the rows of a training that leaves out two folds.

    Without groups all pairs of all repetitions have the same sizes, so that one compiled program serves them: up to one
    row of each fold and two training rows are not used.
    """
    first, second = (fold_rows(rows, settings, (repetition, fold), 0.0).test for fold in folds)
    order = ordered_rows(rows.y, [settings.seed, repetition], by_class=rows.by_class)
    rest = order[~np.isin(order, np.concatenate([first, second]))]
    if rows.groups is not None:
        return PairRows(*_groups_for_validation(rows.groups, rest, validation, repetition), first, second)
    least, n_train = len(order) // settings.folds, len(order) - 2 * -(-len(order) // settings.folds)
    found = _with_validation(rest[:n_train], rest[:0], validation)
    return PairRows(found.train, found.validation, first[:least], second[:least])


def _groups_for_validation(
    groups: np.ndarray, rest: np.ndarray, share: float, state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows into those to train on and those of some groups for validation."""
    if not share:
        return rest, rest[:0]
    train, kept = next(GroupShuffleSplit(1, test_size=share, random_state=state).split(rest, groups=groups[rest]))
    return rest[train], rest[kept]


def _with_validation(rest: np.ndarray, test: np.ndarray, share: float) -> FoldRows:
    n_train = len(rest) - round(share * len(rest))
    return FoldRows(rest[:n_train], rest[n_train:], test)


def _later_rows(times: np.ndarray, n_folds: int, fold: int, validation: float) -> FoldRows:
    """Return the rows of a part of the times to judge, and all earlier ones to train on (expanding windows)."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    # Rows of one time stay together: a part begins with the first of them.
    first, end = (
        int(np.searchsorted(ordered, ordered[len(order) * i // (n_folds + 1)])) if i <= n_folds else len(order)
        for i in (fold + 1, fold + 2)
    )
    return _with_validation(order[:first], order[first:end], validation)


def _other_groups(rows: Rows, settings: FoldsSettings, place: tuple[int, int], validation: float) -> FoldRows:
    repetition, fold = place
    state = int(np.random.SeedSequence([settings.seed, repetition]).generate_state(1)[0])
    kind = StratifiedGroupKFold if rows.by_class else GroupKFold
    splitter = kind(settings.folds, shuffle=True, random_state=state)
    splits = splitter.split(np.empty(len(rows.y)), rows.y if rows.by_class else None, rows.groups)
    rest, test = list(splits)[fold]
    assert rows.groups is not None
    return FoldRows(*_groups_for_validation(rows.groups, rest, validation, state), test)
