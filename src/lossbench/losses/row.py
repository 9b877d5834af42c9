"""What is said of a loss: the columns of the catalogue."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """A number that a loss takes; an input of the compiled program, so that another value compiles nothing."""

    name: str
    low: float
    high: float
    description: str

    def problem(self, value: float) -> str | None:
        """Say what is wrong with a value, if anything is."""
        if self.low <= value < self.high:
            return None
        return f"must be at least {self.low:g} and below {self.high:g}; got {value:g}"


@dataclass(frozen=True)
class Loss:
    """A loss, as data.

    Attributes
    ----------
    formula : str
        For one output, with y the target and p the prediction.
    meaning : str
        What minimising it means, in a sentence.
    encodings : dict
        Each task that the loss is for, to the encodings of its targets, the usual one first.
    heads : dict
        Each task to the loss's canonical head.
    y_true, y_pred : (low, high)
        Where the formula means what it says for targets; where the implementation is finite for predictions.
    statistic : str
        The constant that minimises the mean: a name of ``lossbench.naive.STATISTICS``, or in words where it has no
        formula and is searched for.
    function : str
        ``module:name`` of (y_true, y_pred, **parameters) -> (n_samples,); empty if there are only stable forms.
    stable : dict
        Each head for which there is a form on raw predictions that cannot saturate, to (its ``module:name``, the
        encoding that it takes).
    probability : bool
        Whether minimising it makes the prediction of a sigmoid or softmax head a probability.
    ordered : bool
        Whether it takes the classes to be in an order.
    keras : str
        The class of ``keras.losses`` that computes the same, if there is one.
    """

    name: str
    formula: str
    meaning: str
    encodings: dict[str, tuple[str, ...]]
    heads: dict[str, str]
    y_true: tuple[float, float]
    y_pred: tuple[float, float]
    statistic: str
    source: str
    function: str = ""
    keras: str = ""
    ordered: bool = False
    probability: bool = False
    stable: dict[str, tuple[str, str]] | None = None
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()
