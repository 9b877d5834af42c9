"""Finds cells whose losses are one function: a process trains them once and records the training for each."""

import hashlib
import json
from collections.abc import Sequence

from lossbench.losses.choice import parameter_values
from lossbench.planning.command_line import unique
from lossbench.planning.keys import key_settings
from lossbench.planning.plan import Cell


def notes_on_same_trainings(cells: Sequence[Cell]) -> list[str]:
    """Return a line for each data set and each group of its losses that train as one."""
    groups: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.settings.trainer == "compiled" and cell.pair.on_raw and not cell.pair.terms:
            groups.setdefault((cell.dataset, _training(cell)), []).append(cell.loss)
    said = unique((dataset, tuple(unique(losses))) for (dataset, _), losses in groups.items())
    return [
        f"on {dataset} {', '.join(losses[:-1])} and {losses[-1]} are one function: trained once, recorded for each"
        for dataset, losses in said
        if len(losses) > 1
    ]


def _training(cell: Cell) -> str:
    """Return what tells the training of a cell from others: its key, with the function in place of the loss."""
    # Label smoothing of 0 is none, which the losses without this parameter have too.
    given = {name: value for name, value in parameter_values(cell.settings.loss).items() if value}
    pair = cell.pair
    content = key_settings(cell.settings) | {"loss": [pair.function, pair.head, pair.encoding, given]}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
