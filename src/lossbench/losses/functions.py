"""From a pair of loss and head to the function that training minimises."""

import importlib
import inspect
from collections.abc import Callable

import keras

from lossbench.losses.table import Pair


def load(name: str) -> Callable:
    """Return the function that ``module:name`` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def loss_parameters(pair: Pair) -> tuple[tuple[str, float], ...]:
    """Return the names and defaults of the numbers that a pair's function takes besides target and prediction."""
    signature = inspect.signature(load(pair.function)).parameters.values()
    return tuple((p.name, p.default) for p in signature if p.kind is inspect.Parameter.KEYWORD_ONLY)


def per_sample_loss(pair: Pair, activation: str) -> Callable:
    """Return the loss of each sample as a function of raw predictions.

    Returns
    -------
    callable
        (y_true of shape (n_samples, n_outputs), raw prediction of the same number of samples, **parameters)
        -> float tensor, shape (n_samples,).
    """
    function = load(pair.function)
    if pair.on_raw:
        return function
    activate = keras.activations.get(activation)

    def on_prediction(y_true, raw_prediction, **parameters):
        return function(y_true, activate(raw_prediction), **parameters)

    return on_prediction
