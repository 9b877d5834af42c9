"""The losses by name, and how each goes with a head."""

from dataclasses import dataclass

from lossbench.losses.catalogue import ROWS
from lossbench.losses.definition import Loss
from lossbench.losses.heads import HEADS, Head

LOSSES = {loss.name: loss for loss in ROWS}
ALIASES = {alias: loss.name for loss in ROWS for alias in loss.aliases}
BASELINES = {
    "regression": "mean_squared_error",
    "binary": "binary_crossentropy",
    "multiclass": "categorical_crossentropy",
    "multilabel": "binary_crossentropy",
    "shares": "categorical_crossentropy",
}


@dataclass(frozen=True)
class Pair:
    """A loss on a head for a task: the encoding of its targets, and the function to call.

    Attributes
    ----------
    encoding : str
        Of the targets that the function is given.
    function : str
        ``module:name``; empty for a weighted sum.
    on_raw : bool
        Whether the function takes raw predictions.
    probability : bool
        Whether the prediction estimates a probability.
    statistic : str
        The constant that minimises the loss; see ``Loss``.
    parameters : tuple of str
        Of a function that the table does not know: what it is given by name.
    terms : tuple of Pair
        Of a weighted sum: what is summed.
    """

    loss: str
    head: str
    task: str
    encoding: str
    function: str
    on_raw: bool
    probability: bool = False
    statistic: str = ""
    parameters: tuple[str, ...] = ()
    terms: tuple["Pair", ...] = ()


def pair(loss: Loss, head: Head, task: str, encoding: str = "auto") -> Pair:
    """Return how a loss goes with a head, with the usual encoding or the one that is asked for.

    Raises
    ------
    ValueError
        If it cannot: the reason, as "<what> needs <what>; <what was got>".
    """
    if task not in loss.encodings:
        tasks = " or ".join(loss.encodings)
        raise ValueError(f"loss={loss.name} is for {tasks} targets; the data set's are {task}")
    reason = _why_not(loss, head, task, encoding)
    if reason:
        fitting = [other.name for other in HEADS.values() if _why_not(loss, other, task, encoding) is None]
        instead = f"; use head={' or head='.join(fitting)}" if fitting else ""
        raise ValueError(f"{reason}{instead}")
    given = _encodings(loss, head, task, encoding)[0]
    function, kernel_encoding = (loss.stable or {}).get((head.name, given), (loss.function, given))
    return Pair(
        loss.name,
        head.name,
        task,
        kernel_encoding,
        function,
        on_raw=function != loss.function,
        probability=loss.probability and (head.name == "softmax" or (head.name, given) == ("sigmoid", "zero_one")),
        statistic=loss.statistic,
    )


def fitting_heads(loss: Loss, task: str) -> list[str]:
    """Return the names of the heads that a loss goes with for a task, its canonical one first."""
    names = [head.name for head in HEADS.values() if task in loss.encodings and not _why_not(loss, head, task)]
    return sorted(names, key=lambda name: name != canonical_head(loss, task))


def canonical_head(loss: Loss, task: str) -> str:
    """Return the loss's own head for a task; for one that it is not made for, that of another it is made for."""
    return loss.heads.get(task) or next(iter(loss.heads.values()))


def losses_for(task: str, head: str = "auto") -> list[str]:
    """Return the names of the losses made for a task, or of all that go with it on a given head."""
    if head == "auto":
        return [loss.name for loss in ROWS if task in loss.heads]
    return [loss.name for loss in ROWS if head in fitting_heads(loss, task)]


def outside_domain(loss: Loss, encoding: str, target_range: tuple[float, float], *, ordered: bool) -> str:
    """Return why targets are not those that the loss is made for (a dagger in tables); '' if they are.

    Parameters
    ----------
    target_range : (low, high)
        Of targets that are numbers.
    ordered : bool
        Whether classes are in an order.
    """
    if loss.ordered and not ordered:
        return f"for {loss.domain}"
    if encoding != "real" or (target_range[0] >= loss.y_true[0] and target_range[1] <= loss.y_true[1]):
        return ""
    least, most = target_range
    return f"for {loss.domain}; here they are from {least:g} to {most:g}"


def _encodings(loss: Loss, head: Head, task: str, encoding: str) -> list[str]:
    """Return the encodings that both take, the head's usual one first."""
    taken = loss.encodings.get(task, ())
    return [e for e in head.encodings.get(task, ()) if e in taken and encoding in ("auto", e)]


def _why_not(loss: Loss, head: Head, task: str, encoding: str = "auto") -> str | None:
    if task not in head.encodings:
        return f"head={head.name} is for {' or '.join(head.encodings)} targets; the data set's are {task}"
    if head.statistics != loss.head_statistics:
        wanted, given = (" and a ".join(names) for names in (loss.head_statistics, head.statistics))
        return f"loss={loss.name} needs a {wanted} for each target; head={head.name} gives a {given}"
    if not head.reaches(*loss.y_pred):
        low, high = loss.y_pred
        return (
            f"loss={loss.name} needs predictions from {low:g} to {high:g}; "
            f"head={head.name} gives from {head.low:g} to {head.high:g}"
        )
    if loss.sums_to_one and not head.sums_to_one:
        return f"loss={loss.name} needs outputs that sum to 1; those of head={head.name} do not"
    if loss.sums_to_one is False and head.sums_to_one:
        return f"loss={loss.name} judges each output on its own; those of head={head.name} sum to 1"
    common = _encodings(loss, head, task, encoding)
    if not common and encoding != "auto":
        return f"loss={loss.name} on head={head.name} has no targets written as head.encoding={encoding}"
    if not common:
        return (
            f"loss={loss.name} needs targets as {' or '.join(loss.encodings.get(task, ()))}; "
            f"head={head.name} gives {' or '.join(head.encodings[task])}"
        )
    if not loss.function and (head.name, common[0]) not in (loss.stable or {}):
        return f"loss={loss.name} is written for other heads than head={head.name}"
    return None
