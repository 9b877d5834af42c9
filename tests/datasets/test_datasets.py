"""Every data set: its table row against what is made, its splits, and what its generator allows at best."""

import gzip
import json

import numpy as np
import pytest
from support.commands import run
from support.settings import dataset_settings

from lossbench.datasets.catalogue import DATASETS, n_outputs, n_samples, split_counts
from lossbench.datasets.loading import load
from lossbench.losses.heads import NUMBER_TASKS
from lossbench.metrics.catalogue import lower_is_better
from lossbench.metrics.reference_predictors import ceiling_scores

HERE = [name for name, info in DATASETS.items() if not info.download and not info.is_own]


@pytest.mark.parametrize("name", HERE)
def test_every_data_set_agrees_with_its_row_in_the_catalogue(name):
    info, settings = DATASETS[name], dataset_settings(name)
    data = load(settings)
    counts = dict(zip(("train", "validation", "test"), split_counts(settings.split, n_samples(settings)), strict=True))
    assert {split: len(part.x) for split, part in data.splits.items()} == {s: n for s, n in counts.items() if n}
    if "n_samples" not in settings.parameters:
        assert 0 <= n_samples(settings) - sum(counts.values()) <= 2
    y = np.concatenate([part.y for part in data.splits.values()])
    if info.task in ("binary", "multiclass"):
        assert set(y) == set(range(n_outputs(info, settings)))
        assert data.n_classes == n_outputs(info, settings)
    else:
        assert y.shape[1] == n_outputs(info, settings)
    if settings.standardize.y == "none":
        assert y.min() >= info.target_range[0]
        assert y.max() <= info.target_range[1]
    if info.task == "shares":
        np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)
    assert all(np.isfinite(part.x).all() and part.x.dtype == np.float32 for part in data.splits.values())


@pytest.mark.parametrize("name", [name for name in HERE if DATASETS[name].optimum])
def test_no_other_prediction_beats_the_ceiling(name):
    """Mixing the best prediction with anything else, or moving it, is worse on many samples."""
    info = DATASETS[name]
    split = {"train": 100, "validation": 0, "test": 7900, "seed": None}
    part = load(dataset_settings(name, n_samples=8000, split=split)).splits["test"]
    best = ceiling_scores(info.task, part.y, part.optimum, ordered=info.ordered)
    assert ("class_mae" in best) == info.ordered
    rng = np.random.default_rng(0)
    for _ in range(5):
        if info.task in NUMBER_TASKS:
            mean = part.optimum["mean"]
            spread = np.abs(part.y - mean).mean()
            for moved in (mean + 0.3 * spread, mean - 0.3 * spread, mean + spread * rng.normal(size=mean.shape)):
                assert ceiling_scores(info.task, part.y, {"mean": moved})["rmse"] > best["rmse"]
        else:
            other = rng.dirichlet(np.ones(part.optimum["probability"].shape[1]), size=len(part.y))
            mixed = {"probability": 0.7 * part.optimum["probability"] + 0.3 * other}
            worse = ceiling_scores(info.task, part.y, mixed, ordered=info.ordered)
            assert worse["log_loss"] > best["log_loss"]
            for metric in set(best) - {"calibration_error"}:
                sign = 1 if lower_is_better(metric) else -1
                assert sign * worse[metric] > sign * best[metric] - 2e-3, metric
    if "probability" in part.optimum and info.task == "binary":
        # Calibrated: where it says p, a share p of the samples is of class 1.
        p = part.optimum["probability"][:, 1]
        for low in np.arange(0, 1, 0.25):
            inside = (p >= low) & (p < low + 0.25)
            assert abs(part.y[inside].mean() - p[inside].mean()) < 4 * 0.5 / np.sqrt(inside.sum())


def test_the_ceiling_of_known_noise_equals_the_computed_value():
    """Noise of deviation 5 around linear targets; the median and the mean of a normal number are one."""
    split = {"train": 100, "validation": 0, "test": 19900, "seed": None}
    plain = {"x": "none", "y": "none", "fitted_on": "train", "metrics": "original"}
    part = load(dataset_settings("regression", n_samples=20000, noise=5.0, split=split, standardize=plain)).splits[
        "test"
    ]
    scores = ceiling_scores("regression", part.y, part.optimum)
    assert scores["rmse"] == pytest.approx(5.0, rel=0.02)
    assert scores["mae"] == pytest.approx(5.0 * np.sqrt(2 / np.pi), rel=0.02)


def test_classes_without_noise_have_no_ceiling():
    assert load(dataset_settings("circles", noise=0.0)).splits["test"].optimum == {}


def test_a_split_with_a_seed_is_stratified_by_class():
    data = load(dataset_settings("wine"))
    shares = [np.bincount(part.y) / len(part.y) for part in data.splits.values()]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.02)
    other = load(dataset_settings("wine", split={"train": 0.6, "validation": 0, "test": 0.4, "seed": 1}))
    assert other.digest != data.digest
    assert load(dataset_settings("wine")).digest == data.digest


def small_fashion_mnist(folder, n_train=120, n_test=60):
    """Write files where Keras looks for Fashion-MNIST: classes that a brightness tells."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for prefix, n in (("train", n_train), ("t10k", n_test)):
        y = (np.arange(n) % 10).astype(np.uint8)
        x = (rng.integers(0, 20, size=(n, 28, 28)) + 20 * y[:, None, None]).astype(np.uint8)
        for kind, header, content in (("labels-idx1", 8, y), ("images-idx3", 16, x)):
            with gzip.open(folder / f"{prefix}-{kind}-ubyte.gz", "wb") as file:
                file.write(bytes(header) + content.tobytes())


@pytest.mark.slow
def test_images_are_read_from_keras_s_folder(tmp_path):
    small_fashion_mnist(tmp_path / "keras" / "datasets" / "fashion-mnist")
    options = ["dataset=fashion_mnist", "seeds=1", "epochs=1", "tracking.enabled=false", "name=x"]
    split = ["dataset.split.train=120", "dataset.split.validation=0", "dataset.split.test=60"]
    done = run(tmp_path, *options, *split, KERAS_HOME=str(tmp_path / "keras"))
    assert done.status == 0, done.err
    (cell,) = (tmp_path / "multirun" / "x").glob("*/cell.json")
    assert json.loads(cell.read_text())["settings"]["dataset"]["split"]["test"] == 60
    with np.load(next(cell.parent.glob("parts/*.npz"))) as part:
        assert part["weight/0"].shape == (784, 50)
        assert part["raw/test"].shape == (60, 10)
    # The default split asks for more than this file has.
    more = run(tmp_path, *options, "rerun=all", KERAS_HOME=str(tmp_path / "keras"))
    assert more.status == 1
    assert "dataset.split takes 70000 samples; the loaded data has 180" in more.out


def test_a_failed_download_is_an_error_before_anything_trains(tmp_path):
    away = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = run(tmp_path, "dataset=mnist", "seeds=1", KERAS_HOME=str(tmp_path / "keras"), **away)
    assert done.status == 3
    assert "dataset=mnist could not be downloaded" in done.err
    assert str(tmp_path / "keras" / "datasets" / "mnist.npz") in done.err
    assert "Traceback" not in done.err
