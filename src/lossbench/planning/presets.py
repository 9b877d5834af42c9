"""Reads presets: learning rates that an earlier sweep's studies found, in ``conf/tuned/<sweep>.yaml``."""

from typing import Any

import yaml

from lossbench.config.settings import CellSettings, plain
from lossbench.planning.command_line import group_folders


def read_preset(name: str) -> list[dict[str, Any]]:
    """Return the cells of an existing preset.

    Raises
    ------
    ValueError
        If the file cannot be read or lacks a field of a cell.
    """
    path = next(path for folder in group_folders() if (path := folder / "tuned" / f"{name}.yaml").exists())
    again = f"lossbench-export tuned {name} writes {path} again."
    try:
        cells = yaml.safe_load(path.read_text(encoding="utf-8"))["cells"]
        if all(_is_cell(cell) for cell in cells):
            return cells
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"cannot be read: {said}. {again}") from None
    raise ValueError(f"is no preset: each of its cells needs dataset, head, loss, where and values. {again}")


def _is_cell(cell: dict[str, Any]) -> bool:
    there = {"dataset", "head", "loss", "where", "values"} <= set(cell)
    return there and isinstance(cell["where"], dict) and isinstance(cell["values"], dict)


def preset_values(cells: list[dict[str, Any]], datasets: list[str], settings: CellSettings) -> dict[str, Any]:
    """Return the values that a preset has for a cell.

    Parameters
    ----------
    cells : list of dict
        The cells of the preset.
    datasets : list of str
        The names under which the preset may list the data set: the file's name, and the choice.
    settings : CellSettings
        The cell's, with its head resolved.

    Raises
    ------
    ValueError
        If the preset has no values for the cell, or several that differ.
    """
    asked = (datasets[0], settings.head.name, settings.loss.name)
    of_loss = [cell for cell in cells if cell["dataset"] in datasets and (cell["head"], cell["loss"]) == asked[1:]]
    fitting = [cell["values"] for cell in of_loss if _fits(cell["where"], settings)]
    if not fitting and of_loss:
        wanted = ", ".join(f"{key}={value}" for key, value in of_loss[0]["where"].items())
        raise ValueError(f"has values for {'/'.join(asked)} with {wanted} only.")
    if not fitting:
        raise ValueError(f"has no learning rate for {'/'.join(asked)}.")
    if any(values != fitting[0] for values in fitting):
        raise ValueError(f"has {len(fitting)} learning rates for {'/'.join(asked)}.")
    return dict(fitting[0])


def _fits(where: dict[str, Any], settings: CellSettings) -> bool:
    """Return whether a cell has the settings under which a preset's values were found."""
    content = plain(settings)

    def value(key: str) -> Any:
        found: Any = content
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found.get("name") if isinstance(found, dict) else found

    def same(ours: Any, theirs: Any) -> bool:
        # One hidden layer may be written as a number.
        return ours == theirs or ours == [theirs]

    return all(same(value(key), wanted) for key, wanted in where.items())
