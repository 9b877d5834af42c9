"""What is known of each loss, as plain data: nothing heavy is imported to read it.

Functions are named, and loaded by ``functions`` when they are needed.
"""

from dataclasses import dataclass

from lossbench.heads import HEADS, INFINITY, Head


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
        The constant that minimises the mean, a name of ``lossbench.naive.STATISTICS``.
    function : str
        ``module:name`` of (y_true, y_pred, **parameters) -> (n_samples,).
    stable : dict
        Each head for which there is a form on raw predictions that cannot saturate, to (its function's name in
        ``losses.functions``, the encoding that it takes).
    probability : bool
        Whether minimising it makes the prediction of a sigmoid or softmax head a probability.
    keras : str
        The class of ``keras.losses`` that computes the same.
    """

    name: str
    formula: str
    meaning: str
    encodings: dict[str, tuple[str, ...]]
    heads: dict[str, str]
    y_true: tuple[float, float]
    y_pred: tuple[float, float]
    statistic: str
    function: str
    source: str
    keras: str
    probability: bool = False
    stable: dict[str, tuple[str, str]] | None = None
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()


REALS = (-INFINITY, INFINITY)
UNIT = (0.0, 1.0)
ANY_TASK = {"regression": ("real",), "binary": ("zero_one", "signed"), "multiclass": ("one_hot",)}
CANONICAL = {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}
SMOOTHING = Parameter("label_smoothing", 0.0, 1.0, "share of each target that is spread evenly over the classes")

_ROWS = (
    Loss(
        name="mean_squared_error",
        formula="(y - p)^2",
        meaning="Estimates the mean; an error twice as large costs four times as much.",
        encodings=ANY_TASK,
        heads=CANONICAL,
        y_true=REALS,
        y_pred=REALS,
        statistic="mean",
        function="keras.losses:mean_squared_error",
        probability=True,
        source="Gneiting (2011), Making and Evaluating Point Forecasts, doi:10.1198/jasa.2011.r10138",
        keras="MeanSquaredError",
        aliases=("mse", "l2"),
    ),
    Loss(
        name="mean_absolute_error",
        formula="|y - p|",
        meaning="Estimates the median; every unit of error costs the same, however large the error.",
        encodings=ANY_TASK,
        heads=CANONICAL,
        y_true=REALS,
        y_pred=REALS,
        statistic="median",
        function="keras.losses:mean_absolute_error",
        source="Gneiting (2011), Making and Evaluating Point Forecasts, doi:10.1198/jasa.2011.r10138",
        keras="MeanAbsoluteError",
        aliases=("mae", "l1"),
    ),
    Loss(
        name="mean_squared_logarithmic_error",
        formula="(log(1 + max(y, 0)) - log(1 + max(p, 0)))^2",
        meaning="Squared error of ratios, for targets from 0 up; all negative numbers count as 0.",
        encodings={"regression": ("real",)},
        heads={"regression": "linear"},
        y_true=(0.0, INFINITY),
        y_pred=REALS,
        statistic="logarithmic_mean",
        function="keras.losses:mean_squared_logarithmic_error",
        source="Gneiting (2011), Making and Evaluating Point Forecasts, doi:10.1198/jasa.2011.r10138",
        keras="MeanSquaredLogarithmicError",
        aliases=("msle",),
    ),
    Loss(
        name="binary_crossentropy",
        formula="-y log(p) - (1 - y) log(1 - p)",
        meaning="The negative log-likelihood of two classes: estimates the probability of class 1.",
        encodings={"binary": ("zero_one",)},
        heads={"binary": "sigmoid"},
        y_true=UNIT,
        y_pred=UNIT,
        statistic="mean",
        function="lossbench.losses.functions:binary_crossentropy",
        stable={"sigmoid": ("sigmoid_crossentropy", "zero_one")},
        probability=True,
        source="Good (1952), Rational Decisions, doi:10.1111/j.2517-6161.1952.tb00104.x",
        keras="BinaryCrossentropy",
        parameters=(SMOOTHING,),
        aliases=("bce", "log_loss"),
    ),
    Loss(
        name="hinge",
        formula="max(0, 1 - y p)",
        meaning="Asks for a margin of 1 on the right side, and no more; estimates the class, not its probability.",
        encodings={"binary": ("signed",)},
        heads={"binary": "tanh"},
        y_true=(-1.0, 1.0),
        y_pred=REALS,
        statistic="majority",
        function="lossbench.losses.functions:hinge",
        source="Cortes and Vapnik (1995), Support-Vector Networks, doi:10.1007/BF00994018",
        keras="Hinge",
    ),
    Loss(
        name="squared_hinge",
        formula="max(0, 1 - y p)^2",
        meaning="A margin of 1 whose violations cost their square; large ones weigh more than in hinge.",
        encodings={"binary": ("signed",)},
        heads={"binary": "tanh"},
        y_true=(-1.0, 1.0),
        y_pred=REALS,
        statistic="mean",
        function="lossbench.losses.functions:squared_hinge",
        source="Rosasco et al. (2004), Are Loss Functions All the Same?, doi:10.1162/089976604773135104",
        keras="SquaredHinge",
    ),
    Loss(
        name="categorical_crossentropy",
        formula="-sum_k y_k log(p_k)",
        meaning="The negative log-likelihood of several classes, targets one-hot: estimates their probabilities.",
        encodings={"multiclass": ("one_hot",)},
        heads={"multiclass": "softmax"},
        y_true=UNIT,
        y_pred=UNIT,
        statistic="mean",
        function="lossbench.losses.functions:categorical_crossentropy",
        stable={"softmax": ("softmax_crossentropy", "one_hot")},
        probability=True,
        source="Good (1952), Rational Decisions, doi:10.1111/j.2517-6161.1952.tb00104.x",
        keras="CategoricalCrossentropy",
        parameters=(SMOOTHING,),
        aliases=("cce", "crossentropy", "cross_entropy"),
    ),
    Loss(
        name="sparse_categorical_crossentropy",
        formula="-log(p_y)",
        meaning="Categorical cross-entropy with the number of the class as target: the same function.",
        encodings={"multiclass": ("integer",)},
        heads={"multiclass": "softmax"},
        y_true=(0.0, INFINITY),
        y_pred=UNIT,
        statistic="mean",
        function="keras.losses:sparse_categorical_crossentropy",
        stable={"softmax": ("softmax_crossentropy", "one_hot")},
        probability=True,
        source="Good (1952), Rational Decisions, doi:10.1111/j.2517-6161.1952.tb00104.x",
        keras="SparseCategoricalCrossentropy",
        aliases=("scce", "sparse_crossentropy"),
    ),
    Loss(
        name="kl_divergence",
        formula="sum_k y_k log(y_k / p_k)",
        meaning="Cross-entropy less the entropy of the targets, which is 0 when they are one-hot: the same function.",
        encodings={"multiclass": ("one_hot",)},
        heads={"multiclass": "softmax"},
        y_true=UNIT,
        y_pred=UNIT,
        statistic="mean",
        function="keras.losses:kl_divergence",
        stable={"softmax": ("softmax_crossentropy", "one_hot")},
        probability=True,
        source="Kullback and Leibler (1951), On Information and Sufficiency, doi:10.1214/aoms/1177729694",
        keras="KLDivergence",
        aliases=("kld", "kl", "kullback_leibler_divergence"),
    ),
)

LOSSES = {loss.name: loss for loss in _ROWS}
ALIASES = {alias: loss.name for loss in _ROWS for alias in loss.aliases}
BASELINES = {
    "regression": "mean_squared_error",
    "binary": "binary_crossentropy",
    "multiclass": "categorical_crossentropy",
}


@dataclass(frozen=True)
class Pair:
    """A loss on a head for a task: the encoding of its targets, and the function to call.

    Attributes
    ----------
    encoding : str
        Of the targets that the function is given.
    function : str
        ``module:name``.
    on_raw : bool
        Whether the function takes raw predictions.
    """

    loss: str
    head: str
    task: str
    encoding: str
    function: str
    on_raw: bool


def pair(loss: Loss, head: Head, task: str) -> Pair:
    """Return how a loss goes with a head.

    Raises
    ------
    ValueError
        If it cannot: the reason, as "<what> needs <what>; <what was got>".
    """
    fitting = _heads_for(loss, task)
    if task not in loss.encodings:
        tasks = " or ".join(loss.encodings)
        raise ValueError(f"loss={loss.name} is for {tasks} targets; the data set's are {task}")
    if head.name not in fitting:
        raise ValueError(f"{_why_not(loss, head, task)}; use head={' or head='.join(fitting)}")
    if loss.stable and head.name in loss.stable:
        name, encoding = loss.stable[head.name]
        return Pair(loss.name, head.name, task, encoding, f"lossbench.losses.functions:{name}", on_raw=True)
    encoding = next(e for e in loss.encodings[task] if e in head.encodings[task])
    return Pair(loss.name, head.name, task, encoding, loss.function, on_raw=False)


def losses_for(task: str) -> list[str]:
    """Return the names of the losses for a task, in the table's order."""
    return [loss.name for loss in _ROWS if task in loss.encodings]


def outside_domain(loss: Loss, encoding: str, target_range: tuple[float, float]) -> bool:
    """Say whether targets lie where the loss's formula does not mean what it says (a dagger in tables)."""
    if encoding != "real":
        return False
    return target_range[0] < loss.y_true[0] or target_range[1] > loss.y_true[1]


def _heads_for(loss: Loss, task: str) -> list[str]:
    return [head.name for head in HEADS.values() if _why_not(loss, head, task) is None]


def _why_not(loss: Loss, head: Head, task: str) -> str | None:
    if task not in head.encodings:
        return f"head={head.name} is for {' or '.join(head.encodings)} targets; the data set's are {task}"
    if not head.reaches(*loss.y_pred):
        low, high = loss.y_pred
        return (
            f"loss={loss.name} needs predictions from {low:g} to {high:g}; "
            f"head={head.name} gives from {head.low:g} to {head.high:g}"
        )
    if not set(loss.encodings.get(task, ())) & set(head.encodings[task]):
        return (
            f"loss={loss.name} needs targets as {' or '.join(loss.encodings.get(task, ()))}; "
            f"head={head.name} gives {' or '.join(head.encodings[task])}"
        )
    return None
