"""A loss's value at its best constant prediction; a training that does not get below it has learned nothing."""

from typing import Any

import numpy as np

from lossbench.losses.pairing import Pair
from lossbench.metrics.reference_predictors import constant_raw_prediction
from lossbench.training.specification import mean_loss


def best_constant_loss(pair: Pair, y: np.ndarray, n_classes: int, parameters: dict[str, Any]) -> float:
    """Return a loss's mean value at the constant prediction that minimises it.

    Parameters
    ----------
    pair : Pair
        The loss and its head.
    y : array
        Training targets, as in ``datasets.loading.Part``.
    n_classes : int
        0 for numbers.
    parameters : dict
        The loss's parameters.
    """
    of_constant = mean_loss(pair, y, n_classes, parameters)
    return of_constant(constant_raw_prediction(pair, y, n_classes, parameters, of_constant))
