"""What a training is told and what it gives, whichever trainer does it."""

import functools
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
from lossbench.metrics.catalogue import MAIN_METRICS, lower_is_better
from lossbench.training.networks import build_model, initial_weights
from lossbench.training.schedules import is_constant, step_rates

# Keras keeps its scopes per thread but its graph building is not safe in several: one program is traced at a time.
tracing_lock = threading.RLock()
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
    scheduled : bool
        Whether each step has a learning rate of its own.
    selects : bool
        Whether the weights of the best epoch are kept, by the main metric on the validation split.
    patience : int
        After how many epochs without a better one a run ends; 0 for never.
    min_delta : float
        By how much the metric must be better to count.
    unit : tuple of float
        Of targets that are numbers: what each output's error counts in the main metric, the first one's is 1.
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
    min_delta: float = 0.0
    unit: tuple[float, ...] = (1.0,)

    @property
    def n_raw(self) -> int:
        """How many raw predictions the network gives for a sample."""
        return self.n_outputs * len(HEADS[self.pair.head].statistics)

    @property
    def network(self) -> str:
        """The network as Keras writes it in JSON, without weights; '' if it cannot be made again from that."""
        return _network(self.model, self.n_features, self.n_raw)[0]

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has, the smaller last one included."""
        return -(-dict(self.n_samples)["train"] // self.batch_size)

    @property
    def selection(self) -> tuple[str, float]:
        """The curve by which the best epoch is chosen, and the sign that makes less of it better."""
        metric = MAIN_METRICS[self.pair.task]
        return f"validation/{metric}", 1.0 if lower_is_better(metric) else -1.0

    def build(self, dense: type[keras.layers.Dense] = keras.layers.Dense) -> keras.Model:
        """Return the network, its weights as Keras drew them."""
        return build_model(group_settings("model", json.loads(self.model)), self.n_features, self.n_raw, dense)

    def rebuild(self, seed: int) -> list[np.ndarray]:
        """Return the weights that Keras draws when its global seed is ``seed``."""
        with tracing_lock:
            keras.utils.set_random_seed(seed)
            return self.build().get_weights()


@dataclass(frozen=True)
class Data:
    """What a run of a structure trains and is evaluated on.

    Attributes
    ----------
    x, y, target : dict
        Each split to float32 features (n, n_features), encoded targets (n, n_outputs) and what the main metric
        compares with: int32 classes (n,) or labels (n, n_outputs), or the numbers again.
    unit : tuple of float
        Of targets that are numbers: the metrics' unit of each output, in units of what is trained on.
    """

    x: dict[str, np.ndarray]
    y: dict[str, np.ndarray]
    target: dict[str, np.ndarray]
    unit: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Hyperparameters:
    """What may differ between two runs of one program, besides data and seed."""

    learning_rate: float
    loss: dict[str, Any]
    epochs: int
    schedule: ScheduleSettings = field(default=ScheduleSettings(name="constant", warmup_epochs=0))

    def rates(self, structure: Structure) -> np.ndarray:
        """Return the learning rate of each step, shape (epochs, steps_per_epoch)."""
        return step_rates(self.schedule, self.learning_rate, self.epochs, structure.steps_per_epoch)


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
    selected_epoch : int
        Of the best epoch, the one that the weights are of; 0 if it was not asked for.
    diverged_epoch : int
        The epoch after which the train loss was no longer finite; 0 if it stayed so.
    """

    epochs: np.ndarray
    curves: dict[str, np.ndarray]
    weights: list[np.ndarray]
    diverged_epoch: int
    selected_epoch: int = 0


class StoppedError(Exception):
    """The run was asked to stop before its end."""


def make_data(pair: Pair, splits: dict[str, Any], n_classes: int, unit: tuple[float, ...] = (1.0,)) -> Data:
    """Return splits (of ``datasets.loading.Part``) as a structure's programs take them."""
    encode = ENCODINGS[pair.encoding].encode
    return Data(
        x={name: part.x for name, part in splits.items()},
        y={name: encode(part.y, n_classes) for name, part in splits.items()},
        target={name: part.y for name, part in splits.items()},
        unit=unit,
    )


def make_structure(settings: CellSettings, pair: Pair, data: Data) -> Structure:
    """Return the structure of a cell with these validated settings on this data."""
    optimizer = {key: value for key, value in plain(settings.optimizer).items() if key != "learning_rate"}
    n_train, n_features = data.x["train"].shape
    n_outputs = data.y["train"].shape[1]
    given = parameter_values(settings.loss)
    parameters = loss_parameters(pair, n_outputs)
    n_raw = n_outputs * len(HEADS[pair.head].statistics)
    model = json.dumps(plain(settings.model), sort_keys=True)
    per_call = max(1, WORK_PER_CALL // (_work(model, n_features, n_raw) * n_train))
    early = settings.early_stopping
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
        patience=early.patience or 0,
        min_delta=float(early.min_delta) / data.unit[0] if settings.select == "best" else 0.0,
        unit=tuple(scale / data.unit[0] for scale in data.unit),
    )


def _work(model: str, n_features: int, n_raw: int) -> int:
    """Return about how many products a sample costs: the number of weights, each used once but in convolutions."""
    shape = json.loads(model).get("shape")
    return _network(model, n_features, n_raw)[1] * (math.prod(shape[:-1]) if shape else 1)


@functools.lru_cache(maxsize=64)
def _network(model: str, n_features: int, n_raw: int) -> tuple[str, int]:
    """Return the network in Keras's JSON ('' if that cannot be read back), and its number of weights."""
    # How its weights begin is not part of it.
    content = {key: value for key, value in json.loads(model).items() if not key.endswith("_scale")}
    with tracing_lock:
        built = build_model(group_settings("model", content), n_features, n_raw)
        try:
            written = built.to_json()
            if content["name"] == CUSTOM:
                keras.models.model_from_json(written)
        except Exception:
            # What is of the user's own need not say how it is made again.
            written = ""
        return written, built.count_params()


def _in_shape(default: Any, given: Any) -> Any:
    """Return the default of a parameter, or zeros where what is given has another shape: arrays as tuples."""
    if np.shape(default) == np.shape(given):
        return default

    def nested(value: Any) -> Any:
        return tuple(map(nested, value)) if isinstance(value, list) else value

    return nested(np.zeros(np.shape(given)).tolist())


def make_hyperparameters(settings: CellSettings) -> Hyperparameters:
    """Return what a cell with these validated settings tells its program."""
    loss = parameter_values(settings.loss)
    return Hyperparameters(settings.optimizer.learning_rate, loss, settings.epochs, settings.schedule)


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


def main_metric(pair: Pair, raw: np.ndarray, target: np.ndarray, unit: tuple[float, ...] = (1.0,)) -> float:
    """Return the task's main metric of raw predictions."""
    if pair.task in NUMBER_TASKS:
        prediction = HEADS[pair.head].activate(raw)[:, : target.shape[1]]
        return float(np.sqrt(np.mean(np.square((prediction - target) * np.array(unit, np.float32)))))
    right = decide(raw, pair.head, pair.encoding, pair.task) == target
    return float(np.mean(right.all(axis=1) if pair.task == "multilabel" else right))


def check_loss(
    structure: Structure, pair: Pair, x: np.ndarray, y: np.ndarray, seed: int, parameters: dict[str, Any]
) -> None:
    """Try a user's own loss on a batch, as the network of a seed sees it at its start; see ``check_function``."""
    with tracing_lock:
        model = structure.build()
        model.set_weights(initial_weights(model, seed, structure.rebuild))
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
