"""Trains once what several losses have in common.

Categorical and sparse cross-entropy and the KL divergence of classes are one function, so a training of one is a
training of all. What a process has trained is kept for its next cells.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lossbench.losses.pairing import LOSSES
from lossbench.training.specification import Data, Hyperparameters, Structure, Trained

# The bytes of curves and weights that are kept; the oldest trainings are forgotten first.
MOST_BYTES = 50e6
Trainer = Callable[..., Trained]


def trained_once(train: Trainer) -> Trainer:
    """Return a trainer that gives the same training again where the same one is asked for another loss."""
    kept: OrderedDict[Any, Trained] = OrderedDict()
    lock, n_bytes = threading.Lock(), 0

    @functools.wraps(train)
    def trainer(
        structure: Structure,
        data: Data,
        hyperparameters: Hyperparameters,
        seed: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Trained:
        nonlocal n_bytes
        if structure.pair.loss not in _shared_functions():
            return train(structure, data, hyperparameters, seed, stopped)
        # A loss that leaves out a parameter has its default.
        inputs = replace(hyperparameters, loss=dict(structure.parameters) | hyperparameters.loss)
        asked = (structure, data.digest, repr(inputs), seed)
        if found := kept.get(asked):
            return found
        trained = train(structure, data, hyperparameters, seed, stopped)
        with lock:
            if asked not in kept:
                kept[asked] = trained
                n_bytes += trained.n_bytes
            while n_bytes > MOST_BYTES:
                n_bytes -= kept.popitem(last=False)[1].n_bytes
        return trained

    return trainer


@functools.cache
def _shared_functions() -> set[str]:
    """Return the functions that several losses have in common, as the structures of their programs name them."""
    users: dict[str, set[str]] = {}
    for loss in LOSSES.values():
        for function, _ in (loss.stable or {}).values():
            users.setdefault(function.partition(":")[2], set()).add(loss.name)
    return {function for function, names in users.items() if len(names) > 1}
