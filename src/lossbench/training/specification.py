"""The inputs and the result of a training, shared by both trainers.

``Structure`` holds everything that a program is compiled for; ``Data`` and ``Hyperparameters`` are its inputs;
``Trained`` is its result.
"""

import functools
import hashlib
import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lossbench.config.settings import CUSTOM, CellSettings, ScheduleSettings, group_settings, plain
from lossbench.losses.choice import parameter_values
from lossbench.losses.functions import check_function, loss_parameters, per_sample_loss
from lossbench.losses.heads import ENCODINGS, HEADS, NUMBER_TASKS, decide
from lossbench.losses.pairing import Pair
from lossbench.metrics.catalogue import MAIN_METRICS, METRICS, lower_is_better
from lossbench.metrics.classification import confusion_matrix, of_confusions, of_labels
from lossbench.metrics.regression import of_numbers
from lossbench.training.networks import KERAS, LayerTypes, build_model, initial_weights
from lossbench.training.schedules import is_constant, step_rates

# Keras's building of models and graphs is not thread-safe: only one thread at a time may build or trace. Reentrant,
# because ``Structure.rebuild`` takes the lock and may be called while it is held.
tracing_lock = threading.RLock()
# Evaluation and prediction use batches of this many samples, so that memory does not grow with the data.
EVALUATION_BATCH = 1024
# A long training is divided into calls of about this many weights times samples (1 s each), because Ctrl-C only takes
# effect between calls.
WORK_PER_CALL = 2_000_000_000


@dataclass(frozen=True)
class Structure:
    """Everything that a program is compiled for; runs with equal structures share a program.

    Attributes
    ----------
    model, optimizer : str
        Their settings as JSON, because a key must be hashable; without the learning rate, which is an input.
    parameters : tuple of (name, default)
        The parameters of the loss function; a default is a number, or rows of numbers.
    n_samples : tuple of (split, count)
        The number of samples of each split, ``train`` first.
    epochs_per_call : int
        The largest number of epochs in one call.
    scheduled : bool
        Whether the learning rate changes from step to step.
    selects : bool
        Whether to keep the weights of the best epoch, by the main metric on the validation split.
    patience : int
        The run ends after this many epochs without a better one; 0 for never.
    metric : str
        The main metric, of which each split has a curve.
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
    scheduled: bool = False
    selects: bool = False
    patience: int = 0
    metric: str = ""

    @property
    def n_raw(self) -> int:
        """The number of raw predictions for a sample."""
        return self.n_outputs * len(HEADS[self.pair.head].statistics)

    @property
    def network(self) -> str:
        """The network in Keras's JSON format, without weights; '' if Keras cannot rebuild it from that."""
        return _network(self.model, self.n_features, self.n_raw)[0]

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches in an epoch, including a smaller last one."""
        return -(-dict(self.n_samples)["train"] // self.batch_size)

    @property
    def selection(self) -> tuple[str, float]:
        """The curve that selects the best epoch, and the sign that makes lower values better."""
        return f"validation/{self.metric}", 1.0 if lower_is_better(self.metric) else -1.0

    def build(self, types: LayerTypes = KERAS) -> keras.Model:
        """Return the network with the weights that Keras draws."""
        return build_model(group_settings("model", json.loads(self.model)), self.n_features, self.n_raw, types)

    def rebuild(self, seed: int) -> list[np.ndarray]:
        """Return the weights of a new copy of the network, built with Keras's global seed set to ``seed``."""
        with tracing_lock:
            keras.utils.set_random_seed(seed)
            return self.build().get_weights()


@dataclass(frozen=True)
class Data:
    """The data of a run: all splits, as its structure's program takes them.

    Attributes
    ----------
    x, y, target : dict
        For each split: float32 features of shape (n, n_features); encoded targets of shape (n, n_outputs); and the
        targets of the main metric, which are int32 classes (n,), int32 labels (n, n_outputs) or float32 numbers.
    unit : tuple of float
        For numbers: the scale of each output, by which errors are multiplied to be in the metrics' unit.
    """

    x: dict[str, np.ndarray]
    y: dict[str, np.ndarray]
    target: dict[str, np.ndarray]
    unit: tuple[float, ...] = (1.0,)

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 hash of the arrays of all splits, by their names; of the unit too."""
        found = hashlib.sha256(repr(self.unit).encode())
        for part in (self.x, self.y, self.target):
            for name, array in part.items():
                found.update(f"{name} {array.dtype} {array.shape}".encode())
                found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    @property
    def weights_of_outputs(self) -> tuple[float, ...]:
        """The weight of each output's error in the main metric of numbers, relative to the first output."""
        return tuple(scale / self.unit[0] for scale in self.unit)


@dataclass(frozen=True)
class Hyperparameters:
    """The inputs of a program besides data and seed; runs that differ in them share the program.

    Attributes
    ----------
    min_delta : float
        The least improvement of the main metric that counts when the best epoch is selected, in the metric's unit.
    """

    learning_rate: float
    loss: dict[str, Any]
    epochs: int
    schedule: ScheduleSettings = field(default=ScheduleSettings(name="constant", warmup_epochs=0))
    min_delta: float = 0.0

    def rates(self, structure: Structure) -> np.ndarray:
        """Return the learning rate of each step, shape (epochs, steps_per_epoch)."""
        return step_rates(self.schedule, self.learning_rate, self.epochs, structure.steps_per_epoch)


@dataclass(frozen=True)
class Trained:
    """The result of one training.

    Attributes
    ----------
    epochs : int array, shape (n_points,)
        The epochs after which the run was evaluated, counted from 1.
    curves : dict
        Float32 arrays of shape (n_points,) by name: ``train/loss``, ``test/accuracy``, ….
    weights : list of arrays
        In the order of the model's weights; those of the best epoch if one was selected, else of the last.
    selected_epoch : int
        The best epoch; 0 if none was selected.
    diverged_epoch : int
        The first evaluated epoch whose training loss is not finite; 0 if the run did not diverge.
    """

    epochs: np.ndarray
    curves: dict[str, np.ndarray]
    weights: list[np.ndarray]
    diverged_epoch: int
    selected_epoch: int = 0

    @property
    def n_bytes(self) -> int:
        """The size of its arrays."""
        return sum(array.nbytes for array in (self.epochs, *self.curves.values(), *self.weights))


class StoppedError(Exception):
    """The run was stopped before its end, on request."""


def make_data(pair: Pair, splits: dict[str, Any], n_classes: int, unit: tuple[float, ...] = (1.0,)) -> Data:
    """Return the splits of a data set (each a ``datasets.loading.Part``) with their targets encoded for a pair."""
    encode = ENCODINGS[pair.encoding].encode
    return Data(
        x={name: part.x for name, part in splits.items()},
        y={name: encode(part.y, n_classes) for name, part in splits.items()},
        target={name: part.y for name, part in splits.items()},
        unit=unit,
    )


def make_structure(settings: CellSettings, pair: Pair, data: Data) -> Structure:
    """Return the structure of a cell, from its validated settings and its data."""
    optimizer = {key: value for key, value in plain(settings.optimizer).items() if key != "learning_rate"}
    n_train, n_features = data.x["train"].shape
    n_outputs = data.y["train"].shape[1]
    given = parameter_values(settings.loss)
    parameters = loss_parameters(pair, n_outputs)
    n_raw = n_outputs * len(HEADS[pair.head].statistics)
    model = json.dumps(plain(settings.model), sort_keys=True)
    per_call = max(1, WORK_PER_CALL // (_work(model, n_features, n_raw) * n_train))
    return Structure(
        model=model,
        optimizer=json.dumps(optimizer, sort_keys=True),
        pair=_shared(pair),
        parameters=tuple((name, _in_shape(default, given.get(name, default))) for name, default in parameters),
        n_features=n_features,
        n_outputs=n_outputs,
        n_samples=tuple((name, len(x)) for name, x in data.x.items()),
        batch_size=settings.batch_size,
        evaluate_every=settings.evaluate_every,
        epochs_per_call=min(settings.epochs, per_call),
        scheduled=not is_constant(settings.schedule),
        selects=settings.select == "best",
        patience=settings.early_stopping.patience or 0,
        metric=settings.metric or MAIN_METRICS[pair.task],
    )


def _work(model: str, n_features: int, n_raw: int) -> int:
    """Estimate the multiplications for one sample: the number of weights times the positions where they are used."""
    shape = json.loads(model).get("shape")
    return _network(model, n_features, n_raw)[1] * (math.prod(shape[:-1]) if shape else 1)


@functools.lru_cache(maxsize=64)
def _network(model: str, n_features: int, n_raw: int) -> tuple[str, int]:
    """Return the network in Keras's JSON ('' if Keras cannot rebuild it from that), and its number of weights."""
    # The scales of the initial weights do not belong to the network. Without them Keras's own initializers are used, so
    # the JSON names no class of lossbench.
    content = {key: value for key, value in json.loads(model).items() if not key.endswith("_scale")}
    with tracing_lock:
        built = build_model(group_settings("model", content), n_features, n_raw)
        try:
            written = built.to_json()
            if content["name"] == CUSTOM:
                keras.models.model_from_json(written)
        except Exception:
            # A user's own layer may not implement get_config; then the network is not saved as a model.
            written = ""
        return written, built.count_params()


def _in_shape(default: Any, given: Any) -> Any:
    """Return the default of a parameter, as nested tuples; zeros in the shape of the given value if that differs."""
    if np.shape(default) == np.shape(given):
        return default

    def nested(value: Any) -> Any:
        return tuple(map(nested, value)) if isinstance(value, list) else value

    return nested(np.zeros(np.shape(given)).tolist())


def make_hyperparameters(settings: CellSettings) -> Hyperparameters:
    """Return the hyperparameters of a cell, from its validated settings."""
    loss = parameter_values(settings.loss)
    min_delta = float(settings.early_stopping.min_delta) if settings.select == "best" else 0.0
    return Hyperparameters(settings.optimizer.learning_rate, loss, settings.epochs, settings.schedule, min_delta)


def _shared(pair: Pair) -> Pair:
    """Return the pair renamed to the function that computes it: losses with the same function share a program."""
    kernel = pair.function.partition(":")[2] if pair.on_raw and not pair.terms else pair.loss
    return replace(pair, loss=kernel, probability=False, statistic="")


def curve_names(structure: Structure) -> list[str]:
    """Return the names of the curves, in the order of the columns of the program's history.

    For each split: the loss, the terms of a weighted sum, and the main metric.
    """
    terms = [f"loss_{term.loss}" for term in structure.pair.terms]
    values = ["loss", *terms, structure.metric]
    return [f"{split}/{value}" for split, _ in structure.n_samples for value in values]


def unit_of_curve(metric: str, unit: tuple[float, ...]) -> float:
    """Return the factor that brings a curve of the main metric, in units of the first output, to the metric's unit."""
    return float(unit[0] ** METRICS[metric].unit_power)


def main_metric(
    metric: str, pair: Pair, raw: np.ndarray, target: np.ndarray, unit: tuple[float, ...] = (1.0,)
) -> float:
    """Return the main metric of raw predictions."""
    if pair.task in NUMBER_TASKS:
        prediction = HEADS[pair.head].activate(raw)[:, : target.shape[1]]
        if metric == "rmse":
            return float(np.sqrt(np.mean(np.square((prediction - target) * np.array(unit, np.float32)))))
        return of_numbers(target * np.array(unit), prediction * np.array(unit))[metric]
    decided = decide(raw, pair.head, pair.encoding, pair.task).astype(np.int32)
    if pair.task == "multilabel":
        return of_labels(target, decided)[metric]
    return of_confusions(confusion_matrix(target, decided, max(2, raw.shape[1])), ordered=True)[metric]


def check_loss(
    structure: Structure, pair: Pair, x: np.ndarray, y: np.ndarray, seed: int, parameters: dict[str, Any]
) -> None:
    """Check a user's own loss on a batch with the initial network of a seed; see ``check_function``."""
    with tracing_lock:
        model = structure.build()
        model.set_weights(initial_weights(model, seed, structure.rebuild))
        raw = model(x, training=False)
    given = {name: tf.constant(value, tf.float32) for name, value in parameters.items()}
    check_function(pair, HEADS[pair.head].activation, tf.constant(y), raw, **given)


def mean_loss(pair: Pair, y: np.ndarray, n_classes: int, parameters: dict[str, Any]) -> Callable[[np.ndarray], float]:
    """Return the mean loss over samples with targets ``y`` as a function of one constant raw prediction.

    Returns
    -------
    callable
        Float array of shape (1, n_outputs) -> float.
    """
    # In float64, because the search for the best constant compares values that are close to each other.
    encoded = tf.constant(ENCODINGS[pair.encoding].encode(y, n_classes), tf.float64)
    loss = per_sample_loss(pair, HEADS[pair.head].activation)
    as_tensors = {name: tf.constant(value, tf.float64) for name, value in parameters.items()}

    def of_constant(raw: np.ndarray) -> float:
        return float(np.mean(loss(encoded, tf.repeat(tf.constant(raw, tf.float64), len(y), axis=0), **as_tensors)))

    return of_constant
