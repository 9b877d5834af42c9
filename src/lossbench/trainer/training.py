"""What a training is told and what it gives, whichever trainer does it."""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from lossbench.heads import ENCODINGS, HEADS, NUMBER_TASKS, decide
from lossbench.losses.choice import parameter_values
from lossbench.losses.functions import check_function, loss_parameters, per_sample_loss
from lossbench.losses.table import Pair
from lossbench.metrics.table import MAIN_METRICS
from lossbench.models import build_model, initial_weights

# Evaluation and prediction take this many samples at a time: memory does not grow with the data.
EVALUATION_BATCH = 1024
# One call of the program updates about this many weights times samples (1 s), so that an interrupt comes through.
WORK_PER_CALL = 2_000_000_000


@dataclass(frozen=True)
class Structure:
    """All that a program is compiled for; runs that share it share the program.

    Attributes
    ----------
    model, optimizer : str
        JSON of their settings; the learning rate is not in it.
    parameters : tuple of (name, default)
        Of the loss function; a default is a number or rows of numbers.
    n_samples : tuple of (split, count)
        The splits in order, ``train`` first.
    epochs_per_call : int
        The most epochs that one call trains.
    """

    model: str
    optimizer: str
    pair: Pair
    parameters: tuple[tuple[str, Any], ...]
    n_features: int
    n_outputs: int
    n_samples: tuple[tuple[str, int], ...]
    batch_size: int
    evaluate_every: int
    epochs_per_call: int

    @property
    def n_raw(self) -> int:
        """How many raw predictions the network gives for a sample."""
        return self.n_outputs * len(HEADS[self.pair.head].statistics)


@dataclass(frozen=True)
class Data:
    """What a run of a structure trains and is evaluated on.

    Attributes
    ----------
    x, y, target : dict
        Each split to float32 features (n, n_features), encoded targets (n, n_outputs) and what the main metric
        compares with: int32 classes (n,) or labels (n, n_outputs), or the numbers again.
    """

    x: dict[str, np.ndarray]
    y: dict[str, np.ndarray]
    target: dict[str, np.ndarray]


@dataclass(frozen=True)
class Hyperparameters:
    """What may differ between two runs of one program, besides data and seed."""

    learning_rate: float
    loss: dict[str, Any]
    epochs: int


@dataclass(frozen=True)
class Trained:
    """What one training gave.

    Attributes
    ----------
    epochs : int array, shape (n_points,)
        The epochs after which it was evaluated, from 1.
    curves : dict
        ``train/loss``, ``test/accuracy``, … to float32 arrays of shape (n_points,).
    weights : list of arrays
        In the order of the model's weights.
    diverged_epoch : int
        The epoch after which the train loss was no longer finite; 0 if it stayed so.
    """

    epochs: np.ndarray
    curves: dict[str, np.ndarray]
    weights: list[np.ndarray]
    diverged_epoch: int


class StoppedError(Exception):
    """The run was asked to stop before its end."""


def make_data(pair: Pair, splits: dict[str, Any], n_classes: int) -> Data:
    """Return splits (of ``datasets.loading.Part``) as a structure's programs take them."""
    encode = ENCODINGS[pair.encoding].encode
    return Data(
        x={name: part.x for name, part in splits.items()},
        y={name: encode(part.y, n_classes) for name, part in splits.items()},
        target={name: part.y for name, part in splits.items()},
    )


def make_structure(settings: dict[str, Any], pair: Pair, data: Data) -> Structure:
    """Return the structure of a cell with these validated settings on this data."""
    optimizer = {key: value for key, value in settings["optimizer"].items() if key != "learning_rate"}
    n_train, n_features = data.x["train"].shape
    n_outputs = data.y["train"].shape[1]
    given = parameter_values(settings["loss"])
    parameters = loss_parameters(pair, n_outputs)
    units = [n_features, *settings["model"]["hidden_units"], n_outputs]
    n_weights = sum((a + 1) * b for a, b in itertools.pairwise(units))
    per_call = max(1, WORK_PER_CALL // (n_weights * n_train))
    return Structure(
        model=json.dumps(settings["model"], sort_keys=True),
        optimizer=json.dumps(optimizer, sort_keys=True),
        pair=_shared(pair),
        parameters=tuple((name, _in_shape(default, given.get(name, default))) for name, default in parameters),
        n_features=n_features,
        n_outputs=n_outputs,
        n_samples=tuple((name, len(x)) for name, x in data.x.items()),
        batch_size=settings["batch_size"],
        evaluate_every=settings["evaluate_every"],
        epochs_per_call=min(settings["epochs"], per_call),
    )


def _in_shape(default: Any, given: Any) -> Any:
    """Return the default of a parameter, or zeros where what is given has another shape: arrays as tuples."""
    if np.shape(default) == np.shape(given):
        return default

    def nested(value: Any) -> Any:
        return tuple(map(nested, value)) if isinstance(value, list) else value

    return nested(np.zeros(np.shape(given)).tolist())


def _shared(pair: Pair) -> Pair:
    """Return the pair under its kernel's name: losses that are one function share one program."""
    kernel = pair.function.partition(":")[2] if pair.on_raw and not pair.terms else pair.loss
    return replace(pair, loss=kernel, probability=False, statistic="")


def curve_names(structure: Structure) -> list[str]:
    """Return the names of the curves, in the order of the program's history.

    Of each split the loss, its terms if it is a weighted sum, and the main metric.
    """
    terms = [f"loss_{term.loss}" for term in structure.pair.terms]
    values = ["loss", *terms, MAIN_METRICS[structure.pair.task]]
    return [f"{split}/{value}" for split, _ in structure.n_samples for value in values]


def main_metric(pair: Pair, raw: np.ndarray, target: np.ndarray) -> float:
    """Return the task's main metric of raw predictions."""
    if pair.task in NUMBER_TASKS:
        prediction = HEADS[pair.head].activate(raw)[:, : target.shape[1]]
        return float(np.sqrt(np.mean(np.square(prediction - target))))
    right = decide(raw, pair.head, pair.encoding, pair.task) == target
    return float(np.mean(right.all(axis=1) if pair.task == "multilabel" else right))


def check_loss(
    structure: Structure, pair: Pair, x: np.ndarray, y: np.ndarray, seed: int, parameters: dict[str, Any]
) -> None:
    """Try a user's own loss on a batch, as the network of a seed sees it at its start; see ``check_function``."""
    with tracing_lock:
        model = build_model(json.loads(structure.model), structure.n_features, structure.n_raw)
        model.set_weights(initial_weights(model, seed))
        raw = model(x, training=False)
    given = {name: tf.constant(value, tf.float32) for name, value in parameters.items()}
    check_function(pair, HEADS[pair.head].activation, tf.constant(y), raw, **given)


def mean_loss(pair: Pair, y: np.ndarray, n_classes: int, parameters: dict[str, Any]) -> Callable[[np.ndarray], float]:
    """Return a pair's mean loss over samples with targets ``y``, as a function of one raw prediction for all.

    Returns
    -------
    callable
        Float array of shape (1, n_outputs) -> float.
    """
    # In float64: a search for the best constant compares values that are close.
    encoded = tf.constant(ENCODINGS[pair.encoding].encode(y, n_classes), tf.float64)
    loss = per_sample_loss(pair, HEADS[pair.head].activation)
    as_tensors = {name: tf.constant(value, tf.float64) for name, value in parameters.items()}

    def of_constant(raw: np.ndarray) -> float:
        return float(np.mean(loss(encoded, tf.repeat(tf.constant(raw, tf.float64), len(y), axis=0), **as_tensors)))

    return of_constant


# Keras keeps its scopes per thread but its graph building is not safe in several: one program is traced at a time.
tracing_lock = threading.Lock()
