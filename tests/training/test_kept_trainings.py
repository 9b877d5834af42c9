"""Losses that are one function are trained once."""

import pytest
from support.trainings import bits, pair_of, setting

from lossbench.training import kept_trainings
from lossbench.training.compiled import train_compiled
from lossbench.training.kept_trainings import trained_once

FAMILY = ("categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence")


class Counted:
    """The compiled trainer, and how often it was called."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, *given):
        self.n_calls += 1
        return train_compiled(*given)


@pytest.fixture
def counted():
    return Counted()


def test_the_losses_of_a_function_are_trained_once_and_are_what_each_would_be_alone(counted):
    train = trained_once(counted)
    for loss in FAMILY:
        structure, data, hyperparameters = setting(pair_of(loss, "softmax", "multiclass"))
        assert bits(train(structure, data, hyperparameters, 3)) == bits(
            train_compiled(structure, data, hyperparameters, 3)
        )
    assert counted.n_calls == 1


@pytest.mark.parametrize(
    ("first", "second", "seeds"),
    [
        ({}, {"data_seed": 1}, (0, 0)),
        ({}, {"loss": {"label_smoothing": 0.1}}, (0, 0)),
        ({}, {"epochs": 2}, (0, 0)),
        ({}, {}, (0, 1)),
    ],
    ids=["other data", "another parameter", "other epochs", "another seed"],
)
def test_another_training_is_not_taken_for_it(counted, first, second, seeds):
    train, made = trained_once(counted), pair_of(FAMILY[0], "softmax", "multiclass")
    for given, seed in zip((first, second), seeds, strict=True):
        train(*setting(made, **given), seed)
    assert counted.n_calls == 2


def test_what_no_other_loss_shares_is_not_kept(counted):
    train = trained_once(counted)
    for _ in range(2):
        train(*setting(pair_of("mean_squared_error", "linear", "regression")), 0)
    assert counted.n_calls == 2


def test_the_oldest_are_forgotten_where_there_are_too_many(counted, monkeypatch):
    train, given = trained_once(counted), setting(pair_of(FAMILY[0], "softmax", "multiclass"))
    monkeypatch.setattr(kept_trainings, "MOST_BYTES", 1.5 * train(*given, 0).n_bytes)
    train(*given, 1)
    train(*given, 1)
    assert counted.n_calls == 2
    train(*given, 0)
    assert counted.n_calls == 3
