"""Validation judges settings and leaves them as they are."""

import copy

import pandas as pd
import pytest
from support.plans import plan
from support.settings import report_defaults

from lossbench.config.settings import SweepSettings, plain, sweep_settings, with_values
from lossbench.planning.validation import report_problems, validate, validate_loss

# One data set of each kind: generated or loaded, every task, images, and a user's file.
DATASETS = [
    pytest.param("regression", ["loss=huber"], id="generated numbers"),
    pytest.param("circles", ["loss=hinge"], id="generated, two classes"),
    pytest.param("blobs", ["loss=expected_cost"], id="generated classes, a matrix as parameter"),
    pytest.param("ordinal", ["loss=squared_earth_mover"], id="ordered classes"),
    pytest.param("imbalanced", ["corruption=imbalance"], id="a list as parameter, corrupted"),
    pytest.param("multilabel", [], id="several labels"),
    pytest.param("shares", [], id="shares"),
    pytest.param("diabetes", ["schedule=cosine"], id="scikit-learn's, numbers"),
    pytest.param("digits", ["model=cnn"], id="scikit-learn's, images"),
    pytest.param("mnist", ["select=best"], id="downloaded images"),
    pytest.param("csv", ["dataset.path=house.csv", "dataset.target=price", "tune=none"], id="a user's file"),
]
STUDY = ["tune=learning_rate", "tune.space={batch_size: [8, 64], optimizer.momentum: [0.0, 0.9]}"]


def sweep() -> SweepSettings:
    tracking = {"enabled": True, "uri": None, "models": "best"}
    content = {"seeds": [0, 1], "name": None, "plan": False, "rerun": "none", "timeout": None}
    return sweep_settings({**content, "tracking": tracking, "report": report_defaults()})


def made(folder, dataset: str, given: list[str]):
    rows = [{"area": 40.0 + i % 17, "zone": "ab"[i % 2], "price": 1000.0 * i} for i in range(60)]
    pd.DataFrame(rows).to_csv(folder / "house.csv", index=False)
    (cell,) = plan(f"dataset={dataset}", *given).cells
    return cell


@pytest.mark.parametrize(("dataset", "given"), DATASETS)
@pytest.mark.parametrize("study", [[], STUDY], ids=["untuned", "tuned"])
def test_validation_changes_nothing(tmp_path, monkeypatch, dataset, given, study):
    monkeypatch.chdir(tmp_path)
    settings = made(tmp_path, dataset, [*given, *study]).settings
    common = sweep()
    before, common_before = copy.deepcopy(settings), copy.deepcopy(common)
    assert validate_loss(settings) == []
    assert validate(settings, common) == []
    assert report_problems(common.report, [settings.loss.name]) == []
    assert (settings, common) == (before, common_before)
    # Equality alone would not notice a change from 1 to 1.0 or True.
    assert repr(plain(settings)) == repr(plain(before))
    assert repr(plain(common)) == repr(plain(common_before))


@pytest.mark.parametrize(("dataset", "given"), DATASETS)
def test_validation_of_wrong_values_changes_nothing(tmp_path, monkeypatch, dataset, given):
    monkeypatch.chdir(tmp_path)
    cell = made(tmp_path, dataset, given)
    wrong = {"epochs": 0, "dataset.split.train": -1, "optimizer.momentum": 2.0, "optimizer.clipnorm": -1.0}
    settings = with_values(cell.settings, wrong)
    before = copy.deepcopy(settings)
    assert len(validate(settings, sweep())) == len(wrong)
    assert settings == before
    assert repr(plain(settings)) == repr(plain(before))
