"""The trainings of a study: which rows each has, and which judge it."""

import numpy as np
import pytest

from lossbench.tuning.folds import repeated_folds


def folds(n: int, k: int, repetitions: int = 1, **options):
    return repeated_folds(np.arange(n), k, repetitions, options.pop("seeds", [1000]), by_class=False, **options)


@pytest.mark.parametrize(("n", "k"), [(10, 5), (11, 5), (14, 5), (2, 2), (7, 7)])
def test_every_row_is_judged_at_most_once_in_a_repetition_by_a_training_without_it(n, k):
    judged = []
    for training in folds(n, k):
        (part,) = training.parts.values()
        assert sorted([*training.rows, *part]) == list(range(n))
        judged += list(part)
    assert len(set(judged)) == len(judged) == n // k * k
    # One compiled program serves all.
    assert len({len(training.rows) for training in folds(n, k)}) == 1


def test_repetitions_deal_the_rows_anew_and_a_later_first_one_gives_others():
    both, later = folds(20, 5, 2), folds(20, 5, first=2)
    parts = [tuple(next(iter(t.parts.values()))) for t in (*both, *later)]
    assert len(set(parts)) == 15
    names = [next(iter(t.parts)) for t in (*both, *later)]
    assert names == [f"{r}.{k}" for r in (1, 2, 3) for k in (1, 2, 3, 4, 5)]
    assert [t.rows.tolist() for t in folds(20, 5, first=1)] == [t.rows.tolist() for t in both[5:]]


def test_seeds_are_taken_in_turn():
    assert [t.seed for t in folds(20, 3, 2, seeds=[7, 8])] == [7, 8, 7, 8, 7, 8]
    assert [t.seed for t in folds(20, 5, 2, seeds=list(range(10)))] == list(range(10))


def test_every_fold_has_each_class_in_proportion():
    y = np.repeat([0, 1], [90, 10])
    for training in repeated_folds(y, 5, 2, [0], by_class=True):
        (part,) = training.parts.values()
        assert 1 <= y[part].sum() <= 3
