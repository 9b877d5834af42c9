"""A data set as arrays, split and standardized."""

import functools
import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from lossbench.datasets.table import DATASETS, SPLITS, n_outputs, split_counts
from lossbench.heads import NUMBER_TASKS

NOT_OF_GENERATORS = ("name", "split", "standardize")


@dataclass(frozen=True)
class Part:
    """One split of a data set.

    Attributes
    ----------
    x : float32 array, shape (n_samples, n_features)
    y : array
        Numbers: float32 of shape (n_samples, n_outputs). Classes: int32 of shape (n_samples,). Several labels: int32
        0 or 1 of shape (n_samples, n_labels).
    optimum : dict
        The best predictions that the generator allows, where they are known; see ``optima``.
    """

    x: np.ndarray
    y: np.ndarray
    optimum: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A data set: its splits by name (empty ones left out), its task and what identifies it.

    ``n_classes`` is 0 where targets are numbers, and the number of labels where there are several; ``ordered`` says
    whether the classes are in an order.
    """

    name: str
    task: str
    n_classes: int
    splits: dict[str, Part]
    digest: str
    ordered: bool = False

    @property
    def n_features(self) -> int:
        """The number of features of a sample."""
        return self.splits["train"].x.shape[1]


def load(settings: dict[str, Any]) -> Dataset:
    """Return the data set that settings describe; the same object for the same settings.

    Parameters
    ----------
    settings : dict
        The cell's validated ``dataset`` settings.
    """
    return _load(json.dumps(settings, sort_keys=True))


@functools.lru_cache(maxsize=8)
def _load(settings_json: str) -> Dataset:
    settings = json.loads(settings_json)
    info = DATASETS[settings["name"]]
    parameters = {k: v for k, v in settings.items() if k not in NOT_OF_GENERATORS}
    x, y = _make(info.maker, parameters)
    optimum = load_function(info.optimum)(x, parameters) if info.optimum else {}
    order = _order(y, settings["split"]["seed"], by_class=info.task in ("binary", "multiclass"))
    x, y, optimum = x[order], y[order], {name: values[order] for name, values in optimum.items()}
    counts = split_counts(settings["split"], len(x))
    if sum(counts) > len(x):
        raise ValueError(f"dataset.split takes {sum(counts)} samples; what was loaded has {len(x)}")
    edges = np.cumsum([0, *counts])
    rows = {name: slice(edges[i], edges[i + 1]) for i, name in enumerate(SPLITS) if counts[i]}
    standardize = settings["standardize"]
    fit_rows = slice(None) if standardize["fitted_on"] == "all_rows" else rows["train"]
    if standardize["x"] == "standard":
        x = StandardScaler().fit(x[fit_rows]).transform(x)
    numbers = info.task in NUMBER_TASKS
    if numbers:
        y = y.reshape(len(y), -1)
        if standardize["y"] == "standard":
            scaler = StandardScaler().fit(y[fit_rows])
            y, optimum = scaler.transform(y), {name: scaler.transform(values) for name, values in optimum.items()}
    x = np.ascontiguousarray(x, np.float32)
    y = np.ascontiguousarray(y, np.float32 if numbers else np.int32)
    return Dataset(
        name=settings["name"],
        task=info.task,
        n_classes=0 if numbers else n_outputs(info, settings),
        splits={
            name: Part(x[part], y[part], {key: values[part] for key, values in optimum.items()})
            for name, part in rows.items()
        },
        digest=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()[:16],
        ordered=info.ordered,
    )


def _make(maker: str, parameters: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    function = load_function(maker)
    return function(return_X_y=True) if maker.startswith("sklearn.datasets:load_") else function(**parameters)


def load_function(name: str) -> Callable:
    """Return the function that ``module:name`` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _order(y: np.ndarray, seed: int | None, *, by_class: bool) -> np.ndarray:
    """Return the rows in the order in which the splits take them.

    Shuffled by class, every stretch of rows has each class in its share: the rows of a class are spread evenly.
    """
    if seed is None:
        return np.arange(len(y))
    rng = np.random.default_rng(seed)
    if not by_class:
        return rng.permutation(len(y))
    position = np.empty(len(y))
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        position[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return np.argsort(position, kind="stable")
