"""Every pair of a loss and a head, and what it is given."""

import numpy as np
from omegaconf import OmegaConf

from lossbench.config.paths import conf_folder
from lossbench.losses.functions import loss_parameters
from lossbench.losses.heads import ENCODINGS, HEADS
from lossbench.losses.pairing import LOSSES, pair

N_CLASSES = {"regression": 0, "binary": 2, "multiclass": 3, "multilabel": 2, "shares": 0}


def possible_pairs():
    """Return every loss with every head that goes with it, for every task."""
    found = []
    for loss in LOSSES.values():
        for task in loss.encodings:
            for head in HEADS.values():
                for encoding in head.encodings.get(task, ()):
                    try:
                        found.append(pair(loss, head, task, encoding))
                    except ValueError:
                        continue
    # Two codings of a stable form are one pair.
    return list(dict.fromkeys(found))


PAIRS = possible_pairs()


def named(made) -> str:
    return f"{made.task}-{made.loss}-{made.head}-{made.encoding}"


def targets(made, n=12, seed=0):
    rng = np.random.default_rng(seed)
    if made.task == "regression":
        y = rng.normal(size=(n, LOSSES[made.loss].least_targets))
        # The formula is asked only where it means what it says, and for what the head can reach.
        return np.abs(y) if LOSSES[made.loss].y_true[0] >= 0 or HEADS[made.head].low == 0 else y
    if made.task == "shares":
        return rng.dirichlet([2.0, 1.0, 0.5], size=n)
    if made.task == "multilabel":
        return np.stack([np.arange(n) % 2, np.arange(n) % 3 == 0, np.arange(n) % 5 > 0], axis=1).astype(np.int32)
    return np.arange(n, dtype=np.int32) % N_CLASSES[made.task]


def encoded(made, y):
    return ENCODINGS[made.encoding].encode(y, N_CLASSES[made.task])


def parameters_of(made) -> dict:
    """Return the parameters that the shipped configuration gives a loss."""
    settings = OmegaConf.load(conf_folder() / "loss" / f"{made.loss}.yaml")
    defaults = dict(loss_parameters(made, encoded(made, targets(made)).shape[1]))
    return {key: defaults[key] if value is None else value for key, value in settings.items() if key != "name"}


# What Keras's classes must be told to compute what the table says.
KERAS_ARGUMENTS = {
    "huber": lambda p: {"delta": p["delta"]},
    "binary_focal_crossentropy": lambda p: {"apply_class_balancing": True, **p},
    "categorical_focal_crossentropy": lambda p: {"alpha": 1.0, **p},
    "generalized_crossentropy": lambda p: p,
    # Ours follows the paper: alpha weighs false positives.
    "tversky": lambda p: {"alpha": p["beta"], "beta": p["alpha"]},
}
