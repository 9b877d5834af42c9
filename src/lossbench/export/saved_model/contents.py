"""Describes a cell's network and preprocessing as plain data: all of a saved model but its weights.

The description is written once a cell, because it is the same for all its seeds.
"""

import json
import re
from dataclasses import asdict
from typing import Any

from lossbench.config.settings import FileSettings, OwnArraysSettings, OwnSettings
from lossbench.datasets.loading import Dataset
from lossbench.datasets.user_file.cells import MISSING_TEXTS, NUMBER, form_of
from lossbench.export.saved_model.reading import FORMAT
from lossbench.losses.heads import HEADS, NUMBER_TASKS, threshold
from lossbench.planning.plan import Cell


def model_contents(cell: Cell, dataset: Dataset, network: str) -> dict[str, Any]:
    """Return the description of a cell's model, which ``serving`` reads to predict for new rows.

    Parameters
    ----------
    network : str
        The network in Keras's JSON; '' if Keras cannot serialize it.

    Returns
    -------
    dict
        ``inputs``, ``network``, ``head`` and ``outputs`` are the steps from a row to a prediction, in this order;
        ``problem`` is the reason why no model can be made, or ''.
    """
    settings = cell.settings.dataset
    file = settings if isinstance(settings, FileSettings) else None
    written = json.loads(network) if network else {}
    return {
        "format": FORMAT,
        "cell": cell.name,
        "inputs": {
            "names": file.facts.numbers if file else None,
            "n_features": dataset.n_features,
            "texts": file.facts.categories if file else [],
            "prose": list(file.facts.prose) if file else [],
            "missing_values": file.missing_values if file else [],
            "readings": _readings(file) if file else {},
            "shape": list(settings.facts.shape) if isinstance(settings, OwnArraysSettings) else [],
            "fitted": {name: dataset.preprocessing[name] for name in ("numbers", "texts", "prose")},
        },
        "network": written,
        "head": _head(cell),
        "outputs": _outputs(cell, file, dataset),
        "problem": _problem(network, written),
    }


def _readings(file: FileSettings) -> dict[str, dict[str, Any]]:
    """Return how the cells of a file's features are read that are not taken as they are: numbers by their form."""
    features = {*file.facts.numbers, *file.facts.categories}
    readings: dict[str, dict[str, Any]] = {}
    for name, how in file.facts.readings.items():
        kind, _, taken_out = how.partition(" ")
        if name in features:
            form = asdict(form_of(taken_out, file.decimal)) if kind == NUMBER else {}
            readings[name] = {"kind": kind, "missing": MISSING_TEXTS, **form}
    return readings


def _head(cell: Cell) -> dict[str, Any]:
    head, pair = HEADS[cell.pair.head], cell.pair
    decides = cell.task not in NUMBER_TASKS
    return {
        "activation": head.activation,
        "statistics": list(head.statistics),
        # None: the class with the largest output is decided for.
        "threshold": threshold(pair.head, pair.encoding) if decides else None,
        "probability": pair.probability,
    }


def _outputs(cell: Cell, file: FileSettings | None, dataset: Dataset) -> dict[str, Any]:
    """Return the names of the predicted columns and classes, and the scaling that numbers are brought back with."""
    n = cell.n_outputs
    columns = n if cell.task in (*NUMBER_TASKS, "multilabel") else 1
    own = cell.settings.dataset
    names = file.target if file else ["y"] if columns == 1 else [f"y{i}" for i in range(columns)]
    labels = own.facts.labels if isinstance(own, OwnSettings) else [str(i) for i in range(n)]
    return {
        "task": cell.task,
        "names": names,
        "labels": _as_they_were(labels) if cell.task in ("binary", "multiclass") else [],
        "scaling": dataset.preprocessing["targets"],
    }


def _as_they_were(labels: list[str]) -> list[Any]:
    """Return class labels in the type that they have in the file: integers, booleans or texts."""
    if all(re.fullmatch("0|-?[1-9][0-9]{0,17}", text) for text in labels):
        return [int(text) for text in labels]
    return [text == "True" for text in labels] if set(labels) == {"False", "True"} else labels


def _problem(network: str, written: dict[str, Any]) -> str:
    if not network:
        return "its network has something that Keras cannot write down"
    own = sorted(set(_foreign(written)))
    return f"its network has something that is not Keras's own ({', '.join(own)})" if own else ""


def _foreign(node: Any) -> list[str]:
    """Return the classes and functions in a network's JSON that Keras can only load with the user's code."""
    if isinstance(node, list):
        return [name for child in node for name in _foreign(child)]
    if not isinstance(node, dict):
        return []
    found = [name for child in node.values() for name in _foreign(child)]
    if "class_name" in node and "module" in node:
        # Keras writes its own functions as bare names, without a module. A Lambda layer holds its function as bytes,
        # which Keras refuses to load.
        own = str(node["module"] or "").split(".")[0] != "keras" or node["class_name"] == "Lambda"
        name = node["config"] if node["class_name"] == "function" else node["class_name"]
        found += [str(name)] if own else []
    return found
