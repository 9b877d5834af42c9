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
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lossbench import quiet_tensorflow  # noqa: F401
from lossbench.config import KEY_SETTINGS
from lossbench.datasets.loading import Dataset, load
from lossbench.losses.choice import CUSTOM, parameter_values
from lossbench.metrics.evaluate import Scores, evaluate
from lossbench.metrics.table import MAIN_METRICS
from lossbench.naive import ceiling_scores, constant_raw_prediction, is_stuck, naive_scores
from lossbench.own_functions import make_importable
from lossbench.plan import Cell
from lossbench.provenance import commit
from lossbench.results import DIVERGED, FAILED, FINISHED, RunInfo, write_arrays, write_part, write_text
from lossbench.shape import loss_shape
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
    """A cell with all that its runs share."""

    cell: Cell

    @cached_property
    def dataset(self) -> Dataset:
        """Its data."""
        return load(self.cell.settings["dataset"])

    @cached_property
    def data(self) -> Data:
        """Its data as its programs take them."""
        return training.make_data(self.cell.pair, self.dataset.splits, self.dataset.n_classes)

    @cached_property
    def structure(self) -> Structure:
        """What its program is compiled for."""
        return training.make_structure(self.cell.settings, self.cell.pair, self.data)

    @cached_property
    def hyperparameters(self) -> Hyperparameters:
        """Learning rate, loss parameters and epochs of its runs."""
        settings = self.cell.settings
        return Hyperparameters(
            settings["optimizer"]["learning_rate"],
            parameter_values(settings["loss"]),
            settings["epochs"],
            settings["schedule"],
        )

    @cached_property
    def naive(self) -> Scores:
        """The naive predictor's metrics, by ``split/metric``."""
        splits, n_classes = self.dataset.splits, self.dataset.n_classes
        scores = {name: naive_scores(self.cell.pair, splits["train"].y, s.y, n_classes) for name, s in splits.items()}
        return {f"{split}/{name}": value for split, found in scores.items() for name, value in found.items()}

    @cached_property
    def ceiling(self) -> Scores:
        """What the best possible predictor reaches, by ``split/metric``, where the generator's optimum is known."""
        scores = {name: ceiling_scores(self.cell.task, s.y, s.optimum) for name, s in self.dataset.splits.items()}
        return {f"{split}/{name}": value for split, found in scores.items() for name, value in found.items()}

    @cached_property
    def naive_loss(self) -> float:
        """The cell's own loss of its best constant prediction, on the training split."""
        pair, y = self.cell.pair, self.dataset.splits["train"].y
        n_classes, parameters = self.dataset.n_classes, self.hyperparameters.loss
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
def compile_ahead(cells: list[Cell]) -> Iterator[None]:
    """Build the cells' programs in order, in a thread: cells train while later ones compile."""
    stopped = threading.Event()

    def build():
        for cell in cells:
            if stopped.is_set():
                return
            if cell.settings["trainer"] != "compiled":
                continue
            try:
                program_for(PreparedCell(cell).structure)
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


def run_cell(cell: Cell, folder: Path, seeds: list[int], n_threads: int) -> None:
    """Train a cell's runs for the given seeds and write each to the folder as it finishes.

    Never raises for what goes wrong in a run: that run is written as failed, with the traceback in the log.
    """
    started = time.time()
    try:
        prepared = PreparedCell(cell)
        make_importable()
        if cell.settings["loss"]["name"] == CUSTOM:
            _check_custom_loss(prepared, seeds[0])
        _write_cell(prepared, folder)
        if cell.settings["trainer"] == "compiled":
            _compile(prepared)
    except Exception as error:
        log.exception("%s cannot be trained", cell.name)
        for seed in seeds:
            _write_failed(cell, folder, seed, started, error)
        return
    _train_all(prepared, folder, seeds, n_threads)


def _compile(prepared: PreparedCell) -> None:
    structure = prepared.structure
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
        trained = TRAIN[cell.settings["trainer"]](
            prepared.structure, prepared.data, prepared.hyperparameters, seed, stop.is_set
        )
        info, arrays = _describe(prepared, seed, trained, started)
        write_part(folder, info, arrays)
    except training.StoppedError:
        return
    except Exception as error:
        log.exception("%s seed=%d failed", cell.name, seed)
        _write_failed(cell, folder, seed, started, error)


def _describe(
    prepared: PreparedCell, seed: int, trained: Trained, started: float
) -> tuple[RunInfo, dict[str, np.ndarray]]:
    cell, splits = prepared.cell, prepared.dataset.splits
    raw = _raw_predictions(prepared, trained)
    scores = {
        f"{split}/{name}": value
        for split, part in splits.items()
        for name, value in evaluate(cell.pair, part.y, raw[split]).items()
    }
    metric = MAIN_METRICS[cell.task]
    stuck = not trained.diverged_epoch and is_stuck(
        metric,
        scores[f"train/{metric}"],
        prepared.naive[f"train/{metric}"],
        float(trained.curves["train/loss"][-1]),
        prepared.naive_loss,
    )
    arrays = {"epochs": trained.epochs}
    arrays |= {f"curve/{name}": curve for name, curve in trained.curves.items()}
    arrays |= {f"weight/{i}": weight for i, weight in enumerate(trained.weights)}
    arrays |= {f"raw/{name}": values for name, values in raw.items() if name in splits}
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
    )
    return info, arrays


def _raw_predictions(prepared: PreparedCell, trained: Trained) -> dict[str, np.ndarray]:
    """Return the raw predictions of every split and of the decision grid."""
    inputs = {name: part.x for name, part in prepared.dataset.splits.items()}
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
    info = RunInfo(seed, run_key(cell, seed), FAILED, started, time.time(), error=text)
    try:
        write_part(folder, info, {})
    except OSError:
        # A full disk: the run stays open and the next start takes it up again.
        log.exception("%s seed=%d could not be written", cell.name, seed)


def _write_cell(prepared: PreparedCell, folder: Path) -> None:
    cell, dataset = prepared.cell, prepared.dataset
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "name": cell.name,
        "key": cell.key,
        "settings": {name: cell.settings[name] for name in KEY_SETTINGS},
        "task": cell.task,
        "digest": dataset.digest,
        "naive": prepared.naive,
        "naive_loss": prepared.naive_loss,
        "ceiling": prepared.ceiling,
        "source": commit(),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "scikit-learn")},
    }
    write_text(folder / "cell.json", json.dumps(content, indent=1, sort_keys=True) + "\n")
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
