"""A data set as arrays, split and standardized."""

import functools
import hashlib
import importlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from lossbench.datasets.table import DATASETS

SPLITS = ("train", "validation", "test")
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
    counts = [settings["split"][name] for name in SPLITS]
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
    module, _, function = maker.partition(":")
    return getattr(importlib.import_module(module), function)(**parameters)
