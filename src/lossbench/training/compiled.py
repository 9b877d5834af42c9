"""The compiled trainer: the whole training of a run is one XLA program.

The program is a pure function. Weights, optimizer state and curves are loop variables (tensors) instead of
``tf.Variable``. So one program serves every seed, and any number of threads may call it at once. docs/trainer.md
describes it.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lossbench.ground.seeds import batch_orders
from lossbench.losses.functions import per_sample_loss, term_losses
from lossbench.losses.heads import HEADS, NUMBER_TASKS
from lossbench.training import specification
from lossbench.training.fast_convolution import MatrixConv2D, SlicedMaxPooling2D
from lossbench.training.metric_in_program import empty_sum, metric_of_sum, metric_sum
from lossbench.training.narrow_dense import NarrowDense
from lossbench.training.networks import LayerTypes, build_optimizer, initial_weights, random_states
from lossbench.training.repeatable_names import repeatable_names
from lossbench.training.specification import (
    Data,
    Hyperparameters,
    StoppedError,
    Structure,
    Trained,
    curve_names,
    tracing_lock,
    unit_of_curve,
)
from lossbench.training.whole_loops import call_no_library, is_small, keep_recurrent_loops, next_by_sorting
from lossbench.training.xla_flags import flags_set

# XLA reads its flags when the process compiles first, so an empty program is compiled with ours. Here, and not before
# the first training: a custom loss or another library may compile something earlier.
with flags_set(), repeatable_names("flags"):
    tf.function(tf.identity, jit_compile=True, autograph=False)(tf.constant(0.0))

FAST_LAYERS = LayerTypes(NarrowDense, MatrixConv2D, SlicedMaxPooling2D)


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
        The network, the data, and the settings that are inputs of the program.
    seed : int
        Determines initial weights, batch order and dropout.
    stopped : callable
        Called between calls of the program; True ends the training.

    Returns
    -------
    Trained
        Bit-identical for the same arguments, in any thread or process, in any order, and whatever else runs.

    Raises
    ------
    StoppedError
        If ``stopped`` returned True.
    """
    return program_for(structure).train(data, hyperparameters, seed, stopped)


def predict_compiled(structure: Structure, weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return the raw predictions of trained weights, shape (n_samples, n_outputs), for features ``x``."""
    return program_for(structure).predict(weights, x)


# Futures, so that threads which need a program that another thread is compiling wait for it.
_programs: dict[Structure, "Future[Program]"] = {}
_programs_lock = threading.Lock()


def program_for(structure: Structure) -> "Program":
    """Return the structure's program; build it, or wait for the thread that is building it."""
    with _programs_lock:
        future = _programs.get(structure)
        mine = future is None
        if future is None:
            future = _programs[structure] = Future()
    if mine:
        try:
            future.set_result(Program(structure))
        except BaseException as error:
            # Forget the failure, so that the next caller tries again; threads that wait now get the error.
            with _programs_lock:
                del _programs[structure]
            future.set_exception(error)
    return future.result()


def forget_program(structure: Structure) -> None:
    """Free a structure's program, once no more runs need it."""
    with _programs_lock:
        _programs.pop(structure, None)


class Program:
    """The compiled training of one structure: all epochs, their steps, and the evaluations between them."""

    def __init__(self, structure: Structure):
        self.structure = structure
        self._pinned: list[tuple[np.ndarray, tf.Tensor]] = []
        with tracing_lock, repeatable_names(f"{structure} training"):
            self._model = structure.build(FAST_LAYERS)
            self._is_small = is_small(self._model, structure.batch_size)
            if self._is_small:
                call_no_library(self._model)
            else:
                keep_recurrent_loops(self._model, structure.batch_size)
            self._optimizer = _pure_optimizer(json.loads(structure.optimizer))
            self._optimizer.build(self._model.trainable_variables)
            self._optimizer_variables = _optimizer_variables(self._optimizer)
            self._optimizer_start = [variable.numpy() for variable in self._optimizer_variables]
            paths = [variable.path for variable in self._optimizer_variables]
            self._learning_rate_index = paths.index(self._optimizer.learning_rate.path)
            activation = HEADS[structure.pair.head].activation
            self._loss = per_sample_loss(structure.pair, activation)
            self._terms = list(term_losses(structure.pair, activation).values())
            self._compiled = tf.function(self._train, jit_compile=True, autograph=False)
            self._predict = tf.function(self._predict_batch, jit_compile=True, autograph=False)
            # Traces only; XLA compiles at the first call, outside the lock.
            self._compiled.get_concrete_function(*self._signature())
        self._compile_ahead()

    @property
    def n_traces(self) -> int:
        """The number of traces of the training: 1 if everything that differs between runs is an input."""
        return self._compiled.experimental_get_tracing_count()

    def train(
        self, data: Data, hyperparameters: Hyperparameters, seed: int, stopped: Callable[[], bool] = lambda: False
    ) -> Trained:
        """Train one run from its seed; see ``train_compiled``."""
        n_train = dict(self.structure.n_samples)["train"]
        orders = batch_orders(seed, n_train, hyperparameters.epochs)
        weights = initial_weights(self._model, seed, self.structure.rebuild)
        return self.train_from(weights, orders, data, hyperparameters, stopped, seed)

    def train_from(
        self,
        weights: list[np.ndarray],
        orders: Iterator[np.ndarray],
        data: Data,
        hyperparameters: Hyperparameters,
        stopped: Callable[[], bool] = lambda: False,
        seed: int = 0,
    ) -> Trained:
        """Train one run from given weights with given batch orders, one for each epoch; see ``train_compiled``.

        Here ``seed`` determines the random layers only.
        """
        structure = self.structure
        state = self._split(weights, seed)
        optimizer_state = [tf.constant(value) for value in self._optimizer_start]
        optimizer_state[self._learning_rate_index] = tf.constant(hyperparameters.learning_rate, tf.float32)
        given = dict(structure.parameters) | hyperparameters.loss
        parameters = [tf.constant(given[name], tf.float32) for name, _ in structure.parameters]
        # The value, number and weights of the best epoch so far. Any finite value is better than infinity, so the first
        # epoch replaces them.
        best = [tf.constant(np.inf, tf.float32), tf.constant(0), *state[0], *state[1]] if structure.selects else []
        carry: tuple = (*state, optimizer_state, best)
        rates = hyperparameters.rates(structure) if structure.scheduled else None
        tensors, judging = self._tensors(data), _judging(structure, data, hyperparameters)
        points, done, diverged, ended = [], 0, 0, False
        while done < hyperparameters.epochs and not ended:
            if stopped():
                raise StoppedError
            order, n_epochs = _stack_orders(orders, structure, hyperparameters.epochs - done)
            *carry, history, diverged_in_call, ended_in_call = self._compiled(
                *carry, tf.constant(order), _rates_of_call(rates, structure, done), tensors, judging, parameters,
                tf.constant(done), tf.constant(n_epochs), tf.constant(hyperparameters.epochs),
            )  # fmt: skip
            diverged, ended = int(diverged_in_call), bool(ended_in_call)
            points.append(history.numpy())
            done += n_epochs
        return self._trained(np.concatenate(points), carry, diverged)

    def predict(self, weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
        """Return the outputs of the last linear layer, before the head's activation; see ``predict_compiled``."""
        trainable, rest = self._split(weights, seed=0)
        self._trace_prediction(trainable, rest, x)
        batches = []
        for start in range(0, len(x), specification.EVALUATION_BATCH):
            batch = x[start : start + specification.EVALUATION_BATCH]
            # XLA compiles anew for every shape, so the last batch is padded. A row's prediction does not
            # depend on the other rows.
            padded = np.pad(batch, ((0, specification.EVALUATION_BATCH - len(batch)), *((0, 0),) * (x.ndim - 1)))
            batches.append(self._predict(trainable, rest, tf.constant(padded)).numpy()[: len(batch)])
        return np.concatenate(batches)

    def _trace_prediction(self, trainable: list[tf.Tensor], rest: list[tf.Tensor], x: np.ndarray) -> None:
        with tracing_lock:
            if not self._predict.experimental_get_tracing_count():
                batch = tf.zeros((specification.EVALUATION_BATCH, *x.shape[1:]))
                with repeatable_names(f"{self.structure} prediction"):
                    self._predict.get_concrete_function(trainable, rest, batch)

    def _split(self, weights: list[np.ndarray], seed: int) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Return weights as tensors, trainable and not; the latter with the states of random layers."""
        model = self._model
        # By identity: Keras variables compare element by element.
        by_id = {id(v): tf.constant(w) for v, w in zip(model.weights, weights, strict=True)}
        by_id |= {variable: tf.constant(state) for variable, state in random_states(model, seed).items()}
        return (
            [by_id[id(v)] for v in model.trainable_variables],
            [by_id[id(v)] for v in model.non_trainable_variables],
        )

    def _tensors(self, data: Data) -> list[tf.Tensor]:
        """Return the data as tensors; arrays that the previous run used too keep their tensor."""
        names = [name for name, _ in self.structure.n_samples]
        arrays = [part[name] for name in names for part in (data.x, data.y, data.target)]
        known = {id(array): (array, tensor) for array, tensor in self._pinned}
        pinned = [known.get(id(array)) or (array, tf.constant(array)) for array in arrays]
        self._pinned = pinned
        return [tensor for _, tensor in pinned]

    def _trained(self, history: np.ndarray, carry: Any, diverged: int) -> Trained:
        """Return the program's outputs as a result, without the rows of epochs that were not evaluated."""
        trainable, rest, _, best = carry
        selected = int(best[1]) if best else 0
        if selected:
            trainable, rest = best[2 : 2 + len(trainable)], best[2 + len(trainable) :]
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
            selected_epoch=selected,
        )

    def _signature(self) -> tuple:
        """Return the shapes and types of the program's inputs, in the order of the arguments of ``_train``."""
        s = self.structure
        trainable = [tf.TensorSpec(v.shape, v.dtype) for v in self._model.trainable_variables]
        rest = [tf.TensorSpec(v.shape, v.dtype) for v in self._model.non_trainable_variables]
        optimizer = [tf.TensorSpec(value.shape, value.dtype) for value in self._optimizer_start]
        best = [tf.TensorSpec(()), tf.TensorSpec((), tf.int32), *trainable, *rest] if s.selects else []
        order = tf.TensorSpec((s.epochs_per_call, dict(s.n_samples)["train"]), tf.int32)
        rates = [tf.TensorSpec((s.epochs_per_call, s.steps_per_epoch))] if s.scheduled else []
        several = s.pair.task in (*NUMBER_TASKS, "multilabel")
        target_type = tf.float32 if s.pair.task in NUMBER_TASKS else tf.int32
        data = []
        for _, n in s.n_samples:
            data += [tf.TensorSpec((n, s.n_features)), tf.TensorSpec((n, s.n_outputs))]
            data.append(tf.TensorSpec((n, s.n_outputs) if several else (n,), target_type))
        judging = {"weights": tf.TensorSpec((s.n_outputs,))} if _weighs_outputs(s) else {}
        judging |= {"min_delta": tf.TensorSpec(())} if s.selects else {}
        scalar = tf.TensorSpec((), tf.int32)
        parameters = [tf.TensorSpec(np.shape(default)) for _, default in s.parameters]
        return trainable, rest, optimizer, best, order, rates, data, judging, parameters, scalar, scalar, scalar

    def _compile_ahead(self) -> None:
        """Compile by a call with zero epochs, so that the first run does not wait for XLA."""
        zeros = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), self._signature())
        self._compiled(*zeros)

    # The methods below are traced: their arguments are tensors, and plain Python in them runs once, at tracing.

    def _train(self, trainable, rest, optimizer, best, order, rates, data, judging, parameters, done, n_epochs, last):
        """Train ``n_epochs`` epochs after ``done`` earlier ones; ``last`` is the final epoch of the whole run."""
        structure = self.structure
        x, y, _ = data[:3]
        n_train = dict(structure.n_samples)["train"]
        batch = structure.batch_size
        n_full, n_last = divmod(n_train, batch)
        names = curve_names(structure)
        parameters = dict(zip((name for name, _ in structure.parameters), parameters, strict=True))

        def step(x, y, e, i, size, state):
            def part(t):
                return tf.slice(t, [i * batch, *[0] * (t.shape.rank - 1)], [size, *t.shape[1:]])

            return self._step(self._with_rate(state, rates, e, i), part(x), part(y), parameters)

        def epoch(e, state, best, history, diverged, ended):
            # One gather for the whole epoch: each step then takes a slice, which costs less than a gather of its own.
            in_order = tf.gather(x, order[e]), tf.gather(y, order[e])
            if n_full:
                _, state = tf.while_loop(
                    lambda i, _: i < n_full,
                    lambda i, state: (self._next(i), step(*in_order, e, i, batch, state)),
                    (0, state),
                )
            # The smaller last batch is a step with a size of its own: shapes are fixed at compilation.
            if n_last:
                state = step(*in_order, e, n_full, n_last, state)
            number = done + e + 1
            best, history, diverged, ended = tf.cond(
                (number % structure.evaluate_every == 0) | (number == last),
                lambda: self._record(state, best, data, judging, parameters, history, e, number),
                lambda: (best, history, diverged, ended),
            )
            return self._next(e), state, best, history, diverged, ended

        history = tf.zeros((structure.epochs_per_call, 1 + len(names)))
        state = (trainable, rest, optimizer)
        _, state, best, history, diverged, ended = tf.while_loop(
            lambda e, state, best, history, diverged, ended: (e < n_epochs) & ~ended,
            epoch,
            (0, state, best, history, tf.constant(0), tf.constant(False)),
        )
        return (*state, best, history, diverged, ended)

    def _next(self, i):
        """Return i + 1, the counter of a loop."""
        return i + 1 if self._is_small else next_by_sorting(i)

    def _with_rate(self, state, rates, e, i):
        """Return the state with the learning rate of this step, if the structure has a schedule."""
        if not rates:
            return state
        trainable, rest, optimizer = state
        at = self._learning_rate_index
        return trainable, rest, [*optimizer[:at], rates[0][e, i], *optimizer[at + 1 :]]

    def _step(self, state, x, y, parameters):
        """Return the state after one step of gradient descent on a batch."""
        trainable, rest, optimizer = state
        with tf.GradientTape() as tape:
            tape.watch(trainable)
            raw, rest, penalties = self._model.stateless_call(trainable, rest, x, training=True, return_losses=True)
            loss = tf.reduce_mean(self._loss(y, raw, **parameters)) + sum(penalties)
        gradients = tape.gradient(loss, trainable)
        trainable, optimizer = self._update(trainable, optimizer, gradients)
        return trainable, rest, optimizer

    def _update(self, trainable, optimizer, gradients):
        """Return weights and optimizer state after an update; the scope redirects Keras's assignments to tensors."""
        variables, state = self._model.trainable_variables, self._optimizer_variables
        values = [*zip(variables, trainable, strict=True), *zip(state, optimizer, strict=True)]
        with keras.StatelessScope(values) as scope:
            self._optimizer.apply(gradients)
        return [scope.get_current_value(v) for v in variables], [scope.get_current_value(v) for v in state]

    def _record(self, state, best, data, judging, parameters, history, e, number):
        """Evaluate all splits; return the best epoch, the history, the epoch of divergence or 0, and whether to end."""
        trainable, rest, _ = state
        values = []
        for i in range(len(self.structure.n_samples)):
            values += self._evaluate(trainable, rest, data[3 * i : 3 * i + 3], judging, parameters)
        row = tf.stack([tf.cast(number, tf.float32), *values])
        history = tf.tensor_scatter_nd_update(history, [[e]], [row])
        diverged = tf.where(tf.math.is_finite(values[0]), 0, number)
        if not self.structure.selects:
            return best, history, diverged, diverged > 0
        best = self._better(best, trainable, rest, values, number, judging)
        patience = self.structure.patience
        return best, history, diverged, (diverged > 0) | ((number - best[1] >= patience) if patience else False)

    def _better(self, best, trainable, rest, values, number, judging):
        """Return value, number and weights of the best epoch so far, this one included."""
        name, sign = self.structure.selection
        value = sign * values[curve_names(self.structure).index(name)]
        is_better = value < best[0] - judging["min_delta"]
        both = zip([value, number, *trainable, *rest], best, strict=True)
        return [tf.where(is_better, new, old) for new, old in both]

    def _evaluate(self, trainable, rest, split, judging, parameters):
        """Return the mean loss, the terms of a weighted sum, and the main metric over a whole split."""
        n, weights = split[0].shape[0], judging.get("weights", tf.constant([1.0]))

        def sums(x, y, target):
            raw, _ = self._model.stateless_call(trainable, rest, x, training=False)
            losses = [tf.reduce_sum(loss(y, raw, **parameters)) for loss in (self._loss, *self._terms)]
            return [*losses, metric_sum(self.structure, raw, target, weights)]

        def batch(i, totals):
            begin = i * specification.EVALUATION_BATCH
            rest_of = [t.shape[1:].as_list() for t in split]
            parts = [
                tf.slice(t, [begin, *[0] * len(rest)], [specification.EVALUATION_BATCH, *rest])
                for t, rest in zip(split, rest_of, strict=True)
            ]
            return self._next(i), [total + value for total, value in zip(totals, sums(*parts), strict=True)]

        n_full, n_last = divmod(n, specification.EVALUATION_BATCH)
        totals = [*[tf.constant(0.0)] * (len(self._terms) + 1), empty_sum(self.structure)]
        if n_full:
            _, totals = tf.while_loop(lambda i, _: i < n_full, batch, (0, totals))
        if n_last:
            last = sums(*(t[n - n_last :] for t in split))
            totals = [total + value for total, value in zip(totals, last, strict=True)]
        *losses, metric = totals
        return [*(loss / n for loss in losses), metric_of_sum(self.structure, metric, n, split[2], weights)]

    def _predict_batch(self, trainable, rest, x):
        """Return the raw predictions of a batch."""
        raw, _ = self._model.stateless_call(trainable, rest, x, training=False)
        return raw


def _stack_orders(orders: Iterator[np.ndarray], structure: Structure, remaining: int) -> tuple[np.ndarray, int]:
    """Return the batch orders of the next call, padded to the program's fixed shape, and the number of real ones."""
    n_epochs = min(structure.epochs_per_call, remaining)
    stacked = np.zeros((structure.epochs_per_call, dict(structure.n_samples)["train"]), np.int32)
    for e in range(n_epochs):
        stacked[e] = next(orders)
    return stacked, n_epochs


def _weighs_outputs(structure: Structure) -> bool:
    """Return whether errors of several outputs are weighed against each other in the main metric."""
    return structure.pair.task in NUMBER_TASKS and structure.n_outputs > 1


def _judging(structure: Structure, data: Data, hyperparameters: Hyperparameters) -> dict[str, tf.Tensor]:
    """Return the inputs by which the program judges a run that depend on the scaling of the targets."""
    found = {}
    if _weighs_outputs(structure):
        weights = np.broadcast_to(data.weights_of_outputs, structure.n_outputs)
        found["weights"] = tf.constant(weights, tf.float32)
    if structure.selects:
        # The program computes the metric in units of the first output.
        unit = unit_of_curve(structure.metric, data.unit)
        found["min_delta"] = tf.constant(hyperparameters.min_delta / unit, tf.float32)
    return found


def _rates_of_call(rates: np.ndarray | None, structure: Structure, done: int) -> list[tf.Tensor]:
    """Return the learning rates of the next call, padded to the program's fixed shape; empty without a schedule."""
    if rates is None:
        return []
    padded = np.zeros((structure.epochs_per_call, structure.steps_per_epoch), np.float32)
    part = rates[done : done + structure.epochs_per_call]
    padded[: len(part)] = part
    return [tf.constant(padded)]


def _pure_optimizer(config: Mapping[str, Any]) -> keras.optimizers.Optimizer:
    """Return an optimizer of Keras whose update can be a pure function of tensors.

    With the TensorFlow backend, Keras routes an optimizer's assignments through ``tf.distribute``, which requires
    variables. The methods of ``BaseOptimizer``, which other backends use, assign through Keras alone. This function
    inserts a class with those methods behind the optimizer's own class in the method resolution order, so methods that
    the optimizer itself overrides stay in effect.
    """
    stock = build_optimizer(config)
    base = next(cls for cls in type(stock).__mro__ if cls.__name__ == "BaseOptimizer")
    backend = next(cls for cls in type(stock).__mro__ if cls.__name__ == "TFOptimizer")
    common = {name: getattr(base, name) for name in vars(backend) if name in vars(base) and not name.startswith("__")}
    below = type("Pure", (keras.optimizers.Optimizer,), common)
    pure: Any = type(type(stock).__name__, (type(stock), below), {})
    return pure.from_config(stock.get_config())


def _optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return all variables of an optimizer, including those missing from its list (Nadam has one)."""
    listed = list(optimizer.variables)
    known = {id(variable) for variable in listed}
    return listed + [v for v in vars(optimizer).values() if isinstance(v, keras.Variable) and id(v) not in known]
