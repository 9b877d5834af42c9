"""What makes a cell's numbers, and the key that stands for it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from lossbench.config.settings import CellSettings, NoTuneSettings, plain

# Part of every cell's key: raise it when the same settings give other numbers than before.
RESULTS_VERSION = 1
# What makes a cell's numbers: a positive list. Seeds, tracking, names and the launcher are not in it.
KEY_SETTINGS = tuple(each.name for each in fields(CellSettings))

# Settings of models, and of ``KEY_SETTINGS``, that change nothing.
NEUTRAL_OF_MODELS = (("initializer_scale", 1.0), ("output_scale", 1.0))
NEUTRAL: dict[str, Any] = {
    "schedule": {"name": "constant", "warmup_epochs": 0},
    "corruption": {"name": "none"},
    "early_stopping": {"patience": None, "min_delta": 0.0},
    "select": "last",
    "tune": {"name": "none"},
}


def key_settings(settings: CellSettings | Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that make a cell's numbers, in their plain form.

    Neutral settings are omitted, so that results keep their keys when there is more to choose.
    """
    content = plain(settings)
    there = {name: content[name] for name in KEY_SETTINGS if name in content}
    found = {name: value for name, value in there.items() if value != NEUTRAL.get(name)}
    found["dataset"] = _dataset_content(content["dataset"])
    found["model"] = {name: value for name, value in found["model"].items() if (name, value) not in NEUTRAL_OF_MODELS}
    return found


def cell_key(settings: CellSettings) -> str:
    """Return the key of a cell: a hash of the resolved settings that make its numbers."""
    content = {"version": RESULTS_VERSION, **key_settings(settings)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def untuned(settings: CellSettings) -> CellSettings:
    """Return the settings of the cell that is the same but for its study."""
    return replace(settings, tune=NoTuneSettings(name="none"))


def _dataset_content(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a data set's settings makes numbers: of a file its digest, wherever it lies."""
    standardize = dict(dataset["standardize"])
    if standardize["y"] == "none" or standardize["metrics"] == "scaled":
        del standardize["metrics"]
    return {name: value for name, value in dataset.items() if name != "path"} | {"standardize": standardize}
