"""One cell, from its settings to its part files: what a Hydra job does."""

import gc
import json
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lossbench import quiet_tensorflow  # noqa: F401
from lossbench.config import KEY_SETTINGS, is_corrupted
from lossbench.corruption import corrupted, kept_rows
from lossbench.datasets.loading import Dataset, Part, load
from lossbench.losses.choice import CUSTOM
from lossbench.metrics.calibration import calibrated_scores
from lossbench.metrics.classes import Scores
from lossbench.metrics.evaluate import evaluate
from lossbench.metrics.table import MAIN_METRICS
from lossbench.naive import (
    ceiling_scores,
    constant_raw_prediction,
    is_stuck,
    naive_calibrated_scores,
    naive_scores,
)
from lossbench.own_functions import make_importable
from lossbench.plan import Cell
from lossbench.provenance import commit
from lossbench.results import DIVERGED, FAILED, FINISHED, RunInfo, write_arrays, write_part, write_text
from lossbench.saved.contents import NAME as MODEL
from lossbench.saved.contents import model_contents
from lossbench.search import PreparedStudy, search
from lossbench.shape import loss_shape
from lossbench.space import LEARNING_RATE, applied, dimensions
from lossbench.studies import Outcome, read_outcome
from lossbench.trainer import PREDICT, TRAIN, training
from lossbench.trainer.compiled import program_for
from lossbench.trainer.training import Data, Hyperparameters, Structure, Trained

log = logging.getLogger(__name__)
# TensorFlow is a million objects that stay: without this, collecting garbage walks through them again and again.
gc.freeze()

# Points of a decision grid along each of two features.
GRID_POINTS = 45


@dataclass(frozen=True)
class PreparedCell:
    """A cell with all that its runs share.

    Attributes
    ----------
    outcome : Outcome or None
        What its study found; None for an untuned cell.
    """

    cell: Cell
    outcome: Outcome | None = None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Its settings, with what its study chose."""
        return applied(self.cell.settings, self.outcome.parameters if self.outcome else {})

    @cached_property
    def dataset(self) -> Dataset:
        """Its data."""
        return load(self.cell.settings["dataset"])

    @cached_property
    def data(self) -> Data:
        """Its clean data as its programs take them."""
        return training.make_data(self.cell.pair, self.dataset.splits, self.dataset.n_classes, self.dataset.unit)

    def splits(self, seed: int) -> dict[str, Part]:
        """Return the splits as the run of a seed gets them: the training split may be corrupted."""
        clean, settings = self.dataset.splits, self.cell.settings["corruption"]
        return clean | {"train": corrupted(settings, clean["train"], self.dataset.n_classes, seed)}

    def data_of(self, splits: dict[str, Part]) -> Data:
        """Return a run's splits as its program takes them; what is clean is shared by all runs."""
        clean, train = self.data, splits["train"]
        if train is self.dataset.splits["train"]:
            return clean
        given = training.make_data(self.cell.pair, {"train": train}, self.dataset.n_classes)
        return Data(clean.x | given.x, clean.y | given.y, clean.target | given.target, clean.unit)

    @cached_property
    def structure(self) -> Structure:
        """What its program is compiled for: the same for every seed."""
        return training.make_structure(self.settings, self.cell.pair, self.data_of(self.splits(0)))

    @cached_property
    def hyperparameters(self) -> Hyperparameters:
        """Learning rate, loss parameters and epochs of its runs."""
        return training.make_hyperparameters(self.settings)

    @cached_property
    def naive(self) -> Scores:
        """The naive predictor's metrics, by ``split/metric``."""
        dataset = self.dataset
        n_classes, y = dataset.n_classes, {name: dataset.in_unit(part.y) for name, part in dataset.splits.items()}
        scores = {
            name: naive_scores(self.cell.pair, y["train"], values, n_classes, ordered=dataset.ordered)
            for name, values in y.items()
        }
        if self.calibrates:
            scores["test"] |= naive_calibrated_scores(y["train"], y["test"], n_classes)
        return _by_split(scores)

    @cached_property
    def ceiling(self) -> Scores:
        """What the best possible predictor reaches, by ``split/metric``, where the generator's optimum is known."""
        dataset, scores = self.dataset, {}
        for name, part in dataset.splits.items():
            optimum = {key: dataset.in_unit(values) for key, values in part.optimum.items()}
            scores[name] = ceiling_scores(self.cell.task, dataset.in_unit(part.y), optimum, ordered=dataset.ordered)
        return _by_split(scores)

    @property
    def calibrates(self) -> bool:
        """Whether probabilities are also judged after a calibration on the validation split."""
        return self.cell.task in ("binary", "multiclass") and "validation" in self.dataset.splits

    def curves(self, trained: Trained) -> dict[str, np.ndarray]:
        """Return the curves of a training, that of the main metric in the metrics' unit."""
        metric = f"/{MAIN_METRICS[self.cell.task]}"
        # The other outputs' errors were counted in the first one's unit.
        unit = np.float32(self.dataset.unit[0])
        return {name: curve * unit if name.endswith(metric) else curve for name, curve in trained.curves.items()}

    @cached_property
    def naive_loss(self) -> float:
        """The cell's own loss of its best constant prediction, on the clean training split."""
        return self.naive_loss_on(self.dataset.splits["train"].y)

    def naive_loss_on(self, y: np.ndarray) -> float:
        """Return the cell's own loss of the best constant prediction of targets."""
        pair, n_classes, parameters = self.cell.pair, self.dataset.n_classes, self.hyperparameters.loss
        of_constant = training.mean_loss(pair, y, n_classes, parameters)
        return of_constant(constant_raw_prediction(pair, y, n_classes, parameters, of_constant))

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The two axes of the decision grid of 2-D data: float32 arrays of shape (GRID_POINTS,)."""
        if self.dataset.n_features != 2:
            return None
        x = np.concatenate([split.x for split in self.dataset.splits.values()])
        margin = 0.05 * (x.max(axis=0) - x.min(axis=0))
        low, high = x.min(axis=0) - margin, x.max(axis=0) + margin
        first, second = (np.linspace(low[i], high[i], GRID_POINTS, dtype=np.float32) for i in (0, 1))
        return first, second


@contextmanager
def compile_ahead(cells: list[Cell], folder: Path) -> Iterator[None]:
    """Build the programs of a sweep's cells in order, in a thread: cells train while later ones compile."""
    stopped = threading.Event()

    def build():
        for cell in cells:
            if stopped.is_set():
                return
            if cell.settings["trainer"] != "compiled":
                continue
            try:
                for structure in _structures(cell, folder / cell.folder):
                    if stopped.is_set():
                        return
                    program_for(structure)
            except Exception:
                # The cell's own job meets the same error, and says it where the user looks.
                log.debug("compiling ahead failed for %s", cell.name, exc_info=True)

    thread = threading.Thread(target=build, name="compile-ahead", daemon=True)
    thread.start()
    try:
        yield
    finally:
        # A process that ends while a thread compiles is aborted by TensorFlow.
        stopped.set()
        thread.join()


def _structures(cell: Cell, folder: Path) -> Iterator[Structure]:
    """Yield what a cell's programs are compiled for, in the order in which it needs them, as far as it is known."""
    outcome = read_outcome(folder) if cell.is_tuned else None
    if cell.is_tuned and outcome is None:
        searched = {dimension.key for dimension in dimensions(cell.settings)}
        if not all(key == LEARNING_RATE or key.startswith("loss.") for key in searched):
            return
        yield PreparedStudy(cell, load(cell.settings["dataset"])).structure({})
    yield PreparedCell(cell, outcome).structure


def run_cell(cell: Cell, folder: Path, seeds: list[int], n_threads: int) -> None:
    """Search a cell's learning rate if it is tuned, then train its runs and write each to the folder as it finishes.

    Never raises for what goes wrong in a run: that run is written as failed, with the traceback in the log.
    """
    started = time.time()
    try:
        make_importable()
        folder.mkdir(parents=True, exist_ok=True)
        if cell.settings["loss"]["name"] == CUSTOM:
            _check_custom_loss(PreparedCell(cell), seeds[0])
        outcome = _search(cell, folder, n_threads) if cell.is_tuned else None
        started = time.time()
        prepared = PreparedCell(cell, outcome)
        _write_cell(prepared, folder)
        if cell.settings["trainer"] == "compiled":
            _compile(prepared.structure)
    except Exception as error:
        log.exception("%s cannot be trained", cell.name)
        for seed in seeds:
            _write_failed(cell, folder, seed, started, error)
        return
    _train_all(prepared, folder, seeds, n_threads)


def _search(cell: Cell, folder: Path, n_threads: int) -> Outcome:
    if cell.settings["trainer"] == "compiled":
        # What cannot be compiled is no trial's fault.
        for structure in islice(_structures(cell, folder), 1):
            _compile(structure)
    outcome = search(cell, load(cell.settings["dataset"]), folder, n_threads)
    if outcome.problem:
        raise NoLearningRateError(outcome.problem)
    return outcome


def _compile(structure: Structure) -> None:
    try:
        program_for(structure)
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise RuntimeError(
            f"this training cannot be compiled; trainer=fit trains it as Keras does. {type(error).__name__}: {said}"
        ) from error


def _check_custom_loss(prepared: PreparedCell, seed: int) -> None:
    batch = slice(0, prepared.cell.settings["batch_size"])
    x, y = (part["train"][batch] for part in (prepared.data.x, prepared.data.y))
    training.check_loss(prepared.structure, prepared.cell.pair, x, y, seed, prepared.hyperparameters.loss)


class NoLearningRateError(Exception):
    """Every trial of a cell's study failed."""


def _train_all(prepared: PreparedCell, folder: Path, seeds: list[int], n_threads: int) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(n_threads, thread_name_prefix="train") as pool:
        futures: list[Future] = [pool.submit(_run, prepared, folder, seed, stop) for seed in seeds]
        try:
            for future in futures:
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _run(prepared: PreparedCell, folder: Path, seed: int, stop: threading.Event) -> None:
    cell, started = prepared.cell, time.time()
    try:
        splits = prepared.splits(seed)
        trained = TRAIN[cell.settings["trainer"]](
            prepared.structure, prepared.data_of(splits), prepared.hyperparameters, seed, stop.is_set
        )
        info, arrays = _describe(prepared, seed, splits, trained, started)
        write_part(folder, info, arrays)
    except training.StoppedError:
        return
    except Exception as error:
        log.exception("%s seed=%d failed", cell.name, seed)
        _write_failed(cell, folder, seed, started, error)


def _describe(
    prepared: PreparedCell, seed: int, splits: dict[str, Part], trained: Trained, started: float
) -> tuple[RunInfo, dict[str, np.ndarray]]:
    cell = prepared.cell
    raw = _raw_predictions(prepared, splits, trained)
    scores = _by_split(_scores(prepared, splits, raw))
    score, loss = scores[f"train/{MAIN_METRICS[cell.task]}"], float(trained.curves["train/loss"][-1])
    stuck = not trained.diverged_epoch and _is_stuck(prepared, splits["train"], score, loss)
    arrays = {"epochs": trained.epochs}
    arrays |= {f"curve/{name}": curve for name, curve in prepared.curves(trained).items()}
    arrays |= {f"weight/{i}": weight for i, weight in enumerate(trained.weights)}
    arrays |= {f"raw/{name}": values for name, values in raw.items() if name in splits}
    if is_corrupted(cell.settings):
        clean, n_classes = prepared.dataset.splits["train"], prepared.dataset.n_classes
        rows = kept_rows(cell.settings["corruption"], clean.y, n_classes, seed)
        arrays |= {"train/y": splits["train"].y, "train/rows": rows.astype(np.int32)}
    if prepared.grid is not None:
        arrays |= {"grid/raw": raw["grid"], "grid/x0": prepared.grid[0], "grid/x1": prepared.grid[1]}
    info = RunInfo(
        seed=seed,
        key=run_key(cell, seed),
        status=DIVERGED if trained.diverged_epoch else FINISHED,
        started=started,
        ended=time.time(),
        stuck=stuck,
        diverged_epoch=trained.diverged_epoch,
        selected_epoch=trained.selected_epoch,
        scores=scores,
        naive=prepared.naive,
        tuned=prepared.outcome.parameters if prepared.outcome else {},
        study=prepared.outcome.study if prepared.outcome else "",
    )
    return info, arrays


def _is_stuck(prepared: PreparedCell, train: Part, score: float, loss: float) -> bool:
    """Say whether a run is stuck: no better than the best constant for the targets that it was given."""
    metric = MAIN_METRICS[prepared.cell.task]
    if not is_corrupted(prepared.cell.settings):
        naive = prepared.naive[f"train/{metric}"]
        return is_stuck(metric, score, naive, loss, lambda: prepared.naive_loss)
    y = prepared.dataset.in_unit(train.y)
    naive = naive_scores(prepared.cell.pair, y, y, prepared.dataset.n_classes)[metric]
    return is_stuck(metric, score, naive, loss, lambda: prepared.naive_loss_on(train.y))


def _scores(prepared: PreparedCell, splits: dict[str, Part], raw: dict[str, np.ndarray]) -> dict[str, Scores]:
    """Return a run's metrics for each split."""
    pair, dataset = prepared.cell.pair, prepared.dataset
    scores = {
        name: evaluate(pair, part.y, raw[name], ordered=dataset.ordered, in_unit=dataset.in_unit)
        for name, part in splits.items()
    }
    if prepared.calibrates:
        validation, test = splits["validation"], splits["test"]
        scores["test"] |= calibrated_scores(pair, validation.y, raw["validation"], test.y, raw["test"])
    return scores


def _by_split(scores: dict[str, Scores]) -> Scores:
    return {f"{split}/{name}": value for split, found in scores.items() for name, value in found.items()}


def _raw_predictions(prepared: PreparedCell, splits: dict[str, Part], trained: Trained) -> dict[str, np.ndarray]:
    """Return the raw predictions of every split and of the decision grid."""
    inputs = {name: part.x for name, part in splits.items()}
    if prepared.grid is not None:
        first, second = np.meshgrid(*prepared.grid, indexing="ij")
        inputs["grid"] = np.stack([first.ravel(), second.ravel()], axis=1)
    predict = PREDICT[prepared.cell.settings["trainer"]]
    together = predict(prepared.structure, trained.weights, np.concatenate(list(inputs.values())))
    edges = np.cumsum([len(x) for x in inputs.values()])[:-1]
    return dict(zip(inputs, np.split(together, edges), strict=True))


def run_key(cell: Cell, seed: int) -> str:
    """Return what identifies a run wherever it is recorded."""
    return f"{cell.key[:16]}-{seed}"


def _write_failed(cell: Cell, folder: Path, seed: int, started: float, error: Exception) -> None:
    text = "".join(traceback.format_exception_only(error)).strip()
    text = str(error) if isinstance(error, NoLearningRateError) else text
    info = RunInfo(seed, run_key(cell, seed), FAILED, started, time.time(), error=text)
    try:
        write_part(folder, info, {})
    except OSError:
        # A full disk: the run stays open and the next start takes it up again.
        log.exception("%s seed=%d could not be written", cell.name, seed)


def _write_cell(prepared: PreparedCell, folder: Path) -> None:
    cell, dataset = prepared.cell, prepared.dataset
    content: dict[str, Any] = {
        "name": cell.name,
        "key": cell.key,
        "settings": {name: cell.settings[name] for name in KEY_SETTINGS},
        "task": cell.task,
        "digest": dataset.digest,
        "target_scaling": dataset.target_scaling and dataset.target_scaling.to_json(),
        "naive": prepared.naive,
        "naive_loss": prepared.naive_loss,
        "ceiling": prepared.ceiling,
        "source": commit(),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "scikit-learn")},
    }
    if prepared.outcome is not None:
        content["study"] = asdict(prepared.outcome)
    write_text(folder / "cell.json", json.dumps(content, indent=1, sort_keys=True) + "\n")
    model = model_contents(cell, dataset, prepared.structure.network)
    write_text(folder / MODEL, json.dumps(model, sort_keys=True) + "\n")
    targets = {f"y/{name}": split.y for name, split in dataset.splits.items()}
    if prepared.grid is not None:
        targets |= {f"x/{name}": split.x for name, split in dataset.splits.items()}
    write_arrays(folder / "data.npz", targets)
    write_arrays(folder / "shape.npz", _shape(prepared))


def _shape(prepared: PreparedCell) -> dict[str, np.ndarray]:
    try:
        n_targets = prepared.data.y["train"].shape[1]
        return loss_shape(prepared.cell.pair, n_targets, prepared.hyperparameters.loss)
    except Exception:
        # A user's own function may take other shapes than its training has; it is only drawn with this.
        log.debug("%s has no shape", prepared.cell.name, exc_info=True)
        return {}
