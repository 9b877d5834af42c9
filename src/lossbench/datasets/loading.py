"""A data set as arrays, split and standardized."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lossbench.config.settings import DatasetSettings, FileSettings, group_settings, plain
from lossbench.datasets.catalogue import DatasetInfo, described, n_outputs
from lossbench.datasets.scaling import TargetScaling, fit_targets, prepare_numbers, prepare_texts
from lossbench.datasets.splits import ordered_rows, split_slices
from lossbench.datasets.user_file.columns import Columns
from lossbench.datasets.user_file.reading import read_table, reading_of
from lossbench.datasets.user_file.rows import feature_arrays, used_rows
from lossbench.datasets.user_file.targets import find_target
from lossbench.ground.loading_functions import load_function
from lossbench.losses.heads import NUMBER_TASKS

# Of the order in which training samples are held out for a study.
HELD_OUT_SEED = 0


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

    ``n_classes`` is 0 where targets are numbers, and the number of labels where there are several. ``target_scaling``
    says how targets and predictions are brought to the unit of the metrics; None where they are in it. ``ordered`` says
    whether the classes are in an order. ``preprocessing`` is what was fitted to make a network's inputs and targets,
    as plain data: ``numbers`` and ``texts`` (see ``scaling``; None where there are none), and ``targets``.
    """

    name: str
    task: str
    n_classes: int
    splits: dict[str, Part]
    digest: str
    target_scaling: TargetScaling | None = None
    ordered: bool = False
    preprocessing: dict[str, Any] = field(default_factory=dict)

    @property
    def unit(self) -> tuple[float, ...]:
        """The metrics' unit of each output, in units of what is trained on."""
        return (1.0,) if self.target_scaling is None else self.target_scaling.unit

    def in_unit(self, values: np.ndarray) -> np.ndarray:
        """Return targets, or predictions of them, in the unit of the metrics."""
        return values if self.target_scaling is None else self.target_scaling.original(values)

    @property
    def n_features(self) -> int:
        """The number of features of a sample."""
        return self.splits["train"].x.shape[1]


def load(settings: DatasetSettings) -> Dataset:
    """Return the data set that settings describe; the same object for the same settings.

    Parameters
    ----------
    settings : DatasetSettings
        The cell's.
    """
    return _load(json.dumps(plain(settings), sort_keys=True))


@functools.lru_cache(maxsize=8)
def _load(settings_json: str) -> Dataset:
    settings: DatasetSettings = group_settings("dataset", json.loads(settings_json))
    info = described(settings)
    made = _read(settings) if isinstance(settings, FileSettings) else _generate(info, settings)
    order = ordered_rows(made.y, settings.split.seed, by_class=info.task in ("binary", "multiclass"))
    x, y, codes = made.x[order], made.y[order], made.codes[order]
    optimum = {name: values[order] for name, values in made.optimum.items()}
    rows = split_slices(settings.split, len(x))
    standardize = settings.standardize
    fit_rows = slice(None) if standardize.fitted_on == "all_rows" else rows["train"]
    imputes = isinstance(settings, FileSettings) and settings.missing == "impute"
    preprocessing: dict[str, Any] = {"numbers": None, "texts": None, "targets": None}
    if x.shape[1]:
        how = standardize.x
        x, preprocessing["numbers"] = prepare_numbers(x, rows["train"], fit_rows, how, imputes=imputes)
    if codes.shape[1]:
        encoded, preprocessing["texts"] = prepare_texts(codes, made.levels, rows["train"], imputes=imputes)
        x = np.hstack([np.asarray(x, np.float32), encoded])
    numbers = info.task in NUMBER_TASKS
    scaling = None
    if numbers:
        y = y.reshape(len(y), -1)
        scaling = fit_targets(y, fit_rows, standardize.y)
        if scaling is not None:
            y, optimum = scaling.scaled(y), {name: scaling.scaled(values) for name, values in optimum.items()}
            preprocessing["targets"] = scaling.to_json()
    x = np.ascontiguousarray(x, np.float32)
    y = np.ascontiguousarray(y, np.float32 if numbers else np.int32)
    return Dataset(
        name=settings.name,
        task=info.task,
        n_classes=0 if numbers else n_outputs(info, settings),
        splits={
            name: Part(x[part], y[part], {key: values[part] for key, values in optimum.items()})
            for name, part in rows.items()
        },
        digest=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()[:16],
        target_scaling=scaling if standardize.metrics == "original" else None,
        ordered=info.ordered,
        preprocessing=preprocessing,
    )


def tuning_splits(dataset: Dataset, share: float) -> dict[str, Part]:
    """Return what a study trains on and chooses by; it does not look at the test split.

    Parameters
    ----------
    dataset : Dataset
        Whose validation split is taken if it has one.
    share : float in (0, 1)
        Else, of the training samples, how many are held out: of each class its share, and the same for every loss.

    Returns
    -------
    dict
        ``train`` and ``validation``.
    """
    train = dataset.splits["train"]
    if "validation" in dataset.splits:
        return {"train": train, "validation": dataset.splits["validation"]}
    order = ordered_rows(train.y, HELD_OUT_SEED, by_class=dataset.task in ("binary", "multiclass"))
    n_kept = len(order) - round(share * len(order))
    rows = {"train": np.sort(order[:n_kept]), "validation": np.sort(order[n_kept:])}
    return {name: Part(train.x[part], train.y[part]) for name, part in rows.items()}


@dataclass(frozen=True)
class _Made:
    """Data as made or read: numbers (NaN: missing), targets, codes of texts, what those mean, best predictions."""

    x: np.ndarray
    y: np.ndarray
    codes: np.ndarray
    levels: list[list[str]]
    optimum: dict[str, np.ndarray]


def _generate(info: DatasetInfo, settings: DatasetSettings) -> _Made:
    parameters = settings.parameters
    x, y = _make(info.maker, parameters)
    optimum = load_function(info.optimum)(x, parameters) if info.optimum else {}
    return _Made(x, y, np.empty((len(x), 0), np.int32), [], optimum)


def _read(settings: FileSettings) -> _Made:
    """Return what a user's file has, as planning described it."""
    facts, table = settings.facts, read_table(reading_of(settings))
    if table.digest != facts.digest:
        raise ValueError(f"{settings.path} has changed since the sweep was planned; the same command plans anew")
    target = find_target(table, settings)
    kept = used_rows(table, settings, Columns(facts.numbers, facts.categories), target)
    x, codes, levels = feature_arrays(table.frame, facts.numbers, facts.categories)
    return _Made(x[kept], target.values[kept], codes[kept], levels, {})


def _make(maker: str, parameters: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    function = load_function(maker)
    return function(return_X_y=True) if maker.startswith("sklearn.datasets:load_") else function(**parameters)
