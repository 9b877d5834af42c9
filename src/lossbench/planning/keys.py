"""The key of a cell: a hash of the settings that affect its results."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from lossbench.config.settings import FOLDS, CellSettings, NoTuneSettings, SplitSettings, plain
from lossbench.datasets.catalogue import validation_share

# Part of every cell's key. Increase it when the same settings give other results than before: all cells are then
# trained again.
RESULTS_VERSION = 1
# The settings that affect results. Seeds, tracking, names and the launcher do not.
KEY_SETTINGS = tuple(each.name for each in fields(CellSettings))

# Settings at values that have no effect. They are omitted from the hash, so that cells from before these settings
# existed keep their keys.
NEUTRAL_OF_MODELS = (("initializer_scale", 1.0), ("output_scale", 1.0))
NEUTRAL: dict[str, Any] = {
    "schedule": {"name": "constant", "warmup_epochs": 0},
    "corruption": {"name": "none"},
    "early_stopping": {"patience": None, "min_delta": 0.0},
    "select": "last",
    "tune": {"name": "none"},
    "repeat": {"name": "seeds"},
}


def key_settings(settings: CellSettings | Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that affect a cell's results, in plain form.

    Neutral settings are omitted, so that existing results keep their keys when a new setting is added.
    """
    content = plain(settings)
    there = {name: content[name] for name in KEY_SETTINGS if name in content}
    if "repeat" in there:
        # More seeds and more repetitions are more runs of the same cell.
        there["repeat"] = {k: v for k, v in there["repeat"].items() if k not in ("default_seeds", "repetitions")}
    found = {name: value for name, value in there.items() if value != NEUTRAL.get(name)}
    found["dataset"] = _dataset_content(content["dataset"], in_folds=there.get("repeat", {}).get("name") == FOLDS)
    found["model"] = {name: value for name, value in found["model"].items() if (name, value) not in NEUTRAL_OF_MODELS}
    return found


def cell_key(settings: CellSettings) -> str:
    """Return the key of a cell: the SHA-256 hash of ``key_settings`` and ``RESULTS_VERSION``."""
    content = {"version": RESULTS_VERSION, **key_settings(settings)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def untuned(settings: CellSettings) -> CellSettings:
    """Return the settings of the same cell without a study."""
    return replace(settings, tune=NoTuneSettings(name="none"))


def _dataset_content(dataset: Mapping[str, Any], *, in_folds: bool) -> dict[str, Any]:
    """Return the settings of a data set that affect results.

    A file's path is omitted: its digest, in ``file``, identifies it. ``standardize.metrics`` is omitted if targets
    are not scaled, because it has no effect then, and if it is ``scaled``, the only unit before the setting existed.
    Of the split, only the share of validation rows has an effect in a cross-validation. How many words are made of
    running text stands in ``file``.
    """
    standardize = dict(dataset["standardize"])
    if standardize["y"] == "none" or standardize["metrics"] == "scaled":
        del standardize["metrics"]
    found = {name: value for name, value in dataset.items() if name not in ("path", "max_words")}
    found["standardize"] = standardize
    return found | ({"split": {"validation": validation_share(SplitSettings(**dataset["split"]))}} if in_folds else {})
