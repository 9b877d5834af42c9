"""The losses by name, and how each goes with a head."""

from dataclasses import dataclass

from lossbench.heads import HEADS, Head
from lossbench.losses.catalogue import ROWS
from lossbench.losses.row import Loss

LOSSES = {loss.name: loss for loss in ROWS}
ALIASES = {alias: loss.name for loss in ROWS for alias in loss.aliases}
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
        instead = f"; use head={' or head='.join(fitting)}" if fitting else ""
        raise ValueError(f"{_why_not(loss, head, task)}{instead}")
    if loss.stable and head.name in loss.stable:
        function, encoding = loss.stable[head.name]
        return Pair(loss.name, head.name, task, encoding, function, on_raw=True)
    encoding = next(e for e in loss.encodings[task] if e in head.encodings[task])
    return Pair(loss.name, head.name, task, encoding, loss.function, on_raw=False)


def losses_for(task: str) -> list[str]:
    """Return the names of the losses for a task, in the table's order."""
    return [loss.name for loss in ROWS if task in loss.encodings]


def outside_domain(loss: Loss, encoding: str, target_range: tuple[float, float], *, ordered: bool) -> bool:
    """Say whether targets lie where the loss's formula does not mean what it says (a dagger in tables).

    Parameters
    ----------
    target_range : (low, high)
        Of targets that are numbers.
    ordered : bool
        Whether classes are in an order.
    """
    if loss.ordered and not ordered:
        return True
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
