"""The loss that a cell's settings choose: a row of the table, a weighted sum of rows, or the user's own function."""

from typing import Any

from lossbench.config.settings import (
    COMPOSITE,
    CUSTOM,
    AnyLossSettings,
    CompositeLossSettings,
    CustomLossSettings,
    HeadSettings,
)
from lossbench.losses.definition import Loss
from lossbench.losses.heads import HEADS
from lossbench.losses.pairing import LOSSES, Pair, canonical_head, outside_domain, pair


def chosen_rows(settings: AnyLossSettings) -> list[Loss]:
    """Return the rows that a cell's ``loss`` settings are made of: one, but for a weighted sum."""
    if isinstance(settings, CompositeLossSettings):
        return [LOSSES[name] for name in settings.terms]
    return [_custom_row(settings) if isinstance(settings, CustomLossSettings) else LOSSES[settings.name]]


def chosen_head(settings: AnyLossSettings, task: str) -> str:
    """Return the name of the loss's own head for a task; of a weighted sum, that of its first term."""
    if isinstance(settings, CustomLossSettings):
        return settings.head
    return canonical_head(chosen_rows(settings)[0], task)


def chosen_pair(settings: AnyLossSettings, head: HeadSettings, task: str, n_targets: int) -> Pair:
    """Return how the chosen loss goes with the chosen head.

    Parameters
    ----------
    settings, head : settings
        The cell's.
    n_targets : int
        How many numbers a target of the data set has; for classes how many there are.

    Raises
    ------
    ValueError
        If they do not go together: the reason.
    """
    rows = chosen_rows(settings)
    for loss in rows:
        if n_targets < loss.least_targets:
            raise ValueError(
                f"loss={loss.name} needs targets of at least {loss.least_targets} numbers; "
                f"the data set's have {n_targets}"
            )
    if isinstance(settings, CompositeLossSettings):
        return _composite_pair(rows, head, task)
    made = pair(rows[0], HEADS[head.name], task, head.encoding)
    if not isinstance(settings, CustomLossSettings):
        return made
    return Pair(**vars(made) | {"parameters": tuple(settings.parameters)})


def chosen_outside_domain(
    settings: AnyLossSettings, encoding: str, target_range: tuple[float, float], *, ordered: bool
) -> bool:
    """Return whether targets lie outside the domain of the chosen loss, or of a term of a weighted sum."""
    return any(outside_domain(loss, encoding, target_range, ordered=ordered) for loss in chosen_rows(settings))


def parameter_values(settings: AnyLossSettings) -> dict[str, Any]:
    """Return what the chosen loss's function is given by name; a term's names begin with the term's."""
    if isinstance(settings, CompositeLossSettings):
        return {f"{term}.{name}": value for term, own in settings.terms.items() for name, value in own.items()}
    return dict(settings.parameters)


def _composite_pair(rows: list[Loss], head: HeadSettings, task: str) -> Pair:
    """Return a weighted sum on a head; all its terms see the same targets."""
    chosen = HEADS[head.name]
    first = pair(rows[0], chosen, task, head.encoding)
    reason = ""
    for encoding in [first.encoding, *chosen.encodings[task]]:
        try:
            terms = tuple(pair(loss, chosen, task, encoding) for loss in rows)
        except ValueError as error:
            reason = reason or str(error)
            continue
        if len({term.encoding for term in terms}) == 1:
            return Pair(
                COMPOSITE, chosen.name, task, terms[0].encoding, "", on_raw=True,
                probability=all(term.probability for term in terms), statistic="that of the sum", terms=terms,
            )  # fmt: skip
    raise ValueError(f"loss=composite needs terms that take the same targets; {reason or 'these do not'}")


def _custom_row(settings: CustomLossSettings) -> Loss:
    infinity = float("inf")
    return Loss(
        name=CUSTOM,
        formula=settings.function,
        meaning="The user's own function.",
        encodings={settings.task: (settings.encoding,)},
        heads={settings.task: settings.head},
        y_true=(-infinity, infinity),
        y_pred=(-infinity, infinity),
        statistic="that of the function",
        source="",
        function=settings.function,
    )
