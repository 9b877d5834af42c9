"""``repeat=samples``: a fresh sample from the generator for each run."""

import csv
import json

import numpy as np
import pytest
from support.commands import run
from support.exports import cell_of
from support.plans import message, plan

from lossbench.ground.run_ids import RunId
from lossbench.jobs.prepare import PreparedCell
from lossbench.jobs.run_cell import run_cell
from lossbench.results.part_files import part_path, read_run

QUICK = ("dataset=circles", "repeat=samples", "epochs=3")


def test_each_run_has_rows_of_its_own_the_same_for_all_losses():
    first, second = PreparedCell(cell_of(*QUICK)), PreparedCell(cell_of(*QUICK, "loss=hinge"))
    samples = [first.run(RunId(seed)).splits for seed in (0, 1)]
    assert not np.isin(samples[0]["train"].x, samples[1]["train"].x).any()
    assert not np.isin(samples[0]["test"].x, first.dataset.splits["test"].x).any()
    for own in samples:
        assert {name: len(part.y) for name, part in own.items()} == {"train": 500, "test": 500}
    again = second.run(RunId(1)).splits
    assert all(np.array_equal(again[name].x, samples[1][name].x) for name in again)


def test_the_naive_predictor_and_the_ceiling_belong_to_the_sample():
    prepared = PreparedCell(cell_of("dataset=friedman1", "repeat=samples"))
    runs = [prepared.run(RunId(seed)).cell for seed in (0, 1)]
    assert runs[0].naive["test/rmse"] != runs[1].naive["test/rmse"]
    assert runs[0].ceiling["test/rmse"] != runs[1].ceiling["test/rmse"]
    # One program serves them all.
    assert runs[0].structure == runs[1].structure == prepared.structure


def test_it_has_a_key_and_a_name_of_its_own_and_seeds_keep_theirs():
    (fresh,) = plan(*QUICK).cells
    (same,) = plan("dataset=circles", "epochs=3").cells
    (said,) = plan("dataset=circles", "epochs=3", "repeat=seeds").cells
    assert fresh.data == "circles/repeat=samples"
    assert fresh.key != same.key == said.key
    assert same.name == "circles/binary_crossentropy/sigmoid"


def test_real_data_cannot_be_drawn_again():
    text = message("dataset=wine", "repeat=samples")
    assert "repeat=samples needs a data set that is generated; dataset=wine is not." in text
    assert "friedman1" in text


def test_compiled_and_plain_training_agree(tmp_path):
    ended = []
    for trainer in ("compiled", "fit"):
        cell = cell_of(*QUICK, f"trainer={trainer}")
        run_cell(cell, tmp_path / trainer, [RunId(0), RunId(1)], 1)
        ended.append([read_run(part_path(tmp_path / trainer, RunId(seed))) for seed in (0, 1)])
    for ours, theirs in zip(*ended, strict=True):
        np.testing.assert_allclose(ours.arrays["raw/test"], theirs.arrays["raw/test"], atol=1e-5)
        assert ours.info.naive == theirs.info.naive


def test_a_sweep_over_samples_says_what_its_verdicts_are_about(tmp_path):
    sweep = (
        "-m",
        "dataset=circles,moons",
        "loss=bce,squared_hinge",
        "repeat=samples",
        "seeds=6",
        "epochs=30",
        "name=x",
    )
    done = run(tmp_path, *sweep)
    assert done.status == 0, done.err
    assert "circles/repeat=samples: test accuracy" in done.out
    assert "for fresh samples; ±: over samples;" in " ".join(done.out.split())
    folder = tmp_path / "multirun" / "x"
    with open(folder / "comparison.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "accuracy" and row["verdict"] != "baseline"]
    assert [row["verdict_about"] for row in rows] == ["fresh samples"] * 2
    assert all(
        row["these_rows_low"] == "" and float(row["difference_low"]) < float(row["difference_high"]) for row in rows
    )
    page = (folder / "report.html").read_text()
    assert "a fresh sample for each run" in page
    assert "what to expect of another sample of this size" in page
    (model, *_) = folder.glob("*/model.json")
    assert "a sample of its own" in json.loads(model.read_text())["problem"]
    # More samples train only the new ones.
    more = run(tmp_path, *[text.replace("seeds=6", "seeds=7") for text in sweep])
    assert "x: 4 cells, 28 runs, 24 finished; 4 to run" in more.out


@pytest.mark.slow
@pytest.mark.parametrize("option", ["tune=learning_rate", "corruption=label_noise"])
def test_it_goes_with_tuning_and_corruption(tmp_path, option):
    tune = ("tune.trials=2", "tune.seeds=[100]") if option.startswith("tune") else ()
    done = run(tmp_path, *QUICK, option, *tune, "seeds=2", "tracking.enabled=false")
    assert done.status == 0, done.err
    assert "2 runs" in done.out
