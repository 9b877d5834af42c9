"""The training of one run: compiled into one program, or through Keras's ``Model.fit``. Knows no Hydra, no MLflow.

The compiled trainer is a pure function. Weights, optimizer state and curves are carried through its loops as
tensors, so one program serves every seed, and any number of threads may call it at once.
"""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lossbench.config import MAIN_METRICS
from lossbench.heads import ENCODINGS, HEADS, decide
from lossbench.losses.functions import loss_parameters, per_sample_loss
from lossbench.losses.table import Pair
from lossbench.models import build_model, build_optimizer, initial_weights
from lossbench.seeds import batch_orders

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
        Of the loss function.
    n_samples : tuple of (split, count)
        The splits in order, ``train`` first.
    epochs_per_call : int
        The most epochs that one call trains.
    """

    model: str
    optimizer: str
    pair: Pair
    parameters: tuple[tuple[str, float], ...]
    n_features: int
    n_outputs: int
    n_samples: tuple[tuple[str, int], ...]
    batch_size: int
    evaluate_every: int
    epochs_per_call: int


@dataclass(frozen=True)
class Data:
    """What a run of a structure trains and is evaluated on.

    Attributes
    ----------
    x, y, target : dict
        Each split to float32 features (n, n_features), encoded targets (n, n_outputs) and what the main metric
        compares with: int32 classes (n,), or for regression the targets again.
    """

    x: dict[str, np.ndarray]
    y: dict[str, np.ndarray]
    target: dict[str, np.ndarray]


@dataclass(frozen=True)
class Hyperparameters:
    """What may differ between two runs of one program, besides data and seed."""

    learning_rate: float
    loss: dict[str, float]
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
    units = [n_features, *settings["model"]["hidden_units"], n_outputs]
    n_weights = sum((a + 1) * b for a, b in itertools.pairwise(units))
    per_call = max(1, WORK_PER_CALL // (n_weights * n_train))
    return Structure(
        model=json.dumps(settings["model"], sort_keys=True),
        optimizer=json.dumps(optimizer, sort_keys=True),
        pair=pair if pair.on_raw is False else _shared(pair),
        parameters=loss_parameters(pair),
        n_features=n_features,
        n_outputs=n_outputs,
        n_samples=tuple((name, len(x)) for name, x in data.x.items()),
        batch_size=settings["batch_size"],
        evaluate_every=settings["evaluate_every"],
        epochs_per_call=min(settings["epochs"], per_call),
    )


def _shared(pair: Pair) -> Pair:
    """Return the pair under its kernel's name: losses that are one function share one program."""
    kernel = pair.function.partition(":")[2]
    return Pair(kernel, pair.head, pair.task, pair.encoding, pair.function, on_raw=True)


def train_compiled(
    structure: Structure,
    data: Data,
    hyperparameters: Hyperparameters,
    seed: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train one run with the structure's compiled program.

    Parameters
    ----------
    structure, data, hyperparameters
        What to train, on what, and how.
    seed : int
        Fixes initial weights and batch order.
    stopped : callable
        Asked between calls of the program.

    Returns
    -------
    Trained
        The same bits whatever else runs: alone or among other seeds, in any order, thread or process.

    Raises
    ------
    StoppedError
        If ``stopped`` said so.
    """
    return program_for(structure).train(data, hyperparameters, seed, stopped)


_programs: dict[Structure, "Future[Program]"] = {}
_programs_lock = threading.Lock()


def program_for(structure: Structure) -> "Program":
    """Return the structure's program, building it if no thread has yet, and waiting if one is at it."""
    with _programs_lock:
        future = _programs.get(structure)
        mine = future is None
        if future is None:
            future = _programs[structure] = Future()
    if mine:
        try:
            future.set_result(Program(structure))
        except BaseException as error:
            with _programs_lock:
                del _programs[structure]
            future.set_exception(error)
    return future.result()


# Keras keeps its scopes per thread but its graph building is not safe in several: one program is traced at a time.
_tracing_lock = threading.Lock()


class Program:
    """The whole training of a run, compiled by XLA: all epochs and steps, and the evaluations between them."""

    def __init__(self, structure: Structure):
        self.structure = structure
        self._pinned: tuple[Data, list[tf.Tensor]] | None = None
        with _tracing_lock:
            self._model = build_model(json.loads(structure.model), structure.n_features, structure.n_outputs)
            self._optimizer = _pure_optimizer(json.loads(structure.optimizer))
            self._optimizer.build(self._model.trainable_variables)
            self._optimizer_variables = _optimizer_variables(self._optimizer)
            self._optimizer_start = [variable.numpy() for variable in self._optimizer_variables]
            paths = [variable.path for variable in self._optimizer_variables]
            self._learning_rate_index = paths.index(self._optimizer.learning_rate.path)
            self._loss = per_sample_loss(structure.pair, HEADS[structure.pair.head].activation)
            self._compiled = tf.function(self._train, jit_compile=True, autograph=False)
            self._predict = tf.function(self._predict_batch, jit_compile=True, autograph=False)
            self._compiled.get_concrete_function(*self._signature())
        self._compile_ahead()

    @property
    def n_traces(self) -> int:
        """How many times its training was traced: once, if everything that differs between runs is an input."""
        return self._compiled.experimental_get_tracing_count()

    def train(
        self, data: Data, hyperparameters: Hyperparameters, seed: int, stopped: Callable[[], bool] = lambda: False
    ) -> Trained:
        """Train one run; see ``train_compiled``."""
        n_train = dict(self.structure.n_samples)["train"]
        orders = batch_orders(seed, n_train, hyperparameters.epochs)
        return self.train_from(initial_weights(self._model, seed), orders, data, hyperparameters, stopped)

    def train_from(
        self,
        weights: list[np.ndarray],
        orders: Iterator[np.ndarray],
        data: Data,
        hyperparameters: Hyperparameters,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Trained:
        """Train one run from given weights with given batch orders, one an epoch; see ``train_compiled``."""
        structure = self.structure
        state = self._split(weights)
        optimizer_state = [tf.constant(value) for value in self._optimizer_start]
        optimizer_state[self._learning_rate_index] = tf.constant(hyperparameters.learning_rate, tf.float32)
        given = dict(structure.parameters) | hyperparameters.loss
        parameters = [tf.constant(given[name], tf.float32) for name, _ in structure.parameters]
        carry: tuple = (*state, optimizer_state)
        tensors = self._tensors(data)
        points, done, diverged = [], 0, 0
        while done < hyperparameters.epochs and not diverged:
            if stopped():
                raise StoppedError
            order, n_epochs = _stack_orders(orders, structure, hyperparameters.epochs - done)
            *carry, history, diverged_in_call = self._compiled(
                *carry, tf.constant(order), tensors, parameters, tf.constant(done), tf.constant(n_epochs),
                tf.constant(hyperparameters.epochs),
            )  # fmt: skip
            diverged = int(diverged_in_call)
            points.append(history.numpy())
            done += n_epochs
        return self._trained(np.concatenate(points), carry, diverged)

    def predict(self, weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
        """Predict; see ``predict_compiled``."""
        trainable, rest = self._split(weights)
        batches = []
        for start in range(0, len(x), EVALUATION_BATCH):
            batch = x[start : start + EVALUATION_BATCH]
            # Padding changes no other row's prediction, and one shape means one compilation.
            padded = np.pad(batch, ((0, EVALUATION_BATCH - len(batch)), *((0, 0),) * (x.ndim - 1)))
            batches.append(self._predict(trainable, rest, tf.constant(padded)).numpy()[: len(batch)])
        return np.concatenate(batches)

    def _split(self, weights: list[np.ndarray]) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        by_id = {id(v): tf.constant(w) for v, w in zip(self._model.weights, weights, strict=True)}
        model = self._model
        return (
            [by_id[id(v)] for v in model.trainable_variables],
            [by_id[id(v)] for v in model.non_trainable_variables],
        )

    def _tensors(self, data: Data) -> list[tf.Tensor]:
        """Return the data as tensors, made once for the runs of a cell."""
        pinned = self._pinned
        if pinned is None or pinned[0] is not data:
            names = [name for name, _ in self.structure.n_samples]
            arrays = [part[name] for name in names for part in (data.x, data.y, data.target)]
            pinned = self._pinned = (data, [tf.constant(array) for array in arrays])
        return pinned[1]

    def _trained(self, history: np.ndarray, carry: Any, diverged: int) -> Trained:
        trainable, rest, _ = carry
        model = self._model
        by_id = {id(v): t.numpy() for v, t in zip(model.trainable_variables, trainable, strict=True)}
        by_id |= {id(v): t.numpy() for v, t in zip(model.non_trainable_variables, rest, strict=True)}
        reached = history[history[:, 0] > 0]
        names = curve_names(self.structure)
        return Trained(
            epochs=reached[:, 0].astype(np.int64),
            curves={name: reached[:, i + 1].copy() for i, name in enumerate(names)},
            weights=[by_id[id(v)] for v in model.weights],
            diverged_epoch=diverged,
        )

    def _signature(self) -> tuple:
        s = self.structure
        trainable = [tf.TensorSpec(v.shape, v.dtype) for v in self._model.trainable_variables]
        rest = [tf.TensorSpec(v.shape, v.dtype) for v in self._model.non_trainable_variables]
        optimizer = [tf.TensorSpec(value.shape, value.dtype) for value in self._optimizer_start]
        order = tf.TensorSpec((s.epochs_per_call, dict(s.n_samples)["train"]), tf.int32)
        regression = s.pair.task == "regression"
        data = []
        for _, n in s.n_samples:
            data += [tf.TensorSpec((n, s.n_features)), tf.TensorSpec((n, s.n_outputs))]
            data.append(tf.TensorSpec((n, s.n_outputs)) if regression else tf.TensorSpec((n,), tf.int32))
        scalar = tf.TensorSpec((), tf.int32)
        parameters = [tf.TensorSpec(()) for _ in s.parameters]
        return trainable, rest, optimizer, order, data, parameters, scalar, scalar, scalar

    def _compile_ahead(self) -> None:
        """Compile by training no epoch: the first run then does not wait."""
        zeros = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), self._signature())
        self._compiled(*zeros)

    # ---- What is traced: tensors only, from here on.

    def _train(self, trainable, rest, optimizer, order, data, parameters, done, n_epochs, last):
        structure = self.structure
        x, y, _ = data[:3]
        n_train = dict(structure.n_samples)["train"]
        batch = structure.batch_size
        n_full, n_last = divmod(n_train, batch)
        names = curve_names(structure)
        parameters = dict(zip((name for name, _ in structure.parameters), parameters, strict=True))

        def step(x, y, begin, size, state):
            def part(t):
                return tf.slice(t, [begin, *[0] * (t.shape.rank - 1)], [size, *t.shape[1:]])

            return self._step(state, part(x), part(y), parameters)

        def epoch(e, state, history, diverged):
            # One gather an epoch: the steps then take slices, which cost less.
            in_order = tf.gather(x, order[e]), tf.gather(y, order[e])
            if n_full:
                _, state = tf.while_loop(
                    lambda i, _: i < n_full,
                    lambda i, state: (i + 1, step(*in_order, i * batch, batch, state)),
                    (0, state),
                )
            if n_last:
                state = step(*in_order, n_full * batch, n_last, state)
            number = done + e + 1
            history, diverged = tf.cond(
                (number % structure.evaluate_every == 0) | (number == last),
                lambda: self._record(state, data, parameters, history, e, number),
                lambda: (history, diverged),
            )
            return e + 1, state, history, diverged

        history = tf.zeros((structure.epochs_per_call, 1 + len(names)))
        state = (trainable, rest, optimizer)
        _, state, history, diverged = tf.while_loop(
            lambda e, state, history, diverged: (e < n_epochs) & (diverged == 0),
            epoch,
            (0, state, history, tf.constant(0)),
        )
        return (*state, history, diverged)

    def _step(self, state, x, y, parameters):
        trainable, rest, optimizer = state
        with tf.GradientTape() as tape:
            tape.watch(trainable)
            raw, rest, penalties = self._model.stateless_call(trainable, rest, x, training=True, return_losses=True)
            loss = tf.reduce_mean(self._loss(y, raw, **parameters)) + sum(penalties)
        gradients = tape.gradient(loss, trainable)
        trainable, optimizer = self._update(trainable, optimizer, gradients)
        return trainable, rest, optimizer

    def _update(self, trainable, optimizer, gradients):
        variables, state = self._model.trainable_variables, self._optimizer_variables
        values = [*zip(variables, trainable, strict=True), *zip(state, optimizer, strict=True)]
        with keras.StatelessScope(values) as scope:
            self._optimizer.apply(gradients)
        return [scope.get_current_value(v) for v in variables], [scope.get_current_value(v) for v in state]

    def _record(self, state, data, parameters, history, e, number):
        trainable, rest, _ = state
        values = []
        for i in range(len(self.structure.n_samples)):
            values += self._evaluate(trainable, rest, data[3 * i : 3 * i + 3], parameters)
        row = tf.stack([tf.cast(number, tf.float32), *values])
        history = tf.tensor_scatter_nd_update(history, [[e]], [row])
        return history, tf.where(tf.math.is_finite(values[0]), 0, number)

    def _evaluate(self, trainable, rest, split, parameters):
        """Return the mean loss and the main metric over a whole split."""
        n = split[0].shape[0]

        def sums(x, y, target):
            raw, _ = self._model.stateless_call(trainable, rest, x, training=False)
            return tf.reduce_sum(self._loss(y, raw, **parameters)), self._metric_sum(raw, target)

        def batch(i, loss, metric):
            begin = i * EVALUATION_BATCH
            rest_of = [t.shape[1:].as_list() for t in split]
            parts = [
                tf.slice(t, [begin, *[0] * len(rest)], [EVALUATION_BATCH, *rest])
                for t, rest in zip(split, rest_of, strict=True)
            ]
            batch_loss, batch_metric = sums(*parts)
            return i + 1, loss + batch_loss, metric + batch_metric

        n_full, n_last = divmod(n, EVALUATION_BATCH)
        loss, metric = tf.constant(0.0), tf.constant(0.0)
        if n_full:
            _, loss, metric = tf.while_loop(lambda i, *_: i < n_full, batch, (0, loss, metric))
        if n_last:
            last_loss, last_metric = sums(*(t[n - n_last :] for t in split))
            loss, metric = loss + last_loss, metric + last_metric
        metric = metric / n
        return [loss / n, tf.sqrt(metric) if self.structure.pair.task == "regression" else metric]

    def _metric_sum(self, raw, target):
        pair = self.structure.pair
        if pair.task == "regression":
            prediction = keras.activations.get(HEADS[pair.head].activation)(raw)
            return tf.reduce_sum(tf.reduce_mean(tf.square(prediction - target), axis=-1))
        decided = decide(raw, pair.head, pair.encoding, argmax=tf.argmax)
        return tf.reduce_sum(tf.cast(tf.cast(decided, tf.int32) == target, tf.float32))

    def _predict_batch(self, trainable, rest, x):
        raw, _ = self._model.stateless_call(trainable, rest, x, training=False)
        return raw


def predict_compiled(structure: Structure, weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return the raw predictions of trained weights, shape (n_samples, n_outputs), for features ``x``."""
    return program_for(structure).predict(weights, x)


def predict_with_fit(structure: Structure, weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return what ``predict_compiled`` does, through Keras's ``Model.predict``."""
    with _tracing_lock:
        model = build_model(json.loads(structure.model), structure.n_features, structure.n_outputs)
        model.set_weights(weights)
        return model.predict(x, batch_size=EVALUATION_BATCH, verbose=0)


def mean_loss(pair: Pair, y: np.ndarray, n_classes: int, parameters: dict[str, float]) -> Callable[[np.ndarray], float]:
    """Return a pair's mean loss over samples with targets ``y``, as a function of one raw prediction for all.

    Returns
    -------
    callable
        Float array of shape (1, n_outputs) -> float.
    """
    # In float64: a search for the best constant compares values that are close.
    encoded = tf.constant(ENCODINGS[pair.encoding].encode(y, n_classes), tf.float64)
    loss = per_sample_loss(pair, HEADS[pair.head].activation)

    def of_constant(raw: np.ndarray) -> float:
        return float(np.mean(loss(encoded, tf.repeat(tf.constant(raw, tf.float64), len(y), axis=0), **parameters)))

    return of_constant


def curve_names(structure: Structure) -> list[str]:
    """Return the names of the curves, in the order of the program's history."""
    metric = MAIN_METRICS[structure.pair.task]
    return [f"{split}/{value}" for split, _ in structure.n_samples for value in ("loss", metric)]


def _stack_orders(orders: Iterator[np.ndarray], structure: Structure, remaining: int) -> tuple[np.ndarray, int]:
    """Return the batch orders of the next call, padded to its size, and how many of them count."""
    n_epochs = min(structure.epochs_per_call, remaining)
    stacked = np.zeros((structure.epochs_per_call, dict(structure.n_samples)["train"]), np.int32)
    for e in range(n_epochs):
        stacked[e] = next(orders)
    return stacked, n_epochs


def _pure_optimizer(settings: dict[str, Any]) -> keras.optimizers.Optimizer:
    """Return a stock optimizer whose update can be a pure function of tensors.

    With TensorFlow, Keras routes an optimizer's assignments through ``tf.distribute``, which wants variables. The
    methods of its common base class, which other backends use, assign through Keras alone. They are put back
    below the stock class, so that what it overrides itself stays its own.
    """
    stock = build_optimizer(settings)
    base = next(cls for cls in type(stock).__mro__ if cls.__name__ == "BaseOptimizer")
    backend = next(cls for cls in type(stock).__mro__ if cls.__name__ == "TFOptimizer")
    common = {name: getattr(base, name) for name in vars(backend) if name in vars(base) and not name.startswith("__")}
    below = type("Pure", (keras.optimizers.Optimizer,), common)
    pure: Any = type(type(stock).__name__, (type(stock), below), {})
    return pure.from_config(stock.get_config())


def _optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return all variables of an optimizer, also those that it does not list (Nadam has one)."""
    listed = list(optimizer.variables)
    known = {id(variable) for variable in listed}
    return listed + [v for v in vars(optimizer).values() if isinstance(v, keras.Variable) and id(v) not in known]


def train_with_fit(
    structure: Structure,
    data: Data,
    hyperparameters: Hyperparameters,
    seed: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train one run with Keras's ``Model.fit``: the same start, order, loss and optimizer, nothing compiled ahead.

    Slow, and plain enough to be believed; the compiled trainer agrees with it to 1e-5. Parameters, result and
    errors are those of ``train_compiled``.
    """
    with _tracing_lock:
        model = build_model(json.loads(structure.model), structure.n_features, structure.n_outputs)
        model.set_weights(initial_weights(model, seed))
        optimizer = json.loads(structure.optimizer) | {"learning_rate": hyperparameters.learning_rate}
        loss = per_sample_loss(structure.pair, HEADS[structure.pair.head].activation)
        parameters = dict(structure.parameters) | hyperparameters.loss
        model.compile(optimizer=build_optimizer(optimizer), loss=lambda y, raw: loss(y, raw, **parameters))
        evaluation = _Evaluation(structure, data, hyperparameters.epochs, stopped)
        n_train = dict(structure.n_samples)["train"]
        orders = np.stack(list(batch_orders(seed, n_train, hyperparameters.epochs)))
        model.fit(
            _batches(data, orders, structure.batch_size),
            epochs=hyperparameters.epochs,
            steps_per_epoch=-(-n_train // structure.batch_size),
            callbacks=[evaluation],
            shuffle=False,
            verbose=0,
        )
    if stopped():
        raise StoppedError
    history = np.array(evaluation.rows, np.float32)
    return Trained(
        epochs=history[:, 0].astype(np.int64),
        curves={name: history[:, i + 1] for i, name in enumerate(curve_names(structure))},
        weights=model.get_weights(),
        diverged_epoch=evaluation.diverged_epoch,
    )


def _batches(data: Data, orders: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Return the training batches of all epochs, one after the other."""
    x, y = tf.constant(data.x["train"]), tf.constant(data.y["train"])
    epochs = tf.data.Dataset.from_tensor_slices(orders)
    rows = epochs.flat_map(lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size))
    return rows.map(lambda r: (tf.gather(x, r), tf.gather(y, r)))


class _Evaluation(keras.callbacks.Callback):
    """Evaluates whole splits after an epoch, and stops the training when its loss is no longer finite."""

    def __init__(self, structure: Structure, data: Data, epochs: int, stopped: Callable[[], bool]):
        super().__init__()
        self.structure, self.data, self.epochs, self.stopped = structure, data, epochs, stopped
        self.rows: list[list[float]] = []
        self.diverged_epoch = 0

    def on_epoch_end(self, epoch, logs=None):
        number = epoch + 1
        self.model.stop_training = self.stopped()
        if number % self.structure.evaluate_every and number != self.epochs:
            return
        values: list[float] = []
        for name in self.data.x:
            x, y, target = self.data.x[name], self.data.y[name], self.data.target[name]
            starts = range(0, len(x), EVALUATION_BATCH)
            raw = np.concatenate([self.model(x[i : i + EVALUATION_BATCH], training=False) for i in starts])
            values.append(float(np.mean(self.model.loss(tf.constant(y), tf.constant(raw)))))
            values.append(main_metric(self.structure.pair, raw, target))
        self.rows.append([number, *values])
        if not np.isfinite(values[0]):
            self.diverged_epoch = number
            self.model.stop_training = True


def main_metric(pair: Pair, raw: np.ndarray, target: np.ndarray) -> float:
    """Return the task's main metric of raw predictions."""
    if pair.task == "regression":
        return float(np.sqrt(np.mean(np.square(HEADS[pair.head].activate(raw) - target))))
    return float(np.mean(decide(raw, pair.head, pair.encoding) == target))
