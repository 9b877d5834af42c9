"""The optimizers, as plain data: a row here and a file in ``conf/optimizer/`` are all that one needs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """Where a parameter's value lies.

    Attributes
    ----------
    above, below : bool
        Whether the end itself is not allowed.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False

    def problem(self, value: float) -> str:
        """Say what is wrong with a value; '' if nothing is. NaN is always wrong."""
        low = self.low < value if self.above else self.low <= value
        high = value < self.high if self.below else value <= self.high
        if low and high:
            return ""
        words = f"{'above' if self.above else 'at least'} {self.low:g}"
        words += f" and {'below' if self.below else 'at most'} {self.high:g}"
        return f"must be {words}; got {value:g}"


@dataclass(frozen=True)
class Optimizer:
    """An optimizer of Keras.

    Attributes
    ----------
    keras : str
        The name of its class in ``keras.optimizers``.
    parameters : dict
        Each parameter that it has besides the learning rate and clipping, to the range of its values; None for a
        switch.
    """

    name: str
    keras: str
    description: str
    parameters: dict[str, Range | None]


_SHARE = Range(0.0, 1.0, below=True)
_EPSILON = Range(0.0, 1.0, above=True)
_LARGE = Range(0.0, 1e6)
_MOMENTS = {"beta_1": _SHARE, "beta_2": _SHARE}
OPTIMIZERS = {
    row.name: row
    for row in (
        Optimizer("sgd", "SGD", "Stochastic gradient descent with momentum.", {"momentum": _SHARE, "nesterov": None}),
        Optimizer(
            "adam",
            "Adam",
            "Adam: steps of each weight by the first two moments of its gradient.",
            {**_MOMENTS, "epsilon": _EPSILON},
        ),
        Optimizer(
            "adamw",
            "AdamW",
            "Adam with weight decay of its own.",
            {**_MOMENTS, "epsilon": _EPSILON, "weight_decay": _LARGE},
        ),
        Optimizer("nadam", "Nadam", "Adam with Nesterov momentum.", {**_MOMENTS, "epsilon": _EPSILON}),
        Optimizer(
            "adamax",
            "Adamax",
            "Adam with the largest instead of the mean squared gradient.",
            {**_MOMENTS, "epsilon": _EPSILON},
        ),
        Optimizer(
            "rmsprop",
            "RMSprop",
            "Steps over a running root mean square of the gradient.",
            {"rho": _SHARE, "momentum": _SHARE, "epsilon": _EPSILON, "centered": None},
        ),
        Optimizer(
            "adagrad",
            "Adagrad",
            "Steps over the root of the sum of all squared gradients.",
            {"initial_accumulator_value": _LARGE, "epsilon": _EPSILON},
        ),
        Optimizer(
            "lion",
            "Lion",
            "Steps of one size, by the sign of the momentum.",
            {**_MOMENTS, "weight_decay": _LARGE},
        ),
    )
}
