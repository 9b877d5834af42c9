"""Trains lossbench's own networks on fresh samples of a generator, by seeds and by folds, for interval_coverage.py.

One call of a generator makes a population of rows; its disjoint parts of 300 rows are the samples, and 20,000 rows that
no sample has tell how good a network is. (A random state for each sample would not do: in ``imbalanced`` it also moves
the classes.)
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lossbench.datasets.catalogue import described
from lossbench.datasets.loading import Dataset, Part
from lossbench.datasets.scaling import fit_targets, prepare_numbers
from lossbench.datasets.splits import ordered_rows
from lossbench.ground.loading_functions import load_function
from lossbench.ground.run_ids import RunId
from lossbench.jobs.evaluate import ended_stuck
from lossbench.jobs.prepare import PreparedCell
from lossbench.losses.heads import NUMBER_TASKS
from lossbench.metrics.rows import contributions
from lossbench.planning.command_line import read_overrides
from lossbench.planning.plan import Cell
from lossbench.planning.planner import make_plan
from lossbench.training.specification import main_metric
from lossbench.training.trainers import TRAIN

N_TRAIN, N_TEST, N_FRESH = 240, 60, 20_000
REPETITIONS, FOLDS, SEEDS_OF_FOLD = 2, 5, 3


@dataclass(frozen=True)
class CellOnRows(PreparedCell):
    """A cell with a data set of chosen rows."""

    rows: Dataset | None = None

    @cached_property
    def dataset(self) -> Dataset:
        assert self.rows is not None
        return self.rows


@dataclass(frozen=True)
class Runs:
    """The runs of one loss: for each sample, those of its seeds or of its folds.

    Attributes
    ----------
    works : bool array, shape (n_samples, n_runs)
    rows : float array, shape (n_samples, n_runs, N_TEST)
        What each test row contributes to the main metric.
    fresh : float array, shape (n_samples, n_runs)
        The main metric on the fresh rows.
    """

    works: np.ndarray
    rows: np.ndarray
    fresh: np.ndarray


def cell_of(data: str, loss: str, n_rows: int) -> Cell:
    """Return the cell of a data set's population; curves are not needed, so it is evaluated once, after the end."""
    shape = f"dataset.n_samples={n_rows} dataset.split.train={N_TRAIN} dataset.split.test={N_TEST}"
    words = [f"dataset={data}", *loss.split(), *shape.split(), "evaluate_every=100"]
    return make_plan(read_overrides(words, multirun=False), "").cells[0]


def dataset_of(cell: Cell, x: np.ndarray, y: np.ndarray, n_train: int = N_TRAIN, n_test: int = N_TEST) -> Dataset:
    """Return a data set whose first rows are for training, the next for testing, all others fresh."""
    how, numbers, train = cell.settings.dataset.standardize, cell.task in NUMBER_TASKS, slice(n_train)
    x = np.ascontiguousarray(prepare_numbers(x, train, train, how.x, imputes=False)[0], np.float32)
    scaling = None
    if numbers:
        y = y.reshape(len(y), -1)
        scaling = fit_targets(y, train, how.y)
        y = y if scaling is None else scaling.scaled(y)
    y = np.ascontiguousarray(y, np.float32 if numbers else np.int32)
    edges = {"train": train, "test": slice(n_train, n_train + n_test), "fresh": slice(n_train + n_test, None)}
    splits = {name: Part(x[rows], y[rows]) for name, rows in edges.items()}
    return Dataset(cell.dataset, cell.task, 0 if numbers else int(y.max()) + 1, splits, "", scaling)


def trained(cell: Cell, x: np.ndarray, y: np.ndarray, runs: list[RunId]) -> Iterator[tuple[bool, np.ndarray, float]]:
    """Train each run on the rows: whether the run works, what test rows contribute, the metric on fresh rows."""
    whole = dataset_of(cell, x, y)
    fresh, metric = whole.splits.pop("fresh"), cell.metric
    prepared = CellOnRows(cell, rows=whole)
    test = whole.splits["test"]
    for each in runs:
        run = prepared.run(each)
        done = TRAIN["compiled"](prepared.structure, run.data, prepared.hyperparameters, each.training_seed)
        score, loss = (float(prepared.curves(done)[f"train/{name}"][-1]) for name in (metric, "loss"))
        works = not done.diverged_epoch and not ended_stuck(run, score, loss)
        rows = contributions(cell.pair, metric, test.y, forward(done.weights, test.x), np.array(whole.unit))
        new = (
            main_metric(metric, cell.pair, forward(done.weights, fresh.x), fresh.y, whole.unit)
            if len(fresh.y)
            else np.nan
        )
        yield works, rows, new


def forward(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return the raw predictions of a network with one hidden layer."""
    first, first_bias, last, last_bias = weights
    # So many rows at a time that the hidden layer stays in the processor's cache.
    parts = np.split(x, range(1000, len(x), 1000))
    return np.concatenate([np.maximum(part @ first + first_bias, 0) @ last + last_bias for part in parts])


def stacked(runs: list[list[tuple[bool, np.ndarray, float]]]) -> Runs:
    works, rows, fresh = (np.array([[run[i] for run in sample] for sample in runs]) for i in range(3))
    return Runs(works, rows, fresh)


def seeds_and_folds(data: str, loss: str, n_samples: int, n_seeds: int) -> tuple[Runs, Runs]:
    """Return the runs of all samples: those of the seeds, and those of the folds."""
    n_rows = N_TRAIN + N_TEST
    cell = cell_of(data, loss, n_samples * n_rows + N_FRESH)
    settings = cell.settings.dataset
    x, y = load_function(described(settings).maker)(**settings.parameters)
    fresh = np.arange(n_samples * n_rows, len(x))
    of_seeds, of_folds = [], []
    for i in range(n_samples):
        rows = np.arange(i * n_rows, (i + 1) * n_rows)
        both = np.concatenate([rows, fresh])
        # No two samples share a seed, so that no seed's luck is in all of them.
        seeds = range(i * n_seeds, (i + 1) * n_seeds)
        of_seeds.append(list(trained(cell, x[both], y[both], [RunId(seed) for seed in seeds])))
        of_folds.append([])
        for repetition in range(REPETITIONS):
            order = rows[ordered_rows(y[rows], repetition, by_class=cell.task == "binary")]
            for fold in range(FOLDS):
                # The last N_TEST rows are the test part.
                turned = np.roll(order, fold * N_TEST)
                runs = [RunId(seed, repetition, fold) for seed in seeds[:SEEDS_OF_FOLD]]
                of_folds[-1] += trained(cell, x[turned], y[turned], runs)
        print(f"\r{data} {loss}: sample {i + 1}", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return stacked(of_seeds), stacked(of_folds)


def kept(folder: Path | None, data: str, loss: str, n_samples: int, n_seeds: int) -> tuple[Runs, Runs]:
    """Return the runs, from the folder if they are there; else train them, and keep them there."""
    file = folder and folder / f"{data} {loss} {n_samples} {n_seeds}.npz"
    if file is None or not file.exists():
        found = seeds_and_folds(data, loss, n_samples, n_seeds)
        if file is None:
            return found
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, **{f"{i}{name}": values for i in (0, 1) for name, values in vars(found[i]).items()})
    with np.load(file) as read:
        return tuple(Runs(**{name: read[f"{i}{name}"] for name in ("works", "rows", "fresh")}) for i in (0, 1))
