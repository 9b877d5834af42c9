"""A network trained on arrays with the trainer of sweeps, and its predictions.

It is what a sweep trains on all rows of a file (the network that is kept of a cross-validated cell): the same rows in
the same order, the same scaling, the same program, and so the same weights.
"""

from lossbench.ground import quiet_tensorflow  # noqa: F401  isort: skip

import functools
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from lossbench.config.settings import CellSettings, FoldsSettings, group_settings
from lossbench.datasets.catalogue import described, n_outputs, validation_share
from lossbench.datasets.folds import Rows, all_rows
from lossbench.datasets.loading import Part
from lossbench.datasets.scaling import TargetScaling, fit_targets, prepare_numbers
from lossbench.losses.heads import HEADS, NUMBER_TASKS, threshold
from lossbench.losses.pairing import Pair
from lossbench.training.compiled import forget_program
from lossbench.training.networks import build_model
from lossbench.training.specification import (
    EVALUATION_BATCH,
    Structure,
    Trained,
    make_data,
    make_hyperparameters,
    make_structure,
    tracing_lock,
    unit_of_curve,
)
from lossbench.training.trainers import TRAIN

# The programs that a process keeps, those used last: a search over folds of two sizes and several losses has as many.
MOST_PROGRAMS = 16
_used: "OrderedDict[Structure, None]" = OrderedDict()
_used_lock = threading.Lock()


@dataclass(frozen=True)
class Network:
    """A trained network: arrays and plain data, so that it can be pickled.

    Attributes
    ----------
    pair : Pair
        How its loss goes with its head.
    structure : Structure
        What its program was compiled for.
    weights : list of arrays
        In the order of the Keras model's weights.
    features : dict
        The ``center`` and ``scale`` of each feature, each None if features are not scaled.
    targets : TargetScaling or None
        The scaling of the targets.
    """

    pair: Pair
    structure: Structure
    weights: list[np.ndarray]
    features: dict[str, Any]
    targets: TargetScaling | None

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Return the raw predictions of rows, float32 of shape (n_rows, n_raw)."""
        if self.features["center"] is not None:
            x = (x - np.array(self.features["center"])) / np.array(self.features["scale"])
        x = x.astype(np.float32)
        model = _model(self.structure.model, self.structure.n_features, self.structure.n_raw)
        batches = [_padded(x[i : i + EVALUATION_BATCH]) for i in range(0, len(x), EVALUATION_BATCH)]
        # Without assigning them to the model, which all networks of its shape share.
        state = [model.trainable_variables, model.non_trainable_variables]
        by_id = {id(v): w for v, w in zip(model.weights, self.weights, strict=True)}
        given = [[by_id.get(id(v), v) for v in variables] for variables in state]
        found = [model.stateless_call(*given, batch, training=False)[0].numpy() for batch in batches]
        return np.concatenate(found)[: len(x)]

    def numbers(self, x: np.ndarray) -> np.ndarray:
        """Return the predicted numbers of rows in the targets' own unit, float64 of shape (n_rows, n_outputs)."""
        outputs = HEADS[self.pair.head].activate(self.raw(x).astype(np.float64))[:, : self.structure.n_outputs]
        return outputs if self.targets is None else self.targets.original(outputs)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return what classes are decided by, float64: above 0 for the second of two, or the largest of all.

        Returns
        -------
        array, shape (n_rows,) for two classes, else (n_rows, n_classes)
        """
        raw = self.raw(x).astype(np.float64)
        middle = threshold(self.pair.head, self.pair.encoding)
        if middle is not None:
            return raw[:, 0] - middle
        return raw if raw.shape[1] > 2 else raw[:, 1] - raw[:, 0]

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of each class, float64 of shape (n_rows, n_classes); only if the pair has them."""
        assert self.pair.probability, "the outputs of other pairs are no probabilities"
        outputs = HEADS[self.pair.head].activate(self.raw(x).astype(np.float64))
        return outputs if outputs.shape[1] > 1 else np.hstack([1.0 - outputs, outputs])


def trained_network(
    settings: CellSettings, pair: Pair, x: np.ndarray, y: np.ndarray, seed: int
) -> tuple[Network, Trained]:
    """Train a network on all rows, but for a share that chooses the epoch if the settings ask for one.

    Parameters
    ----------
    x : float64 array, shape (n_rows, n_features)
    y : array
        Numbers of shape (n_rows, n_outputs), or classes from 0 of shape (n_rows,).
    seed : int
        The run's seed.

    Returns
    -------
    Network
    Trained
        The training, with the curves of the main metric in the targets' own unit.
    """
    numbers, standardize = pair.task in NUMBER_TASKS, settings.dataset.standardize
    assert isinstance(settings.repeat, FoldsSettings), "the order of the rows is that of a cross-validated cell"
    rows = all_rows(Rows(y, not numbers), settings.repeat, validation_share(settings.dataset.split))
    order, train = np.concatenate([rows.train, rows.validation]), slice(0, len(rows.train))
    x, y = x[order], y[order]
    fit_rows = slice(None) if standardize.fitted_on == "all_rows" else train
    x, features = prepare_numbers(x, train, fit_rows, standardize.x, imputes=False)
    targets = fit_targets(y, fit_rows, standardize.y) if numbers else None
    y = y if targets is None else targets.scaled(y)
    x = np.ascontiguousarray(x, np.float32)
    y = np.ascontiguousarray(y, np.float32 if numbers else np.int32)
    parts = {"train": Part(x[train], y[train])}
    if len(rows.validation):
        parts["validation"] = Part(x[train.stop :], y[train.stop :])
    unit = (1.0,) if targets is None or standardize.metrics == "scaled" else targets.unit
    data = make_data(pair, parts, 0 if numbers else n_outputs(described(settings.dataset), settings.dataset), unit)
    structure = make_structure(settings, pair, data)
    _keep_few_programs(structure)
    found = TRAIN[settings.trainer](structure, data, make_hyperparameters(settings), seed)
    return Network(pair, structure, found.weights, features, targets), _in_unit(found, structure, unit)


def _in_unit(trained: Trained, structure: Structure, unit: tuple[float, ...]) -> Trained:
    factor = np.float32(unit_of_curve(structure.metric, unit))
    ending = f"/{structure.metric}"
    curves = {name: curve * factor if name.endswith(ending) else curve for name, curve in trained.curves.items()}
    return replace(trained, curves=curves)


def _keep_few_programs(structure: Structure) -> None:
    """Note that a structure's program is about to be used, and free the one that was not used for longest."""
    with _used_lock:
        _used[structure] = None
        _used.move_to_end(structure)
        if len(_used) > MOST_PROGRAMS:
            forget_program(_used.popitem(last=False)[0])


@functools.lru_cache(maxsize=MOST_PROGRAMS)
def _model(model: str, n_features: int, n_raw: int) -> keras.Model:
    """Return a Keras model of these settings, given as JSON; its own weights are not used."""
    with tracing_lock:
        return build_model(group_settings("model", json.loads(model)), n_features, n_raw)


def _padded(batch: np.ndarray) -> np.ndarray:
    # Always of one size, so that a row's prediction has the same bits whichever rows it is predicted with.
    return np.pad(batch, ((0, EVALUATION_BATCH - len(batch)), (0, 0)))
