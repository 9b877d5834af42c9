"""From a pair of loss and head to the function that training minimises."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lossbench.ground.loading_functions import load_function
from lossbench.losses.pairing import Pair


def loss_parameters(pair: Pair, n_outputs: int) -> tuple[tuple[str, Any], ...]:
    """Return the names and defaults of what a pair's function takes besides target and prediction.

    A default is a number, or rows of numbers: 0 on the diagonal and 1 beside it, for ``n_outputs`` classes.
    """
    if pair.terms:
        return tuple(
            (f"{term.loss}.{name}", default)
            for term in pair.terms
            for name, default in (("weight", 1.0), *loss_parameters(term, n_outputs))
        )
    if pair.parameters:
        return tuple((name, 0.0) for name in pair.parameters)
    signature = inspect.signature(load_function(pair.function)).parameters.values()
    defaults = {p.name: p.default for p in signature if p.kind is inspect.Parameter.KEYWORD_ONLY}
    one_for_each_confusion = tuple(tuple(float(i != j) for j in range(n_outputs)) for i in range(n_outputs))
    return tuple((name, one_for_each_confusion if value is None else value) for name, value in defaults.items())


def per_sample_loss(pair: Pair, activation: str) -> Callable:
    """Return the loss of each sample as a function of raw predictions.

    Returns
    -------
    callable
        (y_true of shape (n_samples, n_outputs), raw prediction of the same number of samples, **parameters)
        -> float tensor, shape (n_samples,). A loss of the whole batch is the same for each of its samples.
    """
    if pair.terms:
        return _weighted_sum(pair, activation)
    function = load_function(pair.function)
    if pair.on_raw:
        return function
    activate = keras.activations.get(activation)

    def on_prediction(y_true, raw_prediction, **parameters):
        value = tf.convert_to_tensor(function(y_true, activate(raw_prediction), **parameters))
        return value if value.shape.rank else tf.fill(tf.shape(y_true)[:1], value)

    return on_prediction


def check_function(pair: Pair, activation: str, y_true, raw_prediction, **parameters) -> None:
    """Call a user's own function on a first batch, and see that training can use what it returns.

    Parameters
    ----------
    y_true, raw_prediction : float tensor, shape (n_samples, n_outputs)

    Raises
    ------
    ValueError
        Saying what it must return and what it did.
    """
    name, n_samples = f"loss.function={pair.function}", y_true.shape[0]
    with tf.GradientTape() as tape:
        tape.watch(raw_prediction)
        y_pred = keras.activations.get(activation)(raw_prediction)
        try:
            value = tf.convert_to_tensor(load_function(pair.function)(y_true, y_pred, **parameters))
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise ValueError(f"{name} raised {type(error).__name__} on the first batch: {said}") from error
    if value.shape not in ((), (n_samples,)):
        raise ValueError(
            f"{name} returned the shape {tuple(value.shape)} for the {n_samples} samples of the first batch; it must "
            f"return a value for each, ({n_samples},), or one for all, (): reduce over the last axis"
        )
    wrong = np.flatnonzero(~np.isfinite(np.broadcast_to(value, (n_samples,))))
    if len(wrong):
        i = wrong[0]
        raise ValueError(
            f"{name} returned {np.broadcast_to(value, (n_samples,))[i]} on the first batch, for y_true="
            f"{y_true.numpy()[i].tolist()} and y_pred={y_pred.numpy()[i].tolist()}; it must be finite there"
        )
    gradient = tape.gradient(value, raw_prediction)
    if gradient is None or not np.isfinite(gradient).all():
        what = "no gradient" if gradient is None else "a gradient that is not finite"
        raise ValueError(f"{name} has {what} with respect to y_pred on the first batch; training needs one")


def term_losses(pair: Pair, activation: str) -> dict[str, Callable]:
    """Return the terms of a weighted sum by name, as ``per_sample_loss`` does; each is given all of its parameters."""

    def term_loss(term: Pair) -> Callable:
        function, prefix = per_sample_loss(term, activation), f"{term.loss}."

        def of_term(y_true, raw_prediction, **parameters):
            own = {name.removeprefix(prefix): v for name, v in parameters.items() if name.startswith(prefix)}
            del own["weight"]
            return function(y_true, raw_prediction, **own)

        return of_term

    return {term.loss: term_loss(term) for term in pair.terms}


def _weighted_sum(pair: Pair, activation: str) -> Callable:
    terms = term_losses(pair, activation)

    def weighted_sum(y_true, raw_prediction, **parameters):
        weighted = [
            parameters[f"{name}.weight"] * term(y_true, raw_prediction, **parameters) for name, term in terms.items()
        ]
        return tf.add_n(weighted)

    return weighted_sum
