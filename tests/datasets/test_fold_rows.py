"""The rows of the folds of a cross-validation, and the data that they make."""

import itertools

import numpy as np
import pytest
from support.settings import dataset_settings

from lossbench.config.settings import FoldsSettings
from lossbench.datasets.folds import Rows, all_rows, fold_rows
from lossbench.datasets.loading import load, load_fold

FOLDS = FoldsSettings(name="folds", repetitions=2, folds=5, seed=0)


def rows_of(y, *, by_class=False, validation=0.0, folds=FOLDS, groups=None, times=None):
    places = [(repetition, fold) for repetition in range(folds.repetitions) for fold in range(folds.folds)]
    return {place: fold_rows(Rows(y, by_class, groups, times), folds, place, validation) for place in places}


@pytest.mark.parametrize("n", [5, 23, 100])
def test_every_row_is_tested_once_a_repetition_and_never_trained_on_then(n):
    found = rows_of(np.arange(float(n)))
    for repetition in (0, 1):
        own = [rows for (r, _), rows in found.items() if r == repetition]
        assert sorted(np.concatenate([rows.test for rows in own])) == list(range(n))
        for rows in own:
            assert sorted([*rows.train, *rows.test]) == list(range(n))
        sizes = {len(rows.test) for rows in own}
        assert max(sizes) - min(sizes) <= 1


def test_repetitions_and_seeds_shuffle_anew():
    y = np.arange(100.0)
    found = rows_of(y)
    other = rows_of(y, folds=FoldsSettings(name="folds", repetitions=2, folds=5, seed=1))
    tests = [frozenset(rows.test) for rows in [*found.values(), *other.values()]]
    assert len(set(tests)) == 20
    more = rows_of(y, folds=FoldsSettings(name="folds", repetitions=3, folds=5, seed=0))
    assert all(np.array_equal(more[place].train, rows.train) for place, rows in found.items())


def test_classes_are_in_proportion_in_every_part():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    for rows in rows_of(y, by_class=True, validation=0.25).values():
        counts = np.bincount(y[rows.test], minlength=3)
        assert np.all(np.abs(counts - [12, 6, 2]) <= 1)
        counts = np.bincount(y[rows.validation], minlength=3)
        assert np.all(np.abs(counts - [12, 6, 2]) <= 1)


def test_validation_rows_are_a_share_of_those_that_are_not_tested():
    y = np.arange(100.0)
    for rows in rows_of(y, validation=0.25).values():
        assert (len(rows.train), len(rows.validation), len(rows.test)) == (60, 20, 20)
        assert not set(rows.validation) & {*rows.train, *rows.test}
    rows = all_rows(Rows(y, False), FOLDS, 0.25)
    assert (len(rows.train), len(rows.validation), len(rows.test)) == (75, 25, 0)


def test_scalers_are_fitted_on_the_training_rows_of_the_fold():
    settings = dataset_settings("diabetes")
    digests = set()
    for place in ((0, 0), (0, 1), (1, 0)):
        data = load_fold(settings, FOLDS, place)
        train = data.splits["train"]
        np.testing.assert_allclose(train.x.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(train.y.std(), 1, rtol=1e-6)
        assert abs(data.splits["test"].x.mean()) > 1e-4
        digests.add(data.digest)
    assert len(digests) == 1


def test_a_folds_rows_are_those_that_it_names():
    unscaled = dataset_settings("diabetes", standardize={"x": "none", "y": "none"})
    whole = load_fold(unscaled, FOLDS, None).splits["train"]
    data = load_fold(unscaled, FOLDS, (1, 3))
    order = all_rows(Rows(whole.y[:, 0], False), FOLDS, 0.0).train
    in_file = np.empty_like(whole.y)
    in_file[order] = whole.y
    np.testing.assert_array_equal(data.splits["test"].y, in_file[data.test_rows])


def test_the_setting_of_the_split_has_no_say_but_for_validation():
    whole = {"train": 0.5, "validation": 0, "test": 0.5}
    one, other = (load_fold(dataset_settings("iris", split=split), FOLDS, (0, 2)) for split in (whole, {"seed": 9}))
    np.testing.assert_array_equal(one.splits["train"].x, other.splits["train"].x)
    assert set(load(dataset_settings("iris", split=whole)).splits) == set(one.splits) == {"train", "test"}


@pytest.mark.parametrize("by_class", [True, False])
@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_groups_stay_together(by_class, validation):
    rng = np.random.default_rng(3)
    groups, y = rng.integers(0, 20, 200), rng.integers(0, 2, 200)
    tested = []
    for rows in rows_of(y, by_class=by_class, validation=validation, groups=groups).values():
        parts = [set(groups[part]) for part in (rows.train, rows.validation, rows.test)]
        assert not parts[0] & parts[2]
        assert not (parts[0] | parts[2]) & parts[1]
        assert bool(parts[1]) == bool(validation)
        tested.append(rows.test)
    assert sorted(np.concatenate(tested[:5])) == sorted(np.concatenate(tested[5:])) == list(range(200))
    assert {frozenset(groups[rows]) for rows in tested[:5]} != {frozenset(groups[rows]) for rows in tested[5:]}


def test_times_are_judged_by_what_was_learned_before():
    rng = np.random.default_rng(4)
    times = rng.integers(0, 40, 240)
    once = FoldsSettings(name="folds", repetitions=1, folds=5, seed=0)
    found = list(rows_of(np.zeros(240), folds=once, times=times, validation=0.2).values())
    for rows in found:
        assert times[rows.train].max() <= times[rows.validation].min()
        assert times[rows.validation].max() < times[rows.test].min()
    for earlier, later in itertools.pairwise(found):
        assert times[earlier.test].max() < times[later.test].min()
        assert len(later.train) > len(earlier.train)
    assert times[found[-1].test].max() == times.max()
