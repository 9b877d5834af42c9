"""The table of optimizers, as plain data. To add one, add a row here and its defaults in ``conf/optimizer/``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """The allowed values of a parameter.

    Attributes
    ----------
    low, high : float
        The least and the greatest value.
    above : bool
        True if values must lie strictly above ``low``.
    below : bool
        True if values must lie strictly below ``high``.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False

    def problem(self, value: float) -> str:
        """Return the rule that a value breaks, as the end of a message, or '' if it is allowed. NaN never is."""
        low = self.low < value if self.above else self.low <= value
        high = value < self.high if self.below else value <= self.high
        if low and high:
            return ""
        words = f"{'above' if self.above else 'at least'} {self.low:g}"
        words += f" and {'below' if self.below else 'at most'} {self.high:g}"
        return f"must be {words}; got {value:g}"


@dataclass(frozen=True)
class Optimizer:
    """One of Keras's optimizers.

    Attributes
    ----------
    keras : str
        The name of its class in ``keras.optimizers``.
    parameters : dict
        The range of each parameter, by name; None for a parameter that is true or false. The learning rate and
        clipping are not listed: every optimizer has them.
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
            "Scales each weight's step by running means of its gradient and squared gradient.",
            {**_MOMENTS, "epsilon": _EPSILON},
        ),
        Optimizer(
            "adamw",
            "AdamW",
            "Adam with decoupled weight decay.",
            {**_MOMENTS, "epsilon": _EPSILON, "weight_decay": _LARGE},
        ),
        Optimizer("nadam", "Nadam", "Adam with Nesterov momentum.", {**_MOMENTS, "epsilon": _EPSILON}),
        Optimizer(
            "adamax",
            "Adamax",
            "Adam with a running maximum of the gradient in place of the mean of its square.",
            {**_MOMENTS, "epsilon": _EPSILON},
        ),
        Optimizer(
            "rmsprop",
            "RMSprop",
            "Divides each step by a running root mean square of the gradient.",
            {"rho": _SHARE, "momentum": _SHARE, "epsilon": _EPSILON, "centered": None},
        ),
        Optimizer(
            "adagrad",
            "Adagrad",
            "Divides each step by the root of the sum of all squared gradients so far.",
            {"initial_accumulator_value": _LARGE, "epsilon": _EPSILON},
        ),
        Optimizer(
            "lion",
            "Lion",
            "Steps of equal size in the direction of the sign of the momentum.",
            {**_MOMENTS, "weight_decay": _LARGE},
        ),
    )
}
