"""Studies of cross-validated cells: each fold chooses by rows that it does not judge."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.commands import run
from support.plans import plan

from lossbench.config.search_space import LEARNING_RATE
from lossbench.datasets.folds import Rows, fold_rows
from lossbench.datasets.loading import load_fold, rows_to_divide
from lossbench.ground.run_ids import RunId
from lossbench.jobs.prepare import PreparedCell
from lossbench.tuning.conclusion import conclude_folds
from lossbench.tuning.folds import names_of_fold, pairs_of_folds
from lossbench.tuning.study import prepared_study
from lossbench.tuning.study_files import Trial, read_outcome

SMALL = ["tune=learning_rate", "tune.trials=3", "tune.low=0.001", "tune.high=0.1", "tune.widen=false", "repeat.folds=3"]


def cell_of(*argv: str):
    return plan(*argv, *SMALL).cells[0]


@pytest.mark.parametrize("n_groups", [None, 12])
def test_no_choice_sees_a_row_that_its_fold_judges(n_groups):
    rng = np.random.default_rng(0)
    groups = None if n_groups is None else rng.integers(0, n_groups, 100)
    rows = Rows(rng.integers(0, 2, 100), True, groups)
    folds = cell_of("dataset=wine").settings.folds
    for repetition in (0, 1):
        trainings = pairs_of_folds(rows, folds, repetition, [1000, 1001], 0.2)
        tests = [set(fold_rows(rows, folds, (repetition, fold), 0.0).test) for fold in range(3)]
        for fold in range(3):
            for name in names_of_fold(folds, repetition, fold):
                (training,) = [each for each in trainings if name in each.parts]
                seen = {*training.rows, *training.validation, *training.parts[name]}
                assert not seen & tests[fold]
                assert set(training.parts[name]) <= tests[int(name.split(".")[2]) - 1]
        sizes = {(len(each.rows), *map(len, each.parts.values())) for each in trainings}
        assert groups is not None or len(sizes) == 1


def test_each_training_is_scaled_by_its_own_rows():
    study = prepared_study(cell_of("dataset=diabetes"), 1)
    for training in study.trainings:
        own = study.prepared(training)
        np.testing.assert_allclose(own.splits["train"].x.mean(axis=0), 0, atol=1e-6)
        assert set(own.splits) == {"train", "judging_1", "judging_2"}
        judged = rows_to_divide(study.cell.settings.dataset).y[next(iter(training.parts.values()))]
        np.testing.assert_allclose(own.dataset.in_unit(own.splits["judging_1"].y)[:, 0], judged, rtol=1e-5)


def trial(number: int, rate: float, values: dict[str, float]) -> Trial:
    return Trial(number, {LEARNING_RATE: rate}, "finished", float(np.mean(list(values.values()))), values, "", 0.0, 1.0)


def test_each_fold_takes_the_rate_that_is_best_on_the_others():
    cell = cell_of("dataset=diabetes", "optimizer.learning_rate=5")
    best = {0: 0.001, 1: 0.01, 2: 0.1}
    names = {fold: names_of_fold(cell.settings.folds, 0, fold) for fold in best}
    trials = [
        trial(
            i,
            rate,
            {name: 1.0 + (rate != best[fold]) + 0.01 * k for fold in best for k, name in enumerate(names[fold])},
        )
        for i, rate in enumerate((0.001, 0.01, 0.1))
    ]
    outcome = conclude_folds(cell, {0: trials}, 100)
    assert [outcome.chosen((0, fold))[LEARNING_RATE] for fold in range(3)] == [0.001, 0.01, 0.1]
    assert outcome.chosen(None)[LEARNING_RATE] == outcome.learning_rate == 0.01
    assert outcome.rates_of_folds == [0.001, 0.01, 0.1]
    assert outcome.serves([RunId(0, 0, 2)])
    assert not outcome.serves([RunId(0, 1, 0)])


def test_a_fold_knows_of_rates_beyond_an_end_only_if_its_own_choice_lay_there():
    cell = cell_of("dataset=diabetes", "optimizer.learning_rate=5")
    names = {fold: names_of_fold(cell.settings.folds, 0, fold) for fold in range(3)}

    def value(rate: float, fold: int) -> float:
        # Fold 0 is best at the highest rate of the grid, and better beyond; the others in the middle, or far beyond.
        best = 0.1 if fold == 0 else 0.01
        return 0.0 if rate > 0.1 else 1.0 + abs(np.log10(rate / best))

    trials = [
        trial(i, rate, {name: value(rate, fold) + 0.01 * k for fold in range(3) for k, name in enumerate(names[fold])})
        for i, rate in enumerate((0.001, 0.01, 0.1, 1.0))
    ]
    outcome = conclude_folds(cell, {0: trials}, 100)
    assert [outcome.chosen((0, fold))[LEARNING_RATE] for fold in range(3)] == [1.0, 0.01, 0.01]


def test_runs_are_trained_with_what_their_fold_chose(tmp_path):
    sweep = ["dataset=wine", "epochs=5", "seeds=1", *SMALL, "name=x", "tracking.enabled=false"]
    sweep += ["report.yardsticks=false"]
    done = run(tmp_path, *sweep)
    assert done.status == 0, done.err
    (folder,) = (tmp_path / "multirun" / "x").glob("wine*")
    outcome = read_outcome(folder)
    assert set(outcome.by_fold) == {f"{r}.{f}" for r in (0, 1) for f in range(3)}
    table = pd.read_csv(tmp_path / "multirun" / "x" / "results.csv")
    for row in table.itertuples():
        assert row.learning_rate == outcome.chosen((row.repetition, row.fold))[LEARNING_RATE]
    trials = {path: path.read_bytes() for path in folder.glob("study/trial=*.json")}
    # The grid of three has the configured rate.
    assert len(trials) == 2 * 3
    assert all(len(json.loads(content)["values"]) == 6 for content in trials.values())
    # A third repetition has trials and choices of its own, and those that are there stay.
    more = run(tmp_path, *sweep, "repeat.repetitions=3")
    assert more.status == 0, more.err
    assert all(path.read_bytes() == content for path, content in trials.items())
    assert len(list(folder.glob("study/trial=*.json"))) == 3 * 3
    later = read_outcome(folder)
    assert {name: later.by_fold[name] for name in outcome.by_fold} == outcome.by_fold
    assert len(later.by_fold) == 9


def test_the_network_on_all_rows_has_the_median_of_the_rates():
    cell = cell_of("dataset=wine")
    names = [name for fold in range(3) for name in names_of_fold(cell.settings.folds, 0, fold)]
    outcome = conclude_folds(cell, {0: [trial(0, 0.01, dict.fromkeys(names, 1.0))]}, 10)
    by_fold = {f"0.{fold}": {LEARNING_RATE: rate} for fold, rate in enumerate((0.1, 0.2, 0.3))}
    prepared = PreparedCell(cell, replace(outcome, parameters={LEARNING_RATE: 0.2}, by_fold=by_fold))
    rates = [prepared.of_run(RunId(0, 0, fold)).hyperparameters.learning_rate for fold in range(3)]
    assert rates == [0.1, 0.2, 0.3]
    assert prepared.of_run(RunId(0)).hyperparameters.learning_rate == 0.2
    assert len(prepared.of_run(RunId(0)).dataset.splits["train"].y) == 178
    assert set(load_fold(cell.settings.dataset, cell.settings.folds, None).splits) == {"train"}
