"""The shape of a loss: what it says of one sample, over how wrong the prediction is."""

from typing import Any

import numpy as np
import tensorflow as tf

from lossbench.losses.functions import per_sample_loss
from lossbench.losses.heads import ENCODINGS, HEADS
from lossbench.losses.pairing import LOSSES, Pair

N_POINTS = 161
# Errors in the unit of standardized targets; leads in that of raw predictions.
LARGEST_ERROR, LARGEST_LEAD = 3.0, 6.0
# A target for losses of numbers from 0 up, with room for errors on both sides.
POSITIVE_TARGET = 3.0


def loss_shape(pair: Pair, n_targets: int, parameters: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return a loss over the error, or for classes over the raw prediction's lead for the true one.

    Parameters
    ----------
    n_targets : int
        Columns of the encoded targets.

    Returns
    -------
    dict
        ``x`` (float64 array of shape (161,): the error p - y, or the lead), ``loss`` (the same shape; NaN where it is
        not finite) and ``target`` (the y of the errors; NaN for classes). Empty for a loss of whole batches.
    """
    is_number = pair.task == "regression"
    largest = LARGEST_ERROR if is_number else LARGEST_LEAD
    x = np.linspace(-largest, largest, N_POINTS)
    target = _target(pair) if is_number else np.nan
    y, raw = _errors(pair, n_targets, x, target) if is_number else _leads(pair, n_targets, x)
    loss = per_sample_loss(pair, HEADS[pair.head].activation)
    values = np.asarray(loss(tf.constant(y, tf.float32), tf.constant(raw, tf.float32), **parameters), np.float64)
    if values.shape != x.shape or np.ptp(values) == 0:
        return {}
    return {"x": x, "loss": np.where(np.isfinite(values), values, np.nan), "target": np.array(target)}


def _target(pair: Pair) -> float:
    lows = [LOSSES[one.loss].y_true[0] for one in (pair.terms or (pair,)) if one.loss in LOSSES]
    return POSITIVE_TARGET if max(lows, default=-np.inf) >= 0 else 0.0


def _errors(pair: Pair, n_targets: int, x: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    """Return targets that are all the same, and raw predictions with the errors ``x``; where asked for, variance 1."""
    head = HEADS[pair.head]
    predictions = np.repeat((target + x)[:, None], n_targets, axis=1)
    others = [np.ones_like(predictions)] * (len(head.statistics) - 1)
    return np.full_like(predictions, target), head.invert(np.concatenate([predictions, *others], axis=1))


def _leads(pair: Pair, n_targets: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and raw predictions whose true class is ahead by ``x``."""
    encode = ENCODINGS[pair.encoding].encode
    if pair.task == "multilabel":
        return encode(np.ones((len(x), n_targets)), 2), np.repeat(x[:, None], n_targets, axis=1)
    if pair.task == "binary" and n_targets == 1 and pair.encoding != "integer":
        return encode(np.ones(len(x), np.int32), 2), x[:, None]
    # Class 0, or all of a share, before the others.
    n_classes = max(2, n_targets)
    y = (
        np.eye(n_classes)[:1].repeat(len(x), axis=0)
        if pair.task == "shares"
        else encode(np.zeros(len(x), int), n_classes)
    )
    return y, np.stack([x, *[np.zeros_like(x)] * (n_classes - 1)], axis=1)
