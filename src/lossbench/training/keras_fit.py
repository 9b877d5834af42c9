"""The Keras trainer: trains through ``Model.fit``, with the same initial weights and batch order.

It is slow, but plain Keras: the reference that the compiled trainer is tested against. It also trains networks that XLA
cannot compile.
"""

import json
from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from lossbench.ground.seeds import batch_orders
from lossbench.losses.functions import per_sample_loss, term_losses
from lossbench.losses.heads import HEADS
from lossbench.training.networks import build_optimizer, initial_weights, random_states
from lossbench.training.specification import (
    EVALUATION_BATCH,
    Data,
    Hyperparameters,
    StoppedError,
    Structure,
    Trained,
    curve_names,
    main_metric,
    tracing_lock,
    unit_of_curve,
)


def train_with_fit(
    structure: Structure,
    data: Data,
    hyperparameters: Hyperparameters,
    seed: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train one run with Keras's ``Model.fit``.

    Initial weights, batch order, loss and optimizer are those of the compiled trainer, which agrees to 1e-5.
    Parameters, result and errors are those of ``train_compiled``.
    """
    with tracing_lock:
        model = structure.build()
        model.set_weights(initial_weights(model, seed, structure.rebuild))
        states = random_states(model, seed)
        for variable in model.non_trainable_variables:
            if id(variable) in states:
                variable.assign(states[id(variable)])
        optimizer = json.loads(structure.optimizer) | {"learning_rate": hyperparameters.learning_rate}
        activation = HEADS[structure.pair.head].activation
        given = dict(structure.parameters) | hyperparameters.loss
        # Numbers stay Python numbers, not tensors: a user's loss that branches on a parameter's value cannot be
        # compiled by XLA, but can be trained here.
        parameters = {n: tf.constant(v, tf.float32) if isinstance(v, list | tuple) else v for n, v in given.items()}
        losses: list[Callable] = [
            partial(loss, **parameters)
            for loss in (per_sample_loss(structure.pair, activation), *term_losses(structure.pair, activation).values())
        ]
        model.compile(optimizer=build_optimizer(optimizer), loss=losses[0])
        evaluation = _Evaluation(structure, data, losses, hyperparameters, stopped)
        n_train = dict(structure.n_samples)["train"]
        orders = np.stack(list(batch_orders(seed, n_train, hyperparameters.epochs)))
        model.fit(
            _batches(data, orders, structure.batch_size),
            epochs=hyperparameters.epochs,
            steps_per_epoch=-(-n_train // structure.batch_size),
            callbacks=[evaluation, *([_Rates(hyperparameters.rates(structure))] if structure.scheduled else [])],
            shuffle=False,
            verbose=0,
        )
    if stopped():
        raise StoppedError
    history = np.array(evaluation.rows, np.float32)
    return Trained(
        epochs=history[:, 0].astype(np.int64),
        curves={name: history[:, i + 1] for i, name in enumerate(curve_names(structure))},
        weights=evaluation.best_weights or model.get_weights(),
        diverged_epoch=evaluation.diverged_epoch,
        selected_epoch=evaluation.best_epoch,
    )


def _batches(data: Data, orders: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Return the training batches of all epochs as one data set, in the compiled trainer's order."""
    x, y = tf.constant(data.x["train"]), tf.constant(data.y["train"])
    epochs = tf.data.Dataset.from_tensor_slices(orders)
    rows = epochs.flat_map(lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size))
    return rows.map(lambda r: (tf.gather(x, r), tf.gather(y, r)))


class _Evaluation(keras.callbacks.Callback):
    """Evaluates all splits after an epoch; ends the training on divergence, early stopping, or when asked to stop."""

    def __init__(
        self,
        structure: Structure,
        data: Data,
        losses: list[Callable],
        hyperparameters: Hyperparameters,
        stopped: Callable[[], bool],
    ):
        super().__init__()
        self.structure, self.data, self.losses, self.stopped = structure, data, losses, stopped
        self.epochs = hyperparameters.epochs
        # The metric is computed in units of the first output.
        self.min_delta = np.float32(hyperparameters.min_delta / unit_of_curve(structure.metric, data.unit))
        self.rows: list[list[float]] = []
        self.diverged_epoch = 0
        self.best, self.best_epoch, self.best_weights = np.float32(np.inf), 0, None

    def on_epoch_end(self, epoch, logs=None):
        number = epoch + 1
        self.model.stop_training = self.stopped()
        if number % self.structure.evaluate_every and number != self.epochs:
            return
        values: list[float] = []
        weights = self.data.weights_of_outputs
        for name in self.data.x:
            x, y, target = self.data.x[name], self.data.y[name], self.data.target[name]
            batches = [slice(i, i + EVALUATION_BATCH) for i in range(0, len(x), EVALUATION_BATCH)]
            raw = np.concatenate([self.model(x[batch], training=False) for batch in batches])
            for loss in self.losses:
                # A loss of the whole batch (Dice, Tversky) depends on how samples are batched: use the same evaluation
                # batches as the compiled trainer.
                of_samples = [loss(tf.constant(y[batch]), tf.constant(raw[batch])) for batch in batches]
                values.append(float(np.mean(np.concatenate(of_samples))))
            values.append(main_metric(self.structure.metric, self.structure.pair, raw, target, weights))
        self.rows.append([number, *values])
        if not np.isfinite(values[0]):
            self.diverged_epoch = number
            self.model.stop_training = True
        if self.structure.selects:
            self._select(number, values)

    def _select(self, number: int, values: list[float]) -> None:
        """Keep the weights of the best epoch; end the run after ``patience`` epochs without a better one."""
        name, sign = self.structure.selection
        value = np.float32(sign * values[curve_names(self.structure).index(name)])
        if value < self.best - self.min_delta:
            self.best, self.best_epoch, self.best_weights = value, number, self.model.get_weights()
        if self.structure.patience and number - self.best_epoch >= self.structure.patience:
            self.model.stop_training = True


class _Rates(keras.callbacks.Callback):
    """Sets the learning rate of each step."""

    def __init__(self, rates: np.ndarray):
        super().__init__()
        self.rates, self.epoch = rates, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = self.rates[self.epoch, batch]


def predict_with_fit(structure: Structure, weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return raw predictions as ``predict_compiled`` does, through Keras's ``Model.predict``."""
    with tracing_lock:
        model = structure.build()
        model.set_weights(weights)
        return model.predict(x, batch_size=EVALUATION_BATCH, verbose=0)
