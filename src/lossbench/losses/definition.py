"""What is said of a loss: the columns of the catalogue."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """What a loss takes; an input of the compiled program, so that another value compiles nothing.

    Attributes
    ----------
    low, high : float
        Where its value, or each entry of it, lies: from low, below high.
    matrix : bool
        Whether it is a number for each pair of classes.
    """

    name: str
    low: float
    high: float
    description: str
    matrix: bool = False

    def problem(self, value: float) -> str | None:
        """Return what is wrong with a value; None if nothing is."""
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
        Each task that it can be used for, to the encodings of its targets, the usual one first.
    heads : dict
        Each task that it is made for (``loss=all``), to its canonical head.
    y_true, y_pred : (low, high)
        The targets that the formula is made for; where the implementation is finite for predictions.
    statistic : str
        The constant that minimises the mean: a name of ``reference_predictors.STATISTICS``, or in words where it has no
        formula and is searched for.
    function : str
        ``module:name`` of (y_true, y_pred, **parameters) -> (n_samples,); empty if there are only stable forms.
    stable : dict
        Each (task, head) for which there is a form on raw predictions that cannot saturate, to (its ``module:name``,
        the encoding that it takes).
    probability : bool
        Whether minimising it makes the prediction of a sigmoid or softmax head a probability.
    ordered : bool
        Whether it takes the classes to be in an order.
    whole_batch : bool
        Whether its value is one for a batch, the same for each of its samples.
    sums_to_one : bool or None
        Whether the outputs of a sample must sum to 1, or must not; None where either will do.
    least_targets : int
        How many numbers a target must have.
    head_statistics : tuple of str
        What it asks a head to predict of each target.
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
    whole_batch: bool = False
    sums_to_one: bool | None = None
    least_targets: int = 1
    head_statistics: tuple[str, ...] = ("value",)
    stable: dict[tuple[str, str], tuple[str, str]] | None = None
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """The targets that it is made for, in words."""
        if self.ordered:
            return "classes in an order"
        low, high = self.y_true
        if 0.0 < low < 1e-6:
            return "targets above 0"
        return f"targets from {low:g} up" if high == float("inf") else f"targets from {low:g} to {high:g}"
