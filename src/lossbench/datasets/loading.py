"""Loads a data set as arrays: generates or reads it, splits it, scales it."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lossbench.config.settings import (
    DatasetSettings,
    FileSettings,
    FoldsSettings,
    OwnArraysSettings,
    group_settings,
    plain,
)
from lossbench.datasets.catalogue import DatasetInfo, described, n_outputs, validation_share
from lossbench.datasets.folds import Rows, all_rows, fold_rows
from lossbench.datasets.own_arrays.description import read_arrays
from lossbench.datasets.scaling import TargetScaling, fit_targets, prepare_numbers, prepare_prose, prepare_texts
from lossbench.datasets.splits import ordered_rows, split_slices
from lossbench.datasets.user_file.columns import Columns
from lossbench.datasets.user_file.groups_and_times import groups_of, times_of
from lossbench.datasets.user_file.prose import prose_array
from lossbench.datasets.user_file.reading import read_table, reading_of
from lossbench.datasets.user_file.rows import feature_arrays, used_rows
from lossbench.datasets.user_file.targets import find_target
from lossbench.ground.loading_functions import load_function
from lossbench.losses.heads import NUMBER_TASKS


@dataclass(frozen=True)
class Part:
    """One split of a data set.

    Attributes
    ----------
    x : float32 array, shape (n_samples, n_features)
    y : array
        Numbers and shares: float32 of shape (n_samples, n_outputs). Classes: int32 of shape (n_samples,). Several
        labels: int32, 0 or 1, of shape (n_samples, n_labels).
    optimum : dict
        The best predictions that the generator allows, if known; see ``optima``.
    """

    x: np.ndarray
    y: np.ndarray
    optimum: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A data set as a cell trains on it.

    Attributes
    ----------
    splits : dict
        The splits by name; empty ones are absent.
    n_classes : int
        The number of classes or labels; 0 for numbers and shares.
    digest : str
        Hash of all features and targets.
    target_scaling : TargetScaling or None
        Converts targets and predictions to the unit of the metrics; None if they are in that unit already.
    ordered : bool
        Whether the classes have an order.
    preprocessing : dict
        The fitted preprocessing as plain data: ``numbers``, ``texts``, ``prose`` and ``targets``, each None if unused;
        see ``scaling``. A saved model applies it to new rows.
    test_rows : int array or None
        Of a fold: which rows of the data its test split has.
    """

    name: str
    task: str
    n_classes: int
    splits: dict[str, Part]
    digest: str
    target_scaling: TargetScaling | None = None
    ordered: bool = False
    preprocessing: dict[str, Any] = field(default_factory=dict)
    test_rows: np.ndarray | None = None

    @property
    def unit(self) -> tuple[float, ...]:
        """The scale of each output: its target in the metrics' unit is this many times the trained one."""
        return (1.0,) if self.target_scaling is None else self.target_scaling.unit

    def in_unit(self, values: np.ndarray) -> np.ndarray:
        """Return targets, or predictions of them, converted to the unit of the metrics."""
        return values if self.target_scaling is None else self.target_scaling.original(values)

    @property
    def n_features(self) -> int:
        """The number of features of a sample."""
        return self.splits["train"].x.shape[1]


def fresh_sample(settings: DatasetSettings, seed: int) -> DatasetSettings:
    """Return the settings of a generated data set with a random state that belongs to a run.

    It depends on the random state of the settings and on the run's seed, so all losses get the same samples.
    """
    state = settings.parameters["random_state"]
    drawn = int(np.random.SeedSequence(state, spawn_key=(seed,)).generate_state(1)[0])
    drawn_anew = replace(settings, parameters={**settings.parameters, "random_state": drawn})
    if isinstance(drawn_anew, OwnArraysSettings):
        return replace(drawn_anew, data=replace(drawn_anew.facts, digest=""))
    return drawn_anew


def load(settings: DatasetSettings) -> Dataset:
    """Return the data set of a cell; cached, so the same settings give the same object.

    Parameters
    ----------
    settings : DatasetSettings
        The cell's.
    """
    # As JSON, because the cache needs a hashable key.
    return _load(json.dumps(plain(settings), sort_keys=True))


@functools.lru_cache(maxsize=8)
def _load(settings_json: str) -> Dataset:
    settings = _settings(settings_json)
    made = _make(settings)
    by_class = described(settings).task in ("binary", "multiclass")
    order = ordered_rows(made.y, settings.split.seed, by_class=by_class)
    return _prepared(settings, made, order, split_slices(settings.split, len(made.x)))


def load_fold(settings: DatasetSettings, folds: FoldsSettings, place: tuple[int, int] | None) -> Dataset:
    """Return the data set of one fold of a cell, all preprocessing fitted on its training rows; cached.

    Parameters
    ----------
    settings : DatasetSettings
        The cell's.
    place : (repetition, fold) or None
        None: all rows are for training.

    Returns
    -------
    Dataset
        With ``test_rows``, and the digest of all rows.
    """
    return _load_fold(json.dumps(plain(settings), sort_keys=True), folds, place)


# As many as 2 x 5 folds, so that the next loss finds them, and all rows.
@functools.lru_cache(maxsize=11)
def _load_fold(settings_json: str, folds: FoldsSettings, place: tuple[int, int] | None) -> Dataset:
    settings = _settings(settings_json)
    given, share = rows_to_divide(settings), validation_share(settings.split)
    rows = all_rows(given, folds, share) if place is None else fold_rows(given, folds, place, share)
    found = load_parts(settings, {"train": rows.train, "validation": rows.validation, "test": rows.test})
    return replace(found, test_rows=rows.test)


def rows_to_divide(settings: DatasetSettings) -> Rows:
    """Return what decides which rows of a data set may be in a fold together."""
    made = _made_for_folds(json.dumps(plain(settings), sort_keys=True))
    return Rows(made.y, described(settings).task in ("binary", "multiclass"), made.groups, made.times)


def load_parts(settings: DatasetSettings, parts: dict[str, np.ndarray]) -> Dataset:
    """Return a data set with these rows in each split, all preprocessing fitted on those of ``train``.

    Texts have the levels of the whole data, so the number of features does not depend on the rows.

    Parameters
    ----------
    parts : dict
        Indices of rows, by the name of the split; splits without rows are left out.
    """
    made = _made_for_folds(json.dumps(plain(settings), sort_keys=True))
    edges = np.cumsum([0, *map(len, parts.values())]).tolist()
    slices = {name: slice(edges[i], edges[i + 1]) for i, name in enumerate(parts) if len(parts[name])}
    order = np.concatenate(list(parts.values()))
    return _prepared(settings, made, order, slices, digest=made.digest, all_levels=True)


def _settings(settings_json: str) -> DatasetSettings:
    return group_settings("dataset", json.loads(settings_json))


@functools.lru_cache(maxsize=1)
def _made_for_folds(settings_json: str) -> "_Made":
    return _make(_settings(settings_json))


def _make(settings: DatasetSettings) -> "_Made":
    if isinstance(settings, OwnArraysSettings):
        arrays = read_arrays(settings)
        return _Made(arrays.x, arrays.y, np.empty((len(arrays.x), 0), np.int32), [], {})
    return _read(settings) if isinstance(settings, FileSettings) else _generate(described(settings), settings)


def _prepared(
    settings: DatasetSettings,
    made: "_Made",
    order: np.ndarray,
    rows: dict[str, slice],
    *,
    digest: str = "",
    all_levels: bool = False,
) -> Dataset:
    """Return data in an order of its rows, split and preprocessed.

    Parameters
    ----------
    order : int array
        Indices of rows.
    rows : dict
        The slice of the ordered rows that each split takes.
    digest : str
        Of the data; '' takes that of the ordered and scaled rows.
    all_levels : bool
        See ``prepare_texts``.
    """
    info = described(settings)
    x, y, codes = made.x[order], made.y[order], made.codes[order]
    optimum = {name: values[order] for name, values in made.optimum.items()}
    standardize = settings.standardize
    fit_rows = slice(None) if standardize.fitted_on == "all_rows" else rows["train"]
    imputes = _imputes(settings)
    preprocessing: dict[str, Any] = {"numbers": None, "texts": None, "prose": None, "targets": None}
    if x.shape[1]:
        how = standardize.x
        x, preprocessing["numbers"] = prepare_numbers(x, rows["train"], fit_rows, how, imputes=imputes)
    if codes.shape[1]:
        how_texts = {"imputes": imputes, "all_levels": all_levels}
        encoded, preprocessing["texts"] = prepare_texts(codes, made.levels, rows["train"], **how_texts)
        x = np.hstack([np.asarray(x, np.float32), encoded])
    if made.prose is not None and isinstance(settings, FileSettings):
        widths = list(settings.facts.prose.values())
        words, preprocessing["prose"] = prepare_prose(made.prose[order], widths, rows["train"])
        x = np.hstack([np.asarray(x, np.float32), words])
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
        digest=digest or hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()[:16],
        target_scaling=scaling if standardize.metrics == "original" else None,
        ordered=info.ordered,
        preprocessing=preprocessing,
    )


def _imputes(settings: DatasetSettings) -> bool:
    """Return whether missing features are filled in."""
    if isinstance(settings, FileSettings):
        return settings.missing == "impute"
    return isinstance(settings, OwnArraysSettings) and settings.on_missing == "impute"


def tuning_rows(dataset: Dataset, *, apart: bool) -> Part:
    """Return the rows of a study: those of the training split and of the validation split, never of the test split.

    Parameters
    ----------
    apart : bool
        Whether trainings choose an epoch by the validation split; it then judges nothing else, and is left out.
    """
    train, validation = dataset.splits["train"], dataset.splits.get("validation")
    if apart or validation is None:
        return train
    return Part(np.concatenate([train.x, validation.x]), np.concatenate([train.y, validation.y]))


@dataclass(frozen=True)
class _Made:
    """Data as generated or read, before splitting and scaling.

    Attributes
    ----------
    x : float array, shape (n_samples, n_numbers)
        Numeric features, NaN where missing.
    y : array
        Targets.
    codes : int array, shape (n_samples, n_categories)
        Text features as positions in ``levels``, -1 where missing.
    levels : list of list of str
        The different texts of each text column.
    optimum : dict
        As in ``Part``.
    groups, times : int array, shape (n_samples,), or None
        As in ``folds.Rows``.
    prose : object array, shape (n_samples, n_columns), or None
        Columns of running text.
    """

    x: np.ndarray
    y: np.ndarray
    codes: np.ndarray
    levels: list[list[str]]
    optimum: dict[str, np.ndarray]
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    prose: np.ndarray | None = None

    @functools.cached_property
    def digest(self) -> str:
        """Hash of all features and targets, before scaling."""
        prose = () if self.prose is None else (self.prose.astype(str),)
        arrays = (self.x, self.y, self.codes, *prose)
        return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]


def _generate(info: DatasetInfo, settings: DatasetSettings) -> _Made:
    parameters = settings.parameters
    x, y = _call(info.maker, parameters)
    optimum = load_function(info.optimum)(x, parameters) if info.optimum else {}
    return _Made(x, y, np.empty((len(x), 0), np.int32), [], optimum)


def _read(settings: FileSettings) -> _Made:
    """Return the data of a user's file, with the columns that planning found.

    Raises
    ------
    ValueError
        If the file has changed since it was planned.
    """
    facts, table = settings.facts, read_table(reading_of(settings))
    if table.digest != facts.digest:
        raise ValueError(f"{settings.path} has changed since the sweep was planned; the same command plans anew")
    target = find_target(table, settings)
    kept = used_rows(table, settings, Columns(facts.numbers, facts.categories), target)
    x, codes, levels = feature_arrays(table.frame, facts.numbers, facts.categories)
    groups = groups_of(table, settings)[kept] if settings.groups else None
    times = times_of(table, settings)[kept] if settings.time else None
    prose = prose_array(table.frame, list(facts.prose))[kept] if facts.prose else None
    return _Made(x[kept], target.values[kept], codes[kept], levels, {}, groups, times, prose)


def _call(maker: str, parameters: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return features and targets from a generator, or from one of scikit-learn's loaders."""
    function = load_function(maker)
    return function(return_X_y=True) if maker.startswith("sklearn.datasets:load_") else function(**parameters)
