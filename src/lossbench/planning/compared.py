"""What the cells of a data set are compared by: their losses, or another swept setting (``report.compare``)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lossbench.config.settings import ReportSettings, has_setting, read_setting
from lossbench.ground.errors import Problem, unknown
from lossbench.planning.plan import OF_THE_DATA, Cell, swept_value

LOSS = "loss"
# A loss with another parameter or another head is compared with the baseline like any other loss.
OF_THE_LOSS = ("loss.", "head")


def value_in(cell: Cell, key: str | None) -> str:
    """Return the value of a compared setting (None: the loss) in a cell, as text; '' if the cell does not have it."""
    if key is None or key == LOSS:
        return cell.loss
    if key in cell.swept:
        return swept_value(key, cell.swept[key])
    # A cell without a study does not say so, and a grid of an experiment need not sweep every key.
    found = read_setting(cell.settings, key) if has_setting(cell.settings, key) else ""
    return swept_value(key, found["name"] if isinstance(found, Mapping) else found)


def rest_of(cell: Cell, key: str) -> dict[str, Any]:
    """Return what cells must share to be compared by a setting: the other settings, except those of the data set."""
    if key == LOSS:
        return {name: value for name, value in cell.swept.items() if not name.startswith(("dataset.", *OF_THE_LOSS))}
    others = {name: value for name, value in cell.swept.items() if name != key and not name.startswith("dataset.")}
    return {**others, "loss": cell.loss, "head": cell.head}


def swept_keys(cells: list[Cell]) -> list[str]:
    """Return the swept settings in which cells of one data set differ, without the loss and the head themselves."""
    keys = dict.fromkeys(key for cell in cells for key in cell.swept if not key.startswith(OF_THE_DATA))
    return [key for key in keys if any(len(values) > 1 for values in _by_data(cells, key).values())]


def _by_data(cells: list[Cell], key: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for cell in cells:
        found.setdefault(cell.data, set()).add(value_in(cell, key))
    return found


def compared(report: ReportSettings, cells: list[Cell]) -> tuple[ReportSettings, list[str], list[Problem]]:
    """Return the settings of a report with ``compare`` as a whole key, notes for the user, and problems.

    Left open, it is the loss; or the one swept setting, where each data set has one loss and one head.
    """
    keys, wanted = swept_keys(cells), report.compare
    if wanted is None:
        one_loss = all(len({(cell.loss, cell.head) for cell in cells if cell.data == d}) == 1 for d in _data(cells))
        if len(keys) != 1 or not one_loss or keys[0].startswith(OF_THE_LOSS):
            return replace(report, compare=LOSS), [], []
        note = f"compared: {keys[0]}, the one setting that is swept (report.compare)"
        return replace(report, compare=keys[0]), [note], []
    found = [key for key in (LOSS, *keys) if key == wanted or key.endswith(f".{wanted}")]
    if len(found) == 1:
        return replace(report, compare=found[0]), [], []
    hint = unknown("setting", wanted, [LOSS, *keys]).hint
    return report, [], [Problem(f"report.compare must be the loss or a swept setting; got {wanted}.", hint)]


def _data(cells: list[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.data for cell in cells))
