"""A data set as arrays, split and standardized."""

import functools
import hashlib
import importlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from lossbench.datasets.table import DATASETS, SPLITS, split_counts

GENERATOR_EXCLUDES = ("name", "split", "standardize")


@dataclass(frozen=True)
class Part:
    """One split of a data set.

    Attributes
    ----------
    x : float32 array, shape (n_samples, n_features)
    y : array
        Regression: float32 of shape (n_samples, n_outputs). Classification: int32 classes of shape (n_samples,).
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """A data set: its splits by name (empty ones left out), its task and what identifies it."""

    name: str
    task: str
    n_classes: int
    splits: dict[str, Part]
    digest: str

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
    x, y = _make(info.maker, {k: v for k, v in settings.items() if k not in GENERATOR_EXCLUDES})
    order = _order(y, settings["split"]["seed"], by_class=info.task != "regression")
    x, y = x[order], y[order]
    counts = split_counts(settings["split"], len(x))
    edges = np.cumsum([0, *counts])
    rows = {name: slice(edges[i], edges[i + 1]) for i, name in enumerate(SPLITS) if counts[i]}
    standardize = settings["standardize"]
    fit_rows = slice(None) if standardize["fitted_on"] == "all_rows" else rows["train"]
    if standardize["x"] == "standard":
        x = StandardScaler().fit(x[fit_rows]).transform(x)
    if info.task == "regression":
        y = y.reshape(len(y), -1)
        if standardize["y"] == "standard":
            y = StandardScaler().fit(y[fit_rows]).transform(y)
    x = np.ascontiguousarray(x, np.float32)
    y = np.ascontiguousarray(y, np.float32 if info.task == "regression" else np.int32)
    return Dataset(
        name=settings["name"],
        task=info.task,
        n_classes=0 if info.task == "regression" else int(y.max()) + 1,
        splits={name: Part(x[part], y[part]) for name, part in rows.items()},
        digest=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()[:16],
    )


def _make(maker: str, parameters: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    module, _, name = maker.partition(":")
    function = getattr(importlib.import_module(module), name)
    return function(return_X_y=True) if name.startswith("load_") else function(**parameters)


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
