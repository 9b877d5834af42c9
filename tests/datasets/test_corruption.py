"""Corruption: what is drawn and what is not touched, and that runs are trained on exactly that."""

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from support.commands import run
from support.plans import message, plan
from support.trainings import assert_close, bits

from lossbench.config.settings import ImbalanceSettings, LabelNoiseSettings, NoCorruptionSettings, OutliersSettings
from lossbench.datasets.corruption import corrupted, kept_rows
from lossbench.datasets.loading import Part
from lossbench.ground.run_ids import RunId
from lossbench.jobs.evaluate import ended_stuck
from lossbench.jobs.prepare import PreparedCell
from lossbench.results.part_files import read_run
from lossbench.training.trainers import train_compiled, train_with_fit

N = 300
LABEL_NOISE = LabelNoiseSettings(name="label_noise", rate=0.2)
OUTLIERS = OutliersSettings(name="outliers", rate=0.1, scale=10.0)
IMBALANCE = ImbalanceSettings(name="imbalance", share=0.1, rare_class=None)
KINDS = {"label_noise": LABEL_NOISE, "outliers": OUTLIERS, "imbalance": IMBALANCE}


def part(n_classes):
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=N).astype(np.int32) if n_classes else rng.normal(size=(N, 2)).astype(np.float32)
    return Part(rng.normal(size=(N, 3)).astype(np.float32), y, {"mean": np.arange(N)})


def given(settings, n_classes=3, seed=0, **changed):
    n_classes = 0 if isinstance(settings, OutliersSettings) else n_classes
    return corrupted(replace(settings, **changed), part(n_classes), n_classes, seed)


def same(a: Part, b: Part) -> bool:
    return np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y)


# ---- What is drawn.


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_a_seed_always_corrupts_alike_and_another_seed_otherwise_in_the_same_shape(settings):
    assert same(given(settings), given(settings))
    other = given(settings, seed=1)
    assert not same(given(settings), other)
    assert other.x.shape == given(settings).x.shape
    assert other.y.dtype == given(settings).y.dtype


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_label_noise_exchanges_exactly_its_rate_and_smaller_rates_are_nested(n_classes):
    clean = part(n_classes)
    before, noisy = np.zeros(N, bool), clean
    for rate in (0.0, 0.1, 0.2, 0.6, 1.0):
        previous, noisy = noisy, given(LABEL_NOISE, n_classes, rate=rate)
        wrong = noisy.y != clean.y
        assert wrong.sum() == round(rate * N)
        assert wrong[before].all()
        assert np.array_equal(noisy.y[before], previous.y[before])
        assert set(noisy.y) <= set(range(n_classes))
        assert np.array_equal(noisy.x, clean.x)
        before = wrong
    if n_classes == 2:
        assert np.array_equal(noisy.y, 1 - clean.y)
    else:
        # Each other class with the same chance: counts of the way from the true one.
        steps = np.bincount((noisy.y - clean.y) % n_classes, minlength=n_classes)[1:]
        assert abs(steps - N / (n_classes - 1)).max() < 5 * (N / (n_classes - 1)) ** 0.5


def test_outliers_lie_the_set_deviations_away_and_smaller_rates_are_nested():
    clean = part(0)
    few, many = given(OUTLIERS, rate=0.1), given(OUTLIERS, rate=0.2)
    moved = np.abs(few.y - clean.y).max(axis=1) > 0
    assert moved.sum() == 30
    assert (np.abs(many.y - clean.y).max(axis=1) > 0).sum() == 60
    assert np.array_equal(few.y[moved], many.y[moved])
    distance = np.abs(few.y - clean.y)[moved]
    np.testing.assert_allclose(distance, np.broadcast_to(10 * clean.y.std(axis=0), distance.shape), rtol=1e-5)
    signs = np.sign((few.y - clean.y)[moved])
    assert 10 < (signs > 0).sum() < 50


@pytest.mark.parametrize(("rare_class", "rare"), [(None, 2), (0, 0)])
def test_imbalance_keeps_a_share_of_the_rare_class_and_smaller_shares_are_nested(rare_class, rare):
    clean = part(3)
    n_rare = (clean.y == rare).sum()
    kept = {share: kept_rows(replace(IMBALANCE, share=share, rare_class=rare_class), clean.y, 3, 5)
            for share in (0.001, 0.1, 0.5, 1.0)}  # fmt: skip
    assert [(clean.y[rows] == rare).sum() for rows in kept.values()] == [
        1, round(0.1 * n_rare), round(0.5 * n_rare), n_rare,
    ]  # fmt: skip
    for smaller, larger in ((0.001, 0.1), (0.1, 0.5), (0.5, 1.0)):
        assert set(kept[smaller]) < set(kept[larger])
    assert all((clean.y[rows] != rare).sum() == N - n_rare for rows in kept.values())
    assert np.array_equal(kept[1.0], np.arange(N))
    half = given(IMBALANCE, share=0.5, rare_class=rare_class, seed=5)
    assert np.array_equal(half.x, clean.x[kept[0.5]])
    assert np.array_equal(half.y, clean.y[kept[0.5]])
    assert np.array_equal(half.optimum["mean"], kept[0.5])


def test_clean_data_are_not_copied():
    clean = part(3)
    assert corrupted(NoCorruptionSettings(name="none"), clean, 3, 0) is clean


# ---- What runs get.

CELLS = {
    "label_noise": ["dataset=blobs", "corruption=label_noise", "corruption.rate=0.3"],
    "outliers": ["dataset=friedman1", "corruption=outliers"],
    "imbalance": ["dataset=circles", "corruption=imbalance"],
}


def prepared(name, *more):
    (cell,) = plan(*CELLS[name], "epochs=3", "dataset.n_samples=200", "dataset.split.train=120",
                   "dataset.split.validation=30", "dataset.split.test=50", *more).cells  # fmt: skip
    return PreparedCell(cell)


@pytest.mark.parametrize("name", CELLS)
def test_only_the_training_split_is_corrupted_and_runs_share_the_rest(name):
    cell = prepared(name)
    first, second = (cell.run(RunId(seed)).data for seed in (0, 1))
    clean = cell.data
    for split in ("validation", "test"):
        for kind in ("x", "y", "target"):
            arrays = [getattr(data, kind)[split] for data in (clean, first, second)]
            assert arrays[0] is arrays[1] is arrays[2]
    assert not np.array_equal(first.target["train"], clean.target["train"])
    if name != "imbalance":
        assert first.x["train"] is clean.x["train"]


@pytest.mark.parametrize("name", CELLS)
def test_compiled_and_fit_trainer_agree_on_corrupted_data(name):
    cell = prepared(name)
    data = cell.run(RunId(3)).data
    ours = train_compiled(cell.structure, data, cell.hyperparameters, seed=3)
    theirs = train_with_fit(cell.structure, data, cell.hyperparameters, seed=3)
    assert_close(ours, theirs.weights, theirs.curves)


def test_all_losses_of_a_seed_get_the_same_corrupted_labels():
    cells = [prepared("label_noise", f"loss={loss}") for loss in ("categorical_crossentropy", "mean_absolute_error")]
    assert same(*(cell.run(RunId(4)).splits["train"] for cell in cells))


def test_a_corrupted_run_does_not_depend_on_runs_before_or_beside_it():
    """The program keeps the tensors that runs share: others must not come out of it."""
    cell = prepared("label_noise")

    def trained(seed):
        return bits(train_compiled(cell.structure, cell.run(RunId(seed)).data, cell.hyperparameters, seed))

    alone = {seed: trained(seed) for seed in (0, 1, 2)}
    clean = train_compiled(cell.structure, cell.data, cell.hyperparameters, 0)
    assert {seed: trained(seed) for seed in (2, 0, 1)} == alone
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(trained, [1, 2, 0, 1, 0, 2])) == [alone[seed] for seed in (1, 2, 0, 1, 0, 2)]
    assert len({*alone.values(), bits(clean)}) == 4


def test_a_run_is_stuck_compared_with_the_constant_of_its_own_corrupted_targets():
    """Nine in ten of class 0 are nothing learned, where that is the share of class 0 that was given."""
    cell = prepared("imbalance")
    run = cell.run(RunId(0))
    train = run.splits["train"]
    share = np.mean(train.y == 0)
    assert share > 0.8
    assert ended_stuck(run, share, 10.0)
    assert not ended_stuck(run, share + 0.01, 10.0)
    assert not ended_stuck(run, share, cell.naive_loss_on(train.y) - 0.01)
    assert cell.naive["train/accuracy"] == pytest.approx(0.5, abs=0.1)


# ---- The plan.


def test_a_corruption_is_part_of_the_key_and_none_is_not():
    (clean,) = plan("dataset=blobs").cells
    assert plan("dataset=blobs", "corruption=none").cells[0].key == clean.key
    keys = {plan("dataset=blobs", "corruption=label_noise", f"corruption.rate={rate}").cells[0].key
            for rate in (0.1, 0.2)}  # fmt: skip
    assert len(keys | {clean.key}) == 3


def test_cells_of_one_corruption_are_compared_with_each_other():
    cells = plan("-m", "dataset=blobs", "loss=cce,mae", "corruption=label_noise", "corruption.rate=0,0.2").cells
    assert [(cell.data, cell.label) for cell in cells] == [
        ("blobs/corruption.rate=0", "categorical_crossentropy"),
        ("blobs/corruption.rate=0.2", "categorical_crossentropy"),
        ("blobs/corruption.rate=0", "mean_absolute_error"),
        ("blobs/corruption.rate=0.2", "mean_absolute_error"),
    ]
    (alone,) = plan("dataset=blobs", "corruption=label_noise").cells
    assert alone.data == "blobs/corruption=label_noise"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["dataset=friedman1", "corruption=label_noise"], "for two classes or several classes; dataset=friedman1"),
        (["dataset=friedman1", "corruption=imbalance"], "use corruption=outliers"),
        (["dataset=blobs", "corruption=outliers"], "is for numbers; dataset=blobs has several classes"),
        (["dataset=multilabel", "corruption=label_noise"], "leave it out"),
        (["dataset=blobs", "corruption=label_noise", "corruption.rate=1.5"], "corruption.rate must be at most 1;"),
        (["dataset=friedman1", "corruption=outliers", "corruption.scale=-1"], "corruption.scale must be at least 0"),
        (["dataset=blobs", "corruption=imbalance", "corruption.share=0"], "corruption.share must be above 0"),
        (["dataset=blobs", "corruption=imbalance", "corruption.rare_class=3"], "rare_class must be at most 2"),
        (["dataset=blobs", "corruption.rate=0.1"], "unknown key 'corruption.rate': corruption=none has no settings"),
        (["dataset=blobs", "corruption=noise"], "unknown corruption 'noise'"),
        (["report.metrics=[calibration]"], "unknown metric in report.metrics 'calibration'"),
    ],
)  # fmt: skip
def test_a_corruption_that_does_not_fit_the_task_is_an_error(argv, said):
    assert said in message(*argv)


# ---- The whole way.


@pytest.mark.slow
def test_a_sweep_over_rates_of_corruption_ends_with_its_tables(tmp_path):
    cell = ["dataset=digits", "corruption=label_noise", "corruption.rate=0.4", "name=noisy"]
    options = ["repeat=seeds", "seeds=2", "epochs=2", "tracking.enabled=false"]
    shown = "report.metrics=[calibration_error,calibrated/log_loss,mae]"
    done = run(tmp_path, *cell, *options, shown)
    assert done.status == 0, done.err
    text = done.out
    assert "digits/corruption=label_noise: test accuracy, mean" in text
    assert "test calibration_error, mean ± 95 % interval" in text
    assert "test calibrated/log_loss, mean ± 95 % interval" in text
    assert "test mae" not in text
    with open(tmp_path / "multirun" / "noisy" / "results.csv") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    assert columns.index("test/calibrated/log_loss") > columns.index("validation/log_loss")
    assert "train/calibrated/log_loss" not in columns
    assert "validation/calibrated/log_loss" not in columns
    # 40 % of the labels that it was given are wrong; those that it is judged by are not.
    assert float(rows[0]["test/accuracy"]) > 0.7 > float(rows[0]["train/accuracy"])
    (folder,) = (path.parent for path in (tmp_path / "multirun" / "noisy").glob("*/cell.json"))
    parts = [read_run(path) for path in sorted((folder / "parts").glob("*.npz"))]
    with np.load(folder / "data.npz") as data:
        clean = data["y/train"]
    for part_ in parts:
        assert (part_.arrays["train/y"] != clean).sum() == round(0.4 * len(clean))
        assert np.array_equal(part_.arrays["train/rows"], np.arange(len(clean)))
        raw, y = part_.arrays["raw/train"], part_.arrays["train/y"]
        assert np.mean(raw.argmax(axis=1) == y) == pytest.approx(part_.info.scores["train/accuracy"])
        assert part_.curves["train/accuracy"][-1] == pytest.approx(part_.info.scores["train/accuracy"], abs=1e-6)
    assert not np.array_equal(parts[0].arrays["train/y"], parts[1].arrays["train/y"])
