"""Small trainings: their structure, data and hyperparameters, and how two are compared."""

import hashlib

import numpy as np

from lossbench.datasets.loading import Part
from lossbench.losses.heads import HEADS
from lossbench.losses.pairing import LOSSES, pair
from lossbench.training.specification import Hyperparameters, make_data, make_structure
from support.losses import N_CLASSES
from support.settings import cell_with

# 100 = 3 * 32 + 4: the last batch is smaller.
N_TRAIN, N_TEST, BATCH = 100, 60, 32


EPOCHS = 20


# Losses with gradients so large that the usual learning rate makes a training chaotic, in which rounding grows.
STEEP = {"mean_absolute_percentage_error": 100, "exponential": 10, "cosine_similarity": 10}


MLP = {
    "name": "mlp",
    "hidden_units": [8],
    "activation": "relu",
    "initializer": "he_uniform",
    "l2": 0.0,
    "dropout": 0.0,
    "batch_normalization": False,
}


SGD = {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": False}


def splits(task, n_train=N_TRAIN, seed=0, *, positive=False, n_targets=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_train + N_TEST, 4)).astype(np.float32)
    signal = x[:, 0] - 0.5 * x[:, 1] ** 2 + 0.3 * rng.normal(size=len(x))
    if task == "regression":
        y = (np.abs(signal) + 0.5 if positive else signal)[:, None].astype(np.float32)
        y = np.hstack([y, x[:, 2:3]])[:, :n_targets]
    elif task == "shares":
        powers = np.exp(np.stack([signal, 0 * signal, -signal], axis=1))
        y = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    elif task == "multilabel":
        y = np.stack([signal > 0, signal > 0.5, x[:, 2] > 0], axis=1).astype(np.int32)
    elif task == "binary":
        y = (signal > 0).astype(np.int32)
    else:
        y = np.digitize(signal, [-0.7, 0.5]).astype(np.int32)
    return {"train": Part(x[:n_train], y[:n_train]), "test": Part(x[n_train:], y[n_train:])}


def setting(made, *, optimizer=SGD, loss=None, epochs=EPOCHS, n_train=N_TRAIN, data_seed=0, **more):
    """Return structure, data and hyperparameters of a small cell."""
    row = LOSSES[made.loss]
    positive = row.y_true[0] >= 0 or HEADS[made.head].low == 0
    made_splits = splits(made.task, n_train, data_seed, positive=positive, n_targets=row.least_targets)
    data = make_data(made, made_splits, N_CLASSES[made.task])
    if made.loss in STEEP:
        optimizer = {**optimizer, "learning_rate": optimizer["learning_rate"] / STEEP[made.loss]}
    own = {"model": MLP, "optimizer": optimizer, "loss": {"name": made.loss, **(loss or {})}, "batch_size": BATCH}
    settings = cell_with(**{**own, "epochs": epochs, **more})
    hyperparameters = Hyperparameters(optimizer["learning_rate"], loss or {}, epochs, settings.schedule)
    return make_structure(settings, made, data), data, hyperparameters


def pair_of(loss, head, task):
    return pair(LOSSES[loss], HEADS[head], task)


BCE = pair_of("binary_crossentropy", "sigmoid", "binary")


MSE = pair_of("mean_squared_error", "linear", "regression")


def bits(trained) -> str:
    content = [trained.epochs, *trained.weights, *(trained.curves[name] for name in sorted(trained.curves))]
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in content)).hexdigest()


def assert_close(ours, weights, curves):
    for a, b in zip(ours.weights, weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)
    for name, curve in curves.items():
        np.testing.assert_allclose(ours.curves[name], curve, atol=1e-5, rtol=1e-5, err_msg=name)
