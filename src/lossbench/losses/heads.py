"""The output layers: how targets are encoded for one, and how its raw prediction is read.

A head is an activation after the last linear layer. It maps the *raw prediction* (any real number) to the
*prediction* in its open range, as a link function does, and says how a prediction becomes a class.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

INFINITY = float("inf")


@dataclass(frozen=True)
class Encoding:
    """How the targets of a task are written as numbers.

    Attributes
    ----------
    description : str
        In words, for lists and errors.
    encode : callable
        (classes of shape (n,), or labels or values of shape (n, outputs); number of classes) -> float32 array
        (n, outputs).
    """

    description: str
    encode: Callable[[np.ndarray, int], np.ndarray]


# What targets can be, in words.
TASKS = {
    "regression": "numbers",
    "binary": "two classes",
    "multiclass": "several classes",
    "multilabel": "several labels at once",
    "shares": "shares that sum to 1",
}
# Those whose targets are numbers, judged by their errors.
NUMBER_TASKS = ("regression", "shares")

ENCODINGS = {
    "real": Encoding("the numbers themselves", lambda y, n: np.asarray(y, np.float32)),
    "zero_one": Encoding("0 and 1", lambda y, n: np.asarray(y, np.float32).reshape(len(y), -1)),
    "signed": Encoding("-1 and 1", lambda y, n: np.asarray(2.0 * y - 1.0, np.float32).reshape(len(y), -1)),
    "one_hot": Encoding("a 1 in the column of the class", lambda y, n: np.eye(n, dtype=np.float32)[y]),
    "integer": Encoding("the number of the class", lambda y, n: np.asarray(y, np.float32).reshape(len(y), -1)),
}


@dataclass(frozen=True)
class Head:
    """A head, as data.

    Attributes
    ----------
    activation : str
        Keras's name of the activation.
    encodings : dict
        The task to the encodings that the head's range can reach, the usual one first.
    low, high : float
        The open range of the prediction.
    activate, invert : callable
        Raw prediction to prediction, and back (float64 arrays); predictions at an end of the range are moved inside.
    statistics : tuple of str
        What is predicted of each target: a value, or a mean and a variance.
    sums_to_one : bool
        Whether the outputs of a sample sum to 1.
    class_rule : str
        How a prediction becomes a class.
    formula, source : str
        The prediction as a function of the raw prediction z, and where it is defined.
    """

    name: str
    activation: str
    encodings: dict[str, tuple[str, ...]]
    low: float
    high: float
    activate: Callable[[np.ndarray], np.ndarray]
    invert: Callable[[np.ndarray], np.ndarray]
    formula: str
    class_rule: str
    source: str
    statistics: tuple[str, ...] = ("value",)
    sums_to_one: bool = False

    def reaches(self, low: float, high: float) -> bool:
        """Return whether every prediction lies in the closed interval from ``low`` to ``high``."""
        return low <= self.low and self.high <= high


def _sigmoid(z):
    # Written with exp of a negative number only, which cannot overflow.
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


def _softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# How far inside an open range a prediction at its end is taken to be: the distance of a float32 from 1.
EDGE = 1e-7
# The least variance that the gaussian head gives.
LEAST_VARIANCE = 1e-6


def _softplus(z):
    return np.logaddexp(0.0, z)


def _softplus_inverse(p):
    # log(exp(p) - 1), without overflow where it is p itself.
    return np.maximum(p, EDGE) + np.log(-np.expm1(-np.maximum(p, EDGE)))


def _gaussian(z):
    mean, raw_variance = np.split(z, 2, axis=-1)
    return np.concatenate([mean, _softplus(raw_variance) + LEAST_VARIANCE], axis=-1)


def _gaussian_inverse(p):
    mean, variance = np.split(p, 2, axis=-1)
    return np.concatenate([mean, _softplus_inverse(variance - LEAST_VARIANCE)], axis=-1)


HEADS = {
    head.name: head
    for head in (
        Head(
            name="linear",
            activation="linear",
            encodings={
                "regression": ("real",),
                "binary": ("zero_one", "signed", "one_hot"),
                "multiclass": ("one_hot",),
                "multilabel": ("zero_one", "signed"),
                "shares": ("real",),
            },
            low=-INFINITY,
            high=INFINITY,
            activate=lambda z: z,
            invert=lambda p: p,
            formula="z",
            class_rule="two classes: above the middle of the two targets; more: the largest output",
            source="Nelder and Wedderburn (1972), Generalized Linear Models, doi:10.2307/2344614",
        ),
        Head(
            name="softplus",
            activation="softplus",
            encodings={"regression": ("real",)},
            low=0.0,
            high=INFINITY,
            activate=_softplus,
            invert=_softplus_inverse,
            formula="log(1 + exp(z))",
            class_rule="none: for numbers above 0",
            source="Dugas et al. (2001), Incorporating Second-Order Functional Knowledge, "
            "Advances in Neural Information Processing Systems 13",
        ),
        Head(
            name="exponential",
            activation="exponential",
            encodings={"regression": ("real",)},
            low=0.0,
            high=INFINITY,
            # Float32, in which networks compute, ends at exp(88).
            activate=lambda z: np.exp(np.minimum(z, 88.0)),
            invert=lambda p: np.log(np.maximum(p, EDGE)),
            formula="exp(z)",
            class_rule="none: for numbers above 0",
            source="Nelder and Wedderburn (1972), Generalized Linear Models, doi:10.2307/2344614",
        ),
        Head(
            name="gaussian",
            activation="linear",
            encodings={"regression": ("real",)},
            low=-INFINITY,
            high=INFINITY,
            activate=_gaussian,
            invert=_gaussian_inverse,
            formula="mean z_1, variance log(1 + exp(z_2)) + 1e-6",
            class_rule="none: for numbers",
            source="Nix and Weigend (1994), Estimating the Mean and Variance of the Target Probability Distribution, "
            "doi:10.1109/ICNN.1994.374138",
            statistics=("mean", "variance"),
        ),
        Head(
            name="sigmoid",
            activation="sigmoid",
            encodings={
                "binary": ("zero_one", "one_hot"),
                "multiclass": ("one_hot",),
                "multilabel": ("zero_one",),
            },
            low=0.0,
            high=1.0,
            activate=_sigmoid,
            invert=lambda p: np.log(np.clip(p, EDGE, 1 - EDGE)) - np.log1p(-np.clip(p, EDGE, 1 - EDGE)),
            formula="1 / (1 + exp(-z))",
            class_rule="one output, or several labels: above 0.5; an output for each class: the largest",
            source="Berkson (1944), Application of the Logistic Function to Bio-Assay, doi:10.2307/2280041",
        ),
        Head(
            name="tanh",
            activation="tanh",
            encodings={"binary": ("signed",), "multilabel": ("signed",)},
            low=-1.0,
            high=1.0,
            activate=np.tanh,
            invert=lambda p: np.arctanh(np.clip(p, -1 + EDGE, 1 - EDGE)),
            formula="tanh(z)",
            class_rule="above 0",
            source="LeCun et al. (1998), Efficient BackProp, doi:10.1007/3-540-49430-8_2",
        ),
        Head(
            name="softmax",
            activation="softmax",
            encodings={
                "multiclass": ("one_hot", "integer"),
                "binary": ("one_hot", "integer"),
                "shares": ("real",),
            },
            low=0.0,
            high=1.0,
            activate=_softmax,
            invert=lambda p: np.log(np.clip(p, EDGE, 1.0)),
            formula="exp(z_k) / sum_j exp(z_j)",
            class_rule="the largest output",
            sums_to_one=True,
            source="Bridle (1990), Probabilistic Interpretation of Feedforward Classification Network Outputs, "
            "doi:10.1007/978-3-642-76153-9_28",
        ),
    )
}


def decide(raw, head: str, encoding: str, task: str, argmax=np.argmax):
    """Return the class, or the labels, that each raw prediction means, by the head's own rule.

    The rules compare raw predictions: the activations are monotone, so the classes are the same, and
    saturation cannot hide a difference.

    Parameters
    ----------
    raw : array or tensor, shape (n_samples, n_outputs)
    head : str
        A name of ``HEADS``.
    encoding : str
        A name of ``ENCODINGS``.
    task : str
        ``binary``, ``multiclass`` or ``multilabel``.
    argmax : callable
        Of the library that ``raw`` belongs to.

    Returns
    -------
    bool or int array or tensor, shape (n_samples,); for several labels bool, shape (n_samples, n_outputs)
        The class; two classes of one output as False and True.
    """
    middle = threshold(head, encoding)
    if middle is None:
        return argmax(raw, 1)
    return raw > middle if task == "multilabel" else raw[:, 0] > middle


def threshold(head: str, encoding: str) -> float | None:
    """Return the raw prediction above which a class, or a label, is named; None if the largest of several is."""
    if encoding in ("one_hot", "integer"):
        return None
    return 0.5 if head == "linear" and encoding == "zero_one" else 0.0
